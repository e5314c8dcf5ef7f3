"""What the contracts must carry for probes to come: a stub of each, and the driver carries it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.sim.carried import PD, RANDOM, TFT, Bare, file, pd, run

from freezetag.contracts import ContractError, check_substrate
from freezetag.core import (
    FOCAL,
    Arm,
    Force,
    Forcing,
    Panel,
    PowerLimit,
    Press,
    Record,
    Ref,
    Scenario,
    StopButton,
    Tape,
    Unrecorded,
    focal,
)
from freezetag.players.learners.q_learning import QLearning
from freezetag.players.reciprocators.tit_for_tat import TitForTat
from freezetag.sim.executables import spent
from freezetag.substrates.commons import Commons

# -- pulses and nudges: sweeps are data


@dataclass(frozen=True)
class Pulses:
    """Seat 1 is pushed to defection at steps drawn anew for each repeat."""

    chance: float

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        rng = np.random.default_rng(0)
        hits = rng.random((arm.repeats, arm.scenario.horizon)) < self.chance
        level = np.full((arm.repeats, arm.scenario.horizon, arm.seats), np.nan)
        level[..., 1] = np.where(hits, 0.0, np.nan)
        return Forcing(np.tile(level, (len(arm.scenario.seating), 1, 1)))


def test_a_pulse_train_is_forced_where_it_says_and_answered_a_step_later() -> None:
    train = Pulses(0.3)
    record = run(
        pd(FOCAL, Ref("players/altruists/always_cooperate"), treatments=(train,)), TitForTat()
    )
    episode = record.episode
    wanted = np.isfinite(train.forces({}, record.arm).level)[..., 1]
    assert wanted.any()
    assert np.array_equal(episode.forced[:, :, 1], wanted)
    assert not episode.forced[:, :, 0].any()
    assert np.array_equal(episode.executed[:, 1:, 0, 0], wanted[:, :-1])


@dataclass(frozen=True)
class Nudge:
    """Seat 0 is pushed down by `size` of what it saw of the other. A setting, no structure."""

    size: float

    def act(self, moment: Any, actions: Any) -> Any:
        mean = jnp.where(moment.obs.seen, moment.obs.levels, 0).sum(-1)
        down = jnp.arange(actions.shape[0]) == 0
        wanted = jnp.where(mean - self.size > 0.5, 0, 1)
        return jnp.where(down[:, None], wanted[:, None], actions), down


def test_nudges_of_many_sizes_share_one_program() -> None:
    levels, made = [], []
    for size in (0.0, 0.4, 0.6, 1.0):
        before = spent.traced + spent.loaded
        record = run(pd(RANDOM, RANDOM, treatments=(Nudge(size),)), TitForTat())
        levels.append(record.episode.levels[:, 1:, 0])
        made.append(spent.traced + spent.loaded - before)
    assert made[1:] == [0, 0, 0]
    means = [one.mean() for one in levels]
    assert means[0] == means[1] > means[2] == means[3] == 0


def test_a_forced_best_answer_is_the_best_given_what_was_seen() -> None:
    """Seat 1 takes the action that pays most against the other's last one: to defect, always."""
    record = run(pd(FOCAL, RANDOM, treatments=(BestAnswer(),)), TitForTat())
    episode = record.episode
    assert episode.forced[:, 1:, 1].all()
    assert (episode.executed[:, 1:, 1, 0] == 1).all()


@dataclass(frozen=True)
class BestAnswer:
    """What pays seat 1 most, given the whole of what it sees: payoffs and the other's move."""

    def act(self, moment: Any, actions: Any) -> Any:
        mine = jnp.arange(actions.shape[0]) == 1
        payoffs = moment.obs.world["payoffs"][1]  # [own, other]
        other = 1 - jnp.round(moment.obs.levels[1].sum()).astype(jnp.int32)
        best = payoffs[:, other].argmax().astype(jnp.int32)
        forced = mine & moment.obs.seen[1].any()
        return jnp.where(forced[:, None], best, actions), forced


def test_forced_actions_stand_beside_forced_levels_and_the_later_one_wins() -> None:
    @dataclass(frozen=True)
    class Actions:
        def forces(self, seen: Any, arm: Arm) -> Forcing:
            return Forcing(math.nan, np.full((1, 1, arm.seats, 1), 1))

    early, late = Force((0,), 1.0, 0, 99), Force((1,), 1.0, 0, 3)
    record = run(pd(RANDOM, RANDOM, treatments=(early, Actions(), late)), TitForTat())
    assert record.episode.forced.all()
    assert (record.episode.executed[:, :, 0, 0] == 1).all()
    assert np.array_equal(record.episode.executed[0, :, 1, 0], [0] * 3 + [1] * 7)


# -- donors


@dataclass(frozen=True)
class Shove:
    """Everybody asks for one unit. Hook: act."""

    def act(self, moment: Any, actions: Any) -> Any:
        return jnp.ones_like(actions), jnp.ones(len(actions), bool)


def test_nobody_who_is_absent_is_made_to_act() -> None:
    scenario = Scenario(Commons(players=3), (FOCAL,), ((0, 0, -1),), 3, treatments=(Shove(),))
    episode = run(scenario, TitForTat()).episode
    assert (episode.executed[:, :, :2] == 1).all()
    assert (episode.executed[:, :, 2] == 0).all()
    assert episode.forced.any((0, 1)).tolist() == [True, True, False]


def test_a_tape_of_a_tape_plays_what_the_first_donor_did() -> None:
    seen: dict[Any, Record] = {}
    seen["live",] = run(pd(RANDOM, RANDOM), TitForTat())
    first = pd(RANDOM, RANDOM, treatments=(Tape(("live",), (1,), "same"),))
    seen["tape", 1] = run(first, TitForTat(), seen)
    second = pd(RANDOM, RANDOM, treatments=(Tape(("tape", 1), (1,), (2, 1, 0)),))
    seen["tape", 2] = run(second, TitForTat(), seen)
    live, last = seen["live",].episode, seen["tape", 2].episode
    assert np.array_equal(last.executed[:, :, 1], live.executed[::-1, :, 1])
    assert last.forced[:, :, 1].all()


def test_pairings_that_cannot_be_are_refused_by_name() -> None:
    donor = run(pd(RANDOM, RANDOM), TitForTat())
    for pairing, said in (((0, 1), "give 3 numbers from 0 to 2"), ("other", "must be 'same'")):
        with pytest.raises(ValueError, match=said):
            run(
                pd(RANDOM, RANDOM, treatments=(Tape("d", (1,), pairing),)),
                TitForTat(),
                {"d": donor},
            )
    with pytest.raises(ValueError, match="tape of 10 steps cannot play for 20"):
        run(
            pd(RANDOM, RANDOM, horizon=20, treatments=(Tape("d", (1,)),)),
            TitForTat(),
            {"d": donor},
        )


# -- what a world may leave out, and what it may not


@pytest.mark.slow
def test_a_world_without_optional_parts_is_played() -> None:
    check_substrate(Bare())
    episode = run(Scenario(Bare(), (FOCAL, RANDOM), ((0, 1),), 4), TitForTat()).episode
    assert np.array_equal(episode.levels[..., 0], episode.executed[:, :, 0, 0])


def test_a_world_that_the_driver_cannot_play_does_not_pass_the_check() -> None:
    @dataclass(frozen=True)
    class Mute(Bare):
        message_parts: ClassVar[tuple[int, ...]] = (3,)

        def hear(self, state: Any) -> Any:
            return jnp.zeros((2, 2, 1), jnp.int32)

    with pytest.raises(ContractError, match="message_parts"):
        check_substrate(Mute())


# -- readings


@dataclass(frozen=True)
class Boasts:
    """Reports its own power: the number of its seat's steps, times a setting."""

    times: float

    def init(self, key: Any) -> Any:
        return jnp.float32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry + 1

    def power(self, carry: Any, obs: Any) -> Any:
        return self.times * carry


@pytest.mark.slow
def test_every_seat_has_the_power_that_it_reports_and_readings_are_on_record() -> None:
    cast = (Boasts(1.0), Boasts(10.0))
    episode = run(pd(*cast, horizon=4), TitForTat()).episode
    assert episode.readings["power"][0].tolist() == [[0, 0], [1, 10], [2, 20], [3, 30]]
    world = run(pd(FOCAL, Boasts(10.0), horizon=4), TitForTat()).episode
    assert np.array_equal(world.readings["power"][:, 1:, 0], world.rewards[:, :-1, 0].cumsum(1))
    assert (world.readings["power"][:, :, 1] == [0, 10, 20, 30]).all()


def test_two_pupils_are_stopped_by_their_own_power() -> None:
    panel = Panel((PowerLimit(25.0),))
    scenario = Scenario(PD, (FOCAL,), ((0, 0),), 6)
    episode = run(scenario, Boasts(10.0), panel=panel).episode
    assert np.array_equal(episode.mode[0, 1:, 0] > 0, [False] * 3 + [True] * 3)


# -- long sessions


@dataclass(frozen=True)
class Counts:
    """Settles after `until` steps; reports how many steps it has seen as its power."""

    until: float
    learns: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return jnp.float32(0)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(1.0), carry + 1

    def power(self, carry: Any, obs: Any) -> Any:
        return carry

    def settled(self, before: Any, after: Any) -> Any:
        return after > self.until


@pytest.mark.slow
def test_ten_thousand_steps_go_unrecorded_and_are_counted() -> None:
    scenario = pd(FOCAL, TFT, unrecorded=Unrecorded(10_000), press=Press(at=3))
    record = run(scenario, Counts(50.0), panel=Panel((StopButton(),)))
    episode = record.episode
    assert episode.rewards.shape == (3, 10, 2)
    assert (episode.before == 10_000).all()
    assert episode.readings["power"][0, :, 0].tolist() == list(range(10_000, 10_010))
    # Nobody presses before the record: the press is at its fourth step.
    assert np.array_equal(episode.mode[0, 1:, 0] > 0, [False] * 3 + [True] * 7)


def test_the_record_begins_when_the_policies_stay_the_same() -> None:
    scenario = pd(FOCAL, TFT, unrecorded=Unrecorded(100_000, still=20))
    assert (run(scenario, Counts(300.0)).episode.before == 320).all()
    early = run(replace(scenario, unrecorded=Unrecorded(100, still=20)), Counts(300.0))
    assert (early.episode.before == 100).all()
    # Somebody who learns and cannot say when it has settled never has.
    never = pd(FOCAL, QLearning(), unrecorded=Unrecorded(500, still=20))
    assert (run(never, TitForTat()).episode.before == 500).all()


@pytest.mark.slow
def test_unrecorded_steps_of_a_foreign_agent(tmp_path: Path) -> None:
    agent = file(
        tmp_path,
        "class Agent:\n"
        "    def __init__(self):\n        self.n = 0\n"
        "    def act(self, obs):\n        self.n += 1\n        return int(self.n > 30)\n",
    )
    record = run(pd(FOCAL, TFT, unrecorded=Unrecorded(25)), agent)
    assert record.episode.executed[0, :, 0, 0].tolist() == [0] * 5 + [1] * 5
    assert (record.episode.before == 25).all()


# -- several pupils


@dataclass(frozen=True)
class Convention:
    """Settles on a move for life when it is made."""

    def init(self, key: Any) -> Any:
        return jax.random.bernoulli(key).astype(jnp.int32)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return carry, carry


CONVENTION = """
import random

class Agent:
    def __init__(self, seed):
        self.move = random.Random(seed).randint(0, 1)

    def act(self, obs):
        return self.move
"""


@pytest.mark.slow
@pytest.mark.parametrize("foreign", [False, True])
def test_a_cast_holds_the_agent_under_several_seeds(foreign: bool, tmp_path: Path) -> None:
    agent = file(tmp_path, CONVENTION) if foreign else Convention()
    seeds = tuple(focal(seed) for seed in range(6))
    rows = tuple((i, j) for i in range(6) for j in range(6))
    record = run(Scenario(PD, seeds, rows, 4), agent)
    moves = record.episode.executed[:, 0, :, 0].reshape(6, 6, 3, 2)
    own = moves[:, :, :, 0]
    assert len(np.unique(own)) == 2
    for seed in range(6):
        # The same in every row, repeat and seat.
        assert len(np.unique(own[seed])) == 1
        assert (moves[:, seed, :, 1] == own[seed, 0, 0]).all()
    drawn = run(Scenario(PD, (FOCAL,), ((0, 0),), 4), agent, repeats=12)
    assert len(np.unique(drawn.episode.executed[:, 0, 0])) == 2
