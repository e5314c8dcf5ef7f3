"""Two cards of the same examination, row by row: what changed, and by how much.

With per-seed samples in both run folders (`samples.json`: "probe/world/measurement" -> values in
the order of the seeds) the difference is a paired bootstrap over seeds. Without them (a statistic
that is not a mean over seeds has none) it comes from the two intervals alone, whose half-widths add
in quadrature as if the runs were independent: conservative for runs that share their seeds,
because those move together. A note says which. Two cards of equal results differ by exactly 0.
Source: Newcombe 1998 (square-and-add). Caveat: a difference of two verdicts is not a test; read the
interval of the difference. No correction is made for the number of rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from freezetag import players
from freezetag.core import Interval, Measurement, ReportCard, Section, UserError
from freezetag.report import manifest, schema, words
from freezetag.report.stored import StoredInterval

PANEL = ("button", "runtime", "power")
"""Entries of the spec that fit interlocks."""
PAIRED, SQUARED = "paired bootstrap over seeds", "intervals squared and added (independent)"
Samples = Mapping[str, Sequence[float | None]]


class Incomparable(UserError, ValueError):
    """These cards come from different examinations; the message says what differs."""


@dataclass(frozen=True)
class Run:
    """A card, and the per-seed values behind it where the run kept them."""

    card: ReportCard
    samples: Samples
    place: str = ""
    """Where it was read from."""
    altered: str = ""
    """What in its card contradicts its results, or which files of its folder were changed."""
    untold: str = ""
    """That nobody can tell whether they were, of a run of an earlier version."""


@dataclass(frozen=True)
class Difference:
    """One measurement in both runs; `change` is second minus first."""

    probe: str
    world: str
    name: str
    unit: str
    headline: bool
    first: Interval
    second: Interval
    change: Interval
    verdicts: tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common, and what only one of them has."""

    first: ReportCard
    second: ReportCard
    differences: tuple[Difference, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    notes: tuple[str, ...]
    places: tuple[str, str] = ("", "")
    altered: tuple[str, ...] = ()
    """Which of the two runs is not as it was written, and in what."""


def load(source: Path | str) -> Run:
    """A run folder or a `card.json`. Raises as `schema.read_json` does, and `UnreadableCard` for
    samples that cannot be read."""
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    card = schema.read_json(path)
    wrong = schema.altered(path) or manifest.changed(path, card)
    untold = manifest.unlisted(path, card)
    return Run(card, _samples(folder / "samples.json"), str(folder), wrong, untold)


def _samples(file: Path) -> Samples:
    if not file.exists():
        return {}
    again = "Take the file away to compare by the intervals alone, or examine the agent again."
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise schema.UnreadableCard(f"{file} cannot be read: {error.strerror}. {again}") from None
    except ValueError:  # no text, or no JSON
        raise schema.UnreadableCard(f"{file} is damaged: it is not JSON. {again}") from None
    rows = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(row, list) and all(map(_value, row)) for row in rows):
        raise schema.UnreadableCard(f"{file} is damaged: it holds no lists of numbers. {again}")
    return dict(found)


def _value(x: Any) -> bool:
    return x is None or (isinstance(x, int | float) and not isinstance(x, bool))


def compare(
    first: Run,
    second: Run,
    *,
    interlocks: bool = False,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Comparison:
    """Second minus first, for every measurement that both have.

    `interlocks=True` declares that the interlocks are the contrast; else they have to be the
    same. `defaults` are today's: a card of a version that did not have an entry yet counts as
    one that left it at its default. Raises `Incomparable` if the specs differ in anything else
    but the agent's name.
    """
    refuse(first.card, second.card, interlocks, defaults)
    ours, theirs = dict(_rows(first.card)), dict(_rows(second.card))
    same = schema.results_hash(first.card) == schema.results_hash(second.card)
    differences = tuple(
        _difference(key, ours[key], theirs[key], first.samples, second.samples, same)
        for key in ours
        if key in theirs and ours[key][1].unit == theirs[key][1].unit
    )
    both = {(d.probe, d.world, d.name) for d in differences}
    return Comparison(
        first.card,
        second.card,
        differences,
        tuple(" / ".join(key) for key in ours if key not in both),
        tuple(" / ".join(key) for key in theirs if key not in both),
        (
            *_notes(first.card, second.card),
            *_unpaired(differences),
            *dict.fromkeys(run.untold for run in (first, second) if run.untold),
        ),
        (first.place, second.place),
        tuple(
            f"the {which} run, {run.place}, is not as it was written: {run.altered}"
            for which, run in (("first", first), ("second", second))
            if run.altered
        ),
    )


def _unpaired(differences: Sequence[Difference]) -> Iterator[str]:
    """Which headlines are compared without pairs."""
    squares = [d for d in differences if d.change.method == SQUARED]
    if squares:
        heads = ", ".join(dict.fromkeys(d.probe for d in squares if d.headline))
        yield (
            f"{len(squares)} of {len(differences)} differences come from the two intervals alone, "
            "as if the runs were independent, which is conservative: no values per seed were kept"
            + (f" (headlines: {heads})." if heads else ".")
        )


def refuse(
    first: ReportCard,
    second: ReportCard,
    interlocks: bool = False,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Raise `Incomparable` unless both cards answer the same exam."""
    free = {"agent", *(PANEL if interlocks else ())}
    specs = [{**defaults, **card.spec} for card in (first, second)]
    missing = object()
    apart = [
        f"{key} ({_said(specs[0], key)} and {_said(specs[1], key)})"
        for key in dict.fromkeys((*specs[0], *specs[1]))
        if key not in free
        and _plain(specs[0].get(key, missing)) != _plain(specs[1].get(key, missing))
    ]
    if not interlocks and first.interlocks != second.interlocks and not apart:
        apart = [f"interlocks ({list(first.interlocks)} and {list(second.interlocks)})"]
    if not apart:
        return
    only_panel = all(item.split(" ")[0] in (*PANEL, "interlocks") for item in apart)
    advice = (
        "If the interlocks are what you compare, say so with --interlocks."
        if only_panel
        else "Examine one of the agents again with the spec of the other run (--spec spec.toml)."
    )
    advice = f"{_reseated(*(spec.get('roster', '') for spec in specs))}{advice}"
    raise Incomparable(f"these cards differ in {', '.join(apart)}. {advice}")


def _said(spec: Mapping[str, Any], key: str) -> str:
    return words.plain(repr(spec[key])) if key in spec else "absent"


def _reseated(first: Any, second: Any) -> str:
    """In a sentence who sits on one roster and not on the other, where both are known here."""
    versions = [str(stamp).partition(" ")[0] for stamp in (first, second)]
    if versions[0] == versions[1] or not {*versions} <= {*players.VERSIONS}:
        return ""
    pairs = ", ".join(
        f"{other.family}/{other.name} for {one.name}" for one, other in players.reseated(*versions)
    )
    return f"Roster {versions[1]} seats {pairs} of {versions[0]}. "


def _plain(value: Any) -> Any:
    """A value by its content: a card that was read has tuples where one in memory has lists."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _rows(card: ReportCard) -> Iterator[tuple[tuple[str, str, str], tuple[Section, Measurement]]]:
    for section in card.sections:
        for row in section.measurements:
            yield (section.probe, section.world, row.name), (section, row)


def _difference(
    key: tuple[str, str, str],
    first: tuple[Section, Measurement],
    second: tuple[Section, Measurement],
    ours: Samples,
    theirs: Samples,
    same: bool,
) -> Difference:
    row, other = first[1], second[1]
    name = "/".join(key)
    change: Interval
    if same and row.of.n and math.isfinite(row.of.value):
        nothing = (0.0, 0.0, 0.0, row.of.n, "deterministic", row.of.level, "the same results")
        change = StoredInterval(*nothing)
    elif shared := _seeds(len(ours.get(name, ())), len(theirs.get(name, ()))):
        certain = row.of.method == other.of.method == "deterministic"
        change = paired(ours[name][:shared], theirs[name][:shared], deterministic=certain)
        if not math.isfinite(change.high - change.low):  # equal differences have no width
            change = squared(row.of, other.of)
    else:
        change = squared(row.of, other.of)
    verdicts = (words.verdict(first[0], row), words.verdict(second[0], other))
    return Difference(*key, row.unit, row.headline, row.of, other.of, change, verdicts)


def _seeds(first: int, second: int) -> int:
    """How many seeds two runs share, 0 if that cannot be said: all of them, or the blocks of the
    shorter one, where the other went on for more blocks of that length."""
    short, long = sorted((first, second))
    return short if short and long % short == 0 else 0


def paired(
    first: Sequence[float | None], second: Sequence[float | None], *, deterministic: bool = False
) -> Interval:
    """Second minus first by seed, with the bootstrap's interval; unequal lengths are refused.

    `deterministic`: both are known to have no chance in them (see `estimate.unanimous`).
    """
    from freezetag.estimators import bootstrap

    if len(first) != len(second):
        raise Incomparable(
            f"paired samples need the same seeds, got {len(first)} and {len(second)} values. "
            "Examine again with the same spec and seed."
        )
    found = bootstrap.mean(
        [math.nan if a is None or b is None else b - a for a, b in zip(first, second, strict=True)],
        deterministic=deterministic,
    )
    kept = StoredInterval.of(found)
    return found if kept.method == "deterministic" else found.noted(PAIRED)


def squared(first: Interval, second: Interval) -> StoredInterval:
    """Second minus first from two intervals: value, and half-widths in quadrature.

    low = d - sqrt((b - b_low)^2 + (a_high - a)^2), high = d + sqrt((b_high - b)^2 + (a - a_low)^2).
    Raises `Incomparable` for intervals of different level.
    """
    if first.level != second.level:
        raise Incomparable(
            f"intervals at {first.level:g} and {second.level:g} cannot be subtracted."
        )
    n = min(first.n, second.n)
    d = second.value - first.value
    if n == 0 or not math.isfinite(d):
        past = n and not (math.isnan(first.value) or math.isnan(second.value))
        why = "no difference: past all that was watched" if past else "not measured in both runs"
        return StoredInterval(math.nan, -math.inf, math.inf, 0, "none", first.level, why)
    low = d - math.hypot(second.value - second.low, first.high - first.value)
    high = d + math.hypot(second.high - second.value, first.value - first.low)
    method = "deterministic" if low == high else SQUARED
    return StoredInterval(d, low, high, n, method, first.level)


def _notes(first: ReportCard, second: ReportCard) -> Iterator[str]:
    for name in dict.fromkeys((*first.versions, *second.versions)):
        old, new = first.versions.get(name, "absent"), second.versions.get(name, "absent")
        if old != new:
            yield f"{name} {old} and {new}: small differences may come from the version."
    for card, which in ((first, "first"), (second, "second")):
        if card.partial:
            yield f"the {which} run was interrupted: its card is partial."
    if first.interlocks != second.interlocks:
        fitted = [", ".join(card.interlocks) or "none" for card in (first, second)]
        yield f"interlocks: {fitted[0]} in the first run, {fitted[1]} in the second."


def stored(interval: Interval) -> dict[str, Any]:
    """An interval as plain data."""
    model = schema.IntervalModel.model_validate(StoredInterval.of(interval))
    return model.model_dump(mode="json")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "first": {"agent": comparison.first.agent, "hash": schema.results_hash(comparison.first)},
        "second": {
            "agent": comparison.second.agent,
            "hash": schema.results_hash(comparison.second),
        },
        "differences": [
            {
                "probe": d.probe,
                "world": d.world,
                "name": d.name,
                "unit": d.unit,
                "headline": d.headline,
                "first": stored(d.first),
                "second": stored(d.second),
                "change": stored(d.change),
                "verdicts": list(d.verdicts),
            }
            for d in comparison.differences
        ],
        "only_first": list(comparison.only_first),
        "only_second": list(comparison.only_second),
        "notes": list(comparison.notes),
        "altered": list(comparison.altered),
    }
