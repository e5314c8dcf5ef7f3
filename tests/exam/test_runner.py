"""Arms side by side: the same records, failures and order with one thread and with many."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Force, Learned, Record, Ref, Scenario, Setting, Tape
from freezetag.exam import run
from freezetag.exam.run import Runner
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import AgentFailed
from freezetag.sim.inside import Inside

GAME = Ref.of("substrates/matrix_game")
PAIR = Scenario(
    substrate=GAME,
    cast=(FOCAL, Ref.of("players/reciprocators/tit_for_tat")),
    seating=((0, 1),),
    horizon=6,
)
DEFECTED = replace(PAIR, treatments=(Force((1,), 0.0, last=6),))
PUPIL = Pupil("tit_for_tat", catalogue.load(Ref.of("players/reciprocators/tit_for_tat")))


@dataclass(frozen=True)
class Rounds:
    """A probe that asks for the given arms, round by round."""

    rounds: tuple[Mapping[str, Arm], ...]

    def design(self, setting: Setting, seen: Mapping[str, Record]) -> Mapping[str, Arm]:
        asked: dict[str, Arm] = {}
        for one in self.rounds:
            asked |= one
            if not asked.keys() <= seen.keys():
                break
        return asked

    def measure(self, setting: Setting, seen: Mapping[str, Record]) -> Any:
        return tuple(seen)


def play(probe: Rounds, **settings: Any) -> dict[str, Record]:
    setting = Setting(GAME, catalogue.load(GAME), ())
    pupil = settings.pop("pupil", PUPIL)
    return Runner(pupil, 3, **settings).probe(probe, setting)[1]  # type: ignore[arg-type]


def taped(arm: str) -> Scenario:
    """The pupil against what seat 1 did in another arm."""
    return replace(PAIR, treatments=(Tape(arm, (1,), "same"),))


def test_records_are_the_same_to_the_byte_with_one_thread_and_with_three() -> None:
    probe = Rounds(
        (
            {"a": Arm(PAIR, 2), "b": Arm(DEFECTED, 2), "again": Arm(PAIR, 2)},
            {"c": Arm(taped("b"), 2), "d": Arm(taped("c"), 2), "e": Arm(PAIR, 2, block=1)},
        )
    )
    one, three = play(probe, threads=1), play(probe, threads=3)
    assert list(one) == list(three) == ["a", "b", "again", "c", "d", "e"]
    for name, record in one.items():
        for was, now in zip(record.days, three[name].days, strict=True):
            for field, value in vars(was).items():
                np.testing.assert_equal(vars(now)[field], value)


def test_a_tape_of_a_tape_is_known_by_what_was_taped_first() -> None:
    runner = Runner(PUPIL, 3)
    setting = Setting(GAME, catalogue.load(GAME), ())
    found = {}
    for name, first in {"kind": PAIR, "hostile": DEFECTED}.items():
        arms = {
            "first": Arm(first, 2),
            "second": Arm(taped("first"), 2),
            "third": Arm(taped("second"), 2),
        }
        _, seen = runner.probe(Rounds((arms,)), setting)  # type: ignore[arg-type]
        found[name] = seen["third"].episode.levels[:, -1, 1]
    assert (found["kind"] == 1).all()
    assert (found["hostile"] == 0).all()


def test_arms_of_a_round_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=30)
    monkeypatch.setattr(run, "run_arm", lambda arm, *_: (both.wait(), Record(arm, ()))[1])
    probe = Rounds(({"a": Arm(PAIR, 1), "b": Arm(PAIR, 2)},))
    assert list(play(probe, threads=2)) == ["a", "b"]


def test_agents_that_are_asked_from_outside_play_one_arm_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[tuple[int, str]] = []

    def note(arm: Arm, *_: Any) -> Record:
        order.append((arm.repeats, "begins"))
        time.sleep(0.01)
        order.append((arm.repeats, "ends"))
        return Record(arm, ())

    monkeypatch.setattr(run, "run_arm", note)
    pupil = Pupil("mine", Inside("object", "mine", given=lambda observation: 0))
    play(Rounds(({f"{n}": Arm(PAIR, n) for n in (3, 1, 2)},)), pupil=pupil, threads=4)
    assert order == [(n, what) for n in (3, 1, 2) for what in ("begins", "ends")]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_arm_that_failed_is_told_and_those_before_it_are_kept(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(arm: Arm, *_: Any) -> Record:
        if arm.repeats == 1:
            return Record(arm, ())
        time.sleep(0.2 / arm.repeats)  # the later one fails first
        raise AgentFailed(f"with {arm.repeats}")

    monkeypatch.setattr(run, "run_arm", fails)
    runner = Runner(PUPIL, 3, threads=threads)
    probe = Rounds(({f"{n}": Arm(PAIR, n) for n in (1, 2, 8)},))
    with pytest.raises(AgentFailed, match="with 2"):
        runner.probe(probe, Setting(GAME, catalogue.load(GAME), ()))  # type: ignore[arg-type]
    assert [record.arm.repeats for record in runner.done.values()] == [1]


def test_ctrl_c_ends_the_other_arms_at_their_next_act(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def works(arm: Arm, pupil: Any, seen: Any, seed: int, tick: Any, cache: Any) -> Record:
        if arm.repeats == 1:
            begun.wait(30)
            raise KeyboardInterrupt
        begun.set()
        try:
            while True:
                tick(1)
                time.sleep(0.001)
        finally:
            ended.set()

    monkeypatch.setattr(run, "run_arm", works)
    with pytest.raises(KeyboardInterrupt):
        play(Rounds(({"a": Arm(PAIR, 1), "b": Arm(PAIR, 2)},)), threads=2)
    assert ended.wait(30)


def test_every_arm_is_told_once_before_it_runs_and_acts_add_up() -> None:
    told: list[str] = []
    acts: list[int] = []
    arms = {"a": Arm(PAIR, 2), "b": Arm(DEFECTED, 3)}
    seen = play(
        Rounds((arms,)), threads=2, on_arm=lambda name, arm: told.append(name), tick=acts.append
    )
    assert sorted(told) == ["a", "b"]
    assert sum(acts) == 6 * sum(arm.repeats for arm in arms.values())
    assert list(seen) == ["a", "b"]


def test_a_learned_player_waits_for_the_arm_it_learned_in() -> None:
    learner = Ref.of("players/learners/q_learning")
    school = replace(PAIR, cast=(FOCAL, learner))
    later = replace(PAIR, cast=(FOCAL, Learned("school", seat=1)))
    seen = play(Rounds(({"school": Arm(school, 2), "later": Arm(later, 2)},)), threads=2)
    assert list(seen) == ["school", "later"]


def test_arms_that_a_probe_to_come_will_ask_for_run_ahead_and_change_nothing() -> None:
    first = Rounds(({"a": Arm(PAIR, 2)}, {"b": Arm(taped("a"), 2)}))
    later = Rounds(({"c": Arm(DEFECTED, 3), "d": Arm(PAIR, 2)},))
    setting = Setting(GAME, catalogue.load(GAME), ())
    ahead: Any = ((first, setting), (later, setting))

    def told_and_seen(**more: Any) -> tuple[list[Any], list[dict[str, Record]]]:
        told: list[Any] = []
        with Runner(
            PUPIL, 3, tick=told.append, on_arm=lambda name, _: told.append(name), **more
        ) as runner:
            found = []
            for probe, there in ahead:
                found.append(runner.probe(probe, there)[1])
                told.append("probe")
        return told, found

    alone, one_by_one = told_and_seen(threads=1)
    beside, looking = told_and_seen(threads=2, ahead=ahead)
    assert one_by_one[0].keys() == looking[0].keys()
    for seen, again in zip(one_by_one, looking, strict=True):
        for name, record in seen.items():
            for field, value in vars(record.episode).items():
                np.testing.assert_equal(vars(again[name].episode)[field], value)

    def stages(told: list[Any]) -> list[tuple[list[str], int]]:
        """Of each probe: the arms that were told, and how many acts."""
        at = [i for i, each in enumerate(told) if each == "probe"]
        parts = [told[a:b] for a, b in zip([0, *[i + 1 for i in at]], at, strict=False)]
        return [
            (
                sorted(x for x in part if isinstance(x, str)),
                sum(x for x in part if isinstance(x, int)),
            )
            for part in parts
        ]

    assert stages(beside) == stages(alone)
    assert stages(alone)[1][0] == ["c", "d"]
