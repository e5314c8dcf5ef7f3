"""THE loop: a scan over time, mapped over episodes, compiled once per structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Forcing, Unrecorded
from freezetag.sim import engine, keys, packed
from freezetag.sim.columns import Column
from freezetag.sim.executables import Program, made_once
from freezetag.sim.step import LEARN, Batch, Shared, Steps, Structure, as_numbers
from freezetag.sim.template import pick

Traces = dict[str, Any]
"""What went on record: name -> [B, T, ...]."""
BLOCK = 50
"""Steps per compiled block of time."""
MANY = 4096
"""Episodes from which an arm runs in larger chunks."""


NONE = Unrecorded()
NOBODY: Mapping[int, Any] = MappingProxyType({})


class End(NamedTuple):
    """How B episodes ended: `carries` by seat, the world's state (None unless it is kept), and of
    each episode the steps before its record [B] and the labels of its seats [B, N]. `first` are the
    carries that the record began with, () unless they were asked for."""

    carries: tuple[Any, ...]
    world: Any
    before: Array
    labels: Array
    first: tuple[Any, ...] = ()


def rollout(
    structure: Structure,
    batch: Batch,
    shared: Shared,
    unrecorded: Unrecorded = NONE,
    begun: bool = False,
) -> tuple[Traces, End]:
    """(traces, end) of B episodes, as NumPy arrays; with `begun` also the first carries. No player
    may be a host.

    Episodes run in chunks of one size and time in blocks of one length, so that all arms of a
    world share one program.
    """
    total, seats = len(batch.press), len(structure.columns)
    packs = packed.packing(structure.columns)
    # Mixed, so that every chunk has some places of every kind of player.
    order = np.random.default_rng(0).permutation(total) if packs.kinds else np.arange(total)
    batch = batch._replace(key=keys.raw(batch.key))
    batch = jax.tree.map(lambda leaf: leaf[order], batch)
    kinds = packed.kinds_of(packs, batch, seats)
    chunks = list(_chunks(total, chunk_size(seats, structure.horizon, total)))
    most = max(packed.most(kinds[chunk], len(packs.kinds)) for chunk in chunks)
    packs = replace(packs, places=most)
    leaves, offsets = packed.settings(packs, shared.players)
    members = packed.members(batch, offsets, seats)
    players = tuple(() if n in packs.seats else own for n, own in enumerate(shared.players))
    work = total * structure.horizon * max(seats, len(packs.kinds))
    block = block_size(structure.horizon)
    whole = replace(structure, horizon=block)
    long = work >= engine.LONG
    begin, go = _begin(whole.begins, packs, long), _go(whole.goes, packs, long)

    def end(places: packed.Places, state: Any) -> End:
        last, packing = state
        return ended(whole, last, packed.unpacked(packs, jax.tree.map(np.asarray, packing), places))

    def run(chunk: Array) -> tuple[Traces, End]:
        part = jax.tree.map(lambda leaf: leaf[chunk], batch)
        forcing, part = part.forcing, part._replace(forcing=())
        places = packed.places(packs, kinds[chunk])
        own = shared._replace(players=players)
        rest = leaves, members[chunk], places
        state, blocks = begin(part.bare, own.bare, *rest), []
        if unrecorded.steps:
            count, still = np.int32(unrecorded.steps), np.int32(unrecorded.still)
            far = work // structure.horizon * unrecorded.steps >= engine.LONG
            calm = part.under_way._replace(
                equipped=np.zeros_like(part.equipped), treatments=(), ends=None
            )
            untreated = own._replace(treatments=())
            warm_up = _warm_up(replace(whole.goes, treatments=(), horizon=0), packs, far)
            state = warm_up(calm, untreated, *rest, state, count, still)
        carried = end(places, state).carries if begun else ()
        for first in range(0, structure.horizon, block):
            span = slice(first, first + block)
            now = jax.tree.map(lambda leaf, span=span: leaf[:, span], forcing)
            state, traces = go(part.under_way, own, *rest, state, now)
            blocks.append(traces)
        traces = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *blocks)
        return traces, end(places, state)._replace(first=carried)

    found = join([run(chunk) for chunk in chunks], total)
    back = np.argsort(order)
    sorted_back: tuple[Traces, End] = jax.tree.map(lambda leaf: leaf[back], found)
    return sorted_back


@made_once(64)
def _begin(structure: Structure, packs: packed.Packing, long: bool) -> Program:
    """Compiled: the state before step 0."""
    inner = _in_place(structure, packs)

    def begin(
        batch: Batch, shared: Shared, leaves: Any, members: Array, places: packed.Places
    ) -> Any:
        batch = with_keys(batch)
        first = jax.vmap(Steps(inner, shared).begin)(batch)
        return first, packed.init(packs, structure.columns, leaves, batch, members, places)

    return Program(begin, (structure, packs), _options(long))


@made_once(64)
def _go(structure: Structure, packs: packed.Packing, long: bool) -> Program:
    """Compiled: `horizon` steps more."""
    inner = _in_place(structure, packs)

    # Mapped inside the scan: a scan inside the map would be traced again to batch it.
    def go(
        batch: Batch,
        shared: Shared,
        leaves: Any,
        members: Array,
        places: packed.Places,
        state: Any,
        forcing: Forcing,
    ) -> tuple[Any, Traces]:
        step = _step(inner, packs, with_keys(batch), shared, leaves, members, places)
        by_time = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, 0), forcing)
        state, traces = jax.lax.scan(step, state, by_time, structure.horizon)
        return state, jax.tree.map(lambda trace: jnp.moveaxis(trace, 0, 1), traces)

    return Program(go, (structure, packs), _options(long))


def ended(structure: Structure, last: Any, packing: Mapping[int, Any] = NOBODY) -> End:
    """How the episodes ended, in NumPy; `packing` holds the carries of packed seats."""
    carries = tuple(
        packing[n] if n in packing else jax.tree.map(np.asarray, carry)
        for n, carry in enumerate(last.carries)
    )
    world = jax.tree.map(as_numbers, last.world) if structure.keeps_world else None
    return End(carries, world, np.asarray(last.origin), np.asarray(last.labels))


def _options(long: bool) -> dict[str, Any]:
    return {} if long else engine.QUICKLY_COMPILED


def with_keys(batch: Batch) -> Batch:
    """A batch whose keys came in as words, inside a program."""
    wrap, draws = jax.random.wrap_key_data, batch.draws
    if draws is not None:
        birth = wrap(draws.birth) if len(draws.birth) else draws.birth
        draws = draws._replace(birth=birth, act=wrap(draws.act), world=wrap(draws.world))
    return batch._replace(key=wrap(batch.key), draws=draws)


def _in_place(structure: Structure, packs: packed.Packing) -> Structure:
    """The structure without the seats of several kinds of player: those act packed."""
    blank = Column((), host=True)
    columns = tuple(blank if n in packs.seats else c for n, c in enumerate(structure.columns))
    return replace(structure, columns=columns)


def _step(
    inner: Structure,
    packs: packed.Packing,
    batch: Batch,
    shared: Shared,
    leaves: Any,
    members: Array,
    places: packed.Places,
) -> Callable[[Any, Forcing | None], tuple[Any, Traces]]:
    """One step of all episodes: (state, what is forced) -> (state, what goes on record)."""
    steps = Steps(inner, shared)
    mine = np.array([n in packs.seats for n in range(len(inner.columns))])

    def step(carry: Any, forcing: Forcing | None) -> tuple[Any, Traces]:
        state, packing = carry
        obs = jax.vmap(steps.look)(batch, state)
        proposed, odd, carries = jax.vmap(steps.decide)(batch, state, obs)
        if packs.kinds:
            actions, strange, packing = packed.act(
                packs, leaves, batch, state, obs, members, places, packing
            )
            proposed = jnp.where(mine[:, None], actions, proposed)
            odd = jnp.where(mine, strange, odd)
        state, traces = jax.vmap(steps.advance)(batch, state, obs, proposed, odd, carries, forcing)
        return (state, packing), traces

    return step


@made_once(64)
def _warm_up(structure: Structure, packs: packed.Packing, long: bool) -> Any:
    """Compiled: the state at the step at which each episode's record begins.

    The loop ends at a number that is data, so that 10,000 and two million steps are one program.
    """
    inner = _in_place(structure, packs)

    def warm_up(
        batch: Batch,
        shared: Shared,
        leaves: Any,
        members: Array,
        places: packed.Places,
        state: Any,
        steps: Array,
        still: Array,
    ) -> Any:
        calm, looking = with_keys(batch), Steps(inner, shared)
        one = _step(inner, packs, calm, shared, leaves, members, places)
        # Of players that act packed nobody asks: where one of them learns, nothing settles.
        packed_are_fixed = not any(
            getattr(kind.cls, "learns", False) or hasattr(kind.cls, "settled")
            for kind in packs.kinds
        )

        def unsettled(loop: Any) -> Array:
            count, (now, _), since = loop
            ready = now.done | ((still > 0) & (since >= still))
            return (count < steps) & ~ready.all()

        def go_on(loop: Any) -> Any:
            count, before, since = loop
            ready = before[0].done | ((still > 0) & (since >= still))
            after, _ = one(before, None)
            same = jax.vmap(looking.settled)(calm, before[0], after[0]) & packed_are_fixed
            # An episode that has settled waits for the others, so that chunks do not matter.
            held = jax.tree.map(
                lambda old, new: jnp.where(_wide(ready, new), old, new), before[0], after[0]
            )
            packing = packed.hold(len(inner.columns), places, ready, before[1], after[1])
            return count + 1, (held, packing), jnp.where(same, since + 1, 0)

        none = jnp.zeros(batch.press.shape, jnp.int32)
        _, (last, packing), _ = jax.lax.while_loop(unsettled, go_on, (0, state, none))
        return last._replace(origin=last.step), packing

    return Program(warm_up, (structure, packs), _options(long))


def _wide(flags: Array, like: Array) -> Array:
    """flags [B] stretched over the trailing axes of `like` [B, ...]."""
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


def in_chunks(batch: Batch, run: Any, size: int) -> tuple[Traces, End]:
    """`run` on chunks of equal size, put together again."""
    total = len(batch.press)
    parts = []
    for chunk in _chunks(total, size):
        part = jax.tree.map(lambda leaf, chunk=chunk: leaf[chunk], batch)
        parts.append(jax.tree.map(np.asarray, run(part)))
    return join(parts, total)


def join(parts: list[Any], total: int) -> tuple[Traces, End]:
    """Chunks put together, without what filled the last one."""
    found: tuple[Traces, End] = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:total], *parts)
    return found


def _chunks(total: int, size: int) -> Iterator[Array]:
    """Indices of each chunk; the last one is filled up from the start."""
    for first in range(0, total, size):
        yield np.arange(first, first + size) % total


def chunk_size(seats: int, horizon: int, total: int = 0) -> int:
    """Episodes per call, a power of two, of about 60,000 seat-steps, from 8 to 128: most arms have
    a few dozen episodes, and what fills a chunk up costs as much as they do. More where there are
    `MANY`, because a step of a tournament costs much the same for more."""
    many = total >= MANY
    wanted = (210_000 if many else 60_000) // (seats * block_size(horizon))
    return int(min(2048 if many else 128, max(8, 1 << (max(wanted, 1)).bit_length() - 1)))


def block_size(horizon: int) -> int:
    """Steps per call: 50 where the horizon is a multiple of it, else the whole horizon."""
    return BLOCK if horizon % BLOCK == 0 else horizon


def day_of(traces: Traces, batch: Batch, labels: Array, seat: int) -> dict[str, Array]:
    """What a learner is given between days: what that seat saw, see `core.Learner`; [B, ...]."""
    others = np.array(batch.present)
    others[:, seat] = False
    count = np.maximum(others.sum(-1), 1)[:, None]
    at = np.argsort(labels, axis=1)
    seen = np.take_along_axis(others, at, axis=1)

    def by_label(values: Array) -> Array:
        return np.take_along_axis(values, at[:, None, :], axis=2) * seen[:, None, :]

    return {
        "own_action": traces["executed"][:, :, seat],
        "own_level": traces["levels"][:, :, seat],
        "own_reward": traces["rewards"][:, :, seat],
        "present": seen,
        "levels": by_label(traces["levels"]),
        "rewards": by_label(traces["rewards"]),
        "mean_level": (traces["levels"] * others[:, None, :]).sum(-1) / count,
        "valid": traces["valid"],
    }


@made_once(64)
def learner(template: Any) -> Any:
    """`learn` of players of one template at a seat, mapped over episodes and compiled: of (keys of
    the episodes, seat, settings, member, carry, day)."""

    def one(key: Any, seat: Any, leaves: Any, member: Any, carry: Any, day: Any) -> Any:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.wrap_key_data(key), LEARN), seat)
        return template.build(pick(leaves, member)).learn(key, carry, day)

    return Program(jax.vmap(one, in_axes=(0, None, None, 0, 0, 0)), template)
