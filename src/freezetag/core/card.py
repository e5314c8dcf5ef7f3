"""The report card as data. How it looks is `report`'s matter, how it came about `exam`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from freezetag.core.probe import (
    FAIL,
    INCONCLUSIVE,
    MEASURED,
    NOT_MEASURED,
    PASS,
    WARN,
    Figure,
    Measurement,
)

SCHEMA_VERSION = 2
"""Rises when a reader of older cards could be misled. Readers refuse newer ones, saying so."""


def is_own(name: str) -> bool:
    """Whether a probe, world or classmate of this name comes from a file, a module or another
    package, and is none of freezetag's."""
    head = name.partition("(")[0]
    return ":" in head or head.endswith(".py")


@dataclass(frozen=True)
class Section:
    """One probe in one world: what it asks, what it found, or why it was not measured."""

    probe: str
    world: str
    asks: str
    source: str
    caveat: str
    measurements: tuple[Measurement, ...] = ()
    figures: tuple[Figure, ...] = ()
    verdict: str = NOT_MEASURED
    reason: str = ""
    p_fail: float | None = None
    error: bool = False
    """The agent failed here (raised, hung, acted illegally): `reason` says where."""
    broken_off: bool = False
    """It had begun, and a classmate or the world failed: nothing is known of the agent here."""
    theme: str = ""
    """The worry it belongs to, as the probe says."""
    classmates: int | None = None
    """How many classmates it met at most, in one arm: fewer than the exam has where the world has
    fewer seats. None where nobody played (a log), and on cards that did not say it yet."""

    panel: str = ""
    """Of an agent with interlocks, whether they were connected here: "with interlocks", "without
    interlocks", "with and without interlocks". "" of one without, of a log, and on cards that did
    not say it yet."""

    @property
    def headline(self) -> Measurement | None:
        return next((row for row in self.measurements if row.headline), None)

    @property
    def own(self) -> bool:
        """Its probe or its world is none of freezetag's: what it says, its author says."""
        return is_own(self.probe) or is_own(self.world)

    @property
    def judged(self) -> bool:
        """A limit was put to it, whatever came out."""
        return self.verdict in (PASS, WARN, FAIL, INCONCLUSIVE)

    @property
    def nothing_found(self) -> bool:
        """A search that looked for harm and found none: that it is nowhere was not shown, so it
        does not pass; nor is there anything that more seeds would decide."""
        row = self.headline
        if self.verdict != INCONCLUSIVE or row is None or row.limits is None or not row.bound:
            return False
        return row.limits.verdict(row.of) == PASS


@dataclass(frozen=True)
class ReportCard:
    """All that an examination found. `spec` reproduces it; `run` says when, where, how long.

    `sections` are in the order of the exam; `interaction` is the class's map: "players", their
    names, and "level", mean level [i][j] of player i towards player j in pairs (None where not
    measured). `partial` says that the run was interrupted.
    """

    agent: str
    agent_kind: str
    sections: tuple[Section, ...]
    spec: Mapping[str, Any]
    versions: Mapping[str, str]
    interlocks: tuple[str, ...] = ()
    interaction: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    partial: bool = False
    run: Mapping[str, Any] = field(default_factory=dict)
    probes: int = 0
    """How many probes the release had that examined; 0 where all were asked, and on cards that did
    not say it yet."""
    not_asked: tuple[str, ...] = ()
    """Those of them that were not put to the agent, because others were named."""
    own: tuple[str, ...] = ()
    """Probes, worlds and classmates that are none of freezetag's ("probe my_probe.py"); () on cards
    that did not say it yet."""

    @property
    def verdict(self) -> str:
        """The worst of the sections; a card on which nothing passed or failed is inconclusive, and
        so is one on which a section was broken off. An agent that failed to run anywhere fails. A
        search that found nothing is left out: it can fail an agent and never pass it."""
        reached = [
            FAIL if section.error else INCONCLUSIVE if section.broken_off else section.verdict
            for section in self.sections
            if not section.nothing_found
        ]
        for worst in (FAIL, WARN, INCONCLUSIVE):
            if worst in reached:
                return worst
        if PASS in reached and not self.partial:
            return PASS
        return INCONCLUSIVE

    @property
    def judged(self) -> tuple[Section, ...]:
        """Sections with a verdict, in the order of the exam."""
        return tuple(section for section in self.sections if section.judged)

    @property
    def measured(self) -> tuple[Section, ...]:
        """Sections that were measured and that no limit judges."""
        return tuple(section for section in self.sections if section.verdict == MEASURED)

    @property
    def themes(self) -> Mapping[str, tuple[Section, ...]]:
        """Theme -> its sections that were judged, then those measured without a limit. Themes are
        in the order of the exam; what has none comes last."""
        there = [section.theme for section in self.sections if section.verdict != NOT_MEASURED]
        return {
            theme: tuple(
                section for section in (*self.judged, *self.measured) if section.theme == theme
            )
            for theme in sorted(dict.fromkeys(there), key=lambda theme: not theme)
        }

    @property
    def shown(self) -> tuple[Section, ...]:
        """Sections in which something was measured, in the order in which a card shows them."""
        return tuple(section for sections in self.themes.values() for section in sections)

    @property
    def unmeasured(self) -> Mapping[str, tuple[Section, ...]]:
        """Reason -> the sections that were not measured for it; agents that failed come first."""
        missing = [section for section in self.sections if section.verdict == NOT_MEASURED]
        missing.sort(key=lambda section: not section.error)
        return {
            reason: tuple(section for section in missing if section.reason == reason)
            for reason in dict.fromkeys(section.reason for section in missing)
        }

    @property
    def classmates(self) -> int:
        """How many there were beside the agent, in the whole class."""
        given = self.spec.get("classmates", 30)
        return given if isinstance(given, int) else len(given)

    @property
    def in_arms(self) -> bool:
        """Whether anything on it was played in an arm, of one or of many; a log was not."""
        rows = [row for section in self.sections for row in section.measurements]
        return not rows or any(row.alone or row.together for row in rows)

    @property
    def whole_class(self) -> str:
        """What the second arm is called; a class of 1 has the agent alone in it. Where checks were
        of different classes no number holds for all of its rows."""
        met = {
            section.classmates
            for section in self.sections
            if section.classmates and any(row.together for row in section.measurements)
        }
        if len(met) > 1:
            return "whole class"
        number = met.pop() if met else self.classmates
        return {0: "class of 1", 1: "1 classmate"}.get(number, f"class of {number}")

    @property
    def _among(self) -> str:
        """Among whom the checks were judged, as a sentence goes on: a check may have been judged
        in a smaller class than the largest that it met."""
        met = [section.classmates for section in self.judged if section.classmates is not None]
        if not met and not self.in_arms:
            return ""
        if not met:
            return " with 1 classmate" if self.classmates == 1 else f" in a {self.whole_class}"
        if not max(met):
            return " in a class of 1"
        return f" with up to {max(met)} {'classmate' if max(met) == 1 else 'classmates'}"

    @property
    def sentence(self) -> str:
        """The verdict in plain words, with what was not shown."""
        count = {
            verdict: sum(section.verdict == verdict for section in self.sections)
            for verdict in (PASS, WARN, FAIL, INCONCLUSIVE, MEASURED, NOT_MEASURED)
        }
        judged = self.judged
        errors = sum(section.error for section in self.sections)
        if not judged and errors:
            checks = "its only check" if errors == 1 else f"all of its {errors} checks"
            return f"{self.agent}: the agent itself failed in {checks}."
        if not judged and count[MEASURED]:
            if count[MEASURED] == 1:
                return f"{self.agent}: 1 check measured; it has no limit."
            return f"{self.agent}: {count[MEASURED]} checks measured; none of them has a limit."
        if not judged:
            return "Nothing could be judged: see what was not measured, and why."
        words = [f"passes {count[PASS]} of {len(judged)} checks{self._among}"]
        if count[FAIL]:
            words.append(f"fails {count[FAIL]}")
        if count[WARN]:
            words.append(f"warns on {count[WARN]}")
        searched = [section for section in judged if section.nothing_found]
        open_ones = [
            section
            for section in judged
            if section.verdict == INCONCLUSIVE and not section.nothing_found
        ]
        if open_ones:
            words.append(f"leaves {len(open_ones)} undecided")
        sentence = ", ".join(words)
        mark = bool(self.own)  # a card from before it was marked keeps its sentence
        if open_ones:
            sentence += f"; not shown to be safe or harmful: {_named(open_ones, mark)}"
        if searched:
            sentence += (
                f"; searched without finding harm, which is not a pass: {_named(searched, mark)}"
            )
        broken_off = sum(section.broken_off for section in self.sections)
        if broken_off:
            sentence += f"; {broken_off} broken off"
        if left_out := count[NOT_MEASURED] - errors - broken_off:
            sentence += f"; {left_out} not measured"
        if errors:
            sentence += f"; the agent itself failed in {errors}"
        if self.own and (mine := [section for section in judged if section.own]):
            checks = "check" if len(mine) == 1 else "checks"
            sentence += f"; {len(mine)} {checks} of the user's own: {_named(mine, mark)}"
        if any(one.startswith("classmate ") for one in self.own):
            sentence += "; among classmates of the user's own"
        if self.not_asked:
            sentence += f"; {self.probes - len(self.not_asked)} of {self.probes} probes were asked"
        if self.partial:
            sentence += "; the run was interrupted, so this card is partial"
        return f"{self.agent}: {sentence}."


def _named(sections: Sequence[Section], mark: bool) -> str:
    """The probes of sections, as people read them; with a `mark` on those of the user's own."""
    names = (
        section.probe.removesuffix(".py").replace("_", " ")
        + (" (own probe)" if mark and is_own(section.probe) else "")
        for section in sections
    )
    return ", ".join(dict.fromkeys(names))
