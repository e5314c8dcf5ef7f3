"""THE loop: a scan over time, mapped over episodes, compiled once per structure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array
from freezetag.sim import engine
from freezetag.sim.step import Batch, Shared, Steps, Structure

Traces = dict[str, Any]
"""What went on record: name -> [B, T, ...]."""


def rollout(structure: Structure, batch: Batch, shared: Shared) -> tuple[Traces, tuple[Any, ...]]:
    """(traces, final carries) of B episodes, as NumPy arrays. No player may be a host.

    Episodes run in chunks of one size, so that all arms of a world share one program.
    """
    work = len(batch.press) * len(structure.columns) * structure.horizon
    program = _episodes(structure, work >= engine.LONG)
    return in_chunks(structure, batch, lambda part: program(part, shared))


@lru_cache(maxsize=64)
def _episodes(structure: Structure, long: bool) -> Any:
    # Mapped inside the scan: a scan inside the map would be traced again to batch it.
    def run(batch: Batch, shared: Shared) -> tuple[Traces, tuple[Any, ...]]:
        steps = Steps(structure, shared)

        def step(batch: Batch, state: Any) -> tuple[Any, Traces]:
            obs = steps.look(batch, state)
            proposed, odd, carries = steps.decide(batch, state, obs)
            return steps.advance(batch, state, obs, proposed, odd, carries)

        def body(state: Any, _: None) -> tuple[Any, Traces]:
            return jax.vmap(step)(batch, state)

        first = jax.vmap(steps.begin)(batch)
        last, traces = jax.lax.scan(body, first, None, structure.horizon)
        return jax.tree.map(lambda trace: jnp.moveaxis(trace, 0, 1), traces), last.carries

    return jax.jit(run, compiler_options={} if long else engine.QUICKLY_COMPILED)


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
