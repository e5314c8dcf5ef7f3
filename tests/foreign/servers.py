"""Four MCP servers that nobody here wrote, and a client without an SDK that asks all they offer."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".foreign" / "node_modules" / "@modelcontextprotocol"
BIN = ROOT / ".venv-foreign" / "bin"
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
PATIENCE = 60.0
INSTALLED = NODE.is_dir() and (BIN / "mcp-server-time").exists()
"""By `make foreign`."""


def command(name: str, folder: Path) -> list[str]:
    """How to start a server on stdio; its files are in `folder`, the same for every run."""
    index = str(NODE / f"server-{name}" / "dist" / "index.js")
    if name == "time":
        return [str(BIN / "mcp-server-time"), "--local-timezone", "UTC"]
    return ["node", index, *([str(folder)] if name == "filesystem" else [])]


def prepared(folder: Path) -> Path:
    """The folder as every run finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / "note.txt").write_text("one\ntwo\u2028three\n", encoding="utf-8")
    return folder


def environment(folder: Path) -> dict[str, str]:
    memory = str(folder / "memory.json")
    return os.environ | {"MEMORY_FILE_PATH": memory, "HOME": str(folder), "PYTHONPATH": ""}


class Client(ABC):
    """Asks, and answers what the server asks meanwhile; every answer is kept as it came."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []
        self.asked_us: list[str] = []
        self._id = 0

    @abstractmethod
    def exchange(self, message: dict[str, Any]) -> str:
        """Sends it; for a request the text of its answer."""

    def ask(self, method: str, **params: Any) -> Any:
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        text = self.exchange(message)
        name = params.get("name") or params.get("uri") or params.get("protocolVersion") or ""
        self.answers.append((f"{method} {name}".strip(), text))
        return json.loads(text)

    def shake_hands(self, version: str) -> None:
        capabilities = {"sampling": {}, "elicitation": {}, "roots": {"listChanged": True}}
        who = {"name": "plain", "version": "1"}
        self.ask("initialize", protocolVersion=version, capabilities=capabilities, clientInfo=who)
        self.exchange({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def reply_to(self, message: dict[str, Any]) -> dict[str, Any]:
        """Our answer to a request of the server's."""
        self.asked_us.append(message["method"])
        words = {"role": "assistant", "model": "none", "content": {"type": "text", "text": "hm"}}
        results = {
            "roots/list": {"roots": []},
            "sampling/createMessage": words,
            "elicitation/create": {"action": "decline"},
        }
        return {
            "jsonrpc": "2.0",
            "id": message["id"],
            "result": results.get(message["method"], {}),
        }

    def ask_everything(self, folder: Path) -> None:
        """Every tool with made-up arguments (and with none), every resource and every prompt."""
        for tool in self.ask("tools/list")["result"]["tools"]:
            schema = tool.get("inputSchema", {})
            for arguments in (made_up(schema, "", folder), {}):
                if tool["name"] == "trigger-long-running-operation":
                    arguments = {"duration": 0.1, "steps": 1}
                self.ask("tools/call", name=tool["name"], arguments=arguments)
        for resource in self.ask("resources/list").get("result", {}).get("resources", [])[:20]:
            self.ask("resources/read", uri=resource["uri"])
        self.ask("resources/templates/list")
        for prompt in self.ask("prompts/list").get("result", {}).get("prompts", []):
            given = {each["name"]: "1" for each in prompt.get("arguments", [])}
            self.ask("prompts/get", name=prompt["name"], arguments=given)
        self.ask("ping")
        self.ask("of/a/later/version", x=1.5)


def made_up(schema: dict[str, Any], name: str, folder: Path) -> Any:
    """A value that a schema allows, as far as it is plain."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        wanted = schema.get("required", [])
        fields = schema.get("properties", {})
        return {key: made_up(fields[key], key, folder) for key in fields if key in wanted}
    if kind == "array":
        return [made_up(schema.get("items", {}), name, folder)]
    plain = {"number": 1, "integer": 1, "boolean": False}
    texts = {
        "path": str(folder / "note.txt"),
        "paths": str(folder / "note.txt"),
        "source": str(folder / "note.txt"),
        "destination": str(folder / "moved.txt"),
    }
    return plain.get(kind, texts.get(name, "1:00 \u2028 \x85 é \\u2028"))


class Stdio(Client):
    """Over the pipes of a process."""

    def __init__(self, words: list[str], folder: Path) -> None:
        super().__init__()
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(folder),
            bufsize=0,
        )
        self._rest = b""

    def exchange(self, message: dict[str, Any]) -> str:
        self._send(message)
        while "id" in message:
            line = self._line()
            assert line, f"the server closed its output at {message}"
            told = json.loads(line)
            if "method" not in told and told.get("id") == message["id"]:
                return line.decode()
            if "method" in told and "id" in told:
                self._send(self.reply_to(told))
        return ""

    def _line(self) -> bytes:
        source = self.process.stdout.fileno()  # type: ignore[union-attr]
        while b"\n" not in self._rest:
            assert select.select([source], [], [], PATIENCE)[0], f"no answer: {self.answers[-1:]}"
            if not (chunk := os.read(source, 1 << 16)):
                return b""
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False)
        self.process.stdin.write(text.encode() + b"\n")  # type: ignore[union-attr]

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]


class Http(Client):
    """Over streamable HTTP, one connection a message, and one that listens."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.session, self.version = port, "", ""

    def exchange(self, message: dict[str, Any]) -> str:
        if message.get("method") == "initialize":
            self.version = ""
        headers = {"Content-Type": "application/json"}
        headers["Accept"] = "application/json, text/event-stream"
        if self.session:
            headers["Mcp-Session-Id"] = self.session
        if self.version:
            headers["Mcp-Protocol-Version"] = self.version
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", "/mcp", json.dumps(message).encode(), headers)
            answer = connection.getresponse()
            self.session = self.session or answer.getheader("Mcp-Session-Id", "")
            streams = "event-stream" in answer.getheader("Content-Type", "")
            text = "" if streams else answer.read().decode()
            if "id" in message and "method" in message and not streams:
                return text
            for line in answer if streams else ():
                if not line.startswith(b"data:") or len(line) < 10:
                    continue
                told = json.loads(line[5:])
                if "method" not in told and told.get("id") == message.get("id"):
                    if message["method"] == "initialize":
                        self.version = told["result"]["protocolVersion"]
                    return line[5:].decode().strip()
                if "method" in told and "id" in told:
                    self.exchange(self.reply_to(told))
        if message.get("method") == "notifications/initialized":
            threading.Thread(target=self._listen, daemon=True).start()
        return ""

    def _listen(self) -> None:
        """Answers what the server asks beside its answers, until the stream ends."""
        headers = {"Accept": "text/event-stream", "Mcp-Session-Id": self.session}
        headers["Mcp-Protocol-Version"] = self.version
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/mcp", headers=headers)
            for line in connection.getresponse():
                if line.startswith(b"data:") and len(line) > 10:
                    told = json.loads(line[5:])
                    if "method" in told and "id" in told:
                        self.exchange(self.reply_to(told))


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as made:
        return int(made.getsockname()[1])


def guard(folder: Path, *options: str) -> list[str]:
    """`freezetag guard --mcp` with a state of its own beside `folder`."""
    state = str(folder.parent / f"state-{time.monotonic_ns()}")
    words = [sys.executable, "-m", "freezetag", "guard", "--mcp", "--state", state]
    stop = ["--stop-file", str(folder.parent / "STOP"), "--drain", "500ms"]
    return [*words, *stop, *options, "--"]


@contextlib.contextmanager
def on_http(folder: Path, guarded: bool, *options: str) -> Iterator[Http]:
    """The server of everything on streamable HTTP, with the guard before it or without."""
    inner, outer = free_port(), free_port()
    words = ["node", str(NODE / "server-everything" / "dist" / "index.js"), "streamableHttp"]
    env = environment(folder) | {"PORT": str(inner)}
    if guarded:
        places = ["--upstream", f"http://127.0.0.1:{inner}/mcp", "--listen", f"127.0.0.1:{outer}"]
        words = [*guard(folder, *places, *options), *words]
        env |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
    try:
        for port in (inner, outer) if guarded else (inner,):
            _await(port)
        yield Http(outer if guarded else inner)
    finally:
        process.terminate()
        process.wait(20)


def _await(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        assert time.monotonic() < end, f"nothing answers at port {port}"
        time.sleep(0.05)


def masked(text: str) -> str:
    """Without digits, for what no two runs of the server itself answer equally."""
    return re.sub(r"[0-9a-f-]*[0-9]+[0-9a-f-]*", "#", text)
