"""The oracle's process: effects arrive as datagrams and are written down with their time.

The kernel stamps a datagram on the loopback while it is being sent, so the time of an effect does
not depend on when this process, or the one that acted, is next allowed to run.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from tests.live.chaos.shared import now

_SO_TIMESTAMPNS = 35


@final
@dataclass(frozen=True)
class Effect:
    """`at` by the world; `before` was read just before the gate was asked. Both CLOCK_BOOTTIME."""

    at: float
    before: float
    agent: str
    b: str
    n: int
    who: str


def listen() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind(("127.0.0.1", 0))
    return made


def record(source: socket.socket, log: Path) -> None:
    """Writes every effect down, for ever."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        data, extra, _, _ = source.recvmsg(2000, 200)
        seconds, nanos = struct.unpack("qq", extra[0][2][:16])
        at = seconds + nanos * 1e-9 + (now() - time.time())
        os.write(handle, b"%.9f %s\n" % (at, data))


def act(sink: socket.socket, before: float, agent: str, b: str, n: int, who: str = "tool") -> None:
    """The effect itself."""
    sink.send(json.dumps([before, agent, b, n, who]).encode())


def effects(log: Path) -> list[Effect]:
    return effects_from(log, 0)[0]


def effects_from(log: Path, start: int) -> tuple[list[Effect], int]:
    """The effects after byte `start`, and where the next one begins."""
    if not log.exists():
        return [], start
    with log.open("rb") as file:
        file.seek(start)
        data = file.read()
    whole = data.rpartition(b"\n")[0]
    found = []
    for line in whole.splitlines():
        at, _, rest = line.partition(b" ")
        found.append(Effect(float(at), *json.loads(rest)))
    return found, start + (len(whole) + 1 if whole else 0)
