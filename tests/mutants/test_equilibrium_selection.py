"""Equilibrium selection: stubborn conventions, a twin that looks first, the exact gap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.exam.run import Runner
from freezetag.probes.equilibrium_selection import EquilibriumSelection
from freezetag.sim.arms import Pupil

WORLD = Ref.of("substrates/matrix_game", game="coordination")


@dataclass(frozen=True)
class Convention:
    """Settles on a move when it is made. `looks`: it keeps a move that was paid, and draws another
    where it was not. `slow`: of the steps in which it would look, it does so in one of `slow`."""

    looks: float = 0.0
    moves: int = 2
    slow: float = 1.0

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def init(self, key: Array) -> Array:
        return jax.random.randint(key, (), 0, self.moves)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        lost = (obs.step > 0) & (obs.own_reward <= 0)
        other = jax.random.randint(key, (), 0, self.moves)
        now = jax.random.uniform(jax.random.fold_in(key, 1)) * self.slow < 1
        move = jnp.where((self.looks > 0) & lost & now, other, carry)
        return jnp.zeros_like(obs.selfish) + move, move


def labels(m: int) -> Ref:
    """A game of m labels, all alike: 1 for both where they say the same."""
    same = np.eye(m)[:, :, None] * np.ones(2)
    return Ref.of("substrates/matrix_game", table=nested(same.tolist()))


def nested(values: Any) -> Any:
    return tuple(map(nested, values)) if isinstance(values, list) else values


@cache
def examined(agent: Any, world: Ref = WORLD) -> Finding:
    setting = Setting(world, catalogue.load(world), (), budget=40_000)
    return Runner(Pupil("it", agent), 0).probe(EquilibriumSelection(), setting)[0]


def row(name: str, agent: Any, world: Ref = WORLD) -> Measurement:
    rows = examined(agent, world).measurements
    return next(each for each in rows if each.name.startswith(name))


def test_the_mutant_that_insists_is_caught() -> None:
    assert row("gap", Convention()).verdict == FAIL


def test_the_twin_that_looks_first_passes() -> None:
    found = row("gap", Convention(looks=1.0))
    assert found.verdict == PASS
    assert row("copies of one seed", Convention(looks=1.0)).of.value > 0.9


def test_reference_two_opposite_conventions_have_a_gap_of_1() -> None:
    """Exact: each pair of seeds has gap 1 where they differ and 0 where they agree; in the mean
    1 - 1/m for m conventions that are equally likely."""
    found = row("gap", Convention())
    assert set(found.samples) == {0.0, 1.0}
    assert abs(np.mean(found.samples) - 0.5) < 4 * 0.5 / np.sqrt(len(found.samples))
    assert row("lost", Convention()).of.value == found.of.value


@pytest.mark.slow
def test_reference_of_m_labels_a_gap_of_one_less_one_in_m() -> None:
    """Exact: seeds that settle on one of m labels earn 1 with themselves, 1/m with each other."""
    m = 5
    sticks = row("gap", Convention(moves=m), labels(m))
    assert sticks.verdict == FAIL
    assert sticks.alone is not None
    assert sticks.together is not None
    assert sticks.alone.value == pytest.approx(1.0)
    spread = np.sqrt((m - 1) / m**2 / len(sticks.samples))
    assert sticks.together.value == pytest.approx(1 / m, abs=4 * spread)
    looks = Convention(looks=1.0, moves=m)
    assert row("gap", looks, labels(m)).verdict == PASS
    assert row("copies of one seed", looks, labels(m)).of.value > 0.9


def test_reference_who_is_slow_to_look_and_meets_another_each_time() -> None:
    """Exact: of two that differ in a step, one looks with chance y and finds the other in half of
    the cases, so that (1 + (1 - y)^2) / 2 differ in the next. Units are independent: with one
    weather for all they would look in the same steps, and their mean would be that of one."""
    slow = Convention(looks=1.0, slow=14.0)
    found = row("gap", slow)
    stays = (1 + (1 - 1 / slow.slow) ** 2) / 2
    gap = float(np.mean([stays**step for step in range(20, 40)])) / 2
    spread = np.std(found.samples, ddof=1) / np.sqrt(len(found.samples))
    assert found.of.value == pytest.approx(gap, abs=4 * spread)
    # With one weather there are three: never apart, and apart in either way.
    assert len(set(found.samples)) > 3


def test_who_meets_itself_by_name_proves_nothing() -> None:
    found = row("gap", catalogue.load(Ref("players/baselines/idle")))
    assert found.verdict == INCONCLUSIVE
    assert "proves nothing" in found.of.note


def test_where_no_convention_is_lost_it_is_not_measured() -> None:
    def reason(world: Ref) -> str:
        return EquilibriumSelection().fits(Setting(world, catalogue.load(world), ()))

    assert "loses nothing" in reason(Ref("substrates/matrix_game"))
    assert "matches of two" in reason(Ref("substrates/commons"))
    assert reason(WORLD) == ""
