"""One examination: resolved and planned once, run, kept section by section, collected."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from freezetag import players
from freezetag.catalogue import source
from freezetag.core import Finding, Panel, Record, ReportCard, Section, Setting, Speaks, StopButton
from freezetag.core.probe import label
from freezetag.exam import answers, asked, calls, collect, comprehension, store
from freezetag.exam.examined import Examined
from freezetag.exam.files import unchanged
from freezetag.exam.parquet import CannotWrite
from freezetag.exam.plan import Item, must_rest, plan
from freezetag.exam.population import must_sit, population
from freezetag.exam.progress import Progress, Silent
from freezetag.exam.recorded_exam import MissingArms, RecordedExam
from freezetag.exam.resolve import Resolved, must_answer, must_load, resolve
from freezetag.exam.run import Runner, most_threads
from freezetag.exam.spec import Spec, roster, version_of
from freezetag.sim.foreign import OUTSIDE, AgentFailed
from freezetag.sim.identity import version
from freezetag.sim.outside.source import WorldFailed
from freezetag.sim.wiring import cannot_bind
from freezetag.sim.workers import Cache

DEFAULT_PANEL = Panel((StopButton(),))
"""What an agent without interlocks is examined under, where they are examined."""
UNSCREENED = "whether it understands the rules was not asked (--no-comprehension)"
RESUMED = "measured before the run was resumed, by other sources of freezetag than it names: {}"
_SCREENS = 500  # parts of screens are numbered from here on


class _Folder:
    """A folder for what is kept no longer than an exam, made when it is asked for."""

    def __init__(self) -> None:
        self._made: tempfile.TemporaryDirectory[str] | None = None

    @property
    def name(self) -> str:
        self._made = self._made or tempfile.TemporaryDirectory(prefix="freezetag-")
        return self._made.name

    def close(self) -> None:
        if self._made is not None:
            self._made.cleanup()
            self._made = None


@dataclass
class Exam:
    """What is asked of whom. Made by `of`, which finds all that can be wrong with the request; a
    context manager, since it holds the process that a foreign agent lives in."""

    spec: Spec
    agent: Resolved
    fitted: bool
    """Whether the user gave the agent interlocks."""
    items: tuple[Item, ...]
    cache: Cache = field(default_factory=Cache)
    shared: bool = False
    """Whether `cache` is somebody else's, who closes it."""
    threads: int = 0
    """Threads that arms run on; 0 for one per core."""
    _own: Any = field(default_factory=_Folder)
    cap: int | None = None
    """Calls at most, where a run that goes on has more than it was planned with."""
    drawn: bool | None = None
    """Whether the seed was drawn, or whoever asked chose it; None where nobody knows any more."""

    @classmethod
    def of(
        cls,
        spec: Spec,
        agent: Any = None,
        note: Any = None,
        cache: Cache | None = None,
        threads: int = 0,
        cap: int | None = None,
    ) -> Exam:
        """Resolve, plan and load. `agent` is the object that the spec names, if it is one; `note`
        is called with a line of text while something slow goes on. `cache` is that of several
        exams, which stays open.

        Raises `UnknownAgent`, `BadSpec`, `catalogue.Unknown` and `WiringError`.
        """
        version()  # of what is loaded: somebody may edit a clone while the exam runs
        unchanged(spec)
        found = resolve(spec.agent if agent is None else agent, spec.panel(), spec.step_seconds)
        fitted = bool(found.pupil.panel.interlocks)
        if found.is_log:
            # Nobody beside it, a class of 1; but of an exam, the class that it was.
            spec = replace(spec, classmates=getattr(found.pupil.policy, "classmates", 0))
        elif not fitted:
            found = replace(found, pupil=replace(found.pupil, panel=DEFAULT_PANEL))
        shared = cache is not None
        kept = Cache(note) if cache is None else cache
        items = calls.within(plan(spec, found), spec, found.adapter)
        exam = cls(spec, found, fitted, items, kept, shared, threads, cap=cap)
        if fitted:
            must_rest(exam.items)
        try:
            exam.price()  # finds what is wrong with a budget
            must_load(found, exam.cache)
            must_answer(found, calls.folder_of_calls())
            if not isinstance(spec.classmates, int):
                must_sit(population(spec.classmates), exam.cache)
        except BaseException:
            exam.close()
            raise
        exam.cache.note = None  # it was said that its library is slow; every process of it would
        return exam

    def __enter__(self) -> Exam:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that foreign agents live in, unless others share them."""
        if not self.shared:
            self.cache.close()
        self._own.close()

    @property
    def reads(self) -> bool:
        """The agent is told its worlds in words."""
        return Speaks in self.agent.adapter.needs

    def pays_for(self, folder: store.RunFolder | None) -> None:
        """Tell the agent's processes, before they are next asked, where its calls are kept and what
        they may cost."""
        agent = self.agent
        told = calls.settings(
            self.spec,
            self.cap,
            None if folder is None else folder.path,
            self._scheme,
            agent.adapter,
            self._own,
        )
        self.cache.told = told

    @property
    def _scheme(self) -> str:
        return str(getattr(self.agent.pupil.policy, "scheme", ""))

    @property
    def _name(self) -> str:
        return str(getattr(self.agent.pupil.policy, "name", ""))

    def price(self) -> list[str]:
        """What the exam may cost and could show, in lines, before the first call; nothing for an
        agent that is not paid by the call."""
        of = calls.estimate(self.items, self.spec, self.agent.adapter, self._name)
        return [] if of is None else [f"{of}", *calls.power(self.items)]

    def cost(self) -> dict[str, Any]:
        """What the exam has cost so far."""
        return calls.account(self.cache.told, self._scheme, self.agent.adapter, self._name)

    def run(
        self, folder: store.RunFolder | None = None, progress: Progress | None = None
    ) -> Examined:
        """Measure what `folder` has not kept yet, and keep it there as soon as it is measured.

        On Ctrl-C the card of what was measured is returned, marked partial. A folder that can no
        longer be written to is noted, and the examination goes on without it.
        """
        return _Run(self, folder, progress or Silent()).all()


@dataclass
class _Run:
    """An exam while it runs."""

    exam: Exam
    folder: store.RunFolder | None
    progress: Progress
    sections: list[Section] = field(default_factory=list)
    interaction: Mapping[str, Any] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)
    understood: dict[str, str] = field(default_factory=dict)
    """world -> why it cannot be said that the agent understands its rules; "" where it can."""
    other_sources: list[str] = field(default_factory=list)
    """Sections that an earlier process measured, with other sources of this package."""
    gone: str = ""
    """Why nothing more can be asked of the agent, which is not its fault."""

    def all(self) -> Examined:
        exam, partial = self.exam, False
        exam.pays_for(self.folder)
        kept = {(k.section.probe, k.section.world): k for k in self._kept() if not k.section.error}
        self.progress.planned(exam.spec, exam.items)
        for line in exam.price():
            self.progress.note(line)
        runner = Runner(
            exam.agent.pupil,
            exam.spec.seed,
            self.progress.acts,
            lambda key, arm: self.progress.arm(arm.label or label(key), arm),
            exam.cache,
            threads=exam.threads or most_threads(),
            ahead=[]
            if exam.agent.is_log
            else [
                (item.probe, item.setting)
                for item in exam.items
                if not item.reason and (item.name, item.setting.world.name) not in kept
            ],
        )
        try:
            with runner:
                for number, item in enumerate(exam.items):
                    before = kept.get((item.name, item.setting.world.name))
                    if not item.reason:
                        self._screen(number, item, kept, before is None)
                    if before is None:
                        self._measure(number, item, runner)
                    else:
                        self.interaction = self.interaction or before.interaction
                        if before.sources != version():
                            self.other_sources.append(f"{item.name} in {item.setting.world.name}")
                        self._add(before.section)
        except KeyboardInterrupt:
            partial = True
        partial = partial or bool(self.gone)
        return Examined(self._card(partial), exam.spec, self.records, self.settings)

    def _kept(self) -> tuple[store.Kept, ...]:
        if self.folder is None:
            return ()
        kept = self.folder.kept()
        if not kept:
            self._write(lambda folder: folder.write(store.SPEC, self.exam.spec.to_toml()))
        return kept

    def _measure(self, number: int, item: Item, runner: Runner) -> None:
        if item.reason:
            self._add(collect.missing(item, item.reason))
            return
        if self.gone:
            self._add(collect.missing(item, self.gone, broken_off=True))
            return
        if why := self.understood.get(item.setting.world.name):
            self._add(collect.missing(item, why))
            return
        self.progress.started(item)
        try:
            finding, seen = self._found(item, runner)
        except MissingArms as missing:
            why = f"the log does not hold all arms that it asks for: {missing}"
            self._add(collect.missing(item, why))
            return
        except AgentFailed as failed:
            pupil = self.exam.agent.pupil
            if failed.field == OUTSIDE:
                self.gone = str(failed)
                self._add(collect.missing(item, self.gone, broken_off=True))
                return
            own = failed.agent in (pupil.name, str(pupil.policy))
            if own and (why := self._unplayed(item, failed)):
                self._add(collect.missing(item, why))
                return
            # The row of an agent that failed says already that it did.
            said = str(failed) if own else f"a classmate failed: {failed}"
            self._add(collect.missing(item, said, error=own, broken_off=not own))
            return
        except WorldFailed as failed:
            self._add(collect.missing(item, str(failed), broken_off=True))
            return
        finding, why = answers.added(finding, seen)
        section = answers.inconclusive(collect.section(item, finding, seen), why)
        where = f"{item.name}/{item.setting.world.name}"
        mine = {f"{where}/{label(key)}": record for key, record in seen.items()}
        self.records |= mine
        self.interaction = self.interaction or finding.interaction
        self.settings[where] = item.setting
        self._write(
            lambda folder: folder.keep(number, section, mine, finding.interaction, item.setting)
        )
        self._add(section)

    def _found(self, item: Item, runner: Runner) -> tuple[Finding, dict[Any, Record]]:
        """What a probe finds in arms that are run, or were. Raises as these do."""
        policy = self.exam.agent.pupil.policy
        if isinstance(policy, RecordedExam):
            return policy.scored(item.name, item.probe, item.setting)
        try:
            return runner.probe(item.probe, item.setting)
        except (AgentFailed, WorldFailed):
            raise
        except Exception as error:  # of an agent in JAX, which is part of our own program
            if said := source.blamed(error, {type(policy).__module__}):
                raise AgentFailed(
                    said, agent=self.exam.agent.pupil.name, field="exception"
                ) from error
            raise

    def _unplayed(self, item: Item, failed: AgentFailed) -> str:
        """Why it is no failure that an agent which answers with one number cannot play a world
        that takes several, in which nobody asked for it to be examined; "" if it is one."""
        parts = len(item.setting.substrate.action_sizes)
        one = failed.field == "action" and failed.value.lstrip("-").isdecimal()
        if self.exam.spec.worlds or parts == 1 or not one:
            return ""
        world = item.setting.world.name
        return (
            f"the agent answers with one number, and {world} takes {parts}: obs['legal'] has them"
        )

    def _screen(self, number: int, item: Item, kept: Mapping[Any, Any], ask: bool) -> None:
        """Before the first item of a world: whether the agent understands its rules, if it reads
        them; `ask` it, unless it was asked before."""
        exam, world = self.exam, item.setting.world.name
        if world in self.understood or self.gone or not exam.reads:
            return
        before = kept.get((comprehension.NAME, world))
        if before is None and not ask:
            return
        self.understood[world] = ""
        if not exam.spec.comprehension:
            return
        if before is not None:
            section = before.section
        else:
            try:
                section = comprehension.screen(
                    item, exam.agent.pupil.policy, exam.cache, exam.spec.seed
                )
            except AgentFailed as failed:
                if failed.field == OUTSIDE:
                    self.gone = str(failed)
                else:
                    self.understood[world] = str(failed)
                return
            self._write(lambda folder: folder.keep(_SCREENS + number, section))
        self.understood[world] = section.reason
        self._add(section)

    def _add(self, section: Section) -> None:
        self.sections.append(section)
        self.progress.measured(section)

    def _write(self, what: Any) -> None:
        """Write to the folder, if there is one; from the first failure on there is none."""
        if self.folder is None:
            return
        try:
            what(self.folder)
        except CannotWrite as error:
            self.progress.note(f"{error} The examination goes on; its card is shown at the end.")
            self.folder = None

    def _card(self, partial: bool) -> ReportCard:
        exam = self.exam
        return collect.card(
            exam.spec,
            exam.agent.pupil.name,
            exam.agent.kind,
            exam.agent.pupil.panel if exam.fitted else Panel(),
            self.sections,
            self.interaction,
            (
                *getattr(exam.agent.pupil.policy, "notes", ()),
                *asked.notes(exam.items, exam.spec),
                *_older_roster(exam),
                *_unbound(exam),
                *([RESUMED.format(", ".join(self.other_sources))] if self.other_sources else ()),
                *((UNSCREENED,) if exam.reads and not exam.spec.comprehension else ()),
            ),
            partial=partial,
            not_asked=asked.left_out(exam.items),
            own=asked.own(exam.items, exam.spec),
            run={
                **exam.cost(),
                "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.begun)),
                "seconds": round(time.time() - self.begun, 1),
                "host": f"{platform.system()} {platform.machine()}",
                **({} if exam.drawn is None else {"seed drawn": exam.drawn}),
            },
        )


def _older_roster(exam: Exam) -> tuple[str, ...]:
    """That the class is another one than a card has where nobody asks for a roster."""
    spec = exam.spec
    if exam.agent.is_log or not isinstance(spec.classmates, int) or not spec.classmates:
        return ()
    if (version := version_of(spec.roster)) == (today := version_of(roster())):
        return ()
    if not any({*item.setting.classmates} & {*players.roster(version)} for item in exam.items):
        return ()  # an adapter's agents have classmates of their own
    return (f"the class is of roster {version}; today's is {today}",)


def _unbound(exam: Exam) -> tuple[str, ...]:
    """Limits fitted by the user that no episode of a world can reach."""
    if not exam.fitted or exam.agent.is_log:
        return ()
    return tuple(
        f"{there.world.name}: {text}"
        for there in (item.setting for item in exam.items if not item.reason)
        for text in cannot_bind(
            exam.agent.pupil.panel, there.press, there.horizon, there.substrate.sensors
        )
    )
