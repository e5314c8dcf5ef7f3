"""From findings to a card: sections, the correction for many headlines, the reproduction block."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from itertools import chain
from typing import Any

from freezetag import catalogue
from freezetag.core import ABSENT, Finding, Measurement, Panel, Record, ReportCard, Section
from freezetag.core.probe import FAIL, INCONCLUSIVE, MEASURED, WARN
from freezetag.estimators.holm import holm
from freezetag.exam.asked import changed_limits
from freezetag.exam.plan import Item
from freezetag.exam.run import LOG
from freezetag.exam.spec import Spec
from freezetag.sim.identity import version

SOURCES = "freezetag sources"
"""Among a card's versions: a hash of the sources of this package that examined and judged. The
package's version names a release, and what judges changes between two of them."""
ALPHA = 0.05
"""Chance that any failed headline of a card is a false alarm, at most (Holm 1979)."""


def section(item: Item, finding: Finding, seen: Mapping[Any, Record]) -> Section:
    """The section of a probe that was measured in the arms that it saw."""
    headline = next((row for row in finding.measurements if row.headline), None)
    open_end = p_fail = None
    if headline is not None and headline.limits is not None:
        open_end = headline.verdict == WARN and headline.limits.reaches_fail(headline.of)
        p_fail = headline.limits.p_fail(headline.of)
    return replace(
        _empty(item),
        measurements=_said(finding.measurements, changed_limits(item.probe)),
        figures=finding.figures,
        verdict=headline.verdict if headline is not None else MEASURED,
        reason="past the warning; it may fail too, more seeds would tell" if open_end else "",
        p_fail=p_fail,
        classmates=_met(seen, len(item.setting.classmates)),
        panel=_panel(seen),
    )


def _panel(seen: Mapping[Any, Record]) -> str:
    """In which of its arms the agent's interlocks were connected: a probe of what it does by itself
    asks for arms without them."""
    if LOG in seen or not seen:
        return ""
    connected = {record.arm.equipped for record in seen.values()}
    if len(connected) > 1:
        return "with and without interlocks"
    return "with interlocks" if connected.pop() else "without interlocks"


def fitted(sections: Sequence[Section], interlocks: Sequence[Any]) -> tuple[Section, ...]:
    """The sections; of an agent that came without interlocks none says whether they were
    connected."""
    return tuple(section if interlocks else replace(section, panel="") for section in sections)


def _said(rows: tuple[Measurement, ...], changed: str) -> tuple[Measurement, ...]:
    """The rows; where whoever asked changed the limits, with that in place of the probe's reason,
    which is of other numbers."""
    headline = next((row for row in rows if row.headline), None)
    if not changed or headline is None or headline.limits is None:
        return rows
    numbers = (headline.limits.warn, headline.limits.fail)
    return tuple(
        replace(
            row,
            limits=replace(row.limits, reason=f"limits changed by whoever asked: {changed}"),
        )
        if row.limits is not None and (row.limits.warn, row.limits.fail) == numbers
        else row
        for row in rows
    )


def _met(seen: Mapping[Any, Record], classmates: int) -> int | None:
    """How many of its `classmates` the agent met in one arm at most, at once, or in pairs one after
    the other; others that a probe made up are none. None for a log, which says nothing of them."""
    if LOG in seen:
        return None
    found = []
    for record in seen.values():
        rows = [[who for who in row if who != ABSENT] for row in record.arm.scenario.seating]
        at_once = max(map(len, rows))
        people = len({*chain(*rows)}) if at_once == 2 else at_once
        found.append(min(people, 1 + max(1, classmates)))
    return max(found, default=1) - 1


def missing(item: Item, reason: str, *, error: bool = False, broken_off: bool = False) -> Section:
    """The section of a probe that was not measured, and why."""
    return replace(_empty(item), reason=reason, error=error, broken_off=broken_off)


def _empty(item: Item) -> Section:
    probe = item.probe
    return Section(
        probe=item.name,
        world=item.setting.world.name,
        asks=probe.asks,
        source=probe.source,
        caveat=probe.caveat,
        theme=probe.theme,
    )


def corrected(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections whose failures hold together: Holm over the p-values of the headlines; those of
    freezetag among themselves, and those of the user's making among themselves. Otherwise trivial
    checks of one's own would let no failure stand."""
    judged = [i for i, each in enumerate(sections) if each.p_fail is not None]
    families = ([i for i in judged if _altered(sections[i]) == theirs] for theirs in (False, True))
    found = list(sections)
    for family in families:
        _correct(found, family)
    return tuple(found)


def _altered(section: Section) -> bool:
    """Its probe or world is the user's own, or its probe has settings of the user's."""
    return section.own or "(" in section.probe


def _correct(found: list[Section], judged: Sequence[int]) -> None:
    """Those of `found` at these places, by Holm."""
    for i, p in zip(judged, holm([found[i].p_fail for i in judged]), strict=True):
        if found[i].verdict == FAIL and p > ALPHA:
            alone = found[i].p_fail or 0.0
            reason = (
                f"would fail alone (p = {alone:.2g}), but not among {len(judged)} headlines "
                f"(Holm: p = {p:.2g})"
            )
            if alone > ALPHA:
                reason = f"beyond the limit, but on too few units to say so (p = {alone:.2g})"
            found[i] = replace(found[i], verdict=INCONCLUSIVE, reason=reason)


def card(
    spec: Spec,
    agent: str,
    kind: str,
    panel: Panel,
    sections: Sequence[Section],
    interaction: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    partial: bool = False,
    run: Mapping[str, Any] | None = None,
    not_asked: Sequence[str] = (),
    own: Sequence[str] = (),
) -> ReportCard:
    """The report card; `not_asked` are the probes of this release that were left out, `own` the
    members that are none of freezetag's."""
    return ReportCard(
        agent=agent,
        agent_kind=kind,
        sections=corrected(fitted(sections, panel.interlocks)),
        spec=asdict(spec),
        versions=versions(),
        interlocks=tuple(map(str, panel.interlocks)),
        interaction=interaction or {},
        warnings=tuple(dict.fromkeys(warnings)),
        partial=partial,
        run=run or {},
        probes=len(catalogue.members("probes")) if not_asked else 0,
        not_asked=tuple(not_asked),
        own=tuple(own),
    )


def versions() -> dict[str, str]:
    """What the numbers may depend on."""
    import jax  # loaded by now; `compare` and `card` read stored cards without it

    found = {name: metadata.version(name) for name in ("freezetag", "jax", "numpy", "scipy")}
    found["python"], found["device"] = platform.python_version(), jax.default_backend()
    return {**found, SOURCES: version()[:16]}
