"""Seats whose players act together: each kind of player acts only in the places where it sits.

Mapped naively over episodes, a seat with 30 kinds of player computes all 30 in every episode and
throws 29 away, and 30 seats of one kind trace that kind 30 times. Here every kind gets its own
places, wherever they are, packed together: it is traced once, for all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

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
SEVERAL = 4
"""Seats of one kind from which they act together: with fewer, to gather what each of them sees
takes longer to compile than to trace it once more."""


@dataclass(frozen=True)
class Packing:
    """Which kinds of player act together, in which seats. Hashable.

    kinds   the templates, each once
    groups  seat -> index into `kinds` of each group of that seat's column
    places  the most places a kind has in a chunk of episodes, rounded up
    """

    kinds: tuple[Template, ...]
    groups: tuple[tuple[int, tuple[int, ...]], ...]
    places: int = 0

    @property
    def seats(self) -> tuple[int, ...]:
        """The seats that are packed."""
        return tuple(seat for seat, _ in self.groups)

    @property
    def in_turns(self) -> bool:
        """Whether `CHUNK` places act at once: kinds may differ in how many places they have."""
        return self.places > CHUNK and len(self.kinds) > 1


class Places(NamedTuple):
    """Who sits where, in one chunk of B episodes of N seats; a place is episode * N + seat.

    takes  [G, cap] the places of each kind, padded with B * N
    order  [L] all of these, kind by kind, as they act; padded likewise
    first  [G] where a kind begins in `order`
    kind   [B, N] the kind that sits there, -1 in seats that are not packed
    at     [B, N] which of its kind it is
    """

    takes: Array
    order: Array
    first: Array
    kind: Array
    at: Array


def packing(columns: tuple[Column, ...]) -> Packing:
    """The packing of all seats that have several kinds of player, and of `SEVERAL` seats of one.

    Of packed players nobody asks whether they have settled, or for their own power. So a kind that
    could say stays where it is, unless another kind sits there too.
    """
    alone = Counter(column.groups[0] for column in columns if len(column.groups) == 1)
    many = {kind for kind, seats in alone.items() if seats >= SEVERAL and not _says(kind)}
    these = {
        n: column
        for n, column in enumerate(columns)
        if len(column.groups) > 1 or (column.groups and column.groups[0] in many)
    }
    kinds = tuple(dict.fromkeys(kind for column in these.values() for kind in column.groups))
    groups = tuple((n, tuple(map(kinds.index, these[n].groups))) for n in these)
    return Packing(kinds, groups)


def _says(kind: Template) -> bool:
    return getattr(kind.cls, "learns", False) or any(
        hasattr(kind.cls, offer) for offer in ("settled", "power")
    )


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


def places(packs: Packing, kinds: Array) -> Places:
    """Where the players of these episodes sit. kinds [B, N]."""
    number, cap, nowhere = len(packs.kinds), packs.places, kinds.size
    mine = [np.flatnonzero(kinds.reshape(-1) == kind) for kind in range(number)]
    takes = np.full((number, cap), nowhere, np.int32)
    at = np.zeros(kinds.size, np.int32)
    for kind, there in enumerate(mine):
        takes[kind, : len(there)] = there
        at[there] = np.arange(len(there))
    order, first = takes.reshape(-1), np.arange(number) * cap
    if packs.in_turns:  # as many as there can be, so that every chunk of episodes has one shape
        sizes = [-(-len(there) // CHUNK) * CHUNK for there in mine]
        first = np.cumsum([0, *sizes[:-1]])
        chunks = -(-len(kinds) * len(packs.groups) // CHUNK) + number
        order = np.full(chunks * CHUNK, nowhere)
        for begin, there in zip(first, mine, strict=True):
            order[begin : begin + len(there)] = there
    return Places(
        takes, order.astype(np.int32), first.astype(np.int32), kinds, at.reshape(kinds.shape)
    )


def members(batch: Batch, offsets: dict[int, Array], seats: int) -> Array:
    """[B, N] where a place's settings stand in the leaves of its kind."""
    found = np.zeros((len(batch.press), seats), np.int32)
    for seat, offset in offsets.items():
        data = batch.seats[seat]
        found[:, seat] = offset[data["group"]] + data["member"]
    return found


def init(
    packs: Packing, columns: Any, leaves: Any, batch: Batch, member: Array, places: Places
) -> tuple[Any, ...]:
    """First carries, one per kind, each [cap, ...]."""
    seats = member.shape[1]
    carries = []
    for kind, template in enumerate(packs.kinds):
        there = places.takes[kind]
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
    places: Places,
    carries: tuple[Any, ...],
) -> tuple[Array, Array, tuple[Any, ...]]:
    """(actions [B, N, K] int32, odd [B, N], carries); zero in seats that are not packed."""
    seats, width = state.actions.shape[1:]
    order = places.order
    seen = (
        _keys(batch, order, seats, ACT, state.step),
        _gather(member, order),
        ~_episode(state.done, order, seats),
        jax.tree.map(lambda field: _gather(field, order), obs),
    )
    done = jnp.zeros((len(order), width), jnp.int32), jnp.zeros(len(order), bool)
    parts, after = [], []
    for kind, template in enumerate(packs.kinds):
        who = template, leaves[kind]
        if not packs.in_turns:
            size = packs.places
            there = jax.tree.map(lambda leaf, k=kind, n=size: leaf[k * n : (k + 1) * n], seen)
            *chosen, carry = _act_there(who, there, carries[kind], width)
            parts.append(tuple(chosen))
        else:
            first, here = places.first[kind], places.takes[kind]
            turns = -(-jnp.sum(here < state.levels.size) // CHUNK)

            def turn(number: Array, so_far: Any, who: Any = who, first: Array = first) -> Any:
                done, held = so_far
                begin = number * CHUNK
                there = jax.tree.map(lambda leaf: _part(leaf, first + begin), seen)
                own = jax.tree.map(lambda leaf: _part(leaf, begin), held)
                *chosen, own = _act_there(who, there, own, width)
                done = tuple(
                    _put(all_, new, first + begin) for all_, new in zip(done, chosen, strict=True)
                )
                return done, jax.tree.map(lambda all_, new: _put(all_, new, begin), held, own)

            done, carry = jax.lax.fori_loop(0, turns, turn, (done, carries[kind]))
        after.append(carry)
    if parts:
        done = jax.tree.map(lambda *each: jnp.concatenate(each), *parts)
    whole, strange = done
    sits = places.kind >= 0
    back = jnp.where(sits, places.first[places.kind] + places.at, 0)
    return jnp.where(sits[:, :, None], whole[back], 0), sits & strange[back], tuple(after)


def _act_there(who: Any, there: Any, before: Any, width: int) -> tuple[Array, Array, Any]:
    """(actions [P, K], odd [P], carries) after P players of one kind acted."""
    (template, leaves), (keys, member, running, obs) = who, there
    chosen = jax.vmap(pick, in_axes=(None, 0))(leaves, member)
    raw, carry = jax.vmap(_act(template))(chosen, keys, before, obs)
    whole, strange = jax.vmap(lambda action: as_action(action, width))(raw)
    return whole, strange, _where(running, like(before, carry), before)


def _part(leaf: Array, begin: Array) -> Array:
    part: Array = jax.lax.dynamic_slice_in_dim(leaf, begin, CHUNK)
    return part


def _put(leaf: Array, part: Array, begin: Array) -> Array:
    put: Array = jax.lax.dynamic_update_slice_in_dim(leaf, part, begin, 0)
    return put


def hold(seats: int, places: Places, held: Array, before: Any, after: Any) -> tuple[Any, ...]:
    """The carries after a step, but before it in the episodes that are held [B]."""
    return tuple(
        _where(_episode(held, there, seats), old, new)
        for there, old, new in zip(places.takes, before, after, strict=True)
    )


def unpacked(packs: Packing, carries: tuple[Any, ...], places: Places) -> dict[int, Any]:
    """Seat -> carries [B, ...] of each of its groups, zero where the group does not sit; NumPy."""
    found = {}
    for seat, kinds in packs.groups:
        at = places.at[:, seat]
        found[seat] = tuple(
            jax.tree.map(
                lambda leaf, here=places.kind[:, seat] == kind, at=at: np.where(
                    here.reshape(here.shape + (1,) * (leaf.ndim - 1)),
                    leaf[np.where(here, at, 0)],
                    np.zeros((), leaf.dtype),
                ),
                carries[kind],
            )
            for kind in kinds
        )
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
    draws = batch.draws
    if draws is not None and purpose == INIT:
        return _gather(draws.birth, there)

    def one(key: Array, at: Array, seat: Array) -> Array:
        if draws is None:
            key = jax.random.fold_in(key, purpose)
        if step is not None:
            key = jax.random.fold_in(key, at)
        return jax.random.fold_in(key, seat)

    keys = _episode(batch.key if draws is None else draws.act, there, seats)
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
