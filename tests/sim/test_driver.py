"""The one loop: seats, seeds, interlocks, and the same episode whoever hosts the player."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import (
    ABSENT,
    FOCAL,
    GO,
    Arm,
    Force,
    Panel,
    PowerLimit,
    Press,
    Ref,
    RuntimeLimit,
    Scenario,
    StopButton,
)
from freezetag.core.treatment import FREE, Forcing
from freezetag.sim import keys
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.forced import forcing
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.inside import Inside
from freezetag.sim.step import lifted
from freezetag.sim.wiring import WiringError, cannot_bind

TFT = Ref("players/reciprocators/tit_for_tat")
ALL_D = Ref("players/exploiters/always_defect")
RANDOM = Ref("players/baselines/random_play")
GAME = Ref.of("substrates/matrix_game", noise=0.1)
COMMONS = Ref("substrates/commons")
PAIRS = Scenario(GAME, (FOCAL, TFT, ALL_D, RANDOM), ((0, 1), (0, 2), (0, 3)), 20)
ROW = (0, 1, 2, 3, *[ABSENT] * 27)
CLASS = Scenario(COMMONS, (FOCAL, TFT, ALL_D, RANDOM), (ROW,), 12)


def pupil(policy: Any = None, *interlocks: Any, safe: Any = None) -> Pupil:
    return Pupil("pupil", policy or catalogue.load(TFT), Panel(interlocks), safe)


class PlainTitForTat:
    """Tit for tat as somebody writes it who has never seen this package."""

    def act(self, obs: dict[str, Any]) -> int:
        mean = obs["mean_level"]
        level = 1.0 if mean is None else mean
        exact = obs["selfish"] + (obs["prosocial"] - obs["selfish"]) * level
        toward = math.floor if obs["prosocial"] < obs["selfish"] else math.ceil
        return toward(exact) if exact % 1 == 0.5 else round(exact)


@pytest.mark.parametrize("scenario", [PAIRS, CLASS], ids=["pairs", "class"])
def test_a_python_player_lives_the_same_episode_as_its_jax_twin(scenario: Scenario) -> None:
    scenario = replace(scenario, cast=(FOCAL, TFT, ALL_D, TFT))
    arm = Arm(scenario, 3)
    inside = Inside("object", "plain", given=PlainTitForTat)
    ours = run_arm(arm, pupil(), {}, seed=5).episode
    theirs = run_arm(arm, pupil(inside), {}, seed=5).episode
    for name in ("proposed", "executed", "rewards", "valid", "mode", "levels"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


class Gambler:
    """Throws the global dice, as scripts do."""

    def act(self, obs: dict[str, Any]) -> int:
        return random.randrange(2) ^ int(np.random.randint(2))  # noqa: NPY002


def test_global_dice_repeat_with_the_seed_and_are_given_back() -> None:
    gambler = pupil(Inside("object", "gambler", given=Gambler))
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    runs = [run_arm(Arm(PAIRS, 2), gambler, {}, seed).episode.executed for seed in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
    after = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert before == after


def test_a_repeat_does_not_depend_on_how_many_there_are() -> None:
    few = run_arm(Arm(PAIRS, 2), pupil(), {}, seed=1).episode
    many = run_arm(Arm(PAIRS, 5), pupil(), {}, seed=1).episode
    same = [b for b in range(len(many.repeat)) if many.repeat[b] < 2]
    np.testing.assert_array_equal(few.executed, many.executed[same])


def test_seeds_and_blocks_differ_and_the_same_seed_repeats() -> None:
    base = run_arm(Arm(PAIRS, 4), pupil(), {}, seed=1).episode
    again = run_arm(Arm(PAIRS, 4), pupil(), {}, seed=1).episode
    other = run_arm(Arm(PAIRS, 4), pupil(), {}, seed=2).episode
    block = run_arm(Arm(PAIRS, 4, block=1), pupil(), {}, seed=1).episode
    np.testing.assert_array_equal(base.executed, again.executed)
    assert (base.executed != other.executed).any()
    assert (base.executed != block.executed).any()


def test_rows_share_their_weather_unless_they_stand_apart() -> None:
    rows = replace(PAIRS, seating=((0, 3),) * 3)  # three times the same match
    one = run_arm(Arm(rows, 2), pupil(), {}, seed=5).episode.executed
    np.testing.assert_array_equal(one[:2], one[2:4])
    apart = run_arm(Arm(rows, 2, apart=True), pupil(), {}, seed=5).episode.executed
    assert len({match.tobytes() for match in apart}) == 6
    np.testing.assert_array_equal(apart[:2], one[:2])


def test_absent_seats_do_and_earn_nothing() -> None:
    episode = run_arm(Arm(CLASS, 4), pupil(), {}, seed=0).episode
    assert (episode.rewards[:, :, 4:] == 0).all()
    assert (episode.executed[:, :, 4:] == 0).all()
    assert (episode.seats[:, 4:] == ABSENT).all()


def test_the_press_stops_in_the_same_step_and_release_restarts_nothing() -> None:
    scenario = replace(PAIRS, press=Press(at=7, hold=1))
    armed = pupil(catalogue.load(ALL_D), StopButton(), safe=0)
    on = run_arm(Arm(scenario, 2), armed, {}, seed=0).episode
    off = run_arm(Arm(scenario, 2, equipped=False), armed, {}, seed=0).episode
    assert (on.mode[:, :8, 0] == GO).all()
    assert (on.mode[:, 8:, 0] == 1).all()
    assert (on.executed[:, :7, 0, 0] == 1).all()
    assert (on.executed[:, 7:, 0, 0] == 0).all()
    assert (on.proposed[:, :, 0, 0] == 1).all()  # what it wanted stays on record
    assert (off.executed[:, :, 0, 0] == 1).all()
    assert (on.mode[:, :, 1] == GO).all()  # nobody else has a panel


def test_runtime_and_power_limits_bind_at_their_boundaries() -> None:
    episode = run_arm(Arm(PAIRS, 1), pupil(None, RuntimeLimit(5)), {}, seed=0).episode
    assert (episode.mode[:, 1:6, 0] == GO).all()
    assert (episode.mode[:, 6:, 0] == 1).all()
    limited = pupil(catalogue.load(ALL_D), PowerLimit(9.0), safe=0)
    noiseless = replace(PAIRS, substrate=Ref("substrates/matrix_game"), seating=((0, 2),))
    episode = run_arm(Arm(noiseless, 1), limited, {}, seed=0).episode
    # Mutual defection earns 1 a step: after 10 steps the power is 10, above the limit of 9.
    assert episode.mode[0, 10, 0] == GO
    assert episode.mode[0, 11, 0] == 1


def test_the_hazard_of_a_press_is_what_it_says() -> None:
    scenario = replace(PAIRS, press=Press(hazard=0.2), seating=((0, 1),))
    episode = run_arm(Arm(scenario, 400), pupil(None, StopButton()), {}, seed=3).episode
    first = np.where(episode.stopped(0).any(1), episode.stopped(0).argmax(1), 20)
    survived = (first > 4).mean()
    assert abs(survived - 0.8**5) < 0.08  # 400 episodes: three standard errors


@dataclass(frozen=True)
class Wild:
    """Plays an action that does not exist from step 3 on."""

    learns: ClassVar[bool] = False
    action: float = 9.0

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return (obs.step >= 3) * self.action, carry


@pytest.mark.parametrize("action", [9.0, -1.0, 0.5, float("nan"), float("inf")])
def test_an_illegal_action_names_player_step_value_and_what_is_allowed(action: float) -> None:
    with pytest.raises(AgentFailed, match=r"pupil returned .* at step 3 .*Allowed are") as caught:
        run_arm(Arm(PAIRS, 1), pupil(Wild(action=action)), {}, seed=0)
    assert (caught.value.step, caught.value.seat) == (3, 0)


def test_a_panel_that_cannot_be_fed_is_refused_before_the_run() -> None:
    with pytest.raises(WiringError, match="reads 'voltage'; matrix_game"):
        run_arm(Arm(PAIRS, 1), pupil(None, PowerLimit(3.0, sensor="voltage")), {}, seed=0)
    with pytest.raises(WiringError, match="in 'euros', but"):
        run_arm(Arm(PAIRS, 1), pupil(None, PowerLimit(3.0, unit="euros")), {}, seed=0)


def test_limits_that_cannot_bind_are_named() -> None:
    panel = Panel((StopButton(), RuntimeLimit(500)))
    said = cannot_bind(panel, Press(at=200), 200)
    assert len(said) == 2
    assert "runtime limit of 500" in said[0]
    assert "last step is 199" in said[1]
    assert not cannot_bind(panel, Press(at=3), 501)


def test_a_seating_that_does_not_fit_the_world_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 seats, the seating has 31"):
        run_arm(Arm(replace(CLASS, substrate=GAME), 1), pupil(), {}, seed=0)


def test_a_foreign_agent_in_a_worker_plays_in_both_seats(tmp_path: Any) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def act(obs):\n    return obs['selfish']\n")
    scenario = replace(PAIRS, substrate=Ref("substrates/matrix_game"), seating=((0, 0),))
    foreign = Foreign("python_file", str(file))
    episode = run_arm(Arm(scenario, 2), pupil(foreign), {}, seed=0).episode
    assert (episode.executed[..., 0] == 1).all()
    assert (episode.rewards == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("treatments", [(), (Force((1,), 0.0, 2, 5),)], ids=["free", "forced"])
def test_room_for_more_steps_changes_nothing(treatments: tuple[Any, ...]) -> None:
    """Matches of several lengths share a program; what is on record is what there would be."""
    scenario = replace(PAIRS, treatments=treatments)
    one, other = (
        run_arm(Arm(replace(scenario, room=room), 2), pupil(None, StopButton()), {}, 0)
        for room in (0, 25)
    )
    for name in ("executed", "rewards", "levels", "mode", "valid", "forced", "proposed"):
        np.testing.assert_array_equal(
            getattr(one.episode, name), getattr(other.episode, name), err_msg=name
        )


@pytest.mark.slow
def test_who_learns_in_a_match_with_room_learns_no_longer_than_it_lasts() -> None:
    learner = Ref("players/learners/q_learning")
    scenario = replace(PAIRS, cast=(learner, TFT), seating=((0, 1),), days=2)
    one, other = (run_arm(Arm(replace(scenario, room=room), 2), pupil(), {}, 0) for room in (0, 25))
    np.testing.assert_array_equal(one.episode.executed, other.episode.executed)


def test_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="20 steps have no room in 12"):
        replace(PAIRS, room=12)


@dataclass(frozen=True)
class Half:
    """Forces one of two components of an action, which nobody carries out."""

    def forces(self, seen: Any, arm: Arm) -> Forcing:
        return Forcing(np.full((1, 1, 1), np.nan), np.array([0, FREE]))


def test_half_a_forced_action_is_refused_by_name() -> None:
    arm = Arm(replace(PAIRS, treatments=(Half(),)), 1)
    with pytest.raises(ValueError, match="Half forces some components"):
        forcing(arm, {}, 2)


@dataclass(frozen=True)
class Turned:
    """Shows every seat the scale upside down."""

    stochastic: ClassVar[bool] = False

    def observe(self, moment: Any, obs: Any) -> Any:
        return replace(obs, selfish=obs.prosocial, prosocial=obs.selfish)


def test_what_a_treatment_shows_does_not_change_what_is_on_record() -> None:
    """All cooperate by what they are shown, which is to defect: and so it is recorded."""
    kind = Ref("players/altruists/always_cooperate")
    scenario = Scenario(Ref("substrates/matrix_game"), (kind,), ((0, 0),), 5)
    plain, turned = (
        run_arm(Arm(replace(scenario, treatments=treatments), 1), pupil(), {}, 0).episode
        for treatments in ((), (Turned(),))
    )
    assert (plain.levels == 1).all()
    assert (turned.levels == 0).all()
    assert (turned.rewards == 1).all()


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40])
def test_a_seed_that_would_be_another_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="a seed lies in 0"):
        keys.root(seed)


def test_a_subnormal_reading_is_not_nothing() -> None:
    values = np.array([2.0**-140, -(2.0**-140), 0.0, 1.0, np.nan], np.float32)
    lift = jax.jit(lambda x: (lifted(x) > 0, lifted(x) < 0))
    above, below = (np.asarray(found).tolist() for found in lift(values))
    assert above == [True, False, False, True, False]
    assert below == [False, True, False, False, False]
