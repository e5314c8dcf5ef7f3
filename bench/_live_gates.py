"""Many gates in one lean process, a WebSocket each; and homes of authorities that know them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from freezetag.core import Panel
from freezetag.core.gate import Refused
from freezetag.live.authority.home import Home, Settings
from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.authority.state_seal import sealer
from freezetag.live.gate.clock import boot_clock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import OPEN, WAITING, Gate
from freezetag.live.server.server import Server
from freezetag.live.signed.frames import gate_key
from freezetag.live.signed.keys import Person, generate
from freezetag.live.signed.merkle import Checkpoint, record, sign_note

AT_ONCE = 50
TICK = 0.25
now = boot_clock()


def home(path: Path, agents: int, length: float, anchors: int = 0) -> Home:
    """An authority's folder with `agents` enrolled and started, and so many other records."""
    people = [Person(name, generate()[1]) for name in ("ann", "bob")]
    settings = Settings("bench", port=0, press_port=0, gate_port=0, length=length)
    made = Home.create(path, settings, people, solo=False)
    store = SqliteStore(
        made.ledger,
        lambda n, root: sign_note(Checkpoint("bench", n, root), made.signing),
        seal=sealer(made.signing),
    )
    at = int(time.time() * 1000)
    bodies: list[tuple[str, dict[str, Any]]] = []
    for n in range(agents):
        enrol = {"agent": f"g{n}", "depends_on": [], "groups": [], "limits": {}}
        bodies.append(("enrol", {**enrol, "on_stop": "rest_is_safe", "safe_state": ""}))
        bodies.append(("start", {"agent": f"g{n}", "epoch": 1, "who": "ann"}))
    _insert(store, bodies, at)
    for first in range(0, anchors, 20_000):
        count = min(20_000, anchors - first)
        head = f"{first:064x}"
        anchor = {"gate": "gone", "b": "0" * 32, "head": head, "spent": {}}
        _insert(store, [("anchor", {**anchor, "last": n}) for n in range(count)], at)
    store.close()
    return made


def _insert(store: SqliteStore, bodies: Sequence[tuple[str, dict[str, Any]]], at: int) -> None:
    first = store.head.size
    store.insert([record(first + i, *body, at) for i, body in enumerate(bodies)], bodies)


def child(work: Callable[..., None], *arguments: Any) -> int:
    """A forked process that does `work`."""
    pid = os.fork()
    if not pid:
        try:
            work(*arguments)
        finally:
            sys.stderr.flush()
            os._exit(0)
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def serve(path: Path) -> None:
    with Server(Home.open(path)):
        while True:
            time.sleep(3600)


def address(path: Path, which: str, within: float = 20.0) -> str:
    """The TCP address at which the server of this folder listens, once it does."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            told = json.loads((path / "listening.json").read_bytes())[which]
            return next(str(each) for each in told if each.startswith("http"))
        except (OSError, ValueError):
            time.sleep(0.01)
    raise SystemExit(f"no server came up on {path}")


def gate(home: Home, name: str, *, witness: bool = True) -> Gate:
    """The gate of `name`; a witness checks the checkpoint that comes with each lease."""
    held = Enrolment(
        home.settings.name,
        gate_key(home.secret, name),
        home.roster,
        home.settings.length,
        home.public if witness else None,
    )
    return Gate(Panel(), clock=now, enrolments=[held], name=name)


@dataclass
class _Held:
    gate: Gate
    socket: Any
    asked: float = 0.0
    closed: float = float("inf")
    last: float = float("-inf")
    admitted: int = 0


def hold(path: Path, count: int, told: Connection, acting: bool) -> None:
    """Opens `count` gates and says so; then, once all are closed, tells when each was.

    With `acting` every gate is asked all the time, and told is when each last admitted.
    """
    asyncio.run(_hold(Home.open(path), count, told, acting))


async def _hold(home: Home, count: int, told: Connection, acting: bool) -> None:
    length = home.settings.length
    uri = address(home.path, "gates").replace("http", "ws", 1) + "/gate"
    held: list[_Held] = []
    readers = []
    # From the first on, whose lease must not run out before the last has come.
    keeper = asyncio.create_task(_keep(held, length))
    for first in range(0, count, AT_ONCE):
        names = [f"g{n}" for n in range(first, min(count, first + AT_ONCE))]
        made = await asyncio.gather(*(_connect(home, uri, name) for name in names))
        held += made
        readers += [asyncio.create_task(_read(each)) for each in made]
    while not all(each.gate.phase == OPEN for each in held):
        await asyncio.sleep(0.02)
    told.send("open")
    while any(each.gate.phase in (WAITING, OPEN) for each in held):
        if acting:
            for each in held:
                _try(each)
        await asyncio.sleep(0 if acting else 0.01)
    for task in (*readers, keeper):
        task.cancel()
    await asyncio.gather(*readers, keeper, return_exceptions=True)
    told.send([(each.closed, each.last, each.admitted) for each in held])


async def _connect(home: Home, uri: str, name: str) -> _Held:
    from websockets.asyncio.client import connect

    socket = await connect(uri, compression=None, ping_interval=None, open_timeout=30, proxy=None)
    return _Held(gate(home, name), socket)


def _try(each: _Held) -> None:
    before = now()
    try:
        number = each.gate.begin("nothing")
    except Refused:
        return
    each.last, each.admitted = before, each.admitted + 1
    each.gate.end(number)


async def _read(each: _Held) -> None:
    each.gate.ask()
    await _send(each)
    async for text in each.socket:
        each.gate.receive("bench", text)
        if each.gate.phase not in (WAITING, OPEN):
            # Closed; what it has to tell can wait until its neighbours have closed, too.
            each.closed = min(each.closed, now())


async def _send(each: _Held) -> None:
    for order in each.gate.take():
        await each.socket.send(order.text)


async def _keep(held: Sequence[_Held], length: float) -> None:
    """Renewals every third of a lease, spread over it; expiry is noticed here, too."""
    turn = 0
    period = min(TICK, length / 12)
    told: set[str] = set()
    while True:
        for each in held:
            if each.closed < now() - period and each.gate.name not in told:
                told.add(each.gate.name)
                await _send(each)
        parts = max(1, round(length / 3 / period))
        for each in held[turn % parts :: parts]:
            each.gate.ask()
            try:
                await _send(each)
            except Exception:
                each.gate.take()
        for each in held:
            each.gate.tick()
            if each.gate.phase not in (WAITING, OPEN):
                each.closed = min(each.closed, now())
        turn += 1
        await asyncio.sleep(period)
