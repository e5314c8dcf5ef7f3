"""Examine an agent: plan, run, keep, collect. Called by the command line and from Python."""

from __future__ import annotations

import io
import platform
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from freezetag import players
from freezetag.core import (
    Arm,
    Equipped,
    Measurement,
    Panel,
    Record,
    ReportCard,
    Section,
    Setting,
)
from freezetag.core.probe import NOT_MEASURED
from freezetag.exam import collect, interlocks, store
from freezetag.exam.plan import Item, plan
from freezetag.exam.resolve import Resolved, must_load, resolve
from freezetag.exam.run import Runner
from freezetag.exam.spec import QUICK, BadSpec, Spec
from freezetag.report import html, terminal
from freezetag.sim.foreign import AgentFailed
from freezetag.sim.wiring import cannot_bind
from freezetag.sim.workers import Cache


class Progress(Protocol):
    """What an examination tells while it runs; every method may do nothing."""

    def planned(self, spec: Spec, items: Sequence[Item]) -> None: ...
    def started(self, item: Item) -> None: ...
    def arm(self, name: str, arm: Arm) -> None: ...
    def acts(self, number: int) -> None: ...
    def measured(self, section: Section) -> None: ...
    def note(self, text: str) -> None: ...


class Silent:
    """Tells nothing."""

    def planned(self, spec: Spec, items: Sequence[Item]) -> None:
        """Before the first arm."""

    def started(self, item: Item) -> None:
        """Before a probe."""

    def arm(self, name: str, arm: Arm) -> None:
        """Before an arm."""

    def acts(self, number: int) -> None:
        """After so many focal acts more."""

    def measured(self, section: Section) -> None:
        """After a probe."""

    def note(self, text: str) -> None:
        """Something slow is going on, such as the import of a library."""


@dataclass(frozen=True)
class Examined:
    """A finished examination: the card, and the episodes it was read from.

    Printed it is a table; in a notebook it is the report.
    """

    card: ReportCard
    spec: Spec
    records: dict[str, Record] = field(default_factory=dict, repr=False)

    @property
    def verdict(self) -> str:
        """pass, warn, fail or inconclusive."""
        return self.card.verdict

    def __str__(self) -> str:
        text = io.StringIO()
        terminal.print_card(self.card, text, width=100)
        return text.getvalue()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return str(html.embed(self.card))

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write card.json, card.html, episodes.parquet and spec.toml to a new folder.

        Raises `exam.store.FolderTaken` or `CannotWrite`.
        """
        run = store.RunFolder.create(Path(folder), self.card.agent)
        spec = run.write("spec.toml", self.spec.to_toml())
        return {**run.finish(self.card, self.records), "spec.toml": spec}


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
    budget: int = QUICK,
    step_seconds: float = 2.0,
) -> Examined:
    """Send an agent into a class and measure how it goes wrong there.

    `agent` is a player's name, a Python file, `module:object`, `axelrod:NAME`, an object with
    `act(observation)`, a JAX policy, or any of these equipped with interlocks. The other
    arguments are those of `freezetag examine`; `classmates` is a number or `class_of(n)`.
    Without a seed one is drawn, and recorded. Raises `UnknownAgent`, `BadSpec`, `Unknown` and
    `WiringError` before anything runs; an agent that fails is a row of the card.
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
        worlds=tuple(worlds),
        probes=tuple(probes),
        classmates=classmates if isinstance(classmates, int) else len(classmates),
        button=button,
        runtime=getattr(fitted.get("runtime"), "t_max", runtime),
        power=getattr(fitted.get("power"), "u_max", power),
        budget=budget,
        step_seconds=step_seconds,
        roster=f"{players.ROSTER_VERSION} {players.roster_hash()}",
    )
    return run_spec(spec, agent)


def run_spec(
    spec: Spec,
    agent: Any = None,
    folder: store.RunFolder | None = None,
    progress: Progress | None = None,
    before: ReportCard | None = None,
    cache: Cache | None = None,
) -> Examined:
    """Run a spec; keep every section in `folder` as soon as it is measured.

    `before` is the card of an interrupted run of the same spec, `cache` what `must_load` left the
    agent's process in. On Ctrl-C the card of what was measured is returned, marked partial. A
    folder that can no longer be written to is noted, and the examination goes on without it.
    Raises `UnknownAgent` for an agent that cannot be loaded.
    """
    progress = progress or Silent()
    agent = spec.agent if agent is None else agent
    resolved = resolve(agent, spec.panel(), spec.step_seconds)
    fitted = bool(resolved.pupil.panel.interlocks)
    if resolved.is_log:
        spec = replace(spec, classmates=0)  # nobody beside it: a class of 1
    elif not fitted:
        bare = replace(resolved.pupil, panel=interlocks.DEFAULT_PANEL)
        resolved = replace(resolved, pupil=bare)
    items = plan(spec, resolved)
    exam = _Exam(spec, resolved, fitted, folder, progress, before)
    progress.planned(spec, items)
    with Cache(progress.note) if cache is None else nullcontext(cache) as kept:
        must_load(resolved, kept)
        return exam.run(items, kept)


@dataclass
class _Exam:
    spec: Spec
    agent: Resolved
    fitted: bool
    folder: store.RunFolder | None
    progress: Progress
    before: ReportCard | None
    sections: list[Section] = field(default_factory=list)
    interaction: Mapping[str, Any] = field(default_factory=dict)
    rows: list[Measurement] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)

    def run(self, items: Sequence[Item], cache: Cache) -> Examined:
        kept: dict[tuple[str, str], Section] = {}
        if self.before is not None:
            self.interaction = self.before.interaction
            kept = {
                (each.probe, each.world): collect.uncorrected(each)
                for each in self.before.sections
                if not each.error
            }
        self.warnings += getattr(self.agent.pupil.policy, "notes", ())
        if not self.agent.is_log:
            self._warn_of_limits(items)
        partial = False
        runner = Runner(
            self.agent.pupil,
            self.spec.seed,
            self.progress.acts,
            self.progress.arm,
            cache,
        )
        try:
            for item in items:
                done = kept.get((item.name, item.setting.world.name))
                self._keep(done if done is not None else self._section(item, runner))
            if not self.agent.is_log:
                self._interlocks(items, runner)
        except KeyboardInterrupt:
            partial = True
        card = self._card(partial)
        return Examined(card, self.spec, self.records)

    def _section(self, item: Item, runner: Runner) -> Section:
        if item.reason:
            return collect.missing(item, item.reason)
        self.progress.started(item)
        try:
            finding, seen = runner.probe(item.probe, item.setting)
        except AgentFailed as failed:
            pupil = self.agent.pupil
            own = failed.agent in (pupil.name, str(pupil.policy))
            # The row of an agent that failed says already that it did.
            told = str(failed) if own else f"a classmate failed: {failed}"
            return collect.missing(item, told, error=own)
        self.records |= {f"{item.name}/{name}": record for name, record in seen.items()}
        self.interaction = self.interaction or finding.interaction
        return collect.section(item, finding)

    def _warn_of_limits(self, items: Sequence[Item]) -> None:
        """Limits fitted by the user that no episode of a world can reach."""
        for setting in (item.setting for item in items if self.fitted and not item.reason):
            self.warnings += [
                f"{setting.world.name}: {text}"
                for text in cannot_bind(
                    self.agent.pupil.panel,
                    setting.press,
                    setting.horizon,
                    setting.substrate.sensors,
                )
            ]

    def _keep(self, section: Section) -> None:
        self.sections.append(section)
        if self.folder is not None:
            try:
                self.folder.keep(self._card(partial=True))
            except store.CannotWrite as error:
                self.progress.note(
                    f"{error} The examination goes on; its card is shown at the end."
                )
                self.folder = None
        self.progress.measured(section)

    def _interlocks(self, items: Sequence[Item], runner: Runner) -> None:
        """Tax, margin and failures on demand, once per world that was measured."""
        worlds: dict[str, Setting] = {}
        for item, section in zip(items, self.sections, strict=True):
            if section.verdict != NOT_MEASURED:
                worlds.setdefault(item.setting.world.name, item.setting)
        pupil = self.agent.pupil
        for setting in worlds.values():
            seen: dict[str, Record] = {}
            setting = replace(setting, interlocks=self.fitted)
            budget = int(interlocks.SHARE * self.spec.budget) // len(worlds)
            arms = interlocks.design(setting, budget)
            if not arms:
                self.warnings.append(
                    f"interlocks in {setting.world.name}: not measured, the budget is too small"
                )
                continue
            try:
                for name, arm in arms.items():
                    seen[name] = runner.arm(name, arm, seen)
            except AgentFailed as failed:
                self.warnings.append(f"interlocks in {setting.world.name}: {failed}")
                continue
            prepared = pupil.stop_policy is not None
            self.rows += interlocks.measure(setting, seen, pupil.safe_action, prepared)
            self.records |= {f"{setting.world.name}/{n}": record for n, record in seen.items()}

    def _card(self, partial: bool) -> ReportCard:
        panel = self.agent.pupil.panel if self.fitted else Panel()
        took = time.time() - self.begun
        return collect.card(
            self.spec,
            self.agent.pupil.name,
            self.agent.kind,
            panel,
            self.sections,
            self.rows,
            self.interaction,
            self.warnings,
            partial=partial,
            run={
                "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.begun)),
                "seconds": round(took, 1),
                "host": f"{platform.system()} {platform.machine()}",
            },
        )


def resumed(path: Path) -> tuple[Spec, ReportCard | None]:
    """The spec of an interrupted run and the card it kept, if any. Raises `BadSpec`."""
    file = path / "spec.toml"
    if not file.exists():
        raise BadSpec(f"{path} is no run folder: it has no spec.toml.")
    spec = Spec.from_toml(file.read_text(encoding="utf-8"))
    card = store.read_partial(path)
    if card is not None and not card.partial:
        raise BadSpec(f"the run in {path} is complete. Show it with `freezetag card {path}`.")
    return spec, card
