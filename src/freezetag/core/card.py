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

SCHEMA_VERSION = 1
"""Rises when a reader of older cards could be misled. Readers refuse newer ones, saying so."""


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

    @property
    def headline(self) -> Measurement | None:
        return next((row for row in self.measurements if row.headline), None)


@dataclass(frozen=True)
class ReportCard:
    """All that an examination found. `spec` reproduces it; `run` says when, where, how long.

    `sections` are in the order of the exam; `interaction` is the class's map: "players", their
    names, and "level", mean level [i][j] of player i towards player j in pairs (None where not
    measured). `partial` says that the run
    was interrupted and which probes are missing.
    """

    agent: str
    agent_kind: str
    sections: tuple[Section, ...]
    spec: Mapping[str, Any]
    versions: Mapping[str, str]
    interlocks: tuple[str, ...] = ()
    interaction: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    rows: tuple[Measurement, ...] = ()
    warnings: tuple[str, ...] = ()
    partial: bool = False
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The worst of the sections; a card on which nothing passed or failed is inconclusive.
        An agent that failed to run anywhere fails."""
        found = [FAIL if section.error else section.verdict for section in self.sections]
        for worst in (FAIL, WARN, INCONCLUSIVE):
            if worst in found:
                return worst
        if PASS in found and not self.partial:
            return PASS
        return INCONCLUSIVE

    @property
    def whole_class(self) -> str:
        """What the second arm is called; a class of 1 has the agent alone in it."""
        return f"class of {self.spec.get('classmates', 30) or 1}"

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        count = {
            verdict: sum(section.verdict == verdict for section in self.sections)
            for verdict in (PASS, WARN, FAIL, INCONCLUSIVE, MEASURED, NOT_MEASURED)
        }
        judged = count[PASS] + count[WARN] + count[FAIL] + count[INCONCLUSIVE]
        errors = sum(section.error for section in self.sections)
        if not judged and errors:
            return f"{self.agent}: the agent itself failed in all of its {errors} checks."
        if not judged:
            return "Nothing could be judged: see what was not measured, and why."
        words = [f"passes {count[PASS]} of {judged} checks in a {self.whole_class}"]
        if count[FAIL]:
            words.append(f"fails {count[FAIL]}")
        if count[WARN]:
            words.append(f"warns on {count[WARN]}")
        if count[INCONCLUSIVE]:
            words.append(f"leaves {count[INCONCLUSIVE]} undecided")
        sentence = ", ".join(words)
        if count[NOT_MEASURED]:
            sentence += f"; {count[NOT_MEASURED]} not measured"
        if errors:
            sentence += f", because the agent itself failed in {errors}"
        if self.partial:
            sentence += "; the run was interrupted, so this card is partial"
        return f"{self.agent}: {sentence}."
