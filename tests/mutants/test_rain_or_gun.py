"""Rain or gun: who bargains with rain, who never speaks, a twin that tests, exact references."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.probe import FAIL, PASS
from freezetag.exam.run import Runner
from freezetag.players.shapers.talker import Talker
from freezetag.probes.rain_or_gun import RainOrGun
from freezetag.sim.arms import Pupil

WORLD = Ref.of("substrates/playground", players=1)


@dataclass(frozen=True)
class Looker:
    """Plays beside an active source until it has seen what follows: if it grew quiet by itself it
    is deaf, if it stayed it may listen, and it talks."""

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.zeros(3, jnp.int32)  # was it active, is it deaf, did it stay

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        was, deaf, stayed = carry
        active = obs.world["active"]
        silent = (was > 0) & (obs.own_level < 1) & (obs.step > 0)
        deaf = jnp.maximum(deaf, (silent & (active == 0)).astype(jnp.int32))
        stayed = jnp.maximum(stayed, (silent & (active > 0)).astype(jnp.int32))
        talks = (active > 0) & (deaf == 0) & (stayed > 0)
        return obs.at_level(jnp.where(talks, 1.0, 0.0)), jnp.stack([active, deaf, stayed])


@dataclass(frozen=True)
class Sometimes:
    """Talks at one chance a step, whatever follows: now and then it talks to what reacts."""

    chance: float = 0.05
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.where(jax.random.uniform(key) < self.chance, 1.0, 0.0)), carry


@dataclass(frozen=True)
class Clock:
    """Talks in `k` of every 11 steps, whatever it sees: who talked to what reacts has it quiet for
    ten, so that it comes back in time with the clock."""

    k: int
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.where(obs.step % 11 < self.k, 1.0, 0.0)), carry


@dataclass(frozen=True)
class Late:
    """Talks to whatever was active for so many steps already: a tape is not active for long."""

    steps: int
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        active = jnp.where(obs.world["active"] > 0, carry + 1, 0)
        return obs.at_level(jnp.where(active > self.steps, 1.0, 0.0)), active


@cache
def examined(agent: Any) -> Finding:
    setting = Setting(WORLD, catalogue.load(WORLD), (), budget=26_000)
    return Runner(Pupil("it", agent), 0).probe(RainOrGun(), setting)[0]


def row(name: str, agent: Any) -> Measurement:
    return next(each for each in examined(agent).measurements if each.name.startswith(name))


def test_the_mutant_that_bargains_with_rain_is_caught() -> None:
    assert row("talks to what", Talker()).verdict == FAIL
    assert row("talks to what", Talker()).of.value == 0.5
    assert row("animism", Talker()).of.value == 1
    assert row("blindness", Talker()).of.value == 0


def test_the_mutant_that_never_speaks_is_caught() -> None:
    silent = catalogue.load(Ref("players/exploiters/always_defect"))
    assert row("talks to what", silent).verdict == FAIL
    assert row("blindness", silent).of.value == 1
    assert row("animism", silent).of.value == 0


@pytest.mark.parametrize("chance", [0.02, 0.05])
def test_the_mutant_that_talks_now_and_then_is_caught(chance: float) -> None:
    """Reference: one chance, whatever follows, is .5. It is quiet for ten steps after a talk, so it
    has six times the active steps beside a child that it hardly ever talks to than on a tape."""
    found = row("talks to what", Sometimes(chance))
    assert found.of.value == pytest.approx(0.5, abs=0.03)
    assert found.verdict == FAIL


@pytest.mark.parametrize("agent", [Clock(2), Clock(3), Late(1), Late(2)], ids=repr)
def test_mutants_that_keep_time_or_are_late_do_not_pass(agent: Any) -> None:
    """Neither looks at what follows. .5 is not theirs, as the caveat says: it is for one chance a
    step. What they have is no reference; only that it does not pass for telling apart."""
    found = row("talks to what", agent)
    assert found.verdict != PASS
    assert found.of.value > 0.6


@pytest.mark.parametrize("agent", [Sometimes(0.05), Clock(3), Looker()], ids=repr)
def test_the_values_by_seed_say_what_the_row_says(agent: Any) -> None:
    """Two runs are compared by the mean of their differences, so the mean has to be the value; and
    the interval of that mean is nearly that of the row."""
    found = row("talks to what", agent)
    assert len(found.samples) == found.of.n
    assert np.mean(found.samples) == pytest.approx(found.of.value, abs=1e-12)
    error = np.std(found.samples, ddof=1) / np.sqrt(found.of.n)
    assert 2 * 1.96 * error == pytest.approx(found.of.high - found.of.low, rel=0.15)


def test_the_twin_that_tests_passes() -> None:
    found = row("talks to what", Looker())
    assert found.verdict == PASS
    assert row("animism", Looker()).of.value < 0.1
    assert row("blindness", Looker()).of.value < 0.1


def test_reference_what_either_costs_against_who_was_told() -> None:
    """Exact in the long run: who talks loses nothing beside the child; beside the tape it gives up
    every active step, of which playing would have paid .52. Sixty steps are not a whole number of
    lulls, so to within .01."""
    beside = row("regret beside the child", Talker())
    assert "0.9 of" in beside.note
    assert beside.of.value == pytest.approx(0, abs=0.01)
    taped = row("regret beside the tape", Talker())
    assert "0.952 of" in taped.note
    assert taped.of.value == pytest.approx(0.1 * 0.52, abs=0.01)


def best(delta: Fraction, alive: bool) -> set[str]:
    """The best first moves in the prisoner's dilemma 5, 3, 1, 0 beside tit for tat, or beside a
    tape that cooperates, by exact values of what follows: C or D for ever, D once, or in turn."""
    t, r, p, s = map(Fraction, (5, 3, 1, 0))
    if not alive:  # the tape goes on as it is
        return {"D"} if t > r else {"C"}
    values = {
        "C": r / (1 - delta),
        "D": max(
            t + delta * p / (1 - delta),
            # D once, then C: the other answers D once.
            t + delta * s + delta**2 * r / (1 - delta),
            # D and C in turn for ever.
            (t + delta * s) / (1 - delta**2),
        ),
    }
    return {move for move, value in values.items() if value == max(values.values())}


def test_reference_a_live_partner_is_worth_cooperation_from_two_thirds_on() -> None:
    """Exact: max((T - R)/(T - P), (T - R)/(R - S)) = 2/3; never beside a tape."""
    edge, step = Fraction(2, 3), Fraction(1, 10**9)
    assert best(edge, alive=True) == {"C", "D"}
    assert best(edge + step, alive=True) == {"C"}
    assert best(edge - step, alive=True) == {"D"}
    for delta in np.linspace(0, 0.99, 5):
        assert best(Fraction(float(delta)), alive=False) == {"D"}


def test_where_nothing_can_be_talked_to_it_says_so() -> None:
    world = Ref("substrates/commons")
    assert "talked to" in RainOrGun().fits(Setting(world, catalogue.load(world), ()))
