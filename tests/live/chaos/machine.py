"""Classes of faults that the host brings: what runs out, what stands still, what is taken away."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.live.chaos import shared
from tests.live.chaos.faults import SCOPES, Fault, moment, press
from tests.live.chaos.scene import BOUND, Scene
from tests.live.chaos.shared import AGENTS, LENGTH, now

from freezetag.live.gate.address import Denied, Unreachable

FOREVER = resource.RLIM_INFINITY


# What runs out. The limits are the kernel's, set from outside while the server runs.


@contextlib.contextmanager
def _limited(pid: int, what: int, most: int) -> Iterator[None]:
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)


def no_descriptors(scene: Scene) -> None:
    """Every file descriptor is taken: no accept, no open. A press may find no way in; one that was
    answered holds."""
    pid = scene.servers["own"]
    with _limited(pid, resource.RLIMIT_NOFILE, len([*Path(f"/proc/{pid}/fd").iterdir()])):
        moment(scene, 2 * LENGTH)
        scene.answer(scene.press(scene.dice.choice(SCOPES)), 1.0)
    scene.must_answer(scene.press(scene.dice.choice(SCOPES)))


def no_room(scene: Scene) -> None:
    """The kernel lets no file of the server grow, in the middle of whatever it writes."""
    wal = scene.homes["own"] / "ledger.db-wal"
    size = wal.stat().st_size if wal.exists() else 0
    most = max(4096, size + scene.dice.choice((0, 100, 4096, 20_000)))
    with _limited(scene.servers["own"], resource.RLIMIT_FSIZE, most):
        moment(scene, LENGTH)
        scene.must_answer(scene.press(scene.dice.choice(SCOPES)))
        moment(scene, LENGTH)
        if scene.dice.random() < 0.3:
            scene.kill_server()


def ledger_locked(scene: Scene) -> None:
    """Another program, a backup say, holds the ledger for itself while people press."""
    other = sqlite3.connect(scene.homes["own"] / "ledger.db", isolation_level=None, timeout=1.0)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        moment(scene, 0.1)
        scene.must_answer(scene.press(scene.dice.choice(SCOPES)))
        if scene.dice.random() < 0.3:
            scene.kill_server()
        other.execute("ROLLBACK")


def ledger_read(scene: Scene) -> None:
    """An auditor reads for so long that nothing of the write-ahead log can be folded in.

    In a process of its own: of a connection that is open here, SQLite in a forked server would
    believe that it is the server's, and let go of locks that it never had.
    """
    ready, told = os.pipe()
    reader = scene.fork("reader", _read_on, scene.homes["own"] / "ledger.db", told)
    scene.others.append(reader)
    os.close(told)
    with os.fdopen(ready, "rb") as began:
        if began.read(1) != b"1":
            raise RuntimeError("the auditor could not read")
    press(scene)
    scene.kill_server()
    scene.start_server()
    press(scene)
    if scene.dice.random() < 0.5:
        os.kill(reader, signal.SIGKILL)


def _read_on(path: Path, told: int) -> None:
    shared.die_with_parent()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM ledger").fetchone()
        os.write(told, b"1")
        os.close(told)
        while True:
            time.sleep(3600)


def ledger_taken_away(scene: Scene) -> None:
    """The ledger's files are moved away under the server, and perhaps a copy is put in their place:
    no press is durable then. They are put back before the next start."""
    home, away = scene.homes["own"], scene.folder / "away"
    away.mkdir()
    scene.links(shared.CUT)  # so that nothing comes between the copy and the press
    time.sleep(0.1)
    moved = list(home.glob("ledger.db*"))
    for file in moved:
        file.rename(away / file.name)
    if scene.dice.random() < 0.5:
        with (
            contextlib.closing(sqlite3.connect(away / "ledger.db")) as db,
            contextlib.closing(sqlite3.connect(home / "ledger.db")) as copy,
        ):
            db.backup(copy)
    made = scene.press(scene.dice.choice(SCOPES))
    if scene.answer(made) == "durable":
        raise AssertionError("a press was called durable, and is in no file that a start reads")
    scene.kill_server()
    for leftover in home.glob("ledger.db*"):
        leftover.unlink()
    for file in away.iterdir():
        file.replace(home / file.name)
    scene.start_server()
    scene.links(0)


def log_removed(scene: Scene) -> None:
    """Somebody tidies the write-ahead log away, with whatever it held. What is called durable after
    that is in the ledger, or nothing is."""
    moment(scene, 0.2)
    (scene.homes["own"] / "ledger.db-wal").unlink()
    press(scene)
    if scene.dice.random() < 0.5:
        scene.kill_server()


# What stands still, and clocks.


def suspended(scene: Scene) -> None:
    """Server, gates and tools stand still, as in a suspend; the machine's clock goes on."""
    scene.notes.stopped_gate = True
    tools = [int(child) for pid in scene.gates.values() for child in _children(pid)]
    first = scene.dice.random() < 0.5
    made = scene.press() if first else None
    with contextlib.ExitStack() as still:
        for pid in tools:  # the press may have killed them by now
            still.enter_context(_stopped(pid))
        for pid in (*scene.gates.values(), scene.servers["own"]):
            still.enter_context(scene.stopped(pid))
        made = made or scene.press()
        time.sleep(scene.dice.choice((0.05, BOUND + 0.2)))
    scene.answer(made)


def tool_stopped(scene: Scene) -> None:
    """A tool that stands still in the middle of its action is killed all the same."""
    with contextlib.ExitStack() as still:
        for pid in scene.gates.values():
            for child in _children(pid):
                still.enter_context(_stopped(int(child)))
        moment(scene, 0.05)
        scene.must_answer(scene.press("fleet"))
        time.sleep(scene.dice.choice((0.02, BOUND + 0.1)))


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """As `Scene.stopped`, for a process that may be killed before or meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def proxy_stopped(scene: Scene) -> None:
    """The way to the server takes connections, and nothing ever answers on them."""
    with scene.stopped(scene.toxin):
        for agent in AGENTS:
            scene.closed(agent, now() + 0.01 + BOUND, "cut")
        moment(scene, 0.1)
        press(scene)
        time.sleep(scene.dice.choice((0.1, BOUND + 0.3)))
        for agent in scene.dice.sample(AGENTS, scene.dice.randint(0, 2)):
            scene.kill_gate(agent)
            scene.start_gate(agent)
        for each in scene.notes.closed:
            each.until = min(each.until, now())


def wall_jumps(scene: Scene) -> None:
    """The server's date is set, by minutes or by decades, before or after a press."""
    scene.notes.wall_jumped = True
    first = scene.dice.random() < 0.5
    if first:
        press(scene)
    scene.controls.wall = scene.dice.choice((-1e9, -3600.0, -1.0, 1.0, 3600.0, 1e9))
    moment(scene, LENGTH)
    if not first:
        press(scene)
    if scene.dice.random() < 0.3:
        scene.kill_server()
        scene.start_server()


# What is damaged, or comes in pieces.


def in_pieces(scene: Scene) -> None:
    """Every frame comes in pieces of a few bytes."""
    scene.links(shared.DRIP)
    moment(scene, 2 * LENGTH)
    press(scene)


def latch_damaged(scene: Scene) -> None:
    """A gate heard the press and died, and its latch is cut, emptied or full of something else."""
    press(scene, "fleet")
    time.sleep(0.1)
    agent = scene.dice.choice(AGENTS)
    scene.kill_gate(agent)
    for file in scene.folder.glob(f"{agent}.*"):
        if file.suffix in (".latch", ".reserve"):
            data = file.read_bytes()
            kept = data[: scene.dice.randrange(len(data) + 1)]
            file.write_bytes(scene.dice.choice((b"", kept, b"[]", b"\xff" * 20, kept + b"\0" * 9)))
    scene.closed(agent, now(), "latched")
    scene.start_gate(agent)
    time.sleep(BOUND)


def meter_raises(scene: Scene) -> None:
    """A meter that cannot be asked at all closes for as long as that lasts."""
    scene.controls.set_power("a", shared.RAISES)
    scene.closed("a", now(), "meter")
    moment(scene, 2 * LENGTH)
    if scene.dice.random() < 0.5:
        press(scene)


# Several things at once.


def crash_loop(scene: Scene) -> None:
    """The server dies again and again, at another moment each time, and people press in between."""
    for _ in range(scene.dice.randint(2, 4)):
        made = scene.press(scene.dice.choice(SCOPES))
        moment(scene, 0.03)
        scene.kill_server()
        scene.answer(made)
        scene.start_server()


def reset_and_death(scene: Scene) -> None:
    """The server dies while it stores a clearance: it is cleared or it is not, and nobody runs."""
    press(scene, "fleet")
    time.sleep(0.1)
    drafted = scene.draft()
    assert drafted is not None
    scene.controls.store = scene.dice.choice(
        (shared.DIE_BEGIN, shared.DIE_COMMIT, shared.DIE_AFTER)
    )
    with contextlib.suppress(Denied, Unreachable):
        scene.clear(drafted)
    if not scene.wait_for_death():
        raise RuntimeError("the server outlived its own kill")
    scene.controls.store = shared.FINE
    time.sleep(BOUND)
    for agent in AGENTS:
        scene.closed(agent, now(), "latched")
    scene.start_server()
    time.sleep(BOUND)


def press_races_start(scene: Scene) -> None:
    """A press on its way while somebody starts the agents that were just cleared."""
    press(scene, "fleet")
    time.sleep(0.1)
    drafted = scene.draft()
    assert drafted is not None
    scene.clear(drafted)
    time.sleep(BOUND)
    starter = threading.Thread(
        target=lambda: [scene.start(agent, within=0.3) for agent in AGENTS], daemon=True
    )
    starter.start()
    moment(scene, 0.05)
    made = scene.press(scene.dice.choice(SCOPES))
    starter.join()
    scene.answer(made)


def press_thrice(scene: Scene) -> None:
    """One press by several ways: each is answered, and whatever it counts for is there."""
    made = scene.press("fleet")
    again = [scene.press("fleet", id=made.id) for _ in range(2)]
    for each in (made, *again):
        scene.must_answer(each)


def console_flood(scene: Scene) -> None:
    """A crowd that asks for the status and never goes away; the button has a way of its own."""
    address = scene.address("main")
    token = (scene.homes["own"] / "tokens" / "status").read_text().strip()

    def flood() -> None:
        shared.die_with_parent()
        for n in itertools.count():
            with contextlib.suppress(OSError), socket.create_connection(address, 1) as made:
                path = ("/api/status", "/metrics", "/", "/api/draft")[n % 4]
                head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                made.sendall(f"{head}Connection: close\r\n\r\n".encode())
                made.settimeout(0.2)
                made.recv(100)

    scene.others += [scene.fork("flood", flood) for _ in range(3)]
    moment(scene, LENGTH)
    scene.must_answer(scene.press())


FAULTS: dict[str, Fault] = {
    "no file descriptors": no_descriptors,
    "files cannot grow": no_room,
    "ledger locked by another": ledger_locked,
    "ledger read for long": ledger_read,
    "ledger taken away": ledger_taken_away,
    "write-ahead log removed": log_removed,
    "all suspended": suspended,
    "tool stopped": tool_stopped,
    "connects, never answers": proxy_stopped,
    "server's date set": wall_jumps,
    "frames in pieces": in_pieces,
    "gate's latch damaged": latch_damaged,
    "meter raises": meter_raises,
    "server dies again and again": crash_loop,
    "server dies at a reset": reset_and_death,
    "press races start": press_races_start,
    "one press by three ways": press_thrice,
    "console flood": console_flood,
}
