"""Fuzzed input to what moves bytes: the MCP proxy's pump, and the listeners of a real server."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.fuzz.decisions import Certificates, Frames
from tests.live.fuzz.mutate import bytes_changed, varied
from tests.live.worlds import PEOPLE

from freezetag.adapters.gates import mcp_frames
from freezetag.adapters.gates.mcp_stdio import McpPump
from freezetag.core.gate import Refused
from freezetag.live.authority.home import Home, Settings
from freezetag.live.server.server import Server
from freezetag.live.signed.frames import incarnation_key, seal
from freezetag.live.signed.keys import Person


class Shut:
    """A gate that admits nothing."""

    is_open = False

    def begin(self, action: str, *_: Any) -> int:
        raise Refused(action, "shut")

    def end(self, number: int, outcome: str = "done") -> None:
        raise AssertionError("nothing was begun")


class Mcp:
    """Lines through the pump of the MCP proxy, in batches; what reaches the server is read."""

    SEEDS = tuple(
        json.dumps(each).encode()
        for each in (
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "pay"}},
            {"jsonrpc": "2.0", "id": "x", "method": "resources/read", "params": {"uri": "a"}},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}},
            {"jsonrpc": "2.0", "id": 3, "result": {"x": [1, 2.5, None]}},
            {"jsonrpc": "2.0", "id": 4, "error": {"code": -1, "message": "no"}},
            {"jsonrpc": "2.0", "id": 5, "method": "tools/list"},
        )
    )

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def batch(self, count: int) -> list[str]:
        lines = [varied(self.dice, list(self.SEEDS)) for _ in range(count)]
        client_in, to_pump = os.pipe()
        from_pump, client_out = os.pipe()
        server_in, to_client = os.pipe()
        to_server, server_out = os.pipe()
        arrived: list[bytes] = []
        readers = [
            threading.Thread(target=self._drain, args=(from_pump, []), daemon=True),
            threading.Thread(target=self._drain, args=(to_server, arrived), daemon=True),
        ]
        for reader in readers:
            reader.start()
        pump = McpPump(Shut(), (client_in, client_out), (server_in, server_out))
        pump.start()
        with os.fdopen(to_pump, "wb") as sink:
            for line in lines:
                sink.write(line.replace(b"\n", b" ") + b"\n")
        pump.join(60)
        os.close(to_client)
        readers[1].join(60)
        if pump._threads[0].is_alive() or readers[1].is_alive():
            return ["the pump hangs"]
        pump._client.close()
        readers[0].join(60)
        return [f"reached the server: {x!r}" for x in arrived if not self._free(x)]

    @staticmethod
    def _drain(source: int, kept: list[bytes]) -> None:
        with os.fdopen(source, "rb") as file:
            kept += file.readlines()

    @staticmethod
    def _free(line: bytes) -> bool:
        """As a careless reader sees it: no method, or one that may pass."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return False
        method = message.get("method") if isinstance(message, dict) else "?"
        return method is None or method in mcp_frames.FREE


UPGRADE = (
    b"GET /gate HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Http:
    """Raw requests at the three listeners of a real server, while the fleet is pressed."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self.dice = dice
        people = [Person(name, PEOPLE[name][1]) for name in ("ann", "bob")]
        settings = Settings("own", port=0, press_port=0, gate_port=0)
        self.home = Home.create(folder / "home", settings, people, solo=False)
        self.server = Server(self.home).start()
        told = json.loads((self.home.path / "listening.json").read_bytes())
        self.told = {name: addresses[0] for name, addresses in told.items()}
        frames = Frames(dice)
        tokens = {right: self._token(right) for right in ("press", "start", "admin", "status")}
        self._send(_request("POST", "/api/enrol", {"token": tokens["admin"], "agent": "agent"}))
        self._send(_request("POST", "/press", {"token": tokens["press"], "scope": "fleet"}))
        once = Certificates(dice).seeds[0]
        self.seeds = [
            _request("POST", "/press", {"token": tokens["press"], "scope": "agent:agent"}),
            _request("GET", "/press", None),
            _request("POST", "/api/start", {"token": tokens["start"], "agent": "agent"}),
            _request("POST", "/api/clear", json.loads(once)),
            _request("GET", "/api/status", None, tokens["status"]),
            _request("GET", "/api/ledger?from=0", None, tokens["status"]),
            _request("GET", "/api/proof?from=0&to=1", None, tokens["status"]),
            _request("GET", "/api/draft?scope=fleet", None, tokens["status"]),
            _request("GET", "/", None),
            _request("GET", "/static/..%2f..%2fsecret", None),
            UPGRADE,
            *(_raw("POST", "/api/frame", seed) for seed in frames.seeds),
            *(_raw("POST", "/api/frame", seed) for seed in self._renewals()),
        ]

    def _token(self, right: str) -> str:
        return (self.home.path / "tokens" / right).read_text().strip()

    def _renewals(self) -> Iterator[bytes]:
        key = incarnation_key(self.server.service.authority.key_for("agent"), "cd" * 16)
        fields = {"phase": "open", "in_flight": 0, "last": 1, "spent": {}, "head": ""}
        own = {
            "root": "",
            "size": 0,
            "kind": "renew",
            "gate": "agent",
            "b": "cd" * 16,
            "n": 1,
            "presses": [],
            "ack": None,
        }
        yield seal(key, {**own, **fields}).encode()

    def one(self) -> str:
        seed = self.dice.choice(self.seeds)
        head, _, body = seed.partition(b"\r\n\r\n")
        if body and self.dice.random() < 0.5:
            body = varied(self.dice, [body])
            path = head.split(b" ")[1].decode()
            request = _raw("POST", path, body)
        else:
            request = bytes_changed(self.dice, seed, self.seeds)
        answer = self._send(request, self.dice.choice(("main", "gates", "press")))
        if answer.startswith(b"HTTP/1.1 5") and b" 503 " not in answer[:20]:
            return f"{answer[:80]!r} was the answer to {request!r}"
        if b'"kind":"grant"' in answer:
            return f"a grant under a press came of {request!r}"
        return ""

    def _send(self, request: bytes, name: str = "main") -> bytes:
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(10)
            made.connect(self.told[name].removeprefix("unix:"))
            answer = b""
            try:
                made.sendall(request)
                made.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    while part := made.recv(65536):
                        answer += part
                    return answer
                if answer:
                    return answer  # the connection is kept
                made.settimeout(10)
                made.shutdown(socket.SHUT_WR)  # it waits for more, which does not come
                while part := made.recv(65536):
                    answer += part
                return answer
            except TimeoutError:
                return b"HTTP/1.1 599 no answer in time"
            except OSError:
                return answer  # closed on us, which is an answer too

    def close(self) -> list[str]:
        """The server still works, and nothing was let go on."""
        wrong = []
        told = self._send(self.seeds[0])
        if b'"state"' not in told:
            wrong.append(f"a press is not taken any more: {told[:300]!r}")
        kinds = Counter(json.loads(leaf)["kind"] for leaf in self.server.service.records(0, 10**6))
        wrong += [
            f"{kinds[kind]} {kind} in the ledger"
            for kind in ("start", "clear", "open")
            if kinds[kind]
        ]
        if not self.server.service.authority.facts.standing("agent"):
            wrong.append("the press does not stand any more")
        self.server.close()
        return wrong


def _request(method: str, path: str, fields: Any, token: str = "") -> bytes:
    return _raw(method, path, b"" if fields is None else json.dumps(fields).encode(), token)


def _raw(method: str, path: str, body: bytes, token: str = "") -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"{bearer}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
