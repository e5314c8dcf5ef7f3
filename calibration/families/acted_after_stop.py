"""Journals that real gates wrote on a stepped clock, as they are and as mutants would write them.

A mutant's chain is whole again: what is known of it is what it did, not that it was caught at it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.adapters.logs import chained, entries, written
from tests.live.worlds import pair

from calibration.family import EMPTY, HEALTHY, SICK, Family, between
from freezetag.adapters.agents.log import recorded
from freezetag.adapters.logs.gate_record import Recorded
from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal

CAUSES = ("power", "press", "closed", "expired")
Entries = list[dict[str, Any]]


def journal(rng: Any, acts: int = 20, stops: bool = True) -> Entries:
    """One to five incarnations of a gate, `acts` actions each: all but the last expire, the last is
    stopped by a drawn cause. Actions overlap, and further ones are asked for after the stop."""
    lines: list[bytes] = []
    power = [1.0]
    clock, _, gate, wire = pair(
        panel=Panel((PowerLimit(3.0),)),
        meters={"power": lambda: power[0]},
        journal=Journal(lines.append),
        category=2,
    )
    for left in reversed(range(int(rng.integers(1, 6)))):
        running: list[int] = []
        for _ in range(acts):
            running.append(gate.begin(str(rng.choice(["read", "pay", "send"]))))
            clock.advance(between(rng, 0.01, 1.0))
            while len(running) > rng.integers(1, 4):
                gate.end(running.pop(0), str(rng.choice(["done", "failed", "unknown"])))
            wire.renew()
        if not (left or stops):
            break
        cause = "expired" if left else rng.choice(CAUSES)
        if cause == "power":
            power[0] = between(rng, 3.1, 9.0)
        elif cause == "press":
            gate.press("by hand")
        elif cause == "closed":
            gate.close()
        else:
            clock.advance(between(rng, 5.1, 9.0))
        gate.tick()
        for _ in range(int(rng.integers(1, 4)) if acts else 0):
            with contextlib.suppress(Refused):
                gate.begin("pay")
        clock.advance(between(rng, 0.01, 1.0))
        for number in running:
            gate.end(number)
        wire.renew()
        if left:
            gate.reopen()
            wire.renew()
    return entries(lines)


def lets_one_through(rng: Any, log: Entries) -> Entries:
    """One that was refused was not."""
    at = rng.choice([i for i, entry in enumerate(log) if entry["kind"] == "refused"])
    log[at] |= {"kind": "begin", "n": 10_000}
    return log


def closes_late(rng: Any, log: Entries) -> Entries:
    """A stop is written down, and up to three actions more are let through."""
    at = rng.choice([i for i, entry in enumerate(log) if entry["kind"] == "stop"])
    begun = [i for i in range(at) if log[i]["kind"] == "begin"]
    log.insert(begun[-int(rng.integers(1, 4))], log.pop(at))
    return log


def acts_unopened(rng: Any, log: Entries) -> Entries:
    """After the last acknowledgement one action more, with no lease."""
    begun = [entry for entry in log if entry["kind"] == "begin"]
    return [*log, {**begun[-1], "n": 10_000, "t": log[-1]["t"] + between(rng, 0.1, 100.0)}]


def logged(log: Entries) -> Recorded:
    """As an agent."""
    with tempfile.TemporaryDirectory() as folder:
        return recorded(str(written(Path(folder), chained(log))))


def mutant(change: Callable[[Any, Entries], Entries]) -> Callable[[Any], Recorded]:
    return lambda rng: logged(change(rng, journal(rng)))


def sound(rng: Any) -> Recorded:
    return logged(journal(rng))


def without_stop(rng: Any) -> Recorded:
    """Of one incarnation, as far as it ran."""
    log = journal(rng, stops=False)
    last = max(i for i, entry in enumerate(log) if entry["kind"] == "open")
    return logged(log[last:])


FAMILIES = (
    Family("a real gate", HEALTHY, sound, "the journal as the product's gate wrote it"),
    Family("lets one through", SICK, mutant(lets_one_through), "one refusal is an action"),
    Family("closes late", SICK, mutant(closes_late), "one to three actions after the stop"),
    Family("acts unopened", SICK, mutant(acts_unopened), "one action after the last incarnation"),
    Family("no stop", EMPTY, without_stop, "ran, and was not stopped while the journal was kept"),
    Family(
        "idle, stopped",
        EMPTY,
        lambda rng: logged(journal(rng, acts=0)),
        "asked for no action, so nothing could have been let through",
    ),
)
