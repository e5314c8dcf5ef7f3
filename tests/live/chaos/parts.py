"""The processes under test: a server whose store can fail, and a gate with its tool."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from tests.live.chaos import shared, world
from tests.live.chaos.shared import DRAIN, LENGTH, Controls, now

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.live.authority.home import Home
from freezetag.live.gate.drain import Order
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.latch import LatchFile
from freezetag.live.gate.remote_host import GateHost, Line
from freezetag.live.server.server import Server

FAILURES = {
    shared.FULL: sqlite3.OperationalError("database or disk is full"),
    shared.FULL_AFTER: sqlite3.OperationalError("disk I/O error"),
    shared.EIO: OSError(5, "Input/output error"),
}
LIMIT = 3.0


def serve(path: Path, controls: Controls) -> None:
    """A server until it is killed."""
    shared.die_with_parent()
    real = time.time
    time.time = lambda: real() + controls.wall
    with Server(Home.open(path), connect=_failing(controls)):  # holds the folder's lock
        while True:
            time.sleep(3600)


def _failing(controls: Controls) -> Callable[[str], sqlite3.Connection]:
    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            fault = controls.store
            if fault == shared.DIE_BEGIN and sql.startswith("BEGIN"):
                os.kill(os.getpid(), signal.SIGKILL)
            if sql != "COMMIT":
                return super().execute(sql, *rest)
            if fault == shared.DIE_COMMIT:
                os.kill(os.getpid(), signal.SIGKILL)
            while controls.store == shared.HANGS:
                time.sleep(0.005)
            if fault in (shared.FULL, shared.EIO):
                raise FAILURES[fault]
            done = super().execute(sql, *rest)
            if fault == shared.DIE_AFTER:
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == shared.FULL_AFTER:
                raise FAILURES[fault]
            return done

    return lambda path: sqlite3.connect(
        path, timeout=5.0, isolation_level=None, check_same_thread=False, factory=Connection
    )


@final
class Tool:
    """A child that does the effects, and is what a stop kills. It acts only when told to."""

    def __init__(self, sink: tuple[str, int], log: Path) -> None:
        mine, theirs = socket.socketpair()
        self._mine = mine
        self.pid = shared.fork(log, _use, theirs, mine, sink)
        theirs.close()

    def do(self, text: str) -> bool:
        """Whether it was surely done."""
        try:
            self._mine.sendall(text.encode())
            return self._mine.recv(1) == b"1"
        except OSError:
            return False

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _use(source: socket.socket, other: socket.socket, address: tuple[str, int]) -> None:
    shared.die_with_parent()
    other.close()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.connect(address)
    while text := source.recv(1000).decode():
        before, agent, b, n, takes = text.split()
        time.sleep(float(takes))
        world.act(sink, float(before), agent, b, int(n))
        source.sendall(b"1")


def agent(
    name: str,
    controls: Controls,
    enrolments: list[Enrolment],
    lines: list[Line],
    sink: tuple[str, int],
    folder: Path,
    seed: int,
    slow: bool,
    forks: bool,
) -> None:
    """A gate, its pump, and an agent that acts as often as it is let; until it is killed."""
    shared.die_with_parent()
    log, dice = folder / f"{name}.log", random.Random(seed)
    tools = [Tool(sink, log)]
    drift = time.time() - controls.clock(name)
    gate = Gate(
        Panel((PowerLimit(LIMIT, sensor="power"),)),
        clock=lambda: controls.clock(name),
        wall=lambda: now() + drift,
        enrolments=enrolments,
        name=name,
        drain=DRAIN,
        kills=True,
        meters={"power": lambda: _power(controls, name)},
        latch=LatchFile(folder / f"{name}.latch"),
        poke=lambda: host.poke(),
    )

    def obey(order: Order) -> None:
        if order.kind == "kill":
            tools[-1].kill()
            gate.killed()

    host = GateHost(gate, lines, length=LENGTH, on_order=obey)
    host.start()
    while True:
        controls.set_seen(name, gate._home.seen_size)
        before = now()
        try:
            number = gate.begin("act")
        except Refused:
            time.sleep(0.004)
            continue
        takes = dice.uniform(0, 1.0) if slow and dice.random() < 0.2 else 0.0
        done = tools[-1].do(f"{before} {name} {gate.b} {number} {takes}")
        gate.end(number, "done" if done else "unknown")
        if forks and number == 3:
            shared.fork(log, _act_in_child, gate, sink, name)
        if not done:
            tools.append(Tool(sink, log))
        time.sleep(dice.uniform(0.002, 0.02))


def _power(controls: Controls, name: str) -> float:
    if (value := controls.power(name)) == shared.RAISES:
        raise OSError(5, "Input/output error")
    return value


def _act_in_child(gate: Gate, sink: tuple[str, int], name: str) -> None:
    """A forked copy of the open gate, and an agent that tries to act through it."""
    shared.die_with_parent()
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(sink)
    while True:
        before = now()
        with contextlib.suppress(Refused):
            number = gate.begin("forked")
            world.act(made, before, name, gate.b, number, "fork")
        time.sleep(0.01)
