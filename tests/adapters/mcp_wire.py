"""A pump between two pairs of pipes, on which a test plays both peers."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

from freezetag.adapters.gates.mcp_stdio import McpPump
from freezetag.core import Panel
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate


class Wire:
    """A pump between two pairs of pipes; the test plays client and server."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        self.gate = gate
        client, to_client = os.pipe()
        from_client, self._up = os.pipe()
        server, to_server = os.pipe()
        from_server, self._down = os.pipe()
        self._client, self._server = client, server
        self._buffers = {client: b"", server: b""}
        self.pump = McpPump(
            gate, (from_client, to_client), (from_server, to_server), **options
        ).start()

    def say(self, line: bytes | dict[str, Any]) -> None:
        """As the client."""
        self._write(self._up, line)

    def answer(self, line: bytes | dict[str, Any]) -> None:
        """As the server."""
        self._write(self._down, line)

    def told(self, timeout: float = 2.0) -> Any:
        """What the client gets next; None if nothing comes."""
        return self._read(self._client, timeout)

    def reached(self, timeout: float = 2.0) -> bytes | None:
        """What the server gets next, byte for byte."""
        return self._line(self._server, timeout)

    def server_dies(self) -> None:
        os.close(self._down)

    def close(self) -> None:
        os.close(self._up)
        self.pump.join(2)

    @staticmethod
    def _write(handle: int, line: bytes | dict[str, Any]) -> None:
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        data += b"\n"
        while data:
            data = data[os.write(handle, data) :]

    def _line(self, handle: int, timeout: float) -> bytes | None:
        end = time.monotonic() + timeout
        while b"\n" not in self._buffers[handle]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                return None
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                return None
            self._buffers[handle] += chunk
        line, _, self._buffers[handle] = self._buffers[handle].partition(b"\n")
        return line

    def _read(self, handle: int, timeout: float) -> Any:
        line = self._line(handle, timeout)
        return None if line is None else json.loads(line)


def call(ident: Any, tool: str = "pay", **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": ident, "method": "tools/call", "params": params}


def open_gate(**options: Any) -> Gate:
    return Gate(Panel(), clock=SteppedClock(), enrolments=(), name="agent", **options)
