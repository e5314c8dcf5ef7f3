"""One step of one episode, shared by every driver: look, decide, advance.

`sim/rollout.py` scans it over time and maps it over episodes; `sim/host.py` stops between `decide`
and `advance` to ask players that are Python. Nothing else knows how a step goes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from freezetag.core import GO, Array, Moment, Obs, Panel, admit, level_of
from freezetag.core.treatment import Forcing
from freezetag.sim.columns import Column
from freezetag.sim.template import Template

LABELS, INIT, ACT, WORLD, STOP, PRESS, LEARN, TREAT = range(8)
"""Purposes of keys: the draws of one purpose do not move those of another."""


HOOKS = ("observe", "message", "act", "sense", "learn", "transition")
"""The hooks of a treatment that are part of a compiled program; see `core.Treatment`."""


@dataclass(frozen=True)
class Structure:
    """Everything that shapes a compiled program; all else is data. Hashable."""

    world: Template
    columns: tuple[Column, ...]
    horizon: int
    limits: tuple[Template, ...]
    treatments: tuple[Any, ...]
    stop: Template | None = None


class Batch(NamedTuple):
    """Data of an episode (leading axis B in a batch)."""

    key: Array
    present: Array
    seats: tuple[Any, ...]
    equipped: Array
    press: Array
    hold: Array
    forcing: Forcing
    treatments: tuple[Any, ...]


class Shared(NamedTuple):
    """Data that all episodes of a batch share: settings of the world, players and limits."""

    world: dict[str, Array]
    players: tuple[Any, ...]
    limits: tuple[dict[str, Array], ...]
    safe: Array
    stop: dict[str, Array]


class State(NamedTuple):
    """Where an episode stands. actions [N, K], levels, rewards, mode, labels [N]."""

    step: Array
    done: Array
    world: Any
    carries: tuple[Any, ...]
    stop: Any
    mode: Array
    actions: Array
    levels: Array
    rewards: Array
    labels: Array


class Steps:
    """The three parts of a step, for one structure. All are pure functions of one episode."""

    def __init__(self, structure: Structure, shared: Shared) -> None:
        self.structure, self.shared = structure, shared
        self.world = structure.world.build(shared.world)
        self.seats, self.width = self.world.players, len(self.world.action_sizes)
        limits = zip(structure.limits, shared.limits, strict=True)
        self.panel = Panel(tuple(template.build(leaves) for template, leaves in limits))
        self.stop = structure.stop.build(shared.stop) if structure.stop else None

    def begin(self, batch: Batch) -> State:
        """The state before step 0."""
        n = self.seats
        init = jax.random.fold_in(batch.key, INIT)
        carries = tuple(
            column.init(jax.random.fold_in(init, seat), leaves, data)
            for seat, (column, leaves, data) in enumerate(self._columns(batch))
        )
        draw = jax.random.uniform(jax.random.fold_in(batch.key, LABELS), (n,))
        world = self.world.init(jax.random.fold_in(batch.key, WORLD), batch.present)
        return State(
            step=jnp.zeros((), jnp.int32),
            done=jnp.zeros((), bool),
            world=world,
            carries=carries,
            stop=self.stop.init(jax.random.fold_in(batch.key, STOP)) if self.stop else (),
            mode=jnp.full(n, GO, jnp.int32),
            actions=jnp.zeros((n, self.width), jnp.int32),
            levels=jnp.zeros(n, jnp.float32),
            rewards=jnp.zeros(n, jnp.float32),
            labels=jnp.argsort(draw).astype(jnp.int32),
        )

    def look(self, batch: Batch, state: State) -> Obs:
        """What every seat sees: an Obs whose fields have a leading axis N."""
        n = self.seats
        selfish, prosocial = self.world.scale(state.world)
        at = jnp.argsort(state.labels)
        me = state.labels[:, None] == jnp.arange(n)[None, :]
        present = batch.present[at][None, :] & ~me
        seen = present & (state.step > 0)
        obs = Obs(
            seat=state.labels,
            step=jnp.broadcast_to(state.step, (n,)),
            own_reward=state.rewards,
            own_action=state.actions,
            own_level=state.levels,
            present=present,
            seen=seen,
            levels=jnp.where(seen, state.levels[at][None, :], 0.0),
            others_rewards=jnp.where(seen, state.rewards[at][None, :], 0.0),
            selfish=selfish,
            prosocial=prosocial,
            legal=self.world.legal(state.world),
            world=dict(self.world.observe(state.world)),
        )
        seen_as: Obs = self._treat("observe", batch, state, obs)
        return seen_as

    def decide(self, batch: Batch, state: State, obs: Obs) -> tuple[Array, Array, tuple[Any, ...]]:
        """(actions [N, K], odd [N], carries) of the players that are JAX."""
        key = jax.random.fold_in(jax.random.fold_in(batch.key, ACT), state.step)
        actions, odd, after = [], [], []
        for seat, (column, leaves, data) in enumerate(self._columns(batch)):
            own = jax.tree.map(lambda field, seat=seat: field[seat], obs)
            action, strange, carry = column.act(
                jax.random.fold_in(key, seat), state.carries[seat], own, leaves, data, self.width
            )
            actions.append(action)
            odd.append(strange)
            after.append(carry)
        return jnp.stack(actions), jnp.stack(odd), tuple(after)

    def advance(
        self,
        batch: Batch,
        state: State,
        obs: Obs,
        proposed: Array,
        odd: Array,
        carries: tuple[Any, ...],
    ) -> tuple[State, dict[str, Array]]:
        """The state after the step, and what goes on record."""
        rest = jnp.asarray(self.world.rest, jnp.int32)
        illegal = (odd | ~self._is_legal(proposed, obs.legal)) & batch.present
        actions = jnp.where((illegal | ~batch.present)[:, None], rest, proposed)
        actions, forced = self._force(batch, state, obs, actions)
        mode, executed, stop = self._interlock(batch, state, obs, actions)
        key = jax.random.fold_in(jax.random.fold_in(batch.key, WORLD), state.step + 1)
        outcome = self.world.step(key, state.world, executed)
        after = self._treat("transition", batch, state, outcome.state)
        played = self.world.played(after)
        levels = level_of(played, obs.selfish, obs.prosocial).astype(jnp.float32)
        rewards = jnp.where(batch.present, outcome.rewards, 0.0).astype(jnp.float32)
        new = State(
            step=state.step + 1,
            done=outcome.terminated,
            world=after,
            carries=carries,
            stop=stop,
            mode=mode,
            actions=executed,
            levels=levels,
            rewards=rewards,
            labels=state.labels,
        )
        running = ~state.done
        new = jax.tree.map(lambda old, fresh: jnp.where(running, fresh, old), state, new)
        record = {
            "proposed": proposed,
            "executed": executed,
            "levels": levels,
            "rewards": rewards,
            "valid": running,
            "forced": forced,
            "illegal": illegal,
            "world": dict(self.world.account(after)),
        }
        record = jax.tree.map(lambda x: jnp.where(running, x, jnp.zeros_like(x)), record)
        return new, {**record, "mode": new.mode}

    def _columns(self, batch: Batch) -> list[tuple[Column, Any, Any]]:
        return list(zip(self.structure.columns, self.shared.players, batch.seats, strict=True))

    def _is_legal(self, actions: Array, legal: Array) -> Array:
        """[N] bool: every component lies in range and is allowed here and now."""
        fine, offset = jnp.ones(self.seats, bool), 0
        for k, size in enumerate(self.world.action_sizes):
            value = actions[:, k]
            inside = (value >= 0) & (value < size)
            at = offset + jnp.clip(value, 0, size - 1)
            fine &= inside & jnp.take_along_axis(legal, at[:, None], axis=1)[:, 0]
            offset += size
        return fine

    def _interlock(
        self, batch: Batch, state: State, obs: Obs, actions: Array
    ) -> tuple[Array, Array, Any]:
        """(mode [N], executed [N, K], stop carry): `admit`, for the seats that are equipped."""
        safe, stop = jnp.asarray(self.shared.safe, jnp.int32), state.stop
        focal = jax.tree.map(lambda field: field[0], obs)
        if self.stop is not None:
            key = jax.random.fold_in(jax.random.fold_in(batch.key, STOP), state.step)
            prepared, stop = self.stop.act(key, state.stop, focal)
            safe = jnp.broadcast_to(jnp.asarray(prepared, jnp.int32), (self.width,))
        down = (state.step >= batch.press) & (state.step < batch.press + batch.hold)
        reading = {
            "button": down * jnp.ones(self.seats),
            "runtime": state.step * jnp.ones(self.seats),
            **self.world.sense(state.world),
        }
        own = self._own_power(batch, state, obs)
        if own is not None:
            reading["power"] = own
        reading = self._treat("sense", batch, state, reading, obs)
        safe = jnp.broadcast_to(safe, actions.shape)
        mode, executed = admit(self.panel, state.mode, reading, actions, safe)
        mode = jnp.where(batch.equipped, mode, state.mode).astype(jnp.int32)
        return mode, jnp.where(batch.equipped[:, None], executed, actions), stop

    def _own_power(self, batch: Batch, state: State, obs: Obs) -> Array | None:
        """[N] the power that seat 0 reports of itself, if it does."""
        column, leaves, data = self._columns(batch)[0]
        if not column.groups:
            return None
        own = jax.tree.map(lambda field: field[0], obs)
        value = column.power(state.carries[0], own, leaves, data)
        return None if value is None else value * jnp.ones(self.seats)

    def _force(self, batch: Batch, state: State, obs: Obs, actions: Array) -> tuple[Array, Array]:
        level, first, last = batch.forcing
        forced = (level >= 0) & (state.step >= first) & (state.step < last) & batch.present
        wanted = obs.selfish + (obs.prosocial - obs.selfish) * level[:, None]
        wanted = jnp.floor(wanted + 0.5).astype(jnp.int32)
        actions = jnp.where(forced[:, None], wanted, actions)
        for number, treatment in enumerate(self.structure.treatments):
            if hasattr(treatment, "act"):
                moment = self._moment(batch, state, obs, number)
                actions, by_this = treatment.act(moment, actions)
                forced |= by_this & batch.present
        return actions, forced

    def _treat(self, hook: str, batch: Batch, state: State, value: Any, obs: Any = None) -> Any:
        for number, treatment in enumerate(self.structure.treatments):
            if hasattr(treatment, hook):
                source = obs if obs is not None else value if hook == "observe" else None
                moment = self._moment(batch, state, source, number)
                value = getattr(treatment, hook)(moment, value)
        return value

    def _moment(self, batch: Batch, state: State, obs: Obs | None, number: int) -> Moment:
        key = jax.random.fold_in(jax.random.fold_in(batch.key, TREAT + number), state.step)
        if obs is None:
            selfish, prosocial = self.world.scale(state.world)
        else:
            selfish, prosocial = obs.selfish, obs.prosocial
        return Moment(state.step, key, batch.treatments[number], selfish, prosocial)


jax.tree_util.register_dataclass(Obs, [field.name for field in fields(Obs)], [])
