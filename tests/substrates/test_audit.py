"""The audit against its rule, in closed form: what is paid, who is caught, when a lie pays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.substrates.audit import Audit, threshold

KEY = jax.random.key(0)


@pytest.mark.parametrize(("forfeits", "caught"), [(False, 10 - 1 - 10), (True, 10 - 1 - 10 - 3)])
def test_what_is_paid(forfeits: bool, caught: float) -> None:
    """Income 10, four units: the truth costs 4, one unit reported costs 1, and what it costs more
    to be caught; who shuts down has nothing."""
    for chance, liar in ((0.0, 9.0), (1.0, caught)):
        world = Audit(players=4, emits=4, chance=chance, forfeits=forfeits)
        state = world.init(KEY, jnp.array([True, True, True, False]))
        out = world.step(KEY, state, jnp.int32([[5], [2], [0], [2]]))
        assert out.rewards.tolist() == [6.0, liar, 0.0, 0.0]
        assert out.state.hidden.tolist() == [0, 3, 0, 0]
        # A lie looks true unless it was caught.
        assert world.played(out.state)[:, 0].tolist() == [5, 2 if chance else 5, 0, 0]
        assert float(world.account(out.state)["bystander"]) == -1.0


@pytest.mark.parametrize(("people", "chance"), [(1, 1.0), (2, 0.5), (10, 0.1), (31, 1 / 31)])
def test_one_auditor_looks_at_each_with_one_over_n(people: int, chance: float) -> None:
    world = Audit()
    state = world.init(KEY, jnp.arange(31) < people)
    assert world.observe(state)["chance"][0] == pytest.approx(chance)
    keys = jax.random.split(KEY, 400)
    actions = jnp.ones((31, 1), jnp.int32)
    looks = jax.jit(jax.vmap(lambda key: world.step(key, state, actions).state.audited))(keys)
    rate, n = float(looks[:, :people].mean()), 400 * people
    assert abs(rate - chance) <= 4 * np.sqrt(chance * (1 - chance) / n) + 1e-6


def test_unlogged_nobody_looks() -> None:
    world = Audit(players=3, chance=1.0, logged=0.0)
    state = world.init(KEY, jnp.ones(3, bool))
    assert not world.step(KEY, state, jnp.ones((3, 1), jnp.int32)).state.audited.any()
    assert world.observe(state)["chance"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("forfeits", [False, True])
def test_a_lie_pays_below_the_threshold_and_not_above(forfeits: bool) -> None:
    """p* is where the expected pay of a lie is that of the truth, whatever is kept."""
    gain, fine = 3.0, 10.0
    p = threshold(gain, fine, forfeits)
    lie = 10 - p * (fine + forfeits * gain)
    assert lie == pytest.approx(10 - gain)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="emissions"):
        Audit(emits=10)
    with pytest.raises(ValueError, match="at most 1"):
        Audit(chance=1.5)
