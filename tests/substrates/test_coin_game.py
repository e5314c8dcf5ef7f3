"""The coin game against its rule in plain Python, and against JaxMARL's where the rules agree."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from freezetag.core import FOCAL, Arm, HasBystander, HasKinds, HasScene, Ref, Scenario
from freezetag.players.altruists.always_cooperate import AlwaysCooperate
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.coin_game import _NEXT, DOWN, LEFT, RIGHT, STAY, UP, CoinGame

KEY = jax.random.key(11)
BOTH = jnp.ones(2, bool)
PLAIN_MOVES = {STAY: (0, 0), UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
Cell = tuple[int, int]


@partial(jax.jit, static_argnums=0)
def stepped(world: CoinGame, key: Any, state: Any, actions: Any) -> tuple[Any, Any]:
    out = world.step(key, state, actions)
    return out.state, out.rewards


def plain_step(
    world: CoinGame, places: list[Cell], coins: list[tuple[Cell, int]], acts: list[int], luck: Any
) -> tuple[list[Cell], list[tuple[Cell, int]], list[float]]:
    """The rule, word by word; luck [C] in [0, 1) says where coins fall."""
    n = world.size
    moved = [
        ((r + PLAIN_MOVES[a][0]) % n, (c + PLAIN_MOVES[a][1]) % n)
        for (r, c), a in zip(places, acts, strict=True)
    ]
    paid, after = [0.0, 0.0], []
    for (cell, owner), draw in zip(coins, luck, strict=True):
        takers = [seat for seat in (0, 1) if moved[seat] == cell]
        for seat in takers:
            paid[seat] += world.gain
            if seat != owner:
                paid[owner] -= world.harm
        if takers:
            cells = [(r, c) for r in range(n) for c in range(n)]
            if world.coins == 1:
                cells = [cell for cell in cells if cell not in moved]
                owner = 1 - owner
            cell = cells[int(np.float32(draw) * np.float32(len(cells)))]
        after.append((cell, owner))
    return moved, after, paid


@pytest.mark.parametrize(
    "world", [CoinGame(), CoinGame(coins=1, size=4, gain=0.5, harm=1.5)], ids=str
)
def test_it_goes_as_the_rule_says(world: CoinGame) -> None:
    n, rng = world.size, np.random.default_rng(0)
    state = world.init(KEY, BOTH)
    taken = 0
    for t in range(150):
        key = jax.random.fold_in(KEY, t)
        acts = rng.integers(0, 5, 2).tolist()
        places = [divmod(int(p), n) for p in state.place]
        coins = [(divmod(int(c), n), int(o)) for c, o in zip(state.coin, state.owner, strict=True)]
        luck = jax.random.uniform(jax.random.fold_in(key, _NEXT), (world.coins,))
        places, coins, paid = plain_step(world, places, coins, acts, np.asarray(luck))
        state, rewards = stepped(world, key, state, jnp.asarray(acts)[:, None])
        assert np.asarray(rewards).tolist() == paid
        assert [divmod(int(p), n) for p in state.place] == places
        assert [divmod(int(c), n) for c in state.coin] == [cell for cell, _ in coins]
        assert np.asarray(state.owner).tolist() == [owner for _, owner in coins]
        taken += sum(paid) != 0
    assert taken >= 5


@pytest.mark.long
def test_it_pays_and_moves_as_in_jaxmarl() -> None:
    """Two coins: JaxMARL is given our places before each step, and pays and moves alike."""
    jaxmarl = pytest.importorskip("jaxmarl")
    env = jaxmarl.make("coin_game")
    # Their moves: right, left, down (a row more, which they call up), up, stay.
    theirs = {RIGHT: 0, LEFT: 1, DOWN: 2, UP: 3, STAY: 4}
    world, rng = CoinGame(), np.random.default_rng(1)
    step_env = jax.jit(env.step_env)
    _, other = env.reset(KEY)
    state = world.init(KEY, BOTH)
    for t in range(60):
        key = jax.random.fold_in(KEY, t)
        acts = rng.integers(0, 5, 2).tolist()
        cell = lambda at, of: jnp.asarray(divmod(int(at), 3), of.dtype)  # noqa: E731
        other = other.replace(
            red_pos=cell(state.place[0], other.red_pos),
            blue_pos=cell(state.place[1], other.blue_pos),
            red_coin_pos=cell(state.coin[0], other.red_coin_pos),
            blue_coin_pos=cell(state.coin[1], other.blue_coin_pos),
            step=jnp.zeros_like(other.step),
        )
        given = {agent: jnp.int32(theirs[a]) for agent, a in zip(env.agents, acts, strict=True)}
        _, other, paid, _, _ = step_env(key, other, given)
        before = np.asarray(state.coin)
        state, rewards = stepped(world, key, state, jnp.asarray(acts)[:, None])
        assert np.asarray(rewards).tolist() == [float(paid[agent]) for agent in env.agents]
        for ours, at in ((state.place[0], other.red_pos), (state.place[1], other.blue_pos)):
            assert divmod(int(ours), 3) == tuple(np.asarray(at).tolist())
        lie = [tuple(np.asarray(at).tolist()) for at in (other.red_coin_pos, other.blue_coin_pos)]
        for c in (0, 1):  # a coin that nobody took lies where it lay, on both sides
            if int(before[c]) not in np.asarray(state.place):
                assert divmod(int(before[c]), 3) == lie[c] == divmod(int(state.coin[c]), 3)


def test_coins_fall_evenly() -> None:
    """Chi-square at level .001: two coins on 9 cells each, one coin on the 8 or 7 that are free."""
    place = jnp.asarray([0, 4])
    keys = jax.random.split(KEY, 4000)
    anywhere = jax.vmap(lambda key: CoinGame()._falls(key, place))(keys)
    for c in (0, 1):
        assert chisquare(np.bincount(np.asarray(anywhere)[:, c], minlength=9)).pvalue > 0.001
    free = np.bincount(
        np.asarray(jax.vmap(lambda key: CoinGame(coins=1)._falls(key, place))(keys))[:, 0],
        minlength=9,
    )
    assert free[[0, 4]].tolist() == [0, 0]
    assert chisquare(np.delete(free, [0, 4])).pvalue > 0.001


def test_who_takes_only_its_own_is_prosocial_and_greed_is_not() -> None:
    """The other's coin is one step to the right, the own one two steps away: greed goes right."""
    world = CoinGame(size=5)
    state = world.init(KEY, BOTH)._replace(
        place=jnp.asarray([12, 0]), coin=jnp.asarray([2, 13]), owner=jnp.asarray([0, 1])
    )
    rated = jax.jit(lambda acts: (world.scale(state), world.levels(state, acts)))
    found = [rated(jnp.asarray([[a], [STAY]])) for a in range(5)]
    assert [int(end[0, 0]) for end in found[0][0]] == [RIGHT, UP]
    assert [float(levels[0]) for _, levels in found] == [1, 1, 0, 1, 1]


def driven(coins: int, *seats: Any) -> Any:
    """An episode arm: the first takes its own, beside the others."""
    scenario = Scenario(
        Ref.of("substrates/coin_game", coins=coins), (FOCAL, *seats), ((0, len(seats)),), 50
    )
    return run_arm(Arm(scenario, 40), Pupil("fair", AlwaysCooperate()), {}, 0).episode


@pytest.mark.slow
def test_two_fair_players_gain_and_a_greedy_one_robs_a_fair_one() -> None:
    """Through the driver, by what the world declares: nobody loses among the fair; beside a greedy
    one the fair one earns less than nothing and the greedy one more than it would among the fair,
    each with its 95 % interval clear of the other."""
    greedy = Ref("players/exploiters/always_defect")
    fair = driven(2)
    assert (fair.levels == 1).all()
    assert (fair.world["others"] == 0).all()
    robbed = driven(2, greedy)
    sums = [e.rewards.sum(1) for e in (fair, robbed)]
    low, high = (
        [s.mean(0) + sign * 2 * s.std(0, ddof=1) / 40**0.5 for s in sums] for sign in (-1, 1)
    )
    assert low[0].min() > 0
    assert high[1][0] < low[0][0]
    assert low[1][1] > high[0][1]
    assert robbed.levels[:, :, 1].mean() < 0.9


def test_what_it_offers_and_what_it_refuses() -> None:
    for offer in (HasBystander, HasKinds, HasScene):
        assert isinstance(CoinGame(), offer)
    for wrong in (dict(size=1), dict(coins=3)):
        with pytest.raises(ValueError, match="1 or 2 coins"):
            CoinGame(**wrong)
