"""The same step, for players that are Python: JAX stops between `decide` and `advance` and asks.

The compiled parts do not contain the foreign agents, so one program serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from freezetag.core import Array
from freezetag.sim import engine
from freezetag.sim.rollout import Traces, chunk_size, in_chunks
from freezetag.sim.step import Batch, Shared, Steps, Structure
from freezetag.sim.workers import Worker

SIZES = (32, 128)
"""Chunk sizes for small batches."""
Seeds = Array
"""[B] one integer per episode, from which a foreign agent's own randomness starts."""


def rollout_with(
    workers: Mapping[int, Worker],
    structure: Structure,
    batch: Batch,
    shared: Shared,
    seeds: Seeds | None,
    names: Mapping[int, Sequence[str]],
    tick: Any = None,
    whole: bool = False,
) -> tuple[Traces, tuple[Any, ...]]:
    """`rollout`, asking `workers[seat]` for the actions of host seats.

    `names[seat]` are the agents' names by episode, which differ only in a population.
    `tick(acts)` is called after every step with the number of acts asked for. `whole` plays all
    episodes side by side, so that the agents can go on into a next day; without `seeds` they do,
    and are not made anew. Raises `AgentFailed` as soon as a foreign agent fails.
    """
    parts = _parts(structure, tuple(workers))
    position = 0

    def run(part: Batch) -> tuple[Traces, tuple[Any, ...]]:
        nonlocal position
        size = len(part.press)
        real = np.arange(position, position + size) < len(batch.press)
        if seeds is not None:
            mine = np.resize(seeds[position : position + size], size)
            for seat, worker in workers.items():
                column = names[seat][position : position + size]
                fill = [column[-1]] * (size - len(column))
                worker.reset([_seed_of(seed, seat) for seed in mine], [*column, *fill])
        position += size
        return _play(workers, structure, part, shared, real, parts, tick)

    total = len(batch.press)
    largest = chunk_size(len(structure.columns), structure.horizon)
    # Here every step is a call, so that filling up a small batch costs more than a compilation.
    fitting = [n for n in SIZES if total <= n <= largest]
    return in_chunks(batch, run, total if whole else min([*fitting, largest]))


def _seed_of(seed: int, seat: int) -> int:
    """A seat's own seed: two agents that throw dice do not throw the same."""
    return (int(seed) + 0x9E3779B9 * seat) % 2**32


def _play(
    workers: Mapping[int, Worker],
    structure: Structure,
    batch: Batch,
    shared: Shared,
    real: Array,
    parts: tuple[Any, Any, Any],
    tick: Any,
) -> tuple[Traces, tuple[Any, ...]]:
    begin, ask, answer = parts
    state = begin(batch, shared)
    traces = []
    for step in range(structure.horizon):
        obs, shown, proposed, odd, carries, done = ask(batch, shared, state)
        given = {}
        running = real & ~np.asarray(done)
        for seat, worker in workers.items():
            active = running & np.asarray(batch.present[:, seat])
            fields = {name: np.asarray(field) for name, field in shown[seat].items()}
            given[seat] = worker.act(step, fields, active)
            if tick is not None:
                tick(int(active.sum()))
        state, trace = answer(batch, shared, state, obs, proposed, odd, carries, given)
        traces.append(trace)
        if not running.any():
            break
    columns = jax.tree.map(lambda *steps: np.stack(steps, axis=1), *traces)
    return _to_horizon(columns, structure.horizon), state.carries


@lru_cache(maxsize=32)
def _parts(structure: Structure, seats: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """(begin, ask, answer), compiled and mapped over episodes."""

    def begin(batch: Batch, shared: Shared) -> Any:
        return Steps(structure, shared).begin(batch)

    def ask(batch: Batch, shared: Shared, state: Any) -> Any:
        steps = Steps(structure, shared)
        obs = steps.look(batch, state)
        shown = {}
        for seat in seats:
            own = jax.tree.map(lambda field, seat=seat: field[seat], obs)
            shown[seat] = {k: v for k, v in vars(own).items() if k not in ("world", "messages")}
            shown[seat] |= {f"world.{name}": value for name, value in own.world.items()}
        return obs, shown, *steps.decide(batch, state, obs), state.done

    def answer(
        batch: Batch,
        shared: Shared,
        state: Any,
        obs: Any,
        proposed: Array,
        odd: Array,
        carries: Any,
        given: Mapping[int, Array],
    ) -> Any:
        for seat, action in given.items():
            proposed = proposed.at[seat].set(action)
        return Steps(structure, shared).advance(batch, state, obs, proposed, odd, carries)

    mapped = (
        jax.vmap(begin, in_axes=(0, None)),
        jax.vmap(ask, in_axes=(0, None, 0)),
        jax.vmap(answer, in_axes=(0, None, 0, 0, 0, 0, 0, 0)),
    )
    # The agents take far longer than the compiled parts, whatever the optimisation.
    compiled = [jax.jit(part, compiler_options=engine.QUICKLY_COMPILED) for part in mapped]
    return compiled[0], compiled[1], compiled[2]


def _to_horizon(traces: Traces, horizon: int) -> Traces:
    """Traces [B, T', ...] of episodes that all ended early, padded to T = horizon: the last mode
    stays, everything else is zero."""

    def pad(name: str, values: Any) -> Any:
        missing = horizon - values.shape[1]
        if not missing:
            return values
        tail = np.repeat(values[:, -1:], missing, axis=1)
        return np.concatenate([values, tail if name == "mode" else np.zeros_like(tail)], axis=1)

    return {
        name: {key: pad(key, value) for key, value in values.items()}
        if isinstance(values, dict)
        else pad(name, values)
        for name, values in traces.items()
    }
