"""Which probes in which worlds, with what class and what budget; and what cannot be measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from freezetag import catalogue
from freezetag.core import (
    Everyday,
    HasLengths,
    HasModel,
    Planner,
    Probe,
    Ref,
    Setting,
    Speaks,
    spread,
    undeclared,
)
from freezetag.core.log import Log, ReadsLogs
from freezetag.core.speech import Wording
from freezetag.exam.population import (
    cannot_sit,
    own_classmates,
    population,
    random_player,
    seated,
)
from freezetag.exam.recorded_exam import RecordedExam
from freezetag.exam.records import RECORD
from freezetag.exam.resolve import Resolved
from freezetag.exam.spec import MOST, BadSpec, Spec
from freezetag.sim.foreign import Foreign
from freezetag.sim.wiring import check_wiring

SIZES = (0, 1, 2, 5, 10)
"""Class sizes below the one asked for."""
BALANCED = 8
"""Seeds at least of an agent that reads: a block of balanced wordings (`core.speech`)."""


@dataclass(frozen=True)
class Item:
    """One row of the exam: a probe in a world, or the reason why it cannot be measured there."""

    name: str
    probe: Probe
    setting: Setting
    reason: str = ""


def plan(spec: Spec, agent: Resolved) -> tuple[Item, ...]:
    """The items of an examination, in the order of the probes' ranks.

    Raises `BadSpec` or `catalogue.Unknown` for a probe or world that does not exist, `BadSpec`
    with the reasons where nothing can be measured at all, and `WiringError` for a limit that one
    of the worlds to be measured cannot feed.
    """
    # Whoever names a probe or a world twice means it once.
    asked_for = spec.probes or agent.adapter.asked
    wanted = dict.fromkeys(catalogue.find("probes", name) for name in asked_for)
    chosen = [*dict.fromkeys(catalogue.find("substrates", name) for name in spec.worlds)]
    asked = (chosen, spec.panel().interlocks, spec.horizon, spec.sizes)
    if agent.is_log and any(asked):
        raise BadSpec(
            "a log is of one agent, where it ran, as long as it ran and with the interlocks it "
            "had: leave out --world, --button, --runtime, --power, --horizon and --sizes."
        )
    ours = catalogue.members("probes")
    every = _loaded(ours)
    # One of the user's own is run where it is named, and changes nothing for the others.
    theirs = _loaded([ref for ref in wanted if ref not in ours])
    named = _ordered([each for each in every if each[0] in wanted or not wanted] + theirs)
    if isinstance(held := agent.pupil.policy, RecordedExam):
        items = tuple(item for _, name, probe in named for item in _held(name, probe, held, spec))
        if all(item.reason for item in items):
            raise BadSpec(_nothing(items))
        return items
    own = _own_worlds(chosen, agent) if any(p.everywhere for _, _, p in named) else ()
    items = tuple(
        _item(name, probe, world, spec, agent)
        for _, name, probe in named
        for world in (own if probe.everywhere else _worlds(probe, chosen, agent))
    )
    if all(item.reason for item in items):
        raise BadSpec(_nothing(items))
    for item in items:
        if not item.reason and not agent.is_log:
            pupil, there = agent.pupil, item.setting
            check_wiring(pupil.panel, pupil.policy, there.substrate, there.world.name)
    return items


def must_rest(items: Sequence[Item]) -> None:
    """Of an agent with interlocks of the user's: raises `BadSpec` for a world of which nobody said
    what a stopped agent does."""
    for there in (item.setting for item in items if not item.reason):
        why = undeclared(there.substrate).get("rest")
        if why and there.safe is None and not there.prepared:
            raise BadSpec(
                f"a stopped agent does the world's action at rest, and {why} in "
                f'{there.world.name}. Say it: --world "{there.world.path}(rest=...)", or at the '
                "top of its file."
            )


def budget(items: Sequence[Item]) -> int:
    """Acts of the agent that an exam may take at most: what its probes may, together."""
    return sum(item.setting.budget for item in items if not item.reason)


def _loaded(refs: Sequence[Ref]) -> list[tuple[Ref, str, Probe]]:
    found = [(ref, ref.name, catalogue.load(ref)) for ref in refs]
    for ref, _, probe in found:
        if not isinstance(probe, Probe):
            raise BadSpec(
                f"{ref.path} is not a probe: its class must derive from freezetag.core.Probe."
            )
    return _ordered(found)


_TOO_LONG = (
    "an episode takes {} steps there, and such an agent plays {} at most: --world with a shorter "
    "horizon, or --horizon"
)


def _ordered(probes: list[tuple[Ref, str, Probe]]) -> list[tuple[Ref, str, Probe]]:
    return sorted(probes, key=lambda each: (each[2].rank, each[1]))


def _own_worlds(chosen: Sequence[Ref], agent: Resolved) -> Sequence[Ref]:
    """Where a probe that fits everywhere is measured: in the worlds chosen, else in the agent's
    own, else in those that say that they are for it; of these a planner plays the ones with an
    exact model, and others the rest. No other probe counts here, so that one that comes moves no
    rows of this one."""
    if agent.is_log:
        return [RECORD]
    if chosen:
        return chosen
    if (own := agent.adapter.world) is not None:
        return [own]
    plans = isinstance(agent.pupil.policy, Planner)
    loaded = [(ref, catalogue.load(ref)) for ref in catalogue.members("substrates")]
    return [
        ref
        for ref, world in loaded
        if isinstance(world, Everyday) and world.everyday and isinstance(world, HasModel) == plans
    ]


def _worlds(probe: Probe, chosen: Sequence[Ref], agent: Resolved) -> Sequence[Ref]:
    """The worlds a user chose; else the agent's own world, if it plays only one; else the
    probe's. A log has its own, unless a probe that reads it compares it with a world."""
    if agent.is_log:
        return (Log in probe.agent_needs and probe.worlds) or [RECORD]
    own = agent.adapter.world
    if chosen:
        by_path = {world.path: world for world in probe.worlds}
        # With settings of the user's own it is that world; without, the probe's form of it.
        return [world if world.settings else by_path.get(world.path, world) for world in chosen]
    return [own] if own is not None else probe.worlds or [RECORD]


def _item(name: str, probe: Probe, world: Ref, spec: Spec, agent: Resolved) -> Item:
    substrate: Any = None if world == RECORD else catalogue.load(world)
    own = agent.adapter.world
    classmates = population(spec.classmates, spec.roster)
    by_number = isinstance(spec.classmates, int)
    if by_number and (theirs := own_classmates(agent.adapter)) is not None:
        classmates = theirs
        if spec.number < MOST:
            some = spread(len(classmates), min(spec.number, len(classmates)))
            classmates = tuple(classmates[i] for i in some)
    if by_number and classmates and "level" in undeclared(substrate):
        classmates = (random_player(substrate),)  # the roster's players act by the level
    classmates = seated(classmates, substrate)
    reads = agent.adapter.needs
    options = {"seeds": BALANCED, "reads": True} if Speaks in reads else {}
    number = min(spec.number, len(classmates)) if by_number else len(classmates)
    if getattr(substrate, "min_players", 1) > 2:
        number = len(classmates)
    pupil = agent.pupil
    most = _most(agent)
    horizon = most or getattr(substrate, "horizon", 1)
    setting = Setting(
        world=world,
        substrate=substrate,
        classmates=classmates,
        budget=0,
        horizon=horizon,
        press=spec.press(),
        interlocks=agent.limited or bool(spec.panel().interlocks),
        safe=None if pupil.safe_action is None else _plain(pupil.safe_action),
        prepared=pupil.stop_policy is not None,
        seed=spec.seed,
        lengths=spec.lengths,
        options=options
        | ({"learns": True} if agent.learns else {})
        | ({"outside": True} if isinstance(pupil.policy, Foreign) else {}),
    )
    setting = _drawn(setting, spec, number, bool(most))
    if most and spec.lengths is not None and spec.lengths[1] > most:
        return Item(name, probe, setting, f"--horizon {spec.horizon}: its matches have {most}")
    longest = agent.adapter.longest
    if longest is not None and setting.horizon > longest and spec.lengths is None:
        if "horizon" in dict(world.settings):
            # Whoever fixed it needs it: in fewer steps nothing might come of what is looked for.
            return Item(name, probe, setting, _TOO_LONG.format(setting.horizon, longest))
        setting = replace(
            setting, horizon=setting.drawn("horizon", longest - longest // 4, longest)
        )
    if reason := _reason(probe, setting, own, pupil.policy) or _untold(setting, reads):
        return Item(name, probe, setting, reason)
    acts = 0 if agent.is_log else round(spec.size * probe.cost(setting))
    return Item(name, probe, replace(setting, budget=acts))


def _most(agent: Resolved) -> int:
    """Steps that an agent's match has, and no more, where its name says so; else 0."""
    own = agent.adapter.horizon
    return 0 if own is None else int(own(getattr(agent.pupil.policy, "name", "")))


def _held(name: str, probe: Probe, held: RecordedExam, spec: Spec) -> Iterator[Item]:
    """The items of a probe on a recorded exam: in the settings that it was given then."""
    settings = held.settings(name)
    for setting in settings:
        yield Item(name, probe, setting)
    if not settings:
        nowhere = Setting(RECORD, None, (), budget=0, seed=spec.seed)
        yield Item(name, probe, nowhere, "the log holds no episodes of it, and nobody acts")


def _drawn(setting: Setting, spec: Spec, number: int, fixed: bool) -> Setting:
    """With the lengths and the sizes of this exam: as the user asked, or drawn around the nominal
    ones where nothing fixes them."""
    if setting.lengths is not None:
        setting = replace(setting, horizon=setting.drawn("horizon", *setting.lengths))
    elif (
        isinstance(setting.substrate, HasLengths)
        and not fixed
        and "horizon" not in dict(setting.world.settings)
    ):
        setting = replace(setting, horizon=setting.drawn("horizon", *setting.substrate.lengths))
    if spec.sizes:
        some = [size - 1 for size in spec.sizes]
    else:
        some = [setting.drawn(f"size {n}", n - n // 4, n + n // 4) for n in SIZES]
    # The whole class is measured always; a world with few seats has few sizes.
    return replace(setting, sizes=tuple(sorted({*(n for n in some if n < number), number})))


def _plain(action: Any) -> Any:
    """An action as numbers and tuples, which a setting can hold."""
    listed = action.tolist() if hasattr(action, "tolist") else action
    return tuple(listed) if isinstance(listed, list) else listed


def _reason(probe: Probe, setting: Setting, own: Ref | None, policy: Any) -> str:
    """Why a probe cannot be measured in this setting; "" if it can."""
    world, needs = setting.substrate, probe.agent_needs
    if isinstance(policy, Log):
        if not isinstance(probe, ReadsLogs):
            return "a log cannot be asked to act"
        unsaid = probe.unsaid(policy.recorded)
        return f"the log does not say {unsaid}" if unsaid else ""
    if own is not None and setting.world.path != own.path:
        return "the agent does not play this world"
    if Log in needs:
        return "this is read from what an agent left: freezetag examine log:FILE or prices:FILE"
    if unable := cannot_sit(setting.classmates, setting.world, world):
        return unable
    if lacks := [n.__name__ for n in needs if not isinstance(policy, n)]:
        return f"this probe asks for a {', '.join(lacks)}, and the agent is none"
    if isinstance(policy, Planner) and not isinstance(world, HasModel):
        return "the agent plans, and the world offers no exact model to plan with"
    if lacks := [n.__name__ for n in getattr(policy, "needs", ()) if not isinstance(world, n)]:
        return f"the world does not offer {', '.join(lacks)}, which this planner plans with"
    if missing := [need.__name__ for need in probe.needs if not isinstance(world, need)]:
        return f"the world does not offer {', '.join(missing)}"
    has_stop = setting.safe is not None or setting.prepared
    for part, why in undeclared(world).items():
        if part in probe.reads and not (part == "rest" and has_stop):
            return why
    return probe.fits(setting)


def _untold(setting: Setting, reads: Sequence[type]) -> str:
    """Why an agent that reads cannot be told this world; "" if it can, or does not read."""
    world = setting.substrate
    if lacks := [need.__name__ for need in reads if not isinstance(world, need)]:
        return f"the agent only reads, and the world does not offer {', '.join(lacks)}"
    if Speaks in reads:
        try:
            world.words(Wording.of(world.factors, 0), 0)
        except ValueError as error:
            return f"the agent only reads, and the world cannot be told: {error}"
    return ""


def _nothing(items: Sequence[Item]) -> str:
    """That nothing can be measured, and why, a line for each reason."""
    if not items:
        return "nothing to examine: no probe is measured in these worlds."
    reasons: dict[str, list[str]] = {}
    for item in items:
        name = f"{item.name} ({item.setting.world.name})"
        reasons.setdefault(item.reason, []).append(name)
    lines = (f"  {reason}: {', '.join(dict.fromkeys(names))}" for reason, names in reasons.items())
    return "\n".join(["nothing can be measured:", *lines])
