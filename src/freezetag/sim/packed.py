"""A tournament's seats: each kind of player acts only in the places where it sits.

Mapped naively over episodes, a seat with 30 kinds of player computes all 30 in every episode and
throws 29 away, and two such seats trace all 30 twice. Here every kind gets its own places,
wherever they are, packed together: `takes` [G, cap] lists them as episode * N + seat, padded with
B * N (which gathers nothing of use and scatters nowhere).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.sim.columns import Column, as_action, born, dealt, like
from freezetag.sim.step import ACT, INIT, Batch, State
from freezetag.sim.template import Template, pick

ROUND = 32
"""Capacities are multiples of it, so that tournaments of about one size share a program."""
CHUNK = 128
"""Places that act at once where a kind may have more: often one kind, the pupil's own, has ten
times the places of the others, and these need not compute as many."""


@dataclass(frozen=True)
class Packing:
    """Which kinds of player share the seats of several kinds. Hashable.

    kinds   the templates, each once
    groups  seat -> index into `kinds` of each group of that seat's column
    places  the most places a kind has in a chunk, rounded up
    """

    kinds: tuple[Template, ...]
    groups: tuple[tuple[int, tuple[int, ...]], ...]
    places: int = 0

    @property
    def seats(self) -> tuple[int, ...]:
        """The seats that are packed."""
        return tuple(seat for seat, _ in self.groups)


def packing(columns: tuple[Column, ...]) -> Packing:
    """The packing of all seats that have several kinds of player."""
    mixed = {n: column for n, column in enumerate(columns) if len(column.groups) > 1}
    kinds = tuple(dict.fromkeys(kind for column in mixed.values() for kind in column.groups))
    groups = tuple((n, tuple(map(kinds.index, mixed[n].groups))) for n in mixed)
    return Packing(kinds, groups)


def settings(packs: Packing, players: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[int, Array]]:
    """(leaves by kind, seat -> offset of each of its groups in them): the stacks of all seats,
    one after the other."""
    stacks: list[list[Any]] = [[] for _ in packs.kinds]
    sizes = [0] * len(packs.kinds)
    offsets = {}
    for seat, kinds in packs.groups:
        offsets[seat] = np.array([sizes[kind] for kind in kinds], np.int32)
        for group, kind in enumerate(kinds):
            leaves = players[seat][group]
            stacks[kind].append(leaves)
            sizes[kind] += len(next(iter(leaves.values()))) if leaves else 0
    joined = (
        jax.tree.map(lambda *each: np.concatenate(each), *stack) if stack else {}
        for stack in stacks
    )
    return tuple(joined), offsets


def kinds_of(packs: Packing, batch: Batch, seats: int) -> Array:
    """[B, N] the kind that sits there, -1 in seats that are not packed."""
    found = np.full((len(batch.press), seats), -1, np.int32)
    for seat, kinds in packs.groups:
        found[:, seat] = np.asarray(kinds)[batch.seats[seat]["group"]]
    return found


def most(kinds: Array, number: int) -> int:
    """The most places of one kind, rounded up. kinds [B, N]."""
    count = int(np.bincount(kinds[kinds >= 0], minlength=number).max(initial=0))
    unit = ROUND if count <= CHUNK else CHUNK
    return -(-count // unit) * unit


def take(kinds: Array, number: int, cap: int) -> Array:
    """[G, cap] the places of each kind, padded with B * N. kinds [B, N]."""
    flat = kinds.reshape(-1)
    found = np.full((number, cap), len(flat), np.int32)
    for kind in range(number):
        mine = np.flatnonzero(flat == kind)
        found[kind, : len(mine)] = mine
    return found


def members(batch: Batch, offsets: dict[int, Array], seats: int) -> Array:
    """[B, N] where a place's settings stand in the leaves of its kind."""
    found = np.zeros((len(batch.press), seats), np.int32)
    for seat, offset in offsets.items():
        data = batch.seats[seat]
        found[:, seat] = offset[data["group"]] + data["member"]
    return found


def init(
    packs: Packing, columns: Any, leaves: Any, batch: Batch, member: Array, takes: Array
) -> tuple[Any, ...]:
    """First carries, one per kind, each [cap, ...]."""
    seats = member.shape[1]
    carries = []
    for kind, template in enumerate(packs.kinds):
        there = takes[kind]
        keys = _keys(batch, there, seats, INIT)
        for seat, _ in packs.groups:
            data = batch.seats[seat]
            if "seed" in data:
                named = {name: _episode(data[name], there, seats) for name in ("own", "seed")}
                keys = _where(there % seats == seat, jax.vmap(born)(keys, named), keys)
        own = jax.vmap(pick, in_axes=(None, 0))(leaves[kind], _gather(member, there))
        fresh = jax.vmap(_begin(template))(own, keys)
        fresh = jax.tree.map(jnp.asarray, fresh)
        for seat, kinds in packs.groups:
            if columns[seat].carried and kind in kinds:
                given = batch.seats[seat]["carry"][kinds.index(kind)]
                here = there % seats == seat
                held = jax.tree.map(lambda leaf, there=there: _episode(leaf, there, seats), given)
                fresh = _where(here, held, fresh)
        carries.append(fresh)
    return tuple(carries)


def act(
    packs: Packing,
    leaves: Any,
    batch: Batch,
    state: State,
    obs: Obs,
    member: Array,
    takes: Array,
    carries: tuple[Any, ...],
) -> tuple[Array, Array, tuple[Any, ...]]:
    """(actions [B, N, K] int32, odd [B, N], carries); zero in seats that are not packed."""
    episodes, seats, width = state.actions.shape
    given = (batch, state, obs, member)
    done = (
        jnp.zeros((episodes * seats, width), jnp.int32),
        jnp.zeros(episodes * seats, bool),
    )
    after = []
    for kind, template in enumerate(packs.kinds):
        there, all_carries = takes[kind], carries[kind]
        if packs.places <= CHUNK:
            *done, carry = _act_there(template, leaves[kind], given, there, (*done, all_carries))
            after.append(carry)
            continue

        def chunk(
            number: Array, so_far: Any, template: Any = template, kind: int = kind
        ) -> tuple[Any, ...]:
            *done, all_carries = so_far
            first = number * CHUNK
            here = jax.lax.dynamic_slice_in_dim(takes[kind], first, CHUNK)
            own = jax.tree.map(
                lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, CHUNK), all_carries
            )
            *done, own = _act_there(template, leaves[kind], given, here, (*done, own))
            put = jax.lax.dynamic_update_slice_in_dim
            return *done, jax.tree.map(lambda all_, new: put(all_, new, first, 0), all_carries, own)

        chunks = -(-jnp.sum(there < episodes * seats) // CHUNK)
        *done, carry = jax.lax.fori_loop(0, chunks, chunk, (*done, all_carries))
        after.append(carry)
    actions, odd = done
    return actions.reshape(state.actions.shape), odd.reshape(episodes, seats), tuple(after)


def _act_there(template: Template, leaves: Any, given: Any, there: Array, so_far: Any) -> Any:
    """(actions [B * N, K], odd [B * N], carries) after the players of one kind acted there."""
    (batch, state, obs, member), (actions, odd, before) = given, so_far
    seats, width = state.actions.shape[1:]
    own = jax.tree.map(lambda field: _gather(field, there), obs)
    keys = _keys(batch, there, seats, ACT, state.step)
    chosen = jax.vmap(pick, in_axes=(None, 0))(leaves, _gather(member, there))
    raw, carry = jax.vmap(_act(template))(chosen, keys, before, own)
    whole, strange = jax.vmap(lambda action: as_action(action, width))(raw)
    running = ~_episode(state.done, there, seats)
    return (
        actions.at[there].set(whole, mode="drop"),
        odd.at[there].set(strange, mode="drop"),
        _where(running, like(before, carry), before),
    )


def hold(seats: int, takes: Array, held: Array, before: Any, after: Any) -> tuple[Any, ...]:
    """The carries after a step, but before it in the episodes that are held [B]."""
    return tuple(
        _where(_episode(held, there, seats), old, new)
        for there, old, new in zip(takes, before, after, strict=True)
    )


def unpacked(packs: Packing, carries: tuple[Any, ...], takes: Array, shape: Any) -> dict[int, Any]:
    """Seat -> carries [B, ...] of each of its groups, zero where the group does not sit."""
    episodes, seats = shape
    found = {}
    for seat, kinds in packs.groups:
        spread = []
        for kind in kinds:
            there = takes[kind]
            at = jnp.where(there % seats == seat, there // seats, episodes)
            spread.append(
                jax.tree.map(
                    lambda leaf, at=at: (
                        jnp.zeros((episodes, *leaf.shape[1:]), leaf.dtype)
                        .at[at]
                        .set(leaf, mode="drop")
                    ),
                    carries[kind],
                )
            )
        found[seat] = tuple(spread)
    return found


def _begin(template: Template) -> Any:
    def init(chosen: Any, key: Array) -> Any:
        player = template.build(chosen)
        return player.init(dealt(player, key))

    return init


def _act(template: Template) -> Any:
    def act(chosen: Any, key: Array, carry: Any, obs: Obs) -> Any:
        player = template.build(chosen)
        return player.act(dealt(player, key), carry, obs)

    return act


def _keys(batch: Batch, there: Array, seats: int, purpose: int, step: Array | None = None) -> Array:
    """The keys that the same seats have where they are not packed."""

    def one(key: Array, at: Array, seat: Array) -> Array:
        key = jax.random.fold_in(key, purpose)
        if step is not None:
            key = jax.random.fold_in(key, at)
        return jax.random.fold_in(key, seat)

    keys = _episode(batch.key, there, seats)
    steps = jnp.zeros(len(there), jnp.int32) if step is None else _episode(step, there, seats)
    return jax.vmap(one)(keys, steps, there % seats)


def _gather(values: Array, there: Array) -> Array:
    """Places of an array [B, N, ...]; beyond the end, the last place."""
    flat = values.reshape((-1, *values.shape[2:]))
    return flat[jnp.minimum(there, flat.shape[0] - 1)]


def _episode(values: Array, there: Array, seats: int) -> Array:
    """The episodes of places, of an array [B, ...]."""
    return values[jnp.minimum(there // seats, values.shape[0] - 1)]


def _where(chosen: Array, yes: Any, no: Any) -> Any:
    def choose(a: Array, b: Array) -> Array:
        return jnp.where(chosen.reshape(chosen.shape + (1,) * (b.ndim - 1)), a, b)

    return jax.tree.map(choose, yes, no)
