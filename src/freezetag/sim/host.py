"""The same step, for players that are Python: JAX stops between `decide` and `advance` and asks.

The compiled parts do not contain the foreign agents, so one program serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from freezetag.core import Array, Event, Forcing, HasTalk, Unrecorded
from freezetag.sim import engine, keys
from freezetag.sim.executables import Program
from freezetag.sim.rollout import NONE, End, Traces, chunk_size, in_chunks, with_keys
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
    seeds: Seeds,
    names: Mapping[int, Sequence[str]],
    tick: Any = None,
    first: bool = True,
    whole: bool = False,
    unrecorded: Unrecorded = NONE,
    begin: Mapping[int, tuple[Sequence[Any], bool]] = MappingProxyType({}),
) -> tuple[Traces, End, tuple[Event, ...]]:
    """`rollout`, asking `workers[seat]` for the actions of host seats.

    `names[seat]` are the agents' names by episode, which differ only in a population.
    `tick(acts)` is called after every step with the number of acts asked for. `whole` plays all
    episodes side by side, so that agents that learn can go on into a next day, one that is not
    `first`; any others are made anew for each day. `begin[seat]` are the states of all episodes
    that they begin in, as saved elsewhere, and whether they are held. The events are what the
    agents said, noted, or could not say. Nobody can tell when a foreign agent has settled: all
    `unrecorded` steps are played. Raises
    `AgentFailed` as soon as a foreign agent fails.
    """
    batch = batch._replace(key=keys.raw(batch.key))
    parts = _parts(structure, tuple(workers))
    calm = _parts(replace(structure, treatments=()), tuple(workers)) if unrecorded.steps else parts
    position = 0
    events: list[Event] = []

    def run(part: Batch) -> tuple[Traces, End]:
        nonlocal position
        size = len(part.press)
        real = np.arange(position, position + size) < len(batch.press)
        # No agent is made for the episodes that only fill up a batch.
        mine = seeds[position : position + size]
        for seat, worker in workers.items():
            # A day is an episode of its own, unless the agents learn from one to the next.
            if first or "learn" not in worker.offers:
                column = names[seat][position : position + size]
                worker.reset(_own_seeds(mine, seat, part), column)
                if seat in begin:
                    states, held = begin[seat]
                    worker.load(states, held)
        play = _Play(workers, structure, part, shared, real, tick)
        traces, end = play.run(parts, calm, unrecorded.steps)
        events.extend(replace(event, b=event.b + position) for event in play.events)
        position += size
        return traces, end

    total = len(batch.press)
    largest = chunk_size(len(structure.columns), structure.horizon)
    # Here every step is a call, so that filling up a small batch costs more than a compilation.
    fitting = [n for n in SIZES if total <= n <= largest]
    traces, end = in_chunks(batch, run, total if whole else min([*fitting, largest]))
    return traces, end, tuple(sorted(events, key=lambda event: (event.b, event.t, event.n)))


def _own_seeds(episodes: Array, seat: int, batch: Batch) -> list[int]:
    """What the agents of a seat are made with: the episode's seed, turned by the seat so that two
    agents that throw dice do not throw the same; or the seed that an agent comes out of."""
    data = batch.seats[seat]
    drawn = [(int(seed) + 0x9E3779B9 * seat) % 2**32 for seed in episodes]
    if "seed" not in data:
        return drawn
    # The data goes on to the end of the batch, where nobody plays.
    given = zip(drawn, data["own"], data["seed"], strict=False)
    return [int(seed) if own else draw for draw, own, seed in given]


class _Play:
    """One chunk of episodes, from the first step to the last."""

    def __init__(
        self,
        workers: Mapping[int, Worker],
        structure: Structure,
        batch: Batch,
        shared: Shared,
        real: Array,
        tick: Any,
    ) -> None:
        self.workers, self.structure, self.shared = workers, structure, shared
        assert isinstance(batch.forcing, Forcing)
        self.forcing: Forcing = batch.forcing
        self.batch = batch._replace(forcing=())
        self.real, self.tick = real, tick
        self.events: list[Event] = []
        self.said: dict[int, dict[int, str]] = {}
        """episode -> seat -> its words of the last step."""

    def run(self, parts: Any, calm: Any, before: int) -> tuple[Traces, End]:
        """(traces, end): `before` steps by the parts `calm`, then the record by `parts`."""
        begin, _, _, end = parts
        state = begin(self.batch, self.shared)
        if before:
            quiet = self.batch._replace(equipped=np.zeros_like(self.batch.equipped), treatments=())
            shared = self.shared._replace(treatments=())
            free = jax.tree.map(lambda leaf: leaf[:, 0], self._free())
            for step in range(before):
                state, trace = self._step(calm, quiet, shared, state, free, step, None)
                if not np.asarray(trace["valid"])[self.real].any():
                    break
            state = state._replace(origin=state.step)
        traces = []
        for step in range(self.structure.horizon):
            now = jax.tree.map(lambda leaf, step=step: leaf[:, step], self.forcing)
            state, trace = self._step(
                parts, self.batch, self.shared, state, now, before + step, step
            )
            traces.append(trace)
            if np.asarray(state.done)[self.real].all():
                break
        columns = jax.tree.map(lambda *steps: np.stack(steps, axis=1), *traces)
        last = jax.tree.map(np.asarray, end(self.shared, state))
        return _to_horizon(columns, self.structure.horizon), last

    def _free(self) -> Forcing:
        return Forcing(np.full_like(self.forcing.level, np.nan))

    def _step(
        self,
        parts: Any,
        batch: Batch,
        shared: Shared,
        state: Any,
        forcing: Forcing,
        step: int,
        recorded: int | None,
    ) -> tuple[Any, Traces]:
        """One step; `step` is what the agents see, `recorded` where it stands in the record."""
        _, ask, answer, _ = parts
        obs, shown, earshot, proposed, odd, carries, done = ask(batch, shared, state)
        running = self.real & ~np.asarray(done)
        heard = self._heard(earshot, np.asarray(state.labels))
        given: dict[int, Array] = {}
        saying: dict[int, dict[int, str]] = {}
        for seat, worker in self.workers.items():
            active = running & np.asarray(batch.present[:, seat])
            fields = {name: np.asarray(field) for name, field in shown[seat].items()}
            given[seat] = worker.act(step, fields, active, heard.get(seat))
            for remark in worker.remarks:
                if remark.kind == "say":
                    saying.setdefault(remark.b, {})[seat] = remark.text
                if recorded is not None:
                    self.events.append(Event(remark.b, recorded, seat, remark.kind, remark.text))
            if self.tick is not None:
                self.tick(int(active.sum()))
        self.said = saying
        state, trace = answer(batch, shared, state, obs, proposed, odd, carries, given, forcing)
        return state, trace

    def _heard(self, earshot: Any, labels: Array) -> dict[int, list[dict[int, str]]]:
        """Seat -> per episode what it heard of the others' words, by their labels."""
        if earshot is None or not self.said:
            return {}
        near = np.asarray(earshot)
        return {
            seat: [
                {
                    int(labels[b, speaker]): words
                    for speaker, words in self.said.get(b, {}).items()
                    if speaker != seat and near[b, seat, speaker]
                }
                for b in range(len(labels))
            ]
            for seat in self.workers
        }


@lru_cache(maxsize=32)
def _parts(structure: Structure, seats: tuple[int, ...]) -> tuple[Any, Any, Any, Any]:
    """(begin, ask, answer, end), compiled and mapped over episodes."""

    def begin(batch: Batch, shared: Shared) -> Any:
        return Steps(structure, shared).begin(with_keys(batch))

    def ask(batch: Batch, shared: Shared, state: Any) -> Any:
        steps, batch = Steps(structure, shared), with_keys(batch)
        obs = steps.look(batch, state)
        shown = {}
        for seat in seats:
            own = jax.tree.map(lambda field, seat=seat: field[seat], obs)
            fields = {k: v for k, v in vars(own).items() if k != "world" and v is not None}
            shown[seat] = fields | {f"world.{name}": value for name, value in own.world.items()}
        world = steps.world
        earshot = world.earshot(state.world) if isinstance(world, HasTalk) else None
        return obs, shown, earshot, *steps.decide(batch, state, obs), state.done

    def answer(
        batch: Batch,
        shared: Shared,
        state: Any,
        obs: Any,
        proposed: Array,
        odd: Array,
        carries: Any,
        given: Mapping[int, Array],
        forcing: Forcing,
    ) -> Any:
        for seat, action in given.items():
            proposed = proposed.at[seat].set(action)
        steps, batch = Steps(structure, shared), with_keys(batch)
        return steps.advance(batch, state, obs, proposed, odd, carries, forcing)

    def end(shared: Shared, state: Any) -> End:
        world = Steps(structure, shared).keep(state.world)
        return End(state.carries, world, state.origin, state.labels)

    mapped = (
        jax.vmap(begin, in_axes=(0, None)),
        jax.vmap(ask, in_axes=(0, None, 0)),
        jax.vmap(answer, in_axes=(0, None, 0, 0, 0, 0, 0, 0, 0)),
        jax.vmap(end, in_axes=(None, 0)),
    )
    # The agents take far longer than the compiled parts, whatever the optimisation.
    shaped_by = (structure, seats)
    compiled = [Program(part, shaped_by, engine.QUICKLY_COMPILED) for part in mapped]
    return compiled[0], compiled[1], compiled[2], compiled[3]


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
