"""Agents x checks, pooled over seeds without making up a verdict of its own.

The seeds of a cell of the table are independent exams of one agent. Shown are

- how many seeds came to which verdict, and the **worst** of them. Each verdict is one card's, with
  that card's correction for many headlines. Over many seeds the worst of a healthy agent drifts
  down: at 5 % a card, 14 % of healthy agents fail in one of 3 seeds, 23 % in one of 5. So the
  counts are what should be read;
- the value and 95 % interval of the **median seed**: one exam's, as its card has it, and no
  narrower for there being several. Of two in the middle the one nearer to harm is taken. The range
  of the seeds' values stands beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from freezetag.core import Interval, Measurement, Section
from freezetag.core.probe import FAIL, INCONCLUSIVE, MEASURED, NOT_MEASURED, PASS, WARN
from freezetag.report import words
from freezetag.sweep.cell import Outcome
from freezetag.sweep.results import FAILED

ORDER = (FAILED, "agent failed", FAIL, WARN, INCONCLUSIVE, PASS, MEASURED, NOT_MEASURED)
"""Verdicts, the worst first."""


@dataclass(frozen=True)
class Check:
    """A column: a probe in a world, with what its headline measures in the first card that has
    one."""

    probe: str
    world: str
    row: Measurement | None = None

    @property
    def sign(self) -> int:
        """1 if more is worse, -1 if less is; 0 where no limit says."""
        if self.row is None or self.row.limits is None:
            return 0
        return 1 if self.row.limits.harm == "above" else -1


@dataclass(frozen=True)
class Seen:
    """A check in one cell: its section and the section's place on the card, if there is one."""

    outcome: Outcome
    section: Section | None = None
    place: int | None = None

    @property
    def verdict(self) -> str:
        if self.outcome.card is None:
            return FAILED
        if self.section is None:
            return NOT_MEASURED
        if not self.section.measurements:
            return words.unmeasured(self.section)
        return self.section.verdict

    @property
    def of(self) -> Interval | None:
        """The headline's interval; None where there is no number."""
        row = self.section.headline if self.section is not None else None
        return row.of if row is not None and row.of.n and row.of.value == row.of.value else None


@dataclass(frozen=True)
class Entry:
    """An agent at a check: one `Seen` a seed."""

    check: Check
    seen: tuple[Seen, ...]

    @cached_property
    def counts(self) -> dict[str, int]:
        """verdict -> seeds, the worst first."""
        return counted([seen.verdict for seen in self.seen])

    @property
    def worst(self) -> str:
        return next(iter(self.counts))

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The seeds' values, ordered from harmless to harmful (or upwards)."""
        sign = self.check.sign or 1
        return tuple(sorted((s.of.value for s in self.seen if s.of), key=lambda v: sign * v))

    @cached_property
    def median(self) -> Interval | None:
        """The interval of the median seed; of two in the middle the one nearer to harm, of equal
        values the one whose interval reaches nearer to it."""
        if not self.values:
            return None
        middle = self.values[len(self.values) // 2]
        alike = [s.of for s in self.seen if s.of and s.of.value == middle]
        return max(alike, key=lambda of: -of.low if self.check.sign < 0 else of.high)

    @property
    def badness(self) -> tuple[float, float]:
        """What to sort by, the worst first: the worst verdict, then the median's value."""
        value = self.median.value if self.median else float("-inf")
        return ORDER.index(self.worst), -(self.check.sign or 1) * value


@dataclass(frozen=True)
class Line:
    """An agent: its cards, and its entries in the order of the table's checks."""

    agent: str
    outcomes: tuple[Outcome, ...]
    entries: tuple[Entry, ...]

    @cached_property
    def counts(self) -> dict[str, int]:
        """The cards' verdicts -> seeds, the worst first."""
        return counted([o.card.verdict if o.card else FAILED for o in self.outcomes])

    @property
    def worst(self) -> str:
        return next(iter(self.counts))

    @property
    def badness(self) -> tuple[float, ...]:
        """What to sort by, the worst first: the worst verdict, then how many checks came to it."""
        worst = [sum(entry.counts.get(verdict, 0) for entry in self.entries) for verdict in ORDER]
        return (ORDER.index(self.worst), *(-float(count) for count in worst))


@dataclass(frozen=True)
class Table:
    """The whole sweep."""

    checks: tuple[Check, ...]
    lines: tuple[Line, ...]
    unmeasured: tuple[tuple[str, tuple[str, ...]], ...]
    """(reason, "probe (world)" of the checks that no agent was measured at for it)."""


def counted(verdicts: Sequence[str]) -> dict[str, int]:
    """verdict -> how many, the worst first."""
    found = Counter(verdicts)
    return {verdict: found[verdict] for verdict in ORDER if found[verdict]}


def pooled(outcomes: Sequence[Outcome]) -> Table:
    """The table of these cells; agents, seeds and checks in the order in which they come."""
    columns: dict[tuple[str, str], Measurement | None] = {}
    measured: dict[tuple[str, str], None] = {}
    reasons: dict[str, dict[tuple[str, str], None]] = {}
    for outcome in outcomes:
        for section in outcome.card.sections if outcome.card else ():
            key = (section.probe, section.world)
            columns[key] = columns.get(key) or section.headline
            if section.measurements or section.error or section.broken_off:
                measured[key] = None
            else:
                reasons.setdefault(section.reason, {})[key] = None
    checks = tuple(Check(*key, row) for key, row in columns.items() if key in measured)
    # What is judged leads, as on a card.
    checks = tuple(sorted(checks, key=lambda check: check.sign == 0))
    agents: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        agents.setdefault(outcome.cell.spec.agent, []).append(outcome)
    lines = tuple(_line(agent, tuple(those), checks) for agent, those in agents.items())
    left = {
        reason: tuple(f"{words.title(p)} ({w})" for p, w in keys if (p, w) not in measured)
        for reason, keys in reasons.items()
    }
    return Table(checks, lines, tuple((reason, those) for reason, those in left.items() if those))


def _line(agent: str, outcomes: tuple[Outcome, ...], checks: Sequence[Check]) -> Line:
    entries = tuple(Entry(check, tuple(_seen(o, check) for o in outcomes)) for check in checks)
    return Line(agent, outcomes, entries)


def _seen(outcome: Outcome, check: Check) -> Seen:
    card = outcome.card
    if card is None:
        return Seen(outcome)
    for section in card.sections:
        if (section.probe, section.world) == (check.probe, check.world):
            place = next((i for i, each in enumerate(card.shown) if each is section), None)
            return Seen(outcome, section, place)
    return Seen(outcome)
