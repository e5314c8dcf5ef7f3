"""THE loop: a scan over time, mapped over episodes, compiled once per structure."""

from __future__ import annotations

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


def rollout(structure: Structure, batch: Batch, shared: Shared) -> tuple[Traces, tuple[Any, ...]]:
    """(traces, final carries) of B episodes, as NumPy arrays. No player may be a host.

    Episodes run in chunks of one size, so that all arms of a world share one program.
    """
    total, size = len(batch.press), chunk_size(len(structure.columns), structure.horizon)
    mixed = {n: len(c.groups) for n, c in enumerate(structure.columns) if packed.is_packed(c)}
    # Mixed, so that every chunk has some episodes of every kind of player.
    order = np.random.default_rng(0).permutation(total) if mixed else np.arange(total)
    groups = {n: _padded(batch.seats[n]["group"][order], size) for n in mixed}
    caps = {n: packed.capacity(groups[n], mixed[n], size) for n in mixed}
    work = total * structure.horizon * sum(max(1, len(c.groups)) for c in structure.columns)
    program = _episodes(structure, work >= engine.LONG)

    def run(part: Batch) -> tuple[Traces, tuple[Any, ...]]:
        takes = {n: packed.take(part.seats[n]["group"], mixed[n], caps[n]) for n in mixed}
        return program(part, shared, takes)

    shuffled = jax.tree.map(lambda leaf: leaf[order], batch)
    back = np.argsort(order)
    found: tuple[Traces, tuple[Any, ...]] = jax.tree.map(
        lambda leaf: leaf[back], in_chunks(structure, shuffled, run)
    )
    return found


@lru_cache(maxsize=64)
def _episodes(structure: Structure, long: bool) -> Any:
    """The compiled loop. Seats with several kinds of player act packed, the others in place."""
    mixed = {n: c for n, c in enumerate(structure.columns) if packed.is_packed(c)}
    blank = Column((), host=True)
    columns = tuple(blank if n in mixed else c for n, c in enumerate(structure.columns))
    inner = replace(structure, columns=columns)

    # Mapped inside the scan: a scan inside the map would be traced again to batch it.
    def run(batch: Batch, shared: Shared, takes: packed.Takes) -> tuple[Traces, tuple[Any, ...]]:
        players = tuple(() if n in mixed else own for n, own in enumerate(shared.players))
        steps = Steps(inner, shared._replace(players=players))

        def body(carry: Any, _: None) -> tuple[Any, Traces]:
            state, packs = carry
            obs = jax.vmap(steps.look)(batch, state)
            proposed, odd, carries = jax.vmap(steps.decide)(batch, state, obs)
            packs = dict(packs)
            for n, column in mixed.items():
                actions, strange, packs[n] = packed.act(
                    column, shared.players[n], batch, state, obs, n, takes[n], packs[n]
                )
                proposed, odd = proposed.at[:, n].set(actions), odd.at[:, n].set(strange)
            state, traces = jax.vmap(steps.advance)(batch, state, obs, proposed, odd, carries)
            return (state, packs), traces

        packs = {
            n: packed.init(column, shared.players[n], batch, n, takes[n])
            for n, column in mixed.items()
        }
        first = jax.vmap(steps.begin)(batch)
        (last, packs), traces = jax.lax.scan(body, (first, packs), None, structure.horizon)
        carries = tuple(
            packed.unpacked(packs[n], takes[n], len(batch.press)) if n in mixed else carry
            for n, carry in enumerate(last.carries)
        )
        return jax.tree.map(lambda trace: jnp.moveaxis(trace, 0, 1), traces), carries

    return jax.jit(run, compiler_options={} if long else engine.QUICKLY_COMPILED)


def _padded(values: Array, size: int) -> Array:
    """Values [B] padded with the last one to whole chunks, as `in_chunks` does."""
    missing = -len(values) % size
    return np.concatenate([values, np.repeat(values[-1:], missing)])


def in_chunks(
    structure: Structure, batch: Batch, run: Any, size: int = 0
) -> tuple[Traces, tuple[Any, ...]]:
    """`run` on chunks of equal size (the last one padded), put together again."""
    total = len(batch.press)
    size = size or chunk_size(len(structure.columns), structure.horizon)
    parts = []
    for first in range(0, total, size):
        index = np.minimum(np.arange(first, first + size), total - 1)
        part = jax.tree.map(lambda leaf, index=index: leaf[index], batch)
        parts.append(jax.tree.map(np.asarray, run(part)))
    joined = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:total], *parts)
    traces, carries = joined
    return traces, carries


def chunk_size(seats: int, horizon: int) -> int:
    """Episodes per call: about 200,000 seat-steps, a power of two, from 8 to 512."""
    wanted = 200_000 // (seats * horizon)
    return int(min(512, max(8, 1 << (max(wanted, 1)).bit_length() - 1)))


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
