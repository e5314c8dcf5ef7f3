"""The classes of faults, each with its own dice: what breaks, and the press that meets it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.chaos import shared
from tests.live.chaos.scene import BOUND, Pressing, Scene
from tests.live.chaos.shared import AGENTS, LENGTH, now

from freezetag.live.authority.home import Home, HomeError
from freezetag.live.gate.address import Denied

SCOPES = ("fleet", "group:g", "agent:a", "agent:b", "somewhere else")
Fault = Callable[[Scene], Any]


def press(scene: Scene, scope: str = "") -> Pressing:
    """A press that is answered, if the server can."""
    made = scene.press(scope or scene.dice.choice(SCOPES))
    scene.answer(made)
    return made


def moment(scene: Scene, most: float) -> None:
    time.sleep(scene.dice.uniform(0, most))


# The server.


def server_killed(scene: Scene) -> None:
    """kill -9 somewhere between the press's arrival and its answer, or just after."""
    made = scene.press()
    moment(scene, 0.02)
    scene.kill_server()
    scene.answer(made)


def killed_at(point: int) -> Fault:
    def fault(scene: Scene) -> None:
        scene.controls.store = point
        made = scene.press(scene.dice.choice(SCOPES))
        if not scene.wait_for_death():
            raise RuntimeError("the server outlived its own kill")
        scene.answer(made)

    return fault


def restart_at_once(scene: Scene) -> None:
    """An agent that was already running and has not heard: restarted with the press standing."""
    scene.links(shared.CUT)
    press(scene)
    scene.kill_server()
    scene.start_server()
    scene.links(0)


def server_stopped(scene: Scene) -> None:
    with scene.stopped(scene.servers["own"]):
        spans = [scene.closed(agent, now() + BOUND, "server stopped") for agent in AGENTS]
        made = scene.press()
        time.sleep(BOUND + 0.2)
        for span in spans:
            span.until = now()
    scene.answer(made)


def second_server(scene: Scene) -> None:
    """A second server on the same folder does not come up."""

    def try_it(path: Path) -> None:
        with contextlib.suppress(HomeError):
            Home.open(path).lock()
            os._exit(3)

    pid = scene.fork("second", try_it, scene.homes["own"])
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3:
        raise AssertionError("two servers on one folder")
    press(scene)


# The network.


def cut_off(bits: int) -> Fault:
    """No renewal gets through, whether the press comes before, in or after it."""

    def fault(scene: Scene) -> None:
        first = scene.dice.random() < 0.5
        if first:
            scene.answer(made := scene.press())
        scene.links(bits)
        for agent in AGENTS:
            # What the proxy had read a moment before may still be on its way.
            scene.closed(agent, now() + 0.01 + BOUND, "cut")
        if not first:
            time.sleep(scene.dice.choice((0.0, 0.1, BOUND + 0.3)))
            scene.answer(made := scene.press())
        assert made

    return fault


def bad_line(bits: int) -> Fault:
    """Frames arrive, but not as they were sent."""

    def fault(scene: Scene) -> None:
        scene.links(bits)
        moment(scene, 2 * LENGTH)
        press(scene)

    return fault


def renewal_flood(scene: Scene) -> None:
    address = scene.gate_address()

    def flood() -> None:
        shared.die_with_parent()
        while True:
            with contextlib.suppress(OSError), socket.create_connection(address, 1) as made:
                junk = f"{secrets.token_hex(32)} " + '{"kind":"renew"}' * secrets.randbelow(50)
                head = f"POST /api/frame HTTP/1.1\r\nHost: x\r\nContent-Length: {len(junk)}\r\n\r\n"
                made.sendall((head + junk).encode())
                made.recv(100)

    scene.others += [scene.fork("flood", flood) for _ in range(2)]
    moment(scene, LENGTH)
    scene.must_answer(scene.press())


def press_flood(scene: Scene) -> None:
    pressings = [scene.press(scene.dice.choice(SCOPES)) for _ in range(30)]
    for made in pressings:
        scene.must_answer(made)


def slow_clients(scene: Scene) -> None:
    """Heads that never end, at every listener, and one that never reads."""
    made = []
    for address in (scene.press_address(), scene.gate_address()):
        for _ in range(40):
            made.append(socket.create_connection(address, 1))
            made[-1].sendall(b"POST /press HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    moment(scene, 0.1)
    scene.must_answer(scene.press())
    for each in made:
        each.close()


# The gate and its tool.


def gate_killed(scene: Scene) -> None:
    made = scene.press()
    moment(scene, 0.03)
    for agent in AGENTS[: scene.dice.randint(1, 2)]:
        scene.kill_gate(agent)
        moment(scene, 0.05)
        scene.start_gate(agent)
    scene.answer(made)


def gate_stopped(scene: Scene) -> None:
    scene.notes.stopped_gate = True
    with scene.stopped(scene.gates["a"]):
        moment(scene, 0.02)
        press(scene, "fleet")
        time.sleep(scene.dice.choice((0.05, BOUND + 0.1)))


def tool_killed(scene: Scene) -> None:
    pid = scene.gates["a"]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    moment(scene, 0.02)
    press(scene)


def cloned_gate(scene: Scene) -> None:
    """The same enrolment twice: two lives under one identity."""
    scene.start_gate("a", folder="clone")
    moment(scene, 2 * LENGTH)
    press(scene)


def forked_gate(scene: Scene) -> None:
    press(scene)


# The disk.


def store(fault: int) -> Fault:
    def breaks(scene: Scene) -> None:
        scene.controls.store = fault
        moment(scene, 0.1)
        press(scene, scene.dice.choice(("fleet", "somewhere else")))
        if scene.dice.random() < 0.3:
            scene.kill_server()

    return breaks


def older_copy(more: int) -> Fault:
    """A copy of the ledger from before the press is put back; the gates saw `more` than it holds.

    The acknowledgements that come in first let the copy grow again before a gate asks, so that with
    few its size tells nothing.
    """

    def fault(scene: Scene) -> None:
        kept = scene.folder / "kept.db"
        with (
            contextlib.closing(sqlite3.connect(scene.homes["own"] / "ledger.db")) as db,
            contextlib.closing(sqlite3.connect(kept)) as copy,
        ):
            db.backup(copy)
        for n in range(more):
            scene.ask("own", "POST", "/api/enrol", "admin", agent=f"c{n}")
        # What no gate has seen, no gate can miss; a busy machine makes that take its time.
        with contextlib.closing(sqlite3.connect(scene.homes["own"] / "ledger.db")) as db:
            (size,) = db.execute("SELECT count(*) FROM ledger").fetchone()
        deadline = time.monotonic() + 10
        while min(map(scene.controls.seen, AGENTS)) < size:
            if time.monotonic() > deadline:
                raise RuntimeError("the gates never saw what the copy lacks")
            time.sleep(0.01)
        scene.links(shared.CUT)
        press(scene, "fleet")
        scene.kill_server()
        for leftover in scene.homes["own"].glob("ledger.db*"):
            leftover.unlink()
        shutil.copy(kept, scene.homes["own"] / "ledger.db")
        scene.notes.rolled_back = True
        scene.start_server()
        scene.links(0)
        deadline = time.monotonic() + 5
        while not any("older copy" in why for why in scene.status()["locked"]):
            if time.monotonic() > deadline:
                raise AssertionError("an older copy of the ledger went unnoticed")
            time.sleep(0.02)

    return fault


# Meters and clocks.


def meter(value: float) -> Fault:
    """Not a number closes for as long as it lasts; a limit passed closes until people clear it."""

    def fault(scene: Scene) -> None:
        scene.controls.set_power("a", value)
        scene.closed("a", now(), "meter" if value != value else "latched")
        moment(scene, 2 * LENGTH)
        if scene.dice.random() < 0.5:
            press(scene)

    return fault


def clock_jump(scene: Scene) -> None:
    for agent in AGENTS:
        jump = scene.dice.choice((-100.0, -1.0, -0.05, 0.6, 30.0, 1e6))
        scene.controls.set_clock(agent, 1.0, jump)
    moment(scene, 0.1)
    press(scene)


def clock_rate(scene: Scene) -> None:
    for agent in AGENTS:
        scene.controls.set_clock(agent, scene.dice.choice((1 - 1e-3, 1 + 1e-3)), 0.0)
    moment(scene, LENGTH)
    scene.links(shared.CUT)
    press(scene)


# People and authorities.


def press_races_reset(scene: Scene) -> None:
    """A second press while the first is being cleared, sent before or after the draft."""
    press(scene, "fleet")
    moment(scene, 0.3)
    early = scene.dice.random() < 0.5
    second = scene.press("fleet") if early else None
    drafted = scene.draft()
    assert drafted is not None
    second = second or scene.press("fleet")
    moment(scene, 0.01)
    with contextlib.suppress(Denied):
        scene.clear(drafted)
    scene.answer(second)
    for agent in AGENTS:
        if scene.start(agent, within=1.5 * BOUND) and not early:
            raise AssertionError(f"{agent} started though a press came after the draft")


def authority_gone(scene: Scene) -> None:
    scene.kill_server("other")
    time.sleep(scene.dice.choice((0.0, 0.1, BOUND + 0.3)))
    press(scene)


def authority_presses(scene: Scene) -> None:
    made = scene.press("fleet", "other")
    scene.must_answer(made)


FAULTS: dict[str, Fault] = {
    "server killed": server_killed,
    "killed before the transaction": killed_at(shared.DIE_BEGIN),
    "killed before the commit": killed_at(shared.DIE_COMMIT),
    "killed after the commit": killed_at(shared.DIE_AFTER),
    "restarted while agents run": restart_at_once,
    "server stopped": server_stopped,
    "second server": second_server,
    "partition": cut_off(shared.CUT),
    "half-open": cut_off(shared.LOSE_UP | shared.LOSE_DOWN),
    "one way lost, up": cut_off(shared.LOSE_UP),
    "one way lost, down": cut_off(shared.LOSE_DOWN),
    "held and delivered later": cut_off(shared.HOLD_DOWN),
    "late": bad_line(shared.LATE),
    "bits flipped": bad_line(shared.FLIP),
    "repeated and reordered": bad_line(shared.SHUFFLE),
    "renewal flood": renewal_flood,
    "press flood": press_flood,
    "slow clients": slow_clients,
    "gate killed": gate_killed,
    "gate stopped": gate_stopped,
    "tool killed": tool_killed,
    "gate cloned": cloned_gate,
    "gate forked": forked_gate,
    "store hangs": store(shared.HANGS),
    "disk full": store(shared.FULL),
    "disk error": store(shared.EIO),
    "error after the commit": store(shared.FULL_AFTER),
    "older copy": older_copy(8),
    "older copy, grown again": older_copy(1),
    "meter says NaN": meter(float("nan")),
    "meter over its limit": meter(10.0),
    "clock jumps": clock_jump,
    "clocks at other rates": clock_rate,
    "press races reset": press_races_reset,
    "one authority gone": authority_gone,
    "the other authority presses": authority_presses,
}
TWO = ("one authority gone", "the other authority presses")
