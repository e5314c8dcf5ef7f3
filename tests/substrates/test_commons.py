"""The commons against its rule: GovSim's figures, and a one-by-one harvest in plain Python."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from freezetag.core import Array, HasBystander, HasPayoffs, HasStock, level_of
from freezetag.substrates.commons import Commons, _ration

KEY = jax.random.key(7)


@partial(jax.jit, static_argnums=0)
def compiled(world: Commons, key: Any, state: Any, actions: Any) -> tuple[Any, Any, Any]:
    out = world.step(key, state, actions)
    return out.state, out.rewards, out.terminated


def play(world: Commons, people: int, ask: Any) -> dict[str, list[float]]:
    """One episode of the default horizon; `ask(t, stock, scale)` gives the requests [N]."""
    state = world.init(KEY, jnp.arange(world.players) < people)
    told: dict[str, list[float]] = {"reward": [], "over": []}
    for t in range(world.horizon):
        requests = np.broadcast_to(ask(t, int(state.stock), world.scale(state)), (world.players, 1))
        state, rewards, over = compiled(
            world, jax.random.fold_in(KEY, t), state, jnp.asarray(requests, jnp.int32)
        )
        told["reward"].append(float(rewards.sum()))
        told["over"].append(bool(over))
        for name, value in world.account(state).items():
            told.setdefault(name, []).append(float(value))
        if over:
            break
    return told


def share(t: int, stock: int, scale: Any) -> Any:
    return scale[1]


def grab(t: int, stock: int, scale: Any) -> Any:
    return scale[0]


@pytest.mark.parametrize("seats", [5, 31])
def test_five_sharers_live_as_in_govsim(seats: int) -> None:
    """50 a round, 600 in 12 rounds with the stock intact, 60 for the bystander."""
    told = play(Commons(players=seats), 5, share)
    assert told["harvested"] == [50.0] * 12
    assert sum(told["reward"]) == 600
    assert told["stock"] == [100.0] * 12
    assert told["overuse"] == [0.0] * 12
    assert sum(told["bystander"]) == pytest.approx(60)
    assert not any(told["over"])


def test_the_last_round_may_be_emptied_for_650() -> None:
    told = play(Commons(players=5), 5, lambda t, stock, scale: scale[0] if t == 11 else scale[1])
    assert sum(told["reward"]) == 650
    assert told["overuse"][-1] == 0.5
    assert told["over"][-1]


def test_thirty_one_sharers_take_310_a_round() -> None:
    told = play(Commons(), 31, share)
    assert told["harvested"] == [310.0] * 12
    assert told["stock"][-1] == 620


def test_grabbing_collapses_at_once_and_leaves_the_bystander_nothing() -> None:
    told = play(Commons(), 5, grab)
    assert told["reward"] == [100.0]
    assert told["over"] == [True]
    assert told["stock"] == told["bystander"] == [0.0]
    assert told["overuse"] == [0.5]


def test_what_has_collapsed_stays_so() -> None:
    world = Commons(players=3)
    state = world.init(KEY, jnp.ones(3, bool))
    state = world.step(KEY, state, jnp.full((3, 1), 60, jnp.int32)).state
    after = world.step(KEY, state, jnp.full((3, 1), 60, jnp.int32))
    assert bool(after.terminated)
    assert not after.rewards.any()
    assert float(world.account(after.state)["bystander"]) == 0
    assert np.isnan(float(world.account(after.state)["overuse"]))


@pytest.mark.parametrize("left", [4, 5])
def test_fewer_units_than_people_is_the_end(left: int) -> None:
    world = Commons(players=5)
    state = world.init(KEY, jnp.ones(5, bool))
    requests = jnp.asarray([[100 - left], [0], [0], [0], [0]], jnp.int32)
    out = world.step(KEY, state, requests)
    assert bool(out.terminated) == (left < 5)
    assert int(out.state.stock) == (4 if left < 5 else 10)


def test_a_greedy_newcomer_takes_its_part_from_its_step_on() -> None:
    """100 units, five sharers: the outsider asks for 100 // 6 = 16, 34 are left, 68 regrown."""
    told = play(Commons(players=5, newcomer=3), 5, share)
    assert told["harvested"][:4] == [50.0, 50.0, 50.0, 66.0]
    assert told["stock"][:4] == [100.0, 100.0, 100.0, 68.0]
    assert told["reward"][3] == 50
    assert told["overuse"][3] == pytest.approx(16 / 66)
    assert told["stock"][-1] < 68


def one_by_one(rng: np.random.Generator, asked: list[int], stock: int) -> tuple[int, ...]:
    """The rule, word by word: units one by one at random to those still asking."""
    got = [0] * len(asked)
    if sum(asked) <= stock:
        return tuple(asked)
    for _ in range(stock):
        asking = [i for i, want in enumerate(asked) if got[i] < want]
        got[asking[rng.integers(len(asking))]] += 1
    return tuple(got)


def ration(key: Array, asked: Array, stock: Array, most: int) -> Array:
    """The units of all, of whom the last one is the outsider."""
    return jnp.append(*_ration(key, asked[:-1], asked[-1], stock, most))


SCARCE = jax.jit(jax.vmap(lambda key, asked, stock: ration(key, asked, stock, 8), (0, None, None)))


@pytest.mark.parametrize(
    ("asked", "stock"),
    [([4, 1, 3, 0], 5), ([0, 9, 2, 2], 4), ([6, 0, 6, 0], 6), ([1, 2, 3, 8], 8)],
)
def test_scarce_units_are_shared_out_as_one_by_one(asked: list[int], stock: int) -> None:
    """The whole joint distribution, by a chi-square test at level .001 of two samples."""
    size = 4000
    got = SCARCE(jax.random.split(KEY, size), jnp.asarray(asked), jnp.int32(stock))
    ours = Counter(map(tuple, np.asarray(got).tolist()))
    rng = np.random.default_rng(1)
    theirs = Counter(one_by_one(rng, asked, stock) for _ in range(size))
    cells = sorted(cell for cell in ours | theirs if ours[cell] + theirs[cell] >= 20)
    table = np.asarray([[count[cell] for cell in cells] for count in (ours, theirs)])
    assert chi2_contingency(table).pvalue > 0.001


def test_a_lottery_by_request_is_told_apart() -> None:
    """The same test refuses a rule that favours those who ask for more."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], [4, 1, 3])
    wrong = Counter(
        tuple(np.bincount(rng.permutation(labels)[:5], minlength=3).tolist()) for _ in range(4000)
    )
    right = Counter(one_by_one(rng, [4, 1, 3], 5) for _ in range(4000))
    cells = sorted(cell for cell in wrong | right if wrong[cell] + right[cell] >= 20)
    table = np.asarray([[count[cell] for cell in cells] for count in (wrong, right)])
    assert chi2_contingency(table).pvalue < 1e-6


RATION = jax.jit(ration, static_argnums=3)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 100), min_size=5, max_size=5), st.integers(0, 100), st.integers(0, 99)
)
def test_nobody_gets_more_than_asked_and_nothing_is_lost(
    asked: list[int], stock: int, seed: int
) -> None:
    got = np.asarray(RATION(jax.random.key(seed), jnp.asarray(asked), jnp.int32(stock), 100))
    assert (got <= asked).all()
    assert (got >= 0).all()
    assert got.sum() == min(sum(asked), stock)


@given(st.integers(1, 31), st.integers(2, 620))
def test_levels_are_of_whole_units(people: int, stock: int) -> None:
    """1: at most half the stock over the people; 0: an equal share of all of it, or more."""
    world = Commons()
    state = world.init(KEY, np.arange(31) < people)._replace(stock=np.int32(stock))
    selfish, prosocial = (np.asarray(end) for end in world.scale(state))
    assert prosocial[0, 0] == stock // (2 * people)
    assert selfish[0, 0] == stock // people
    if selfish[0, 0] > prosocial[0, 0]:
        assert (level_of(np.zeros_like(selfish), selfish, prosocial) == 1).all()
        assert (level_of(selfish + 3, selfish, prosocial) == 0).all()


def test_what_it_offers() -> None:
    world = Commons()
    assert isinstance(world, HasStock)
    assert isinstance(world, HasBystander)
    assert not isinstance(world, HasPayoffs)
    assert world.min_players == 1
    assert world.action_sizes == (621,)


def test_a_commons_without_seats_is_refused() -> None:
    with pytest.raises(ValueError, match="players >= 1"):
        Commons(players=0)
