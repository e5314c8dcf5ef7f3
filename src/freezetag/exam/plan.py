"""Which probes in which worlds, with what class and what budget; and what cannot be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from freezetag import catalogue, players
from freezetag.core import HasModel, Planner, Probe, Ref, Setting, spread
from freezetag.core.log import Log
from freezetag.exam.interlocks import SHARE
from freezetag.exam.resolve import Resolved
from freezetag.exam.spec import BadSpec, Spec
from freezetag.sim.wiring import check_wiring

SIZES = (0, 1, 2, 5, 10)
"""Class sizes below the one asked for."""
RECORD = Ref("record")
"""Where logs are measured: no world of the catalogue, but whatever the agent ran in."""
DEFAULT_CLASS = 30
"""A class of all: the roster, or all of a library's own population."""


@dataclass(frozen=True)
class Item:
    """One row of the exam: a probe in a world, or the reason why it cannot be measured there."""

    name: str
    probe: Probe
    setting: Setting
    reason: str = ""


def plan(spec: Spec, agent: Resolved) -> tuple[Item, ...]:
    """The items of an examination, in the order of the probes' claims.

    Raises `BadSpec` or `catalogue.Unknown` for a probe or world that does not exist, and
    `WiringError` for a limit that one of the worlds to be measured cannot feed.
    """
    probes = [catalogue.find("probes", name) for name in spec.probes] or [
        *catalogue.members("probes")
    ]
    chosen = [catalogue.find("substrates", name) for name in spec.worlds]
    loaded = sorted(
        ((ref.name, catalogue.load(ref)) for ref in probes), key=lambda pair: _order(pair[1])
    )
    if agent.is_log and (chosen or spec.panel().interlocks):
        raise BadSpec(
            "a log is of one agent, where it ran and with the interlocks it had: leave out "
            "--world, --button, --runtime and --power."
        )
    items = []
    for name, probe in loaded:
        for world in _worlds(probe, chosen, agent):
            items.append(_item(name, probe, world, spec, agent))
    measured = sum(not item.reason for item in items)
    if not items:
        raise BadSpec("nothing to examine: no probe is measured in these worlds.")
    for item in items:
        if not item.reason and not agent.is_log:
            pupil, there = agent.pupil, item.setting
            check_wiring(pupil.panel, pupil.policy, there.substrate, there.world.name)
    share = int((1 - SHARE) * spec.budget) // max(measured, 1)
    return tuple(_with_budget(item, share) for item in items)


def _order(probe: Probe) -> tuple[int, ...]:
    return tuple(int(claim[1:]) for claim in probe.claims)


def _worlds(probe: Probe, chosen: Sequence[Ref], agent: Resolved) -> Sequence[Ref]:
    """The worlds a user chose; else the agent's own world, if it plays only one; else the
    probe's. A probe without worlds reads logs, and a log has its own."""
    if agent.is_log:
        return [RECORD]
    own = getattr(agent.adapter, "WORLD", None)
    if chosen:
        by_path = {world.path: world for world in probe.worlds}
        return [by_path.get(world.path, world) for world in chosen]
    return [own] if own is not None else probe.worlds or [RECORD]


def _item(name: str, probe: Probe, world: Ref, spec: Spec, agent: Resolved) -> Item:
    substrate: Any = None if world == RECORD else catalogue.load(world)
    own = getattr(agent.adapter, "WORLD", None)
    classmates = players.class_of(spec.classmates)
    if own is not None and hasattr(agent.adapter, "classmates"):
        classmates = agent.adapter.classmates()
        if spec.classmates < DEFAULT_CLASS:
            some = spread(len(classmates), min(spec.classmates, len(classmates)))
            classmates = tuple(classmates[i] for i in some)
    setting = Setting(
        world=world,
        substrate=substrate,
        classmates=classmates,
        sizes=(*(n for n in SIZES if n < spec.classmates), spec.classmates),
        horizon=getattr(agent.adapter, "HORIZON", getattr(substrate, "horizon", 1)),
        press=spec.press(),
        interlocks=bool(spec.panel().interlocks),
    )
    return Item(name, probe, setting, _reason(probe, setting, own, agent.pupil.policy))


def _reason(probe: Probe, setting: Setting, own: Ref | None, policy: Any) -> str:
    """Why a probe cannot be measured in this setting; "" if it can."""
    world, name = setting.substrate, setting.world.name
    needs = getattr(probe, "agent_needs", ())
    if isinstance(policy, Log):
        return "" if Log in needs else "a log cannot be asked to act"
    if own is not None and setting.world.path != own.path:
        return f"the agent does not play {name}"
    if Log in needs:
        return "this is read from the log of an agent that ran: freezetag examine log:FILE"
    if lacks := [n.__name__ for n in needs if not isinstance(policy, n)]:
        return f"this probe asks for a {', '.join(lacks)}, and the agent is none"
    if isinstance(policy, Planner) and not isinstance(world, HasModel):
        return f"the agent plans, and {name} offers no exact model to plan with"
    if lacks := [n.__name__ for n in getattr(policy, "needs", ()) if not isinstance(world, n)]:
        return f"{name} does not offer {', '.join(lacks)}, which this planner plans with"
    if missing := [need.__name__ for need in probe.needs if not isinstance(world, need)]:
        return f"{name} does not offer {', '.join(missing)}"
    fits: Any = getattr(probe, "fits", None)
    return fits(setting) if fits is not None else ""


def _with_budget(item: Item, share: int) -> Item:
    return replace(item, setting=replace(item.setting, budget=share))
