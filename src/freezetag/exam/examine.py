"""Examine an agent from Python."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from freezetag.core import Equipped
from freezetag.exam.exam import Exam
from freezetag.exam.examined import Examined
from freezetag.exam.population import named
from freezetag.exam.progress import Progress
from freezetag.exam.resolve import resolve
from freezetag.exam.spec import QUICK, BadSpec, Spec, roster
from freezetag.exam.store import RunFolder


def examine(
    agent: Any,
    *,
    worlds: Sequence[str] = (),
    probes: Sequence[str] = (),
    classmates: int | Sequence[Any] = 30,
    seed: int | None = None,
    button: str = "",
    runtime: float | None = None,
    power: float | None = None,
    size: float = QUICK,
    step_seconds: float = 2.0,
) -> Examined:
    """Send an agent into a class and measure how it goes wrong there.

    `agent` is a player's name, a Python file, `module:object`, `axelrod:NAME`, an object with
    `act(observation)`, a JAX policy, or any of these equipped with interlocks. The other
    arguments are those of `freezetag examine`; `classmates` is a number, `class_of(n)` or the
    names of all who sit there. Without a seed one is drawn, and recorded. Raises `UnknownAgent`,
    `BadSpec`, `Unknown` and `WiringError` before anything runs; an agent that fails is a row of
    the card.
    """
    fitted: dict[str, Any] = {}
    if isinstance(agent, Equipped):
        if runtime is not None or power is not None:
            raise BadSpec("this agent is equipped already: give its limits to equip() alone.")
        fitted = {interlock.sensor: interlock for interlock in agent.panel.interlocks}
    spec = Spec(
        # An object's name, not its text, which may hold an address that changes from run to run.
        agent=agent if isinstance(agent, str) else resolve(agent).pupil.name,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        worlds=_names("worlds", worlds),
        probes=_names("probes", probes),
        classmates=named(classmates),
        button=button,
        runtime=getattr(fitted.get("runtime"), "t_max", runtime),
        power=getattr(fitted.get("power"), "u_max", power),
        size=size,
        step_seconds=step_seconds,
        roster=roster(),
    )
    return run_spec(spec, agent)


def run_spec(
    spec: Spec,
    agent: Any = None,
    folder: RunFolder | None = None,
    progress: Progress | None = None,
) -> Examined:
    """The examination that a spec describes; see `Exam`."""
    with Exam.of(spec, agent, progress.note if progress is not None else None) as exam:
        return exam.run(folder, progress)


def _names(what: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        raise BadSpec(f"{what} is a list of names, got {given!r}. Write {what}=[{given!r}].")
    return tuple(given)
