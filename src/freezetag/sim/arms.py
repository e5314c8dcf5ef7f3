"""Run an arm: seat the cast, start the weather, play the days, keep the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from freezetag import catalogue
from freezetag.core import (
    ABSENT,
    FOCAL,
    Arm,
    Array,
    Episode,
    HasModel,
    Learned,
    Panel,
    Planner,
    Press,
    Record,
    Ref,
)
from freezetag.core.treatment import Forcing
from freezetag.sim import engine
from freezetag.sim.believed import believed
from freezetag.sim.columns import Column, column
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.host import rollout_with
from freezetag.sim.inside import Inside, InsideWorker
from freezetag.sim.rollout import day_of, learner, rollout
from freezetag.sim.step import HOOKS, LEARN, Batch, Shared, Structure
from freezetag.sim.template import pick, split
from freezetag.sim.wiring import WiringError, check_wiring
from freezetag.sim.workers import Cache, Worker


@dataclass(frozen=True)
class Pupil:
    """The agent under examination, resolved: a JAX policy or a foreign agent, and its panel."""

    name: str
    policy: Any
    panel: Panel = field(default_factory=Panel)
    safe_action: Any = None
    stop_policy: Any = None


@dataclass(frozen=True)
class Seated:
    """One seat column of an arm: its structure, settings and per-episode data."""

    column: Column
    leaves: tuple[Any, ...]
    data: dict[str, Any]
    foreign: Foreign | None = None
    names: tuple[str, ...] = ()


def run_arm(
    arm: Arm,
    pupil: Pupil,
    seen: Mapping[str, Record],
    seed: int,
    tick: Callable[[int], None] | None = None,
    cache: Cache | None = None,
) -> Record:
    """The record of an arm. `seen` holds the arms that this one refers to; `cache` keeps the
    processes of foreign agents for the next arm.

    Raises `WiringError` for a panel that does not fit, `AgentFailed` when the pupil fails.
    """
    engine.start()
    scenario = arm.scenario
    substrate = catalogue.load(scenario.substrate)
    check_wiring(pupil.panel, pupil.policy, substrate, scenario.substrate.name)
    rows = np.repeat(np.asarray(scenario.seating, np.int32), arm.repeats, axis=0)
    if rows.shape[1] != substrate.players:
        raise ValueError(
            f"{scenario.substrate.name} has {substrate.players} seats, "
            f"the seating has {rows.shape[1]}."
        )
    repeat = np.tile(np.arange(arm.repeats, dtype=np.int32), len(scenario.seating))
    seated = [_seat(n, arm, rows[:, n], pupil, seen, substrate) for n in range(rows.shape[1])]
    world, world_leaves = split(substrate)
    limits = [split(interlock) for interlock in pupil.panel.interlocks]
    stop = split(pupil.stop_policy) if pupil.stop_policy is not None else (None, {})
    focal = np.isin(rows, [i for i, who in enumerate(scenario.cast) if who == FOCAL])
    safe = substrate.rest if pupil.safe_action is None else pupil.safe_action
    shared = Shared(
        world=world_leaves,
        players=tuple(seat.leaves for seat in seated),
        limits=tuple(leaves for _, leaves in limits),
        safe=np.broadcast_to(np.asarray(safe, np.int32), (len(substrate.action_sizes),)),
        stop=stop[1],
    )
    shaping = tuple(
        each for each in scenario.treatments if any(hasattr(each, hook) for hook in HOOKS)
    )
    days: list[Episode] = []
    policies: list[dict[int, Any]] = []
    with ExitStack() as stack:
        workers = {
            n: stack.enter_context(_worker(seat.foreign, n, cache, substrate.action_sizes))
            for n, seat in enumerate(seated)
            if seat.foreign is not None
        }
        names = {n: seated[n].names for n in workers}
        for day in range(scenario.days):
            structure = Structure(
                world=world,
                columns=tuple(seat.column for seat in seated),
                horizon=scenario.horizon,
                limits=tuple(template for template, _ in limits),
                treatments=shaping,
                stop=stop[0],
            )
            keys = _keys(seed, arm.block, arm.repeats, day)
            batch = Batch(
                key=keys[repeat],
                present=rows != ABSENT,
                seats=tuple(seat.data for seat in seated),
                equipped=focal & arm.equipped,
                press=_press_steps(scenario.press, scenario.horizon, keys)[repeat],
                hold=np.full(len(rows), scenario.press.hold, np.int32),
                forcing=forcing(scenario.treatments, len(rows), substrate.players),
                treatments=tuple(
                    getattr(each, "data", lambda *_: None)(seen, len(rows)) for each in shaping
                ),
            )
            if workers:
                seeds = np.asarray(jax.random.key_data(keys)[:, -1])[repeat] if day == 0 else None
                traces, last = rollout_with(
                    workers, structure, batch, shared, seeds, names, tick, scenario.days > 1
                )
            else:
                traces, last = rollout(structure, batch, shared)
                if tick is not None:
                    tick(int((traces["valid"][:, :, None] & focal[:, None, :]).sum()))
            _check_legal(traces, focal, pupil, substrate)
            days.append(_episode(traces, rows, arm, repeat, pupil))
            carries = list(last)
            for n, seat in enumerate(seated):
                if seat.foreign is None:
                    carries[n] = _learn(seat, carries[n], traces, batch, n)
                elif scenario.days > 1:
                    workers[n].learn(_rows(day_of(traces, batch, n), len(rows)))
            policies.append({n: carries[n] for n, s in enumerate(seated) if _learns(s.column)})
            seated = [
                _carried(seat, policies[-1][n]) if n in policies[-1] else seat
                for n, seat in enumerate(seated)
            ]
    return Record(arm, tuple(days), tuple(policies))


def _worker(foreign: Foreign, seat: int, cache: Cache | None, sizes: tuple[int, ...]) -> Any:
    if isinstance(foreign, Inside):
        return InsideWorker(foreign, seat=seat)
    return Worker(foreign, seat=seat, cache=cache, action_sizes=sizes)


def _seat(
    n: int, arm: Arm, who: Array, pupil: Pupil, seen: Mapping[str, Record], substrate: Any
) -> Seated:
    cast = arm.scenario.cast
    learned = {i for i in np.unique(who) if i >= 0 and isinstance(cast[i], Learned)}
    if learned:
        if len(np.unique(who)) > 1:
            raise ValueError(f"seat {n}: a learned policy needs a seat column of its own.")
        return _learned(cast[learned.pop()], who, pupil, seen)
    present = {i for i in np.unique(who) if i >= 0}
    told = believed(substrate, arm.scenario.treatments)
    players = [
        planned(_player(ref, pupil), told if ref == FOCAL else substrate, n)
        if i in present
        else None
        for i, ref in enumerate(cast)
    ]
    used = [players[i] for i in np.unique(who) if i >= 0]
    foreign = next((player for player in used if isinstance(player, Foreign)), None)
    if foreign is None:
        return Seated(*column(players, who))
    # Where nobody sits, somebody is made who is never asked.
    names = tuple(players[i].name if i >= 0 else foreign.name for i in who)
    return Seated(*column(players, who), foreign, names)


def _player(ref: Ref | Learned, pupil: Pupil) -> Any:
    if ref == FOCAL:
        return pupil.policy
    if isinstance(ref, Learned):
        return None
    scheme, colon, name = ref.path.partition(":")
    return Foreign(scheme, name) if colon else catalogue.load(ref)


@lru_cache(maxsize=1024)
def planned(player: Any, substrate: Any, seat: int) -> Any:
    """A planner's policy in this world and seat; any other player as it is.

    Raises `WiringError` where the world offers no model to plan with.
    """
    if not isinstance(player, Planner):
        return player
    if not isinstance(substrate, HasModel):
        raise WiringError(
            f"{type(player).__name__} plans, and {type(substrate).__name__} offers no exact model "
            "(model, reward, discount). Seat it in a world that does: `freezetag list substrates`."
        )
    return player.plan(substrate, seat)


def _learned(source: Any, who: Array, pupil: Pupil, seen: Mapping[str, Record]) -> Seated:
    """A seat held by a policy as another arm left it; the column then has one group."""
    donor = seen[source.arm]
    rows = np.repeat(np.asarray(donor.arm.scenario.seating), donor.arm.repeats, axis=0)
    players = [_player(ref, pupil) for ref in donor.arm.scenario.cast]
    at = np.full(len(who), source.episode) if source.episode is not None else np.arange(len(who))
    was = rows[at, source.seat]
    _, _, data = column(players, rows[:, source.seat])
    carries = donor.carries[source.day].get(source.seat)
    if carries is None:
        raise ValueError(f"nobody learned at seat {source.seat} of arm {source.arm!r}.")
    group = int(data["group"][at[0]])
    if (data["group"][at] != group).any():
        raise ValueError(f"seat {source.seat} of arm {source.arm!r} holds several kinds of player.")
    if source.frozen:
        players = [p.frozen() if hasattr(p, "frozen") else p for p in players]
    structure, leaves, seat = column(players, was.astype(np.int32))
    carry = jax.tree.map(lambda leaf: leaf[at], carries[group])
    return _carried(Seated(structure, leaves, seat), (carry,))


def _carried(seat: Seated, carries: tuple[Any, ...]) -> Seated:
    return replace(
        seat, column=replace(seat.column, carried=True), data={**seat.data, "carry": carries}
    )


def _learns(seat: Column) -> bool:
    return any(getattr(template.cls, "learns", False) for template in seat.groups)


def _learn(
    seat: Seated, carries: tuple[Any, ...], traces: Any, batch: Batch, n: int
) -> tuple[Any, ...]:
    """Carries after a day, for players with `learn`."""
    after, fold = [], jax.random.fold_in
    for template, leaves, carry in zip(seat.column.groups, seat.leaves, carries, strict=True):
        if hasattr(template.cls, "learn"):
            keys = jax.vmap(lambda key: fold(fold(key, LEARN), n))(batch.key)
            own = pick(leaves, seat.data["member"])
            carry = learner(template)(keys, own, carry, day_of(traces, batch, n))
        after.append(jax.tree.map(np.asarray, carry))
    return tuple(after)


def _keys(seed: int, block: int, repeats: int, day: int) -> Array:
    """[repeats] one key per repeat: the same in all rows, and in all arms of a block."""
    base = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), block), day)
    return jax.vmap(lambda repeat: jax.random.fold_in(base, repeat))(np.arange(repeats))


def forcing(treatments: Sequence[Any], episodes: int, seats: int) -> Forcing:
    """What all the treatments that only force actions force, together; the later one wins."""
    shape = (episodes, seats)
    level = np.full(shape, -1.0, np.float32)
    first, last = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for treatment in treatments:
        if hasattr(treatment, "forces"):
            mine = [np.asarray(part, np.float32) for part in treatment.forces(episodes, seats)]
            chosen = mine[0] >= 0
            for part, new in zip((level, first, last), mine, strict=True):
                part[chosen] = new[chosen]
    return Forcing(level, first, last)


def _press_steps(press: Press, horizon: int, keys: Array) -> Array:
    """[repeats] the step at which the button goes down; past the horizon if nobody presses."""
    fixed = press.step(horizon)
    if fixed is not None:
        return np.full(len(keys), fixed, np.int32)
    if not press.hazard:
        return np.full(len(keys), horizon + 1, np.int32)
    source = [np.random.default_rng(np.asarray(jax.random.key_data(key))) for key in keys]
    draws = [min(rng.geometric(press.hazard) - 1, horizon + 1) for rng in source]
    return np.asarray(draws, np.int32)


def _check_legal(traces: Any, focal: Array, pupil: Pupil, substrate: Any) -> None:
    wrong = np.argwhere(traces["illegal"])
    if not len(wrong):
        return
    b, t, n = (int(index) for index in wrong[0])
    value = traces["proposed"][b, t, n].tolist()
    allowed = f"whole numbers, component k from 0 to {[s - 1 for s in substrate.action_sizes]}"
    who = pupil.name if focal[b, n] else f"the player at seat {n}"
    raise AgentFailed(
        f"{who} returned {value} at step {t} (seat {n}, episode {b}). Allowed are {allowed}. "
        "Return one of the legal actions of the observation.",
        agent=who,
        step=t,
        seat=n,
        episode=b,
        field="action",
        value=str(value),
        allowed=allowed,
    )


def _episode(traces: Any, rows: Array, arm: Arm, repeat: Array, pupil: Pupil) -> Episode:
    mode = np.concatenate([np.zeros_like(traces["mode"][:, :1]), traces["mode"]], axis=1)
    names = tuple(
        pupil.name if who == FOCAL else who.name if isinstance(who, Ref) else f"learned:{who.arm}"
        for who in arm.scenario.cast
    )
    row = np.repeat(np.arange(len(arm.scenario.seating), dtype=np.int32), arm.repeats)
    recorded = {name: value for name, value in traces.items() if name != "mode"}
    return Episode(**recorded, mode=mode, seats=rows, row=row, repeat=repeat, players=names)


def _rows(day: Mapping[str, Array], episodes: int) -> list[dict[str, Any]]:
    return [{name: values[b] for name, values in day.items()} for b in range(episodes)]
