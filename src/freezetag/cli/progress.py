"""How an examination looks while it runs: bars in a terminal, one line per stage in a pipe.

All of it goes to standard error; standard output is for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from freezetag.core import Arm, Section
from freezetag.core.probe import FAIL
from freezetag.exam import calls
from freezetag.exam.plan import Item, budget
from freezetag.exam.progress import Progress, Silent
from freezetag.exam.resolve import adapter_of
from freezetag.exam.spec import Spec
from freezetag.report.words import plain, unmeasured


def cost_line(spec: Spec, items: Sequence[Item]) -> str:
    """What is about to happen, in one line."""
    measured = [item for item in items if not item.reason]
    worlds = {item.setting.world.name for item in measured}
    probes = {item.name for item in measured}
    # A world of few seats has a smaller class than was asked for, a learner one of its own.
    most = max((len(item.setting.classmates) for item in measured), default=spec.number)
    most = min(most, spec.number) if isinstance(spec.classmates, int) else most
    beside = {0: "", 1: ", 1 classmate"}.get(most, f", class of {most}")
    acts = budget(items)
    who = f"class of 1{beside}" if acts else "nobody acts"
    paid = calls.budget(spec, adapter_of(spec.agent)) or 0
    return (
        f"{plain(spec.agent)}   {who}   "
        f"{_count(probes, 'probe')} in {_count(worlds, 'world')}   "
        f"at most {acts:,} acts   "
        f"LLM calls {f'at most {paid:,}' if paid else 0}   Ctrl-C keeps results"
    )


def _count(found: set[str], what: str) -> str:
    return f"1 {what}" if len(found) == 1 else f"{len(found)} {what}s"


class Lines(Silent):
    """One line per stage; what is not even begun is told at the end, all in one line."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.stages: set[tuple[str, str]] = set()

    def planned(self, spec: Spec, items: Sequence[Item]) -> None:
        self._say(cost_line(spec, items))

    def started(self, item: Item) -> None:
        self.stages.add((item.name, item.setting.world.name))

    def measured(self, section: Section) -> None:
        took = time.monotonic() - self.begun
        begun = (section.probe, section.world) in self.stages
        if not begun and section.verdict == "not measured":
            return
        verdict = unmeasured(section) if section.error else section.verdict
        if verdict == FAIL:
            # The card corrects it for the number of its checks, once all are measured.
            verdict = "fail, taken alone"
        self._say(f"{took:6.1f} s  {section.probe}, {section.world}: {verdict}")

    def note(self, text: str) -> None:
        self._say(plain(text))

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bars(Silent):
    """One bar per probe, and one for all acts, with honest totals: a probe ends when it ends."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars
        self.task: Any = None
        self.label = ""

    def planned(self, spec: Spec, items: Sequence[Item]) -> None:
        self.bars.console.print(cost_line(spec, items), highlight=False, markup=False)
        measured = sum(not item.reason for item in items)
        self.all = self.bars.add_task("exam", total=measured, arm="")

    def started(self, item: Item) -> None:
        self.label = f"{item.name}, {item.setting.world.name}"
        self.task = self.bars.add_task(self.label, total=item.setting.budget, arm="")

    def arm(self, name: str, arm: Arm) -> None:
        if self.task is not None:
            self.bars.update(self.task, arm=plain(name))

    def acts(self, number: int) -> None:
        if self.task is not None:
            self.bars.advance(self.task, number)

    def note(self, text: str) -> None:
        self.bars.console.print(plain(text), highlight=False, markup=False)

    def measured(self, section: Section) -> None:
        if self.task is not None:
            done = self.bars.tasks[self.task].completed
            self.bars.update(self.task, total=max(done, 1), completed=max(done, 1), arm="measured")
            self.bars.advance(self.all)
            self.task = None


@contextmanager
def reporter() -> Iterator[Progress]:
    """Bars if standard error is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Rich

    columns = (
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[arm]}", markup=False),
    )
    with Rich(*columns, console=Console(stderr=True), transient=True) as bars:
        yield Bars(bars)
