"""A short played line, for doctests: what a player does against given moves.

The world of a line is a pair with two actions, 0 = D and 1 = C, and the payoffs T, R, P, S =
5, 3, 1, 0 of Axelrod's tournaments. Noise-free, no policy but the player's.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs

PAYOFF = ((1.0, 5.0), (0.0, 3.0))
"""[own][other], 0 = D and 1 = C."""


def pair_obs(step: Array, own: Array, other: Array, own_reward: Array, reward: Array) -> Obs:
    """What seat 0 of a pair sees, given the last levels and rewards of both; [] each."""
    begun = jnp.asarray(step) > 0
    own, other, own_reward, reward = (
        jnp.where(begun, jnp.float32(x), 0.0) for x in (own, other, own_reward, reward)
    )
    return Obs(
        seat=jnp.int32(0),
        step=jnp.int32(step),
        own_reward=own_reward,
        own_action=jnp.int32(own)[None],
        own_level=own,
        present=jnp.array([False, True]),
        seen=jnp.array([False, True]) & begun,
        levels=jnp.stack([jnp.float32(0.0), other]),
        others_rewards=jnp.stack([jnp.float32(0.0), reward]),
        selfish=jnp.array([0], jnp.int32),
        prosocial=jnp.array([1], jnp.int32),
        legal=jnp.array([True, True]),
    )


def play_line(player: Any, partner: str, seed: int = 0, slips: tuple[int, ...] = ()) -> str:
    """The player's moves, "C D D C", against `partner`'s moves, "CDDC", in the same steps.

    At the steps `slips` the other move is executed than the one it wanted; in lower case.
    """
    key = jax.random.key(seed)
    carry, moves = player.init(jax.random.fold_in(key, len(partner))), []
    own = other = own_reward = reward = np.float32(0)
    for step, letter in enumerate(partner.replace(" ", "")):
        obs = pair_obs(step, own, other, own_reward, reward)
        action, carry = player.act(jax.random.fold_in(key, step), carry, obs)
        own, other = np.float32(action[0]), np.float32(letter == "C")
        if step in slips:
            own = 1 - own
        own_reward = np.float32(PAYOFF[int(own)][int(other)])
        reward = np.float32(PAYOFF[int(other)][int(own)])
        moves.append(("dc" if step in slips else "DC")[int(own)])
    return " ".join(moves)


def play_pair(first: Any, second: Any, steps: int, key: Array, flip: float = 0.0) -> Array:
    """[steps, 4]: both levels and both rewards of a match, pure JAX; each move flips by `flip`."""
    return _day(first, second, _born(first, second, steps, key), steps, key, flip)[1]


def play_days(first: Any, second: Any, days: int, steps: int, key: Array) -> Array:
    """[days, steps, 4] as `play_pair`: what both remember lasts, and who has `learn` learns between
    the days."""

    def one(memory: Any, day: Array) -> tuple[Any, Array]:
        memory, found = _day(first, second, memory, steps, jax.random.fold_in(key, day))
        both = zip((first, second), memory, ((0, 1, 2, 3), (1, 0, 3, 2)), strict=True)
        after = (_learned(who, carry, found[:, jnp.array(order)]) for who, carry, order in both)
        return tuple(after), found

    return jax.lax.scan(one, _born(first, second, steps, key), jnp.arange(days))[1]


def _born(first: Any, second: Any, steps: int, key: Array) -> Any:
    keys = (jax.random.fold_in(key, steps + i) for i in range(2))
    return tuple(who.init(one) for who, one in zip((first, second), keys, strict=True))


def _day(
    first: Any, second: Any, memory: Any, steps: int, key: Array, flip: float = 0.0
) -> tuple[Any, Array]:
    """(what both remember afterwards, [steps, 4])."""

    def turn(memory: Any, step: Array) -> tuple[Any, Array]:
        (one, two), last = memory
        keys = jax.random.split(jax.random.fold_in(key, step), 3)
        slips = jax.random.bernoulli(keys[2], flip, (2,))
        move, one = first.act(keys[0], one, pair_obs(step, last[0], last[1], last[2], last[3]))
        reply, two = second.act(keys[1], two, pair_obs(step, last[1], last[0], last[3], last[2]))
        a = jnp.where(slips[0], 1 - move[0], move[0]).astype(jnp.float32)
        b = jnp.where(slips[1], 1 - reply[0], reply[0]).astype(jnp.float32)
        # R = 3, S = 0, T = 5, P = 1 as one polynomial in the two moves.
        last = jnp.stack([a, b, 1 + 4 * b - a - a * b, 1 + 4 * a - b - a * b])
        return ((one, two), last), last

    (memory, _), found = jax.lax.scan(turn, (memory, jnp.zeros(4, jnp.float32)), jnp.arange(steps))
    return memory, found


def _learned(who: Any, carry: Any, day: Array) -> Any:
    """The carry after a day [T, 4]: own level, the other's, own reward, the other's."""
    if not hasattr(who, "learn"):
        return carry
    own, other, reward, others = day.T
    nobody = jnp.zeros_like(own)
    told = {
        "own_action": own.astype(jnp.int32)[:, None],
        "own_level": own,
        "own_reward": reward,
        "present": jnp.array([False, True]),
        "levels": jnp.stack([nobody, other], axis=1),
        "rewards": jnp.stack([nobody, others], axis=1),
        "mean_level": other,
        "valid": jnp.ones_like(own, bool),
    }
    return who.learn(jax.random.key(0), carry, told)
