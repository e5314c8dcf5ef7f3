"""One step of one episode, shared by every driver: look, decide, advance.

`sim/rollout.py` scans it over time and maps it over episodes; `sim/host.py` stops between `decide`
and `advance` to ask players that are Python. `advance` is `settle`, the world's own step and
`close`: a world that is stepped outside of JAX is stepped between the two. Nothing else knows how a
step goes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import (
    GO,
    SILENCE,
    Array,
    Forcing,
    HasChannel,
    HasKinds,
    HasSlips,
    HasTurns,
    Moment,
    Obs,
    Outcome,
    Panel,
    admit,
    level_of,
)
from freezetag.core.treatment import FREE
from freezetag.sim import keys
from freezetag.sim.columns import Column
from freezetag.sim.template import Template

LABELS, INIT, ACT, WORLD, STOP, PRESS, LEARN, TREAT = range(8)
"""Purposes of keys: the draws of one purpose do not move those of another."""


LEAST = 2.0**-126
"""The least positive normal number in single precision."""
HOOKS = ("message", "observe", "act", "sense", "transition")
"""The hooks of a treatment that are part of a compiled program; see `core.Treatment`."""


@dataclass(frozen=True)
class Structure:
    """Everything that shapes a compiled program; all else is data. Hashable.

    `keeps_world`: the world's last state is handed on.
    """

    world: Template
    columns: tuple[Column, ...]
    horizon: int
    limits: tuple[Template, ...]
    treatments: tuple[Template, ...]
    stop: Template | None = None
    keeps_world: bool = False

    @property
    def begins(self) -> Structure:
        """What of it shapes the begin of an episode; `Batch` and `Shared` go `bare` with it.

        Arms that differ in what happens later, for instance in a treatment, begin by one program.
        """
        return replace(self, horizon=0, limits=(), treatments=(), keeps_world=False)

    @property
    def goes(self) -> Structure:
        """What of it shapes the steps, given a `Batch` that is `under_way`.

        A later day, and a policy that comes out of another arm, go on by the first day's program.
        """
        columns = tuple(replace(column, carried=False) for column in self.columns)
        return replace(self, columns=columns, keeps_world=False)


class Draws(NamedTuple):
    """What is drawn before an episode begins; a program that draws it itself takes longer to
    compile. Keys are words, or keys inside of a program.

    birth   [N] keys that players are made with
    labels  [N] int32 what each seat is called
    act     key from which each act has its own
    world   key from which each step of the world has its own
    """

    birth: Array
    labels: Array
    act: Array
    world: Array


def drawn(key: Array, seats: int) -> Draws | None:
    """What episodes draw from their keys [B, 2]; None where JAX is set to draw otherwise."""
    if not jax.config.jax_threefry_partitionable:  # type: ignore[attr-defined]
        return None
    each = np.arange(seats)
    return Draws(
        birth=keys.fold_in(keys.fold_in(key, INIT)[:, None, :], each),
        labels=keys.shuffled(keys.fold_in(key, LABELS), seats),
        act=keys.fold_in(key, ACT),
        world=keys.fold_in(key, WORLD),
    )


class Batch(NamedTuple):
    """Data of an episode (leading axis B in a batch).

    forcing [T, N] and [T, N, K] is handed to each step by the driver: inside a compiled program
    it is (). `world` is the state the world begins in, None for a fresh one. `ends` is how many
    steps are recorded before the episode ends, None where the program's own length is that.
    `draws` are drawn from the key in each program if they are not given.
    """

    key: Array
    present: Array
    seats: tuple[Any, ...]
    equipped: Array
    press: Array
    hold: Array
    forcing: Forcing | tuple[()]
    treatments: tuple[Any, ...]
    world: Any = None
    ends: Any = None
    mode: Any = None
    draws: Draws | None = None

    @property
    def bare(self) -> Batch:
        """Without what the begin of an episode does not ask for."""
        return self._replace(treatments=(), ends=None)

    @property
    def under_way(self) -> Batch:
        """Without what only the begin of an episode asks for."""
        seats = ({name: seat[name] for name in ("group", "member")} for seat in self.seats)
        draws = self.draws and self.draws._replace(birth=(), labels=())
        return self._replace(world=None, mode=None, seats=tuple(seats), draws=draws)


class Shared(NamedTuple):
    """Data that all episodes of a batch share: settings of the world, players, limits and
    treatments."""

    world: dict[str, Array]
    players: tuple[Any, ...]
    limits: tuple[dict[str, Array], ...]
    safe: Array
    stop: dict[str, Array]
    treatments: tuple[dict[str, Array], ...] = ()

    @property
    def bare(self) -> Shared:
        """Without what the begin of an episode does not ask for."""
        return self._replace(limits=(), treatments=())


class State(NamedTuple):
    """Where an episode stands. actions [N, K], levels, rewards, mode, labels [N].

    `step` counts from the episode's begin, `origin` is the step at which its record begins.
    """

    step: Array
    origin: Array
    done: Array
    world: Any
    carries: tuple[Any, ...]
    stop: Any
    mode: Array
    actions: Array
    levels: Array
    rewards: Array
    labels: Array


class Settled(NamedTuple):
    """What a step comes to before the world moves. mode, forced, illegal [N]; executed [N, K];
    reading: sensor -> [N]; stop: the carries of the prepared stop."""

    mode: Array
    executed: Array
    forced: Array
    illegal: Array
    reading: dict[str, Array]
    stop: Any


@dataclass(frozen=True)
class ObsOfKinds(Obs):
    """What a seat sees where actions are of kinds (`core.HasKinds`): nothing lies between the two
    ends of the scale, so a level is one or the other."""

    def at_level(self, level: Array) -> Array:
        """The prosocial action from a level of .5 up, else the selfish one; [K]."""
        return jnp.where(level >= 0.5, self.prosocial, self.selfish)


class Steps:
    """The three parts of a step, for one structure. All are pure functions of one episode."""

    def __init__(self, structure: Structure, shared: Shared) -> None:
        self.structure, self.shared = structure, shared
        self.world = structure.world.build(shared.world)
        self.seats, self.width = self.world.players, len(self.world.action_sizes)
        limits = zip(structure.limits, shared.limits, strict=True)
        self.panel = Panel(tuple(template.build(leaves) for template, leaves in limits))
        self.stop = structure.stop.build(shared.stop) if structure.stop else None
        self.treatments = tuple(
            template.build(leaves)
            for template, leaves in zip(structure.treatments, shared.treatments, strict=True)
        )

    def begin(self, batch: Batch) -> State:
        """The state before step 0."""
        n = self.seats
        if batch.draws is not None:
            birth, labels = batch.draws.birth, batch.draws.labels
        else:
            birth = self._one_a_seat(jax.random.fold_in(batch.key, INIT))
            draw = jax.random.uniform(jax.random.fold_in(batch.key, LABELS), (n,))
            labels = jnp.argsort(draw).astype(jnp.int32)
        carries = tuple(
            column.init(birth[seat], leaves, data)
            for seat, (column, leaves, data) in enumerate(self._columns(batch))
        )
        fresh = self.world.init(self._base(batch, WORLD), batch.present)
        world = fresh if batch.world is None else jax.tree.map(_as_key, fresh, batch.world)
        return State(
            step=jnp.zeros((), jnp.int32),
            origin=jnp.zeros((), jnp.int32),
            done=jnp.zeros((), bool),
            world=world,
            carries=carries,
            stop=jax.vmap(self.stop.init)(self._stop_keys(batch)) if self.stop else (),
            mode=jnp.full(n, GO, jnp.int32) if batch.mode is None else jnp.asarray(batch.mode),
            actions=jnp.zeros((n, self.width), jnp.int32),
            levels=jnp.zeros(n, jnp.float32),
            rewards=jnp.zeros(n, jnp.float32),
            labels=jnp.asarray(labels),
        )

    def look(self, batch: Batch, state: State) -> Obs:
        """What every seat sees: an Obs whose fields have a leading axis N."""
        n = self.seats
        selfish, prosocial = self.world.scale(state.world)
        at = jnp.argsort(state.labels)
        me = state.labels[:, None] == jnp.arange(n)[None, :]
        present = batch.present[at][None, :] & ~me
        seen = present & (state.step > 0)
        heard = self._heard(batch, state)
        if heard is not None:
            heard = jnp.where(seen[:, :, None], heard[:, at], SILENCE)
        obs = (ObsOfKinds if isinstance(self.world, HasKinds) else Obs)(
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
            messages=heard,
        )
        seen_as: Obs = self._treat("observe", batch, state, obs)
        return seen_as

    def decide(self, batch: Batch, state: State, obs: Obs) -> tuple[Array, Array, tuple[Any, ...]]:
        """(actions [N, K], odd [N], carries) of the players that are JAX."""
        key = jax.random.fold_in(self._base(batch, ACT), state.step)
        each = self._one_a_seat(key)
        nobody = jnp.zeros(self.width, jnp.int32), jnp.zeros((), bool), ()
        actions, odd, after = [], [], []
        for seat, (column, leaves, data) in enumerate(self._columns(batch)):
            if not column.groups:  # nothing to trace: most seats of an agent alone are of this kind
                action, strange, carry = nobody
            else:
                own = jax.tree.map(lambda field, seat=seat: field[seat], obs)
                action, strange, carry = column.act(
                    each[seat], state.carries[seat], own, leaves, data, self.width
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
        forcing: Forcing | None = None,
    ) -> tuple[State, dict[str, Any]]:
        """The state after the step, and what goes on record. `forcing` is this step's: level
        [N], actions [N, K] or None."""
        settled = self.settle(batch, state, obs, proposed, odd, forcing)
        key = jax.random.fold_in(self._base(batch, WORLD), state.step + 1)
        outcome = self.world.step(key, state.world, settled.executed)
        return self.close(batch, state, obs, proposed, carries, settled, outcome)

    def settle(
        self,
        batch: Batch,
        state: State,
        obs: Obs,
        proposed: Array,
        odd: Array,
        forcing: Forcing | None = None,
    ) -> Settled:
        """What is executed, and in which modes: illegal moves rest, forced ones are replaced, and
        `admit` decides on what is left."""
        rest = jnp.asarray(self.world.rest, jnp.int32)
        acting = self.acting(batch, state)
        # Of the world itself: what a treatment lets seats see changes no rule.
        legal = self.world.legal(state.world)
        illegal = (odd | ~self._is_legal(proposed, legal)) & acting
        actions = jnp.where((illegal | ~acting)[:, None], rest, proposed)
        actions, forced = self._force(batch, state, obs, actions, forcing)
        reading = self._read(batch, state, obs)
        mode, executed, stop = self._interlock(batch, state, obs, actions, reading)
        return Settled(mode, executed, forced, illegal, reading, stop)

    def close(
        self,
        batch: Batch,
        state: State,
        obs: Obs,
        proposed: Array,
        carries: tuple[Any, ...],
        settled: Settled,
        outcome: Outcome,
    ) -> tuple[State, dict[str, Any]]:
        """The state after a step whose outcome is known, and what goes on record."""
        after = self._treat("transition", batch, state, outcome.state, obs)
        executed = settled.executed
        played = self.world.played(after) if isinstance(self.world, HasSlips) else executed
        selfish, prosocial = self.world.scale(state.world)
        levels = (
            self.world.levels(state.world, played)
            if isinstance(self.world, HasKinds)
            else level_of(played, selfish, prosocial)
        ).astype(jnp.float32)
        rewards = jnp.where(batch.present, outcome.rewards, 0.0).astype(jnp.float32)
        new = State(
            step=state.step + 1,
            origin=state.origin,
            done=outcome.terminated,
            world=after,
            carries=carries,
            stop=settled.stop,
            mode=settled.mode,
            actions=executed,
            levels=levels,
            rewards=rewards,
            labels=state.labels,
        )
        if batch.ends is not None:
            new = new._replace(done=new.done | (new.step - new.origin >= batch.ends))
        running = ~state.done
        new = jax.tree.map(lambda old, fresh: jnp.where(running, fresh, old), state, new)
        record = {
            "proposed": proposed,
            "executed": executed,
            "levels": levels,
            "rewards": rewards,
            "valid": running,
            "forced": settled.forced,
            "illegal": settled.illegal,
            "world": dict(self.world.account(after)),
            "readings": {k: jnp.asarray(v, jnp.float32) for k, v in settled.reading.items()},
        }
        heard = self._heard(batch, state)
        if heard is not None:
            record["heard"] = heard.astype(jnp.int16)
        record = jax.tree.map(lambda x: jnp.where(running, x, jnp.zeros_like(x)), record)
        return new, {**record, "mode": new.mode}

    def settled(self, batch: Batch, before: State, after: State) -> Array:
        """[] bool: in this step no policy changed, as far as policies say (`core.Settles`)."""
        calm = jnp.ones((), bool)
        for seat, (column, leaves, data) in enumerate(self._columns(batch)):
            for group, player in enumerate(column.players(leaves, data)):
                same: Any = not getattr(player, "learns", False)
                if hasattr(player, "settled"):
                    same = player.settled(before.carries[seat][group], after.carries[seat][group])
                calm &= same | (data["group"] != group) | ~batch.present[seat]
        return calm

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

    def _heard(self, batch: Batch, state: State) -> Array | None:
        """[N, N, M] what each seat (first axis) is shown of each seat's message, None in worlds
        that have no channel."""
        if not isinstance(self.world, HasChannel):
            return None
        heard = self._treat("message", batch, state, self.world.hear(state.world))
        return jnp.asarray(heard, jnp.int32)

    def _read(self, batch: Batch, state: State, obs: Obs) -> dict[str, Array]:
        """sensor -> [N]: what the meters read, after all treatments; "runtime" is the step."""
        since = state.step - state.origin
        down = (since >= batch.press) & (since < batch.press + batch.hold)
        reading = {"button": down * jnp.ones(self.seats), **self.world.sense(state.world)}
        for seat, value in self._own_powers(batch, state, obs):
            power = reading.get("power", jnp.full(self.seats, jnp.nan))
            reading["power"] = jnp.asarray(power).at[seat].set(value)
        reading = {"runtime": since * jnp.ones(self.seats), **reading}
        treated: dict[str, Array] = dict(self._treat("sense", batch, state, reading, obs))
        return {sensor: lifted(value) for sensor, value in treated.items()}

    def _interlock(
        self, batch: Batch, state: State, obs: Obs, actions: Array, reading: dict[str, Array]
    ) -> tuple[Array, Array, Any]:
        """(mode [N], executed [N, K], stop carries): `admit`, for the seats that are equipped."""
        safe, stop = jnp.asarray(self.shared.safe, jnp.int32), state.stop
        safe = jnp.broadcast_to(safe, actions.shape)
        if self.stop is not None:
            each = jax.vmap(lambda key: jax.random.fold_in(key, state.step))(self._stop_keys(batch))
            prepared, stop = jax.vmap(self.stop.act)(each, state.stop, obs)
            prepared = jnp.asarray(prepared, jnp.int32).reshape(self.seats, -1)
            safe = jnp.broadcast_to(prepared, actions.shape)
        mode, executed = admit(self.panel, state.mode, reading, actions, safe)
        mode = jnp.where(batch.equipped, mode, state.mode).astype(jnp.int32)
        return mode, jnp.where(batch.equipped[:, None], executed, actions), stop

    def _base(self, batch: Batch, purpose: int) -> Array:
        """The key of all acts, or of the world."""
        if batch.draws is None:
            return jax.random.fold_in(batch.key, purpose)
        return {ACT: batch.draws.act, WORLD: batch.draws.world}[purpose]

    def _stop_keys(self, batch: Batch) -> Array:
        """[N] one key a seat."""
        return self._one_a_seat(jax.random.fold_in(batch.key, STOP))

    def _one_a_seat(self, key: Array) -> Array:
        """[N] keys: at once, for a program with one draw compiles sooner than one with N."""
        return jax.vmap(lambda seat: jax.random.fold_in(key, seat))(jnp.arange(self.seats))

    def _own_powers(self, batch: Batch, state: State, obs: Obs) -> list[tuple[int, Array]]:
        """(seat, reading) of the players that report their own power."""
        found = []
        for seat, (column, leaves, data) in enumerate(self._columns(batch)):
            if column.reports_power:
                own = jax.tree.map(lambda field, seat=seat: field[seat], obs)
                found.append((seat, column.power(state.carries[seat], own, leaves, data)))
        return found

    def acting(self, batch: Batch, state: State) -> Array:
        """[N] bool: who acts in this step; the others rest and are not asked."""
        if not isinstance(self.world, HasTurns):
            return batch.present
        return batch.present & self.world.acting(state.world)

    def _force(
        self, batch: Batch, state: State, obs: Obs, actions: Array, forcing: Forcing | None
    ) -> tuple[Array, Array]:
        forced = jnp.zeros(self.seats, bool)
        acting = self.acting(batch, state)
        if forcing is not None:
            forced = jnp.isfinite(forcing.level) & acting
            selfish, prosocial = self.world.scale(state.world)
            wanted = selfish + (prosocial - selfish) * forcing.level[:, None]
            if isinstance(self.world, HasKinds):
                wanted = jnp.where(forcing.level[:, None] >= 0.5, prosocial, selfish)
            wanted = jnp.floor(wanted + 0.5).astype(jnp.int32)
            actions = jnp.where(forced[:, None], wanted, actions)
            if forcing.actions is not None:
                given = (forcing.actions != FREE).all(-1) & acting
                actions = jnp.where(given[:, None], forcing.actions, actions)
                forced |= given
        for number, treatment in enumerate(self.treatments):
            if hasattr(treatment, "act"):
                moment = self._moment(batch, state, obs, number)
                chosen, by_this = treatment.act(moment, actions)
                actions = jnp.where(acting[:, None], chosen, actions)
                forced |= by_this & acting
        return actions, forced

    def _treat(self, hook: str, batch: Batch, state: State, value: Any, obs: Any = None) -> Any:
        for number, treatment in enumerate(self.treatments):
            if hasattr(treatment, hook):
                moment = self._moment(batch, state, obs, number)
                value = getattr(treatment, hook)(moment, value)
        return value

    def _moment(self, batch: Batch, state: State, obs: Obs | None, number: int) -> Moment:
        key = jax.random.fold_in(jax.random.fold_in(batch.key, TREAT + number), state.step)
        selfish, prosocial = self.world.scale(state.world)
        step = state.step - state.origin
        return Moment(step, key, batch.treatments[number], selfish, prosocial, obs)


def lifted(reading: Array) -> Array:
    """A reading in single precision; a subnormal one as the least normal number of its sign. XLA
    takes subnormals for 0, and what is above 0 has to trip here as it does in Python."""
    value = jnp.asarray(reading, jnp.float32)
    bits = jax.lax.bitcast_convert_type(value, jnp.int32)
    size = bits & 0x7FFFFFFF
    least = jnp.where(bits < 0, -LEAST, LEAST)
    return jnp.where((size > 0) & (size < 0x00800000), least, value)


def _is_key(leaf: Any) -> bool:
    return bool(jnp.issubdtype(jnp.asarray(leaf).dtype, jax.dtypes.prng_key))


def as_numbers(leaf: Any) -> Array:
    """A leaf of a world's state as it is handed on: a key as the numbers it is."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _as_key(fresh: Any, given: Array) -> Array:
    """A leaf that was handed on, as a leaf of a fresh state."""
    return jax.random.wrap_key_data(given) if _is_key(fresh) else given


for _kind in (Obs, ObsOfKinds):
    jax.tree_util.register_dataclass(_kind, [field.name for field in fields(_kind)], [])
