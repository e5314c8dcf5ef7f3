"""Policies that another arm left, frozen or not, on fresh seeds; tapes; forced moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import FOCAL, Arm, Force, Learned, Record, Ref, Scenario, Tape
from freezetag.sim.arms import Pupil, run_arm

PD = Ref("substrates/matrix_game")
RANDOM = Ref("players/baselines/random_play")
Q = Ref("players/learners/q_learning")
STEPS, REPEATS = 10, 3


@dataclass(frozen=True)
class Careless:
    """Cooperates with chance .9."""

    stochastic: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(jnp.where(jax.random.uniform(key) < 0.9, 1.0, 0.0)), carry


def play(other: Any, seen: dict[str, Record] | None = None, **changes: Any) -> Record:
    arm = {name: changes.pop(name) for name in ("repeats", "block") if name in changes}
    scenario = Scenario(PD, (FOCAL, *other), **{"seating": ((0, 1),), "horizon": STEPS, **changes})
    pupil = Pupil("agent", Careless())
    return run_arm(Arm(scenario, **{"repeats": REPEATS, **arm}), pupil, seen or {}, seed=5)


@cache
def trained() -> Record:
    return play((Q,), days=6)


def values(record: Record, day: int = -1) -> Any:
    """[B, 5, 2] the Q values of seat 1 after a day."""
    return record.carries[day][1][0][0]


def test_a_frozen_copy_plays_the_better_move_and_keeps_what_it_knew() -> None:
    donor = trained()
    held = play((Learned("train", seat=1),), {"train": donor}, block=1)
    np.testing.assert_array_equal(values(held), values(donor))
    q = values(donor)
    best = (q[:, :, 1] >= q[:, :, 0]).astype(float)  # [B, 5]: start, CC, CD, DC, DD
    levels = held.episode.levels
    state = 1 + 2 * (1 - levels[:, :-1, 1]) + 1 - levels[:, :-1, 0]
    wanted = np.take_along_axis(best, state.astype(int), 1)
    np.testing.assert_array_equal(levels[:, 0, 1], best[:, 0])
    np.testing.assert_array_equal(levels[:, 1:, 1], wanted)


def test_one_that_is_not_frozen_goes_on_learning_from_there() -> None:
    donor = trained()
    going = play((Learned("train", seat=1, frozen=False),), {"train": donor}, block=1)
    assert (values(going) != values(donor)).any()
    assert (values(going) != 0).sum() >= (values(donor) != 0).sum()


def test_a_number_gives_every_episode_the_policy_of_that_one() -> None:
    donor = trained()
    held = play((Learned("train", seat=1, episode=2),), {"train": donor}, repeats=5, block=1)
    np.testing.assert_array_equal(values(held), np.repeat(values(donor)[2:3], 5, 0))


def test_a_day_can_be_named() -> None:
    donor = trained()
    early = play((Learned("train", seat=1, day=0),), {"train": donor})
    np.testing.assert_array_equal(values(early), values(donor, day=0))
    assert (values(donor, 0) != values(donor, -1)).any()


def test_nobody_learned_there() -> None:
    with pytest.raises(ValueError, match=r"nobody learned at seat 1 of arm 'train'"):
        play((Learned("train", seat=1),), {"train": play((RANDOM,))})


def test_a_fresh_block_has_fresh_seeds_and_one_block_the_same() -> None:
    first, again, fresh = play((RANDOM,)), play((RANDOM,), repeats=4), play((RANDOM,), block=1)
    np.testing.assert_array_equal(first.episode.executed, again.episode.executed[:REPEATS])
    assert (first.episode.executed != fresh.episode.executed).any((1, 2, 3)).all()


@pytest.mark.parametrize(("pairing", "shift"), [("same", 0), ("other_seed", 1)])
def test_a_tape_replays_the_donor_row_by_row(pairing: str, shift: int) -> None:
    rows = {"seating": ((0, 1), (0, 2))}
    both = (RANDOM, Ref("players/altruists/mostly_cooperate"))
    donor = play(both, **rows)
    taped = play(both, {"donor": donor}, treatments=(Tape("donor", (1,), pairing),), **rows)
    for row in (0, 1):
        mine, theirs = (one.episode.executed[one.episode.row == row] for one in (taped, donor))
        np.testing.assert_array_equal(mine[:, :, 1], np.roll(theirs, -shift, 0)[:, :, 1])
        np.testing.assert_array_equal(mine[:, :, 0], theirs[:, :, 0])  # it is deaf: same weather
    assert taped.episode.forced[:, :, 1].all()
    assert not taped.episode.forced[:, :, 0].any()


def test_force_holds_a_seat_for_its_steps_and_says_so() -> None:
    record = play((RANDOM,), treatments=(Force((0,), 0.0, first=2, last=5),))
    free = play((RANDOM,))
    window = np.isin(np.arange(STEPS), (2, 3, 4))
    np.testing.assert_array_equal(record.episode.levels[:, window, 0], 0.0)
    np.testing.assert_array_equal(record.episode.forced[:, :, 0], np.tile(window, (REPEATS, 1)))
    assert not record.episode.forced[:, :, 1].any()
    # What the policy wanted stays on record, and outside of the window nothing changed.
    np.testing.assert_array_equal(record.episode.proposed, free.episode.proposed)
    np.testing.assert_array_equal(
        record.episode.executed[:, ~window], free.episode.executed[:, ~window]
    )
