"""A tournament's seat: each player acts only in the episodes in which it sits there.

Mapped naively over episodes, a column with 30 kinds of player computes all 30 in every episode
and throws 29 away. Here each kind gets the episodes of its own, packed together: `take` [G, cap]
lists them, padded with B (which gathers nothing of use and scatters nowhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.sim.columns import Column, as_action, like
from freezetag.sim.step import ACT, INIT, Batch, State
from freezetag.sim.template import Template, pick

Takes = Mapping[int, Array]
"""Seat -> [G, cap] episodes of each group."""


def is_packed(column: Column) -> bool:
    """Whether a seat has several kinds of player."""
    return len(column.groups) > 1


def capacity(groups: Array, number: int, size: int) -> int:
    """The most episodes that one of `number` groups has in any chunk of `size`, rounded up so
    that tournaments of about one size share a program. groups [B]."""
    chunks = [groups[first : first + size] for first in range(0, len(groups), size)]
    most = max(np.bincount(chunk, minlength=number).max() for chunk in chunks)
    return min(int(-(-most // 8) * 8), size)


def take(groups: Array, number: int, cap: int) -> Array:
    """[G, cap] the episodes of each group, padded with B. groups [B]."""
    found = np.full((number, cap), len(groups), np.int32)
    for group in range(number):
        mine = np.flatnonzero(groups == group)
        found[group, : len(mine)] = mine
    return found


def init(column: Column, leaves: tuple[Any, ...], batch: Batch, seat: int, takes: Array) -> Any:
    """First carries, one per group, each [cap, ...]."""
    data = batch.seats[seat]
    carries = []
    for group, template in enumerate(column.groups):
        there = takes[group]
        if column.carried:
            carries.append(_gather(data["carry"][group], there))
            continue
        keys = _keys(batch, there, INIT, None, seat)
        settings = jax.vmap(pick, in_axes=(None, 0))(leaves[group], _gather(data["member"], there))
        fresh = jax.vmap(_begin(template))(settings, keys)
        carries.append(jax.tree.map(jnp.asarray, fresh))
    return tuple(carries)


def act(
    column: Column,
    leaves: tuple[Any, ...],
    batch: Batch,
    state: State,
    obs: Obs,
    seat: int,
    takes: Array,
    carries: Any,
) -> tuple[Array, Array, Any]:
    """(actions [B, K] int32, odd [B], carries) of one seat; state and obs have leading axis B."""
    episodes, _, width = state.actions.shape
    actions = jnp.zeros((episodes, width), jnp.int32)
    odd = jnp.zeros(episodes, bool)
    after = []
    for group, template in enumerate(column.groups):
        there = takes[group]
        own = jax.tree.map(lambda field, there=there: _gather(field[:, seat], there), obs)
        keys = _keys(batch, there, ACT, state.step, seat)
        member = _gather(batch.seats[seat]["member"], there)
        settings = jax.vmap(pick, in_axes=(None, 0))(leaves[group], member)
        raw, carry = jax.vmap(_act(template))(settings, keys, carries[group], own)
        whole, strange = jax.vmap(lambda action: as_action(action, width))(raw)
        actions = actions.at[there].set(whole, mode="drop")
        odd = odd.at[there].set(strange, mode="drop")
        running = ~_gather(state.done, there)
        after.append(_freeze(running, carries[group], like(carries[group], carry)))
    return actions, odd, tuple(after)


def unpacked(carries: Any, takes: Array, episodes: int) -> Any:
    """Carries [cap, ...] per group as [B, ...], zero where the group does not sit."""
    return tuple(
        jax.tree.map(
            lambda leaf, there=there: (
                jnp.zeros((episodes, *leaf.shape[1:]), leaf.dtype).at[there].set(leaf, mode="drop")
            ),
            carry,
        )
        for carry, there in zip(carries, takes, strict=True)
    )


def _begin(template: Template) -> Any:
    return lambda settings, key: template.build(settings).init(key)


def _act(template: Template) -> Any:
    return lambda settings, key, carry, obs: template.build(settings).act(key, carry, obs)


def _keys(batch: Batch, there: Array, purpose: int, step: Array | None, seat: int) -> Array:
    """The keys that the same seat has where it is not packed."""

    def one(key: Array, at: Array | None) -> Array:
        key = jax.random.fold_in(key, purpose)
        if at is not None:
            key = jax.random.fold_in(key, at)
        return jax.random.fold_in(key, seat)

    keys = _gather(batch.key, there)
    if step is None:
        return jax.vmap(lambda key: one(key, None))(keys)
    return jax.vmap(one)(keys, _gather(step, there))


def _gather(values: Any, there: Array) -> Any:
    """Rows of every leaf; beyond the end, the last row."""
    return jax.tree.map(lambda leaf: leaf[jnp.minimum(there, leaf.shape[0] - 1)], values)


def _freeze(running: Array, before: Any, after: Any) -> Any:
    def hold(old: Array, new: Array) -> Array:
        return jnp.where(running.reshape(running.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(hold, before, after)
