"""Planted faults of the design: each must be caught by the world of `tests.live.lossy`.

Every mutant is the product's own class with one rule replaced by the mistake that others make. The
unchanged design passes the same walks (`test_state_machine`), so a catch is the fault's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.live.lossy import SCENARIOS, Violation, walk

from freezetag.core.interlock import GO, Panel
from freezetag.live.authority.authority import Authority
from freezetag.live.authority.facts import Facts
from freezetag.live.authority.states import Incarnation, Shown
from freezetag.live.gate.drain import Drain
from freezetag.live.gate.enrolment import Link
from freezetag.live.gate.gate import STOPPED, STOPPING, WAITING, Gate
from freezetag.live.signed.frames import incarnation_key
from freezetag.live.signed.keys import Roster
from freezetag.live.signed.presses import Presses, approvers

WALKS = 300
Patch = Callable[[pytest.MonkeyPatch], None]


def expiry_from_receipt(patch: pytest.MonkeyPatch) -> None:
    real = Gate._granted

    def granted(self: Gate, link: Link, message: Any, now: float) -> bool:
        if message["n"] in link._asked:
            link._asked[message["n"]] = link._asked[message["n"]]._replace(at=now)
        return real(self, link, message, now)

    patch.setattr(Gate, "_granted", granted)


def no_incarnation_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gate, "_key", lambda self, link, gate, b: incarnation_key(link.enrolment.key, b))


def incarnation_kept_after_a_stop(patch: pytest.MonkeyPatch) -> None:
    """`reopen` goes back to the lease there was, instead of asking for another."""

    def reopen(self: Gate) -> bool:
        if self.phase == STOPPED:
            self.mode, self.phase, self._drain = GO, WAITING, self._new_drain()
            if all(link.expiry > self._time.now() for link in self._links.values()):
                self._open()
        return True

    patch.setattr(Gate, "reopen", reopen)


def volatile_stop(patch: pytest.MonkeyPatch) -> None:
    """A restarted authority reads its agents back, and not the presses."""
    real = Facts.apply
    patch.setattr(
        Facts,
        "apply",
        lambda self, kind, body, at=0: None if kind == "press" else real(self, kind, body, at),
    )


def last_write_wins(patch: pytest.MonkeyPatch) -> None:
    """A clearance ends whatever stands when it arrives, seen by its signers or not."""
    patch.setattr(
        Presses,
        "_cleared",
        lambda self, press, clearance, roster: len(approvers(clearance, roster)) > 1,
    )


def repeats_do_not_count(patch: pytest.MonkeyPatch) -> None:
    real = Presses.standing

    def standing(self: Presses, roster: Any) -> Any:
        return real(Presses(self.presses, self.clearances), roster)

    patch.setattr(Presses, "standing", standing)


def not_a_number_passes(patch: pytest.MonkeyPatch) -> None:
    """`value >= limit` stops; NaN is neither, so it goes on."""

    def latch(self: Panel, mode: int, reading: Any) -> int:
        for bit, interlock in enumerate(self.interlocks):
            value = reading.get(interlock.sensor)
            known = isinstance(value, float) and value == value
            mode |= (interlock.trips(value) if known else 0) << bit
        return mode

    patch.setattr(Panel, "latch", latch)


def latch_that_clears(patch: pytest.MonkeyPatch) -> None:
    """A limit that is kept again ends the stop."""
    real = Gate._own_press

    def own_press(self: Gate, reason: str, who: str, category: Any, kind: str) -> Any:
        return real(self, reason, who, category, kind) if kind == "press" else None

    patch.setattr(Gate, "_own_press", own_press)


def latch_forgotten_by_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Link, "recall", lambda self, data: None)


def ack_before_drain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Drain, "advance", lambda self, now: True)


def acts_on_after_the_ack(patch: pytest.MonkeyPatch) -> None:
    """Acknowledges the press and lets the lease run out instead of closing."""
    real = Gate._stop

    def stop(self: Gate, cause: str, now: float, category: int) -> None:
        real(self, cause, now, category)
        if cause == "press" and self.phase in (STOPPING, STOPPED):
            self.phase, self.mode, self._pressed = "open", GO, False

    patch.setattr(Gate, "_stop", stop)


def reset_is_restart(patch: pytest.MonkeyPatch) -> None:
    real = Facts.apply

    def apply(self: Facts, kind: str, body: Any, at: int = 0) -> None:
        real(self, kind, body, at)
        if kind == "clear":
            for agent in self.agents.values():
                agent.started = True
                agent.epoch += 1

    patch.setattr(Facts, "apply", apply)


def one_person_clears(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Roster, "quorum", property(lambda self: 1))


def start_without_looking(patch: pytest.MonkeyPatch) -> None:
    def start(self: Authority, agent: str, who: str) -> Any:
        known = self.facts.agents[agent]
        return [("start", {"agent": agent, "epoch": known.epoch + 1, "who": who})]

    patch.setattr(Authority, "start", start)


def groups_are_not_covered(patch: pytest.MonkeyPatch) -> None:
    real = Facts._covers
    patch.setattr(
        Facts,
        "_covers",
        lambda self, scope, name: not scope.startswith("group:") and real(self, scope, name),
    )


def stopped_as_soon_as_pressed(patch: pytest.MonkeyPatch) -> None:
    """The console shows what was asked for, not what is."""
    real = Incarnation.shown

    def shown(self: Incarnation, now: float, *, stopped: bool, drain: float) -> Shown:
        state = real(self, now, stopped=stopped, drain=drain)
        return Shown.EXPIRED if state == Shown.STOPPING else state

    patch.setattr(Incarnation, "shown", shown)


def grants_while_a_press_stands(patch: pytest.MonkeyPatch) -> None:
    """The decision reads a cache of the stop that is as old as the start."""
    real = Authority._why_not

    def why_not(self: Authority, *args: Any) -> str:
        reason = real(self, *args)
        return "" if reason in ("pressed", "held") and not args[2]["presses"] else reason

    patch.setattr(Authority, "_why_not", why_not)


def lease_without_end(patch: pytest.MonkeyPatch) -> None:
    """The gate keeps the last answer when the authority is silent."""
    patch.setattr(Link, "age", lambda self, now: 0.0 if self.epoch is not None else now)


MUTANTS: list[Patch] = [
    expiry_from_receipt,
    no_incarnation_check,
    incarnation_kept_after_a_stop,
    volatile_stop,
    last_write_wins,
    repeats_do_not_count,
    not_a_number_passes,
    latch_that_clears,
    latch_forgotten_by_a_restart,
    ack_before_drain,
    acts_on_after_the_ack,
    reset_is_restart,
    one_person_clears,
    start_without_looking,
    groups_are_not_covered,
    stopped_as_soon_as_pressed,
    grants_while_a_press_stands,
    lease_without_end,
]


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_caught(plant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    lives = [*SCENARIOS, *(partial(walk, seed) for seed in range(WALKS))]
    for live in lives:
        try:
            live()
        except Violation:
            return
    raise AssertionError(f"{len(lives)} lives did not notice {plant.__name__}")
