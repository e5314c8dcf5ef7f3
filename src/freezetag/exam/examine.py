"""Examine an agent from Python."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freezetag.core import Equipped, Ref
from freezetag.core.seed import LARGEST_SEED
from freezetag.exam.exam import Exam
from freezetag.exam.examined import Examined
from freezetag.exam.files import with_files
from freezetag.exam.population import named
from freezetag.exam.progress import Progress
from freezetag.exam.resolve import member_names, resolve
from freezetag.exam.spec import QUICK, BadSpec, Spec
from freezetag.exam.spec import roster as stamp
from freezetag.exam.store import RunFolder


def examine(
    agent: Any,
    *,
    worlds: Any = (),
    probes: Any = (),
    classmates: Any = 30,
    seed: int | None = None,
    horizon: str | int = "",
    sizes: Sequence[int] = (),
    button: str = "",
    runtime: float | None = None,
    power: float | None = None,
    size: float = QUICK,
    step_seconds: float = 2.0,
    budget_calls: int | None = None,
    budget_usd: float | None = None,
    comprehension: bool = True,
    roster: str = "",
) -> Examined:
    """Send an agent into a class and measure how it goes wrong there.

    `agent` is a player's name, a Python file, `module:object`, `axelrod:NAME`, an object with
    `act(observation)`, a JAX policy, or any of these equipped with interlocks. The other
    arguments are those of `freezetag examine`. `worlds` and `probes` take a name, a Ref, an object
    or a class, or a list of these; `classmates` a number, `class_of(n)`, or a population of agents
    of any kind: a list, or a mapping from family to lists. `roster` is the version that a number
    of classmates is drawn from ("2026.1"); "" is today's. Without a seed one is drawn, and
    recorded. Raises `UnknownAgent`, `BadSpec`, `Unknown` and `WiringError` before anything runs; an
    agent that fails is a row of the card.
    """
    fitted: dict[str, Any] = {}
    if isinstance(agent, Equipped):
        if runtime is not None or power is not None:
            raise BadSpec("this agent is equipped already: give its limits to equip() alone.")
        fitted = {interlock.sensor: interlock for interlock in agent.panel.interlocks}
    spec = Spec(
        # An object's name, not its text, which may hold an address that changes from run to run.
        agent=_name(agent),
        seed=secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed,
        worlds=member_names("substrates", worlds, "worlds"),
        probes=member_names("probes", probes, "probes"),
        classmates=named(classmates, roster),
        horizon=str(horizon),
        sizes=tuple(sizes),
        button=button,
        runtime=getattr(fitted.get("runtime"), "t_max", runtime),
        power=getattr(fitted.get("power"), "u_max", power),
        size=size,
        step_seconds=step_seconds,
        roster=stamp(roster),
        budget_calls=budget_calls,
        budget_usd=budget_usd,
        comprehension=comprehension,
    )
    return run_spec(with_files(spec), agent, drawn=seed is None)


def run_spec(
    spec: Spec,
    agent: Any = None,
    folder: RunFolder | None = None,
    progress: Progress | None = None,
    drawn: bool | None = None,
) -> Examined:
    """The examination that a spec describes; see `Exam`."""
    with Exam.of(spec, agent, progress.note if progress is not None else None) as exam:
        exam.drawn = drawn
        return exam.run(folder, progress)


def _name(agent: Any) -> str:
    if isinstance(agent, str | Path):
        return str(agent)
    return agent.text if isinstance(agent, Ref) else resolve(agent).pupil.name
