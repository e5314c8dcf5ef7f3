"""An MCP server without an SDK that misbehaves by request; its effects go, by its clock, to a file.

Usage: rough_server.py EFFECTS. `params.name` of a tools/call says what it does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any


def act(seconds: float) -> None:
    end = time.time() + seconds
    with open(sys.argv[1], "a", buffering=1) as file:  # noqa: PTH123
        while time.time() < end:
            file.write(f"{time.time()} act\n")
            time.sleep(0.01)


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(ident: Any, **result: Any) -> None:
    say({"jsonrpc": "2.0", "id": ident, "result": result})


def serve() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        name = message.get("params", {}).get("name", "")
        if "id" not in message:
            continue
        if name == "silent":  # acts, hears of no cancelling, and never answers
            threading.Thread(target=act, args=(30,), daemon=True).start()
        elif name == "crash":
            os._exit(3)
        elif name == "crash_held":  # another process keeps the pipes open
            subprocess.Popen(["sleep", "30"])
            time.sleep(0.1)
            os._exit(3)
        elif name == "large":
            answer(message["id"], text="x" * message["params"]["size"])
        elif name == "print":
            print("Warning: no configuration")
            answer(message["id"])
        else:
            answer(message["id"], method=message["method"])


if __name__ == "__main__":
    serve()
