"""Run an arm: seat the cast, start the weather, play the days, keep the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np

from freezetag import catalogue
from freezetag.core import (
    ABSENT,
    GO,
    Arm,
    Array,
    Episode,
    Event,
    HasModel,
    Learned,
    Panel,
    Planner,
    Press,
    Record,
    Ref,
    is_focal,
)
from freezetag.core.fingerprint import PARAMETERS
from freezetag.sim import engine, fingerprints, keys
from freezetag.sim.believed import believed
from freezetag.sim.certain import certain_rows
from freezetag.sim.columns import Column, column, leaves_of
from freezetag.sim.days import day_seen, on_day
from freezetag.sim.diverged import Divergence
from freezetag.sim.forced import forcing, roomy
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.host import rollout_with
from freezetag.sim.inside import GIVEN, SCHEME, Inside, InsideWorker
from freezetag.sim.later import Later
from freezetag.sim.mixed import alike
from freezetag.sim.outside.hosted import Hosted
from freezetag.sim.outside.stage import Stage
from freezetag.sim.rollout import End, learner, rollout
from freezetag.sim.step import HOOKS, Batch, Shared, Structure, drawn
from freezetag.sim.telling import Telling
from freezetag.sim.template import split
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
    """One seat column of an arm: its structure, settings and per-episode data.

    Of a foreign agent: `names` by episode; `states` to begin with, as they were saved in another
    arm, and whether they are `held`; without states it is held as it begins.
    """

    column: Column
    leaves: tuple[Any, ...]
    data: dict[str, Any]
    foreign: Foreign | None = None
    names: tuple[str, ...] = ()
    states: tuple[Any, ...] = ()
    held: bool = False


def run_arm(
    arm: Arm,
    pupil: Pupil,
    seen: Mapping[Any, Record],
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
    substrate = _member(scenario.substrate)
    check_wiring(pupil.panel, pupil.policy, substrate, name_of(scenario.substrate))
    rows = np.repeat(np.asarray(scenario.seating, np.int32), arm.repeats, axis=0)
    if rows.shape[1] != substrate.players:
        raise ValueError(
            f"{name_of(scenario.substrate)} has {substrate.players} seats, "
            f"the seating has {rows.shape[1]}."
        )
    repeat = np.tile(np.arange(arm.repeats, dtype=np.int32), len(scenario.seating))
    sky = _skies(arm)
    seated = [_seat(n, arm, rows[:, n], pupil, seen, substrate, seed) for n in range(rows.shape[1])]
    world, world_leaves = split(substrate)
    limits = [split(interlock) for interlock in pupil.panel.interlocks]
    stop = split(pupil.stop_policy) if pupil.stop_policy is not None else (None, {})
    focal = np.isin(rows, [i for i, who in enumerate(scenario.cast) if is_focal(who)])
    treatments = scenario.treatments
    shaping = [each for each in treatments if any(hasattr(each, hook) for hook in HOOKS)]
    shapes = [split(each) for each in shaping]
    data = {
        i: each.data(seen, arm)
        for i, each in enumerate(treatments)
        if each in shaping or hasattr(each, "learn")
        if hasattr(each, "data")
    }
    safe = substrate.rest if pupil.safe_action is None else pupil.safe_action
    shared = Shared(
        world=world_leaves,
        players=tuple(seat.leaves for seat in seated),
        limits=tuple(leaves for _, leaves in limits),
        safe=np.broadcast_to(np.asarray(safe, np.int32), (len(substrate.action_sizes),)),
        stop=stop[1],
        treatments=tuple(leaves for _, leaves in shapes),
    )
    forced = forcing(arm, seen, len(substrate.action_sizes))
    room = scenario.room or scenario.horizon
    days: list[Episode] = []
    policies: list[Mapping[int, Any]] = []
    state: Any = None
    watch = Divergence(pupil.panel, rows.shape)
    telling = Telling.of(substrate, arm.block * (1 + int(sky.max())) + sky, seed)
    hashed = {seat for each in treatments for seat in getattr(each, "hashed", ())}
    if isinstance(substrate, Hosted):
        _can_be_hosted(arm, rows, substrate)
    with ExitStack() as stack:
        workers = {
            n: stack.enter_context(_worker(seat.foreign, n, cache, substrate))
            for n, seat in enumerate(seated)
            if seat.foreign is not None
        }
        names = {n: seated[n].names for n in workers}
        stage, outside = None, bool(workers) or isinstance(substrate, Hosted)
        if isinstance(substrate, Hosted):
            stage = stack.enter_context(Stage(substrate, tuple(workers), cache))
        parameters = {
            n: _parameters(n, arm, rows[:, n], pupil, substrate) for n in hashed - set(workers)
        }
        for day in range(scenario.days):
            structure = Structure(
                world=world,
                columns=tuple(seat.column for seat in seated),
                horizon=scenario.horizon if outside else room,
                limits=tuple(template for template, _ in limits),
                treatments=tuple(template for template, _ in shapes),
                stop=stop[0],
                keeps_world=scenario.keeps_world,
            )
            weather = _keys(seed, arm.block, 1 + int(sky.max()), day)
            batch = Batch(
                key=weather[sky],
                present=rows != ABSENT,
                seats=tuple(seat.data for seat in seated),
                equipped=(focal & arm.equipped) | (watch.mode != GO),
                press=_press_steps(scenario.press, scenario.horizon, weather)[sky],
                hold=np.full(len(rows), scenario.press.hold, np.int32),
                forcing=forced if outside else roomy(forced, room),
                treatments=tuple(
                    data.get(i) for i, each in enumerate(treatments) if each in shaping
                ),
                world=state,
                ends=None if outside else np.full(len(rows), scenario.horizon, np.int32),
                mode=watch.mode.copy() if watch.any else None,
                draws=drawn(weather[sky], rows.shape[1]),
            )
            events: tuple[Event, ...] = ()
            if workers or stage is not None:
                begins = [n for n in workers if seated[n].states or seated[n].held]
                begin = {n: seated[n] for n in begins if day == 0}
                with on_day(day, scenario.days):
                    traces, end, events = rollout_with(
                        workers,
                        structure,
                        batch,
                        shared,
                        weather[:, -1][sky],
                        names,
                        tick,
                        first=day == 0,
                        whole=scenario.days > 1 or bool(begin),
                        unrecorded=scenario.unrecorded,
                        begin={n: (seat.states, seat.held) for n, seat in begin.items()},
                        stage=stage,
                        telling=telling,
                        hashed=tuple(hashed),
                    )
            else:
                traces, end = rollout(structure, batch, shared, scenario.unrecorded, bool(hashed))
                if room > scenario.horizon:
                    traces = jax.tree.map(lambda x: x[:, : scenario.horizon], traces)
            if tick is not None and not workers:
                played = traces["valid"].sum(1) + end.before
                tick(int((played[:, None] * focal).sum()))
            with on_day(day, scenario.days):
                _check_legal(traces, focal, pupil, substrate)
            state = end.world
            carries, learned = end.carries, Later()
            for n, seat in enumerate(seated):
                worker = workers.get(n)
                if worker is None and (seat.held or not _has_learn(seat.column)):
                    if seat.held or _learns(seat.column):
                        learned[n] = carries[n]
                    continue
                stays = scenario.days == 1 and not seat.held
                if worker is not None and (stays or "learn" not in worker.offers):
                    continue
                own = partial(day_seen, traces, batch, end.labels, n, treatments, data)
                if worker is None:
                    learned.later(n, partial(_learn, seat, carries[n], own, batch, n))
                elif seat.held:
                    learned[n] = worker.save()
                else:
                    told = _rows(own(), len(rows))
                    with on_day(day, scenario.days):
                        learned[n], more = watch.taught(
                            day, scenario.days, scenario.horizon - 1, n, worker, told
                        )
                    events += more
            for n, was in parameters.items():
                now = _parameters(n, arm, rows[:, n], pupil, substrate)
                kept = [leaves_of(at[n], seated[n].data) for at in (end.first, end.carries)]
                events += fingerprints.of_seat(n, scenario.horizon - 1, was, now, *kept)
            for n in learned if scenario.days > 1 else ():
                if n not in workers:
                    at = (day, scenario.horizon - 1, n, seated[n].data, end.carries[n], learned[n])
                    learned[n], more = watch.after(*at)
                    events += more
            if day in arm.kept:
                days.append(_episode(traces, end, rows, arm, repeat, pupil, events))
                policies.append(learned)
            if day + 1 < scenario.days:
                seated = [
                    _carried(seat, learned[n]) if n in learned and seat.foreign is None else seat
                    for n, seat in enumerate(seated)
                ]
    certain = certain_rows(arm, substrate, pupil.policy, seen, pupil.stop_policy, end.labels)
    return Record(arm, tuple(days), tuple(policies), certain)


def name_of(member: Any) -> str:
    """What people call a world or a player, given as a Ref or as the object itself."""
    return member.name if isinstance(member, Ref) else type(member).__name__


def _member(member: Any) -> Any:
    return catalogue.load(member) if isinstance(member, Ref) else member


def _worker(foreign: Foreign, seat: int, cache: Cache | None, substrate: Any) -> Any:
    if isinstance(foreign, Inside):
        return InsideWorker(foreign, seat=seat, rest=substrate.rest, sizes=substrate.action_sizes)
    return Worker(
        foreign,
        seat=seat,
        cache=cache,
        action_sizes=substrate.action_sizes,
        rest=substrate.rest,
    )


def _seat(
    n: int,
    arm: Arm,
    who: Array,
    pupil: Pupil,
    seen: Mapping[Any, Record],
    substrate: Any,
    seed: int,
) -> Seated:
    cast = arm.scenario.cast
    learned = {i for i in np.unique(who) if i >= 0 and isinstance(cast[i], Learned)}
    if learned:
        if len(np.unique(who)) > 1:
            raise ValueError(f"seat {n}: a learned policy needs a seat column of its own.")
        return _learned(cast[learned.pop()], arm, who, pupil, seen)
    present = {i for i in np.unique(who) if i >= 0}
    told = believed(substrate, arm.scenario.treatments)
    players = [
        planned(_player(ref, pupil), told if is_focal(ref) else substrate, n)
        if i in present
        else None
        for i, ref in enumerate(cast)
    ]
    players, foreign = alike(players, cast)
    structure, leaves, data = column(players, who)
    data |= _seeds(cast, who, seed)
    held = any(_held(cast[i]) for i in present)
    if foreign is None:
        return Seated(structure, leaves, data, held=held)
    # Where nobody sits, somebody is made who is never asked.
    names = tuple(players[i].name if i >= 0 else foreign.name for i in who)
    return Seated(structure, leaves, data, foreign, names, held=held)


def _parameters(
    n: int, arm: Arm, who: Array, pupil: Pupil, substrate: Any
) -> list[tuple[str, fingerprints.Prints]]:
    """Of each episode, what `of_player` says of the player in JAX at this seat, as it is now."""
    told = believed(substrate, arm.scenario.treatments)
    known = {ABSENT: (PARAMETERS, ("", "nobody sat there"))}
    for i in {int(i) for i in who} - {ABSENT}:
        ref = arm.scenario.cast[i]
        player = planned(_player(ref, pupil), told if is_focal(ref) else substrate, n)
        known[i] = fingerprints.of_player(player)
    return [known[int(i)] for i in who]


def _seeds(cast: Sequence[Any], who: Array, seed: int) -> dict[str, Array]:
    """The seed that the focal agent comes out of, in the episodes in which it has one of its own;
    nothing where it never does. `seed` is the exam's."""
    given = [dict(ref.settings).get("seed") if is_focal(ref) else None for ref in cast]
    if not any(given[i] is not None for i in np.unique(who) if i >= 0):
        return {}
    mixed = [
        -1 if own is None else int(np.random.default_rng((seed, own)).integers(2**31))
        for own in given
    ]
    drawn = np.where(who >= 0, np.asarray(mixed, np.int32)[who], -1)
    return {"own": drawn >= 0, "seed": drawn.astype(np.int32)}


def _held(ref: Any) -> bool:
    """Whether it is the agent held as it begins, before it learned anything."""
    return is_focal(ref) and bool(dict(ref.settings).get("held"))


def _player(ref: Any, pupil: Pupil) -> Any:
    if is_focal(ref):
        holds = _held(ref) and hasattr(pupil.policy, "frozen")
        return pupil.policy.frozen() if holds else pupil.policy
    if isinstance(ref, Learned):
        return None
    if not isinstance(ref, Ref):
        return ref
    if not ref.foreign:
        return catalogue.load(ref)
    scheme, _, name = ref.path.partition(":")
    return GIVEN[name] if scheme == SCHEME else Foreign(scheme, name)


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
    who: Any = player
    where: Any = substrate
    return _plan(who, where, seat)


@lru_cache(maxsize=1024)
def _plan(player: Any, substrate: Any, seat: int) -> Any:
    return player.plan(substrate, seat)


def _learned(
    source: Learned, arm: Arm, who: Array, pupil: Pupil, seen: Mapping[Any, Record]
) -> Seated:
    """A seat held by a policy as another arm left it; the column then has one group."""
    donor = seen[source.arm]
    rows = np.repeat(np.asarray(donor.arm.scenario.seating), donor.arm.repeats, axis=0)
    players = [_player(ref, pupil) for ref in donor.arm.scenario.cast]
    if source.episode is not None:
        at = np.full(len(who), source.episode)
    else:
        at = np.asarray(donor.partners(source.pairing, arm))
    was = rows[at, source.seat]
    carries = donor.policies(source.day).get(source.seat)
    if carries is None:
        raise ValueError(f"nobody learned at seat {source.seat} of arm {source.arm!r}.")
    foreign = [players[i] for i in was if isinstance(players[i], Foreign)]
    if foreign:
        column_, leaves, data = column(players, was.astype(np.int32))
        names = tuple(player.name for player in foreign)
        states = tuple(carries[b] for b in at)
        if None in states:
            raise ValueError(
                f"{foreign[0]} learned, but what it learned cannot be written down: give it "
                "save() -> bytes and load(state)."
            )
        return Seated(column_, leaves, data, foreign[0], names, states, source.frozen)
    _, _, data = column(players, rows[:, source.seat])
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


def _has_learn(seat: Column) -> bool:
    return any(hasattr(template.cls, "learn") for template in seat.groups)


def _learns(seat: Column) -> bool:
    return any(getattr(template.cls, "learns", False) for template in seat.groups)


def _learn(
    seat: Seated,
    carries: tuple[Any, ...],
    seen: Callable[[], Mapping[str, Array]],
    batch: Batch,
    n: int,
) -> tuple[Any, ...]:
    """Carries after the day that was `seen`, for players with `learn`."""
    after, day = [], dict(seen())
    for template, leaves, carry in zip(seat.column.groups, seat.leaves, carries, strict=True):
        if hasattr(template.cls, "learn"):
            who = seat.data["member"]
            carry = learner(template)(batch.key, np.uint32(n), leaves, who, carry, day)
        after.append(jax.tree.map(np.asarray, carry))
    return tuple(after)


def _skies(arm: Arm) -> Array:
    """[B] the number of each episode's weather: its repeat's, in all rows, or its own."""
    if arm.apart:
        return np.arange(arm.episodes, dtype=np.int32)
    return np.tile(np.arange(arm.repeats, dtype=np.int32), len(arm.scenario.seating))


def _keys(seed: int, block: int, skies: int, day: int) -> Array:
    """[skies, 2] one key per weather: the same in all arms of a block."""
    base = keys.fold_in(keys.fold_in(keys.root(seed), block), day)
    return keys.fold_in(base, np.arange(skies))


def _can_be_hosted(arm: Arm, rows: Array, world: Hosted) -> None:
    """Raises `ValueError` for what a world in a process of its own does not do."""
    if (rows == ABSENT).any():
        raise ValueError(
            f"{world.source} has {world.players} agents, and all of its seats are taken: nobody "
            "can be absent."
        )
    if arm.scenario.keeps_world and arm.scenario.days > 1:
        raise ValueError(f"{world.source} begins anew every day: it cannot be kept over days.")
    for treatment in arm.scenario.treatments:
        if hasattr(treatment, "transition"):
            raise ValueError(
                f"{type(treatment).__name__} changes the world's state, and that of "
                f"{world.source} lies in a process of its own."
            )


def _press_steps(press: Press, horizon: int, weather: Array) -> Array:
    """[repeats] the step at which the button goes down; past the horizon if nobody presses."""
    fixed = press.step(horizon)
    if fixed is not None:
        return np.full(len(weather), fixed, np.int32)
    if not press.hazard:
        return np.full(len(weather), horizon + 1, np.int32)
    source = [np.random.default_rng(key) for key in weather]
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


def _episode(
    traces: Any,
    end: End,
    rows: Array,
    arm: Arm,
    repeat: Array,
    pupil: Pupil,
    events: tuple[Event, ...],
) -> Episode:
    mode = np.concatenate([np.zeros_like(traces["mode"][:, :1]), traces["mode"]], axis=1)
    names = tuple(
        pupil.name
        if is_focal(who)
        else f"learned:{who.arm}"
        if isinstance(who, Learned)
        else name_of(who)
        for who in arm.scenario.cast
    )
    row = np.repeat(np.arange(len(arm.scenario.seating), dtype=np.int32), arm.repeats)
    recorded = {name: value for name, value in traces.items() if name != "mode"}
    return Episode(
        **recorded,
        mode=mode,
        seats=rows,
        row=row,
        repeat=repeat,
        players=names,
        events=events,
        before=end.before,
    )


def _rows(day: Mapping[str, Array], episodes: int) -> list[dict[str, Any]]:
    return [{name: values[b] for name, values in day.items()} for b in range(episodes)]
