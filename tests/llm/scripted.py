"""A language model that is a function, behind a real HTTP server."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Messages = list[dict[str, Any]]
Answered = str | dict[str, str]
"""A text, or the name of a tool under "call" beside its arguments."""
Script = Callable[[Messages], Answered]


@dataclass
class Served:
    """A server that runs: its address, and every request it was sent."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def agent(self) -> str:
        return f"llm:scripted@{self.url}(pause=0.01)"


@contextmanager
def serving(script: Script, tools: bool = True) -> Iterator[Served]:
    """Serve chat completions and responses of a script, with counts of tokens, until the end; with
    `tools` False whoever offers tools is refused."""
    found = Served("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.requests.append(sent)
            found.headers.append(dict(self.headers))
            if sent.get("tools") and not tools:
                self.told(400, {"error": {"message": "this model does not support tools"}})
                return
            try:
                text = script([_told(item) for item in sent.get("messages") or sent.get("input")])
            except ConnectionAbortedError:
                self.close_connection = True
                return
            size = {"prompt": len(str(sent)) // 4, "completion": len(text) // 4 + 1}
            call = {} if isinstance(text, str) else dict(text)
            name = call.pop("call", "")
            text = "" if name else text
            function = {"name": name, "arguments": json.dumps(call)}
            made = {"id": "c1", "type": "function", "function": function}
            answer: dict[str, Any] = {
                "model": "/somewhere/secret/model.gguf",
                "choices": [
                    {
                        "message": {"role": "assistant", "content": text}
                        | ({"tool_calls": [made]} if name else {}),
                        "finish_reason": "stop",
                    }
                ],
                "usage": {
                    "prompt_tokens": size["prompt"],
                    "completion_tokens": size["completion"],
                },
            }
            if self.path.endswith("/responses"):
                answer = {
                    "model": "scripted",
                    "status": "completed",
                    "output": [
                        {"type": "function_call", "call_id": "c1", **function}
                        if name
                        else {
                            "type": "message",
                            "content": [{"type": "output_text", "text": text}],
                        }
                    ],
                    "usage": {
                        "input_tokens": size["prompt"],
                        "output_tokens": size["completion"],
                    },
                }
            self.told(200, answer)

        def told(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with server(Handler) as url:
        found.url = url
        yield found


def _told(item: dict[str, Any]) -> dict[str, Any]:
    """An item of the responses interface as a message: a call's result is what was told next."""
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": item["output"]}
    if item.get("type") == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": [item]}
    return item


@contextmanager
def server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server with this handler, on a free port, until the end."""
    serves = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serves.daemon_threads = True
    thread = threading.Thread(target=serves.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serves.server_address[1]}"
    finally:
        serves.shutdown()
        serves.server_close()
        thread.join()


def knows(messages: Messages) -> str | None:
    """The right answer to a question about the rules of a matrix game, found by reading them."""
    rules, question = messages[0]["content"], messages[-1]["content"]
    if asked := re.search(
        r"If you answer (\w) and the other answers (\w), how many \w+ (do you|does the other) get",
        question,
    ):
        own, other, who = asked.groups()
        paid = payoffs(rules)[own, other]
        return paid[0] if who == "do you" else paid[1]
    if "Which of these may be answered" in question:
        listed = re.findall(r"\b[A-Z]\b", question.rpartition("alone:")[2])
        return next(label for label in listed if f"answer {label}" in rules)
    if "Who chooses first" in question:
        return "both"
    return "no" if "Do you know what is answered" in question else None


def payoffs(rules: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(own, other's answer) -> (own, other's pay), as the rules list them."""
    found = {}
    for line in rules.splitlines():
        own, other = re.search(r"you answer (\w)", line), re.search(r"other answers (\w)", line)
        paid = re.search(r"you get (\S+) and the other gets (\S+?)\.", line)
        if own and other and paid:
            found[own[1], other[1]] = paid.groups()
    return found  # type: ignore[return-value]


def meaning(rules: str) -> tuple[str, str]:
    """(the label that cooperates, the label that defects) of a dilemma, by what they bring."""
    paid = payoffs(rules)
    both = {own: float(pay[0]) for (own, other), pay in paid.items() if own == other}
    first, second = both
    return (first, second) if both[first] > both[second] else (second, first)
