"""THE loop: a scan over time, mapped over episodes, compiled once per structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array
from freezetag.sim import engine, packed
from freezetag.sim.columns import Column
from freezetag.sim.step import Batch, Shared, Steps, Structure

Traces = dict[str, Any]
"""What went on record: name -> [B, T, ...]."""
BLOCK = 50
"""Steps per compiled block of time."""


def rollout(structure: Structure, batch: Batch, shared: Shared) -> tuple[Traces, tuple[Any, ...]]:
    """(traces, final carries) of B episodes, as NumPy arrays. No player may be a host.

    Episodes run in chunks of one size and time in blocks of one length, so that all arms of a
    world share one program.
    """
    total, seats = len(batch.press), len(structure.columns)
    packs = packed.packing(structure.columns)
    # Mixed, so that every chunk has some places of every kind of player.
    order = np.random.default_rng(0).permutation(total) if packs.kinds else np.arange(total)
    batch = jax.tree.map(lambda leaf: leaf[order], batch)
    kinds = packed.kinds_of(packs, batch, seats)
    chunks = list(_chunks(total, chunk_size(seats, structure.horizon, total)))
    places = max(packed.most(kinds[chunk], len(packs.kinds)) for chunk in chunks)
    packs = replace(packs, places=places)
    leaves, offsets = packed.settings(packs, shared.players)
    members = packed.members(batch, offsets, seats)
    players = tuple(() if n in packs.seats else own for n, own in enumerate(shared.players))
    work = total * structure.horizon * max(seats, len(packs.kinds))
    block = block_size(structure.horizon)
    begin, go, end = _episodes(replace(structure, horizon=block), packs, work >= engine.LONG)

    def run(chunk: Array) -> tuple[Traces, tuple[Any, ...]]:
        part = jax.tree.map(lambda leaf: leaf[chunk], batch)
        takes = packed.take(kinds[chunk], len(packs.kinds), places)
        given = (part, shared._replace(players=players), leaves, members[chunk], takes)
        state, blocks = begin(*given), []
        for _ in range(structure.horizon // block):
            state, traces = go(*given, state)
            blocks.append(traces)
        traces = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *blocks)
        return traces, jax.tree.map(np.asarray, end(takes, state))

    found = join([run(chunk) for chunk in chunks], total)
    back = np.argsort(order)
    sorted_back: tuple[Traces, tuple[Any, ...]] = jax.tree.map(lambda leaf: leaf[back], found)
    return sorted_back


@lru_cache(maxsize=64)
def _episodes(structure: Structure, packs: packed.Packing, long: bool) -> tuple[Any, Any, Any]:
    """(begin, go, end), compiled: the state before step 0, `horizon` steps more, the carries.

    Seats with several kinds of player act packed, the others in place.
    """
    blank = Column((), host=True)
    columns = tuple(blank if n in packs.seats else c for n, c in enumerate(structure.columns))
    inner = replace(structure, columns=columns)
    mine = np.array([n in packs.seats for n in range(len(columns))])

    def begin(batch: Batch, shared: Shared, leaves: Any, members: Array, takes: Array) -> Any:
        first = jax.vmap(Steps(inner, shared).begin)(batch)
        return first, packed.init(packs, structure.columns, leaves, batch, members, takes)

    # Mapped inside the scan: a scan inside the map would be traced again to batch it.
    def go(
        batch: Batch, shared: Shared, leaves: Any, members: Array, takes: Array, state: Any
    ) -> tuple[Any, Traces]:
        steps = Steps(inner, shared)

        def body(carry: Any, _: None) -> tuple[Any, Traces]:
            state, packing = carry
            obs = jax.vmap(steps.look)(batch, state)
            proposed, odd, carries = jax.vmap(steps.decide)(batch, state, obs)
            if packs.kinds:
                actions, strange, packing = packed.act(
                    packs, leaves, batch, state, obs, members, takes, packing
                )
                proposed = jnp.where(mine[:, None], actions, proposed)
                odd = jnp.where(mine, strange, odd)
            state, traces = jax.vmap(steps.advance)(batch, state, obs, proposed, odd, carries)
            return (state, packing), traces

        state, traces = jax.lax.scan(body, state, None, structure.horizon)
        return state, jax.tree.map(lambda trace: jnp.moveaxis(trace, 0, 1), traces)

    def end(takes: Array, state: Any) -> tuple[Any, ...]:
        last, packing = state
        found = packed.unpacked(packs, packing, takes, last.levels.shape)
        return tuple(found.get(n, carry) for n, carry in enumerate(last.carries))

    options = {} if long else engine.QUICKLY_COMPILED
    begin, go, end = (jax.jit(part, compiler_options=options) for part in (begin, go, end))
    return begin, go, end


def in_chunks(batch: Batch, run: Any, size: int) -> tuple[Traces, tuple[Any, ...]]:
    """`run` on chunks of equal size, put together again."""
    total = len(batch.press)
    parts = []
    for chunk in _chunks(total, size):
        part = jax.tree.map(lambda leaf, chunk=chunk: leaf[chunk], batch)
        parts.append(jax.tree.map(np.asarray, run(part)))
    return join(parts, total)


def join(parts: list[Any], total: int) -> tuple[Traces, tuple[Any, ...]]:
    """Chunks put together, without what filled the last one."""
    found: tuple[Traces, tuple[Any, ...]] = jax.tree.map(
        lambda *leaves: np.concatenate(leaves)[:total], *parts
    )
    return found


def _chunks(total: int, size: int) -> Iterator[Array]:
    """Indices of each chunk; the last one is filled up from the start."""
    for first in range(0, total, size):
        yield np.arange(first, first + size) % total


def chunk_size(seats: int, horizon: int, total: int = 0) -> int:
    """Episodes per call: about 200,000 seat-steps, a power of two, from 8 to 512; to 2,048 where
    there are as many episodes, because a step of a tournament costs much the same for more."""
    wanted = 210_000 // (seats * block_size(horizon))
    largest = 2048 if total >= 2048 else 512
    return int(min(largest, max(8, 1 << (max(wanted, 1)).bit_length() - 1)))


def block_size(horizon: int) -> int:
    """Steps per call: 50 where the horizon is a multiple of it, else the whole horizon."""
    return BLOCK if horizon % BLOCK == 0 else horizon


def day_of(traces: Traces, batch: Batch, seat: int) -> dict[str, Array]:
    """What a learner is given between days: that seat's part of the traces, each [B, T]."""
    others = np.array(batch.present)
    others[:, seat] = False
    count = np.maximum(others.sum(-1), 1)[:, None]
    return {
        "own_level": traces["levels"][:, :, seat],
        "own_reward": traces["rewards"][:, :, seat],
        "mean_level": (traces["levels"] * others[:, None, :]).sum(-1) / count,
        "valid": traces["valid"],
    }


@lru_cache(maxsize=64)
def learner(template: Any) -> Any:
    """`learn` of players of one template, compiled and mapped over episodes."""

    def one(key: Any, leaves: Any, carry: Any, day: Any) -> Any:
        return template.build(leaves).learn(key, carry, day)

    return jax.jit(jax.vmap(one))
