"""The same step, for what is not JAX: it stops between `decide` and `advance` and asks.

Players that are Python are asked for their actions, and a world from outside for what became of
them (`sim/outside`). The compiled parts contain neither, so one program serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from freezetag.core import GO, Array, Event, Forcing, HasTalk, Outcome, Unrecorded
from freezetag.sim import engine, keys
from freezetag.sim._worker import READS
from freezetag.sim.executables import Program, made_once
from freezetag.sim.fingerprints import of_agents
from freezetag.sim.outside.source import WorldFailed
from freezetag.sim.outside.stage import Stage
from freezetag.sim.rollout import MANY, NONE, End, Traces, chunk_size, ended, in_chunks, with_keys
from freezetag.sim.step import Batch, Settled, Shared, Steps, Structure
from freezetag.sim.telling import Telling
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
    stage: Stage | None = None,
    telling: Telling | None = None,
    hashed: Sequence[int] = (),
) -> tuple[Traces, End, tuple[Event, ...]]:
    """`rollout`, asking `workers[seat]` for the actions of host seats, and `stage` for the steps of
    a world from outside, whose episodes begin from `seeds` too.

    `names[seat]` are the agents' names by episode, which differ only in a population.
    `tick(acts)` is called after every step with the number of acts asked for. `whole` plays all
    episodes side by side, so that agents that learn can go on into a next day, one that is not
    `first`; any others are made anew for each day. `begin[seat]` are the states of all episodes
    that they begin in, as saved elsewhere, and whether they are held. The events are what the
    agents said, noted, or could not say, and fingerprints of those in the seats that are `hashed`.
    Agents that read are told the world in words by `telling`. Nobody can tell when a foreign agent
    has settled: all `unrecorded` steps are played. Raises `AgentFailed` as soon as a foreign agent
    fails.
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
                    here = states[position : position + size]
                    if here and all(state is not None for state in here):
                        # Who is held draws the same in this match, whenever it was saved.
                        fresh = _own_seeds(mine, seat, part) if held else ()
                        worker.load(here, held, fresh)
                    elif held:
                        worker.freeze()
        looked = [seat for seat in workers if seat in hashed]
        before = {seat: workers[seat].fingerprints() for seat in looked}
        told = None if telling is None else telling.part(position, size)
        play = _Play(workers, structure, part, shared, real, tick, stage, mine, told)
        traces, end = play.run(parts, calm, unrecorded.steps, bool(hashed))
        for seat in looked:
            after = workers[seat].fingerprints()
            play.events += of_agents(seat, structure.horizon - 1, before[seat], after)
        events.extend(replace(event, b=event.b + position) for event in play.events)
        position += size
        return traces, end

    total = len(batch.press)
    # Here every step is a call: large chunks are best, and filling up a small batch costs more than
    # a compilation.
    largest = min(512, chunk_size(len(structure.columns), structure.horizon, MANY))
    fitting = [n for n in SIZES if total <= n <= largest]
    size = total if whole else min([*fitting, largest])
    traces, end = in_chunks(batch, run, size if stage is None else min(size, stage.most))
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
        stage: Stage | None = None,
        weather: Sequence[int] = (),
        telling: Telling | None = None,
    ) -> None:
        self.telling = telling
        self.workers, self.structure, self.shared = workers, structure, shared
        assert isinstance(batch.forcing, Forcing)
        self.forcing: Forcing = batch.forcing
        self.first = batch._replace(forcing=())
        self.batch = self.first.under_way
        self.real, self.tick = real, tick
        self.stage, self.weather = stage, weather
        self.exact: dict[int, Array] = {}
        """seat -> [B] what a world from outside shows it."""
        self.events: list[Event] = []
        self.said: dict[int, dict[int, str]] = {}
        """episode -> seat -> its words of the last step."""

    def run(self, parts: Any, calm: Any, before: int, begun: bool = False) -> tuple[Traces, End]:
        """(traces, end): `before` steps by the parts `calm`, then the record by `parts`; with
        `begun` also the carries that the record began with."""
        begin, *_ = parts
        first = self.first.bare
        if self.stage is not None:
            shown, _, _, self.exact = self.stage.reset(self.weather, len(self.real))
            first = first._replace(world=shown)
        state = begin(first, self.shared.bare)
        if before:
            quiet = self.batch._replace(equipped=np.zeros_like(self.batch.equipped), treatments=())
            shared = self.shared._replace(treatments=())
            free = jax.tree.map(lambda leaf: leaf[:, 0], self._free())
            for step in range(before):
                state, trace = self._step(calm, quiet, shared, state, free, step, None)
                if not np.asarray(trace["valid"])[self.real].any():
                    break
            state = state._replace(origin=state.step)
        carried = ended(self.structure, state).carries if begun else ()
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
        last = ended(self.structure, state)._replace(first=carried)
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
        _, ask, answer, *_ = parts
        obs, shown, earshot, acting, proposed, odd, carries, done = ask(batch, shared, state)
        running = self.real & ~np.asarray(done)
        heard = self._heard(earshot, np.asarray(state.labels))
        given: dict[int, Array] = {}
        saying: dict[int, dict[int, str]] = {}
        for seat, worker in self.workers.items():
            active = running & np.asarray(acting[:, seat])
            fields = {name: np.asarray(field) for name, field in shown[seat].items()}
            if self.stage is not None:
                fields |= self._as_it_is(seat)
            told = None
            if self.telling is not None and READS in worker.offers:
                sizes = self.telling.world.action_sizes  # type: ignore[attr-defined]
                told = self.telling.words(seat, fields, active, sizes)
                if recorded is not None:
                    self.events += self.telling.events(seat, recorded, active, told)
            given[seat] = worker.act(step, fields, active, heard.get(seat), told)
            for remark in worker.remarks:
                if remark.kind == "say":
                    saying.setdefault(remark.b, {})[seat] = remark.text
                if recorded is not None:
                    self.events.append(Event(remark.b, recorded, seat, remark.kind, remark.text))
            if self.tick is not None:
                self.tick(int(active.sum()))
        self.said = saying
        decided = (batch, shared, state, obs, proposed, odd)
        if self.stage is None:
            state, trace = answer(*decided, carries, given, forcing)
            return state, trace
        proposed, settled = parts[3](*decided, given, forcing)
        settled = self._legal(settled, np.asarray(obs.legal), np.asarray(acting), running, step)
        after, rewards, over, self.exact = self.stage.step(step, settled.executed, running)
        state, trace = parts[4](
            batch, shared, state, obs, proposed, carries, settled, after, rewards, over
        )
        return state, trace

    def _as_it_is(self, seat: int) -> dict[str, Array]:
        """What an agent in Python sees of a world from outside: its observation as it was given,
        and by which name it goes there."""
        assert self.stage is not None
        name = self.stage.world.found.agents[seat]
        return {
            "world.observation": self.exact[seat],
            "world.agent": np.full(len(self.real), name, object),
        }

    def _legal(
        self, settled: Settled, legal: Array, acting: Array, running: Array, step: int
    ) -> Settled:
        """With the lowest legal value where an action that was forced, or that stands for an
        illegal one, is not allowed there. Raises `WorldFailed` where the stop's action is not."""
        assert self.stage is not None
        world = self.stage.world
        executed, offset = np.array(settled.executed), 0
        acting = acting & running[:, None]
        for k, size in enumerate(world.action_sizes):
            allowed = legal[:, :, offset : offset + size]
            inside = (executed[:, :, k] >= 0) & (executed[:, :, k] < size)
            at = np.clip(executed[:, :, k], 0, size - 1)[:, :, None]
            fine = inside & np.take_along_axis(allowed, at, 2)[:, :, 0]
            wrong = acting & ~fine
            held = np.argwhere(wrong & (np.asarray(settled.mode) != GO))
            if len(held):
                b, n = map(int, held[0])
                raise WorldFailed(
                    f"{world.source} at step {step} in episode {b}: {world.found.agents[n]} is "
                    f"stopped, and the stop's action {executed[b, n].tolist()} is not legal there. "
                    "Give the agent a safe action or a stop policy that always is.",
                    world=str(world.source),
                    step=step,
                    episode=b,
                    field="world",
                )
            executed[:, :, k] = np.where(wrong, allowed.argmax(2), executed[:, :, k])
            offset += size
        return settled._replace(executed=executed)

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


def _parts(structure: Structure, seats: tuple[int, ...]) -> tuple[Any, ...]:
    """(begin, ask, answer, settle, close), compiled and mapped over episodes; `settle` and
    `close` are the halves of `answer`."""
    ask, answer, settle, close = _steps(replace(structure.goes, horizon=0), seats)
    return _begin(structure.begins), ask, answer, settle, close


@made_once(32)
def _begin(structure: Structure) -> Program:
    def begin(batch: Batch, shared: Shared) -> Any:
        return Steps(structure, shared).begin(with_keys(batch))

    return Program(jax.vmap(begin, in_axes=(0, None)), structure, engine.QUICKLY_COMPILED)


@made_once(32)
def _steps(structure: Structure, seats: tuple[int, ...]) -> tuple[Program, ...]:
    """(ask, answer, settle, close) of `_parts`."""

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
        acting = steps.acting(batch, state)
        return obs, shown, earshot, acting, *steps.decide(batch, state, obs), state.done

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
        proposed = with_given(proposed, given)
        steps, batch = Steps(structure, shared), with_keys(batch)
        return steps.advance(batch, state, obs, proposed, odd, carries, forcing)

    def with_given(proposed: Array, given: Mapping[int, Array]) -> Array:
        for seat, action in given.items():
            proposed = proposed.at[seat].set(action)
        return proposed

    def settle(
        batch: Batch,
        shared: Shared,
        state: Any,
        obs: Any,
        proposed: Array,
        odd: Array,
        given: Mapping[int, Array],
        forcing: Forcing,
    ) -> Any:
        proposed = with_given(proposed, given)
        steps, batch = Steps(structure, shared), with_keys(batch)
        return proposed, steps.settle(batch, state, obs, proposed, odd, forcing)

    def close(
        batch: Batch,
        shared: Shared,
        state: Any,
        obs: Any,
        proposed: Array,
        carries: Any,
        settled: Settled,
        after: Any,
        rewards: Array,
        over: Array,
    ) -> Any:
        outcome = Outcome(after, rewards, over)
        steps, batch = Steps(structure, shared), with_keys(batch)
        return steps.close(batch, state, obs, proposed, carries, settled, outcome)

    mapped = (
        jax.vmap(ask, in_axes=(0, None, 0)),
        jax.vmap(answer, in_axes=(0, None, 0, 0, 0, 0, 0, 0, 0)),
        jax.vmap(settle, in_axes=(0, None, 0, 0, 0, 0, 0, 0)),
        jax.vmap(close, in_axes=(0, None, 0, 0, 0, 0, 0, 0, 0, 0)),
    )
    # The agents take far longer than the compiled parts, whatever the optimisation.
    shaped_by = (structure, seats)
    return tuple(Program(part, shaped_by, engine.QUICKLY_COMPILED) for part in mapped)


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
