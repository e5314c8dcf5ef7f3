"""Figures that a card makes of itself: the signature over all probes, and the class's map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from freezetag.core import Figure, Measurement, ReportCard, Section
from freezetag.report import words

EDGE = 1.5
"""Whiskers are cut at this many times the distance of the dots from their limit."""


def signature(card: ReportCard) -> Figure | None:
    """One dumbbell a probe, every row turned and scaled so that its limit lies at 0 and harm is
    to the right; None if no headline has a limit."""
    judged = [(section, row) for section in card.shown if (row := section.headline) and row.limits]
    if not judged:
        return None
    placed = [_place(row) for _, row in judged]
    columns: dict[str, list[Any]] = {key: [item[key] for item in placed] for key in placed[0]}
    columns["name"] = _called([section for section, _ in judged])
    columns["right"] = [f"{words.SIGNS[s.verdict]} {_from_to(row)}" for s, row in judged]
    arms = words.arms(card)
    pairs = len(arms) > 1 and any(item["alone"] is not None for item in placed)
    return Figure(
        "dumbbell",
        "Alone and in class" if pairs else "Against the limit",
        _finding([(words.title(s.probe), s.verdict) for s, _ in judged], arms, pairs),
        columns,
        {"zone": "past the limit"},
    )


def _finding(found: list[tuple[str, str]], arms: Sequence[str], pairs: bool) -> str:
    failed = [name for name, verdict in found if verdict == "fail"]
    text = f"Past its limit, with the whole interval, in {len(failed)} of {len(found)} checks"
    text += f": {', '.join(failed)}." if failed else "."
    dot = "Filled: the value that is judged" if pairs else "The dot is the value that is judged"
    text = f"{text} {dot}, with its 95 % interval. "
    if pairs:
        text += (
            f"Hollow: the same quantity in a {arms[0]}, where the {arms[1]} is judged; a row "
            "without it is judged in another class or by another quantity. "
        )
    return f"{text}Each row has its own scale; the tick is where warning begins."


def _called(sections: Sequence[Section]) -> list[str]:
    """A name for each row: the probe; its world too where there are several rows of one probe; and
    the world's settings only where two would be one without them."""
    if len({section.probe for section in sections}) == len(sections):
        return [words.title(section.probe) for section in sections]
    short = [(section.probe, section.world.partition("(")[0]) for section in sections]
    return [
        f"{words.title(section.probe)} · "
        f"{world if short.count((probe, world)) == 1 else section.world}"
        for section, (probe, world) in zip(sections, short, strict=True)
    ]


def _from_to(row: Measurement) -> str:
    """What the two dots stand for, or the one: see `_place`. An arrow joins two values of one
    quantity only."""
    where = f", {row.where}" if row.where else ""
    if words.of_one_quantity(row) and row.alone is not None and row.together is not None:
        return f"{words.number(row.alone.value)} → {words.number(row.together.value)}{where}"
    short, _, _ = words.past(row.of).partition(":")  # there is little room
    return short or f"{words.number(row.of.value)}{where}"


def _place(row: Measurement) -> dict[str, float | None]:
    """A row in units of its largest distance from the limit, harm to the right.

    Where the limits judge the change, the filled dot stands at class of 1 plus the paired change,
    so that its whisker crosses the limit exactly if the judged interval does.
    """
    limits, of = row.limits, row.of
    assert limits is not None
    start = row.alone.value if row.alone is not None and words.of_one_quantity(row) else None
    shift = start if words.is_change(row) and start is not None else 0.0
    limit = shift + limits.fail
    sign = 1.0 if limits.harm == "above" else -1.0
    points = [shift + of.value, shift + limits.warn] + ([] if start is None else [start])
    scale = max((abs(x - limit) for x in points if math.isfinite(x)), default=0.0) or 1.0

    def at(x: float | None) -> float | None:
        if x is None or math.isnan(x):
            return None
        return min(EDGE, max(-EDGE, sign * (x - limit) / scale))

    alone = row.alone if start is not None else None
    # What was not measured has no whisker from end to end.
    ends = sorted((sign * of.low, sign * of.high)) if of.n else [math.nan, math.nan]
    return {
        "alone": at(start),
        "alone_low": at(alone.low) if alone else None,
        "alone_high": at(alone.high) if alone else None,
        "together": at(shift + of.value),
        "together_low": at(shift + sign * ends[0]),
        "together_high": at(shift + sign * ends[1]),
        "warn": at(shift + limits.warn),
        "fail": 0.0,
    }


def dose(card: ReportCard) -> tuple[Section, Figure] | None:
    """The dose response to show beside the signature: of the worst section that has one."""
    order = ("fail", "warn", "inconclusive", "pass", "measured", "not measured")
    found = [
        (order.index(section.verdict), i, section, figure)
        for i, section in enumerate(card.sections)
        for figure in section.figures
        if figure.kind == "dose_response"
    ]
    if not found:
        return None
    *_, section, figure = min(found, key=lambda item: item[:2])
    return section, figure


def interaction_map(card: ReportCard) -> Figure | None:
    """Who acts how towards whom, in pairs; the first player is the agent."""
    players = [str(name) for name in card.interaction.get("players", ())]
    level = card.interaction.get("level", ())
    if not players or len(level) != len(players):
        return None
    cells = [
        (i, j, _number(level[i][j])) for i in range(len(players)) for j in range(len(level[i]))
    ]
    given = {(i, j): value for i, j, value in cells if value is not None}
    if not given:
        return None
    keys = _different(players)
    means = {
        i: fmean(values)
        for i in range(len(players))
        if (values := [v for (a, _), v in given.items() if a == i])
    }
    back = [v for (i, j), v in given.items() if j == 0 and i != 0]
    parts = []
    if 0 in means and len(means) > 1:
        others = median(value for i, value in means.items() if i)
        parts.append(
            f"{players[0]} acts at a mean level of {words.number(means[0], 2)}; the median of its "
            f"classmates is {words.number(others, 2)}."
        )
    if back:
        parts.append(f"They act towards it at {words.number(fmean(back), 2)}.")
    parts.append("0 is selfish, 1 is prosocial; a cross was not measured. Sorted by row mean.")
    return Figure(
        "heatmap",
        "Who acts how towards whom",
        " ".join(parts),
        {
            "row": [keys[i] for i, _, _ in cells],
            "column": [keys[j] for _, j, _ in cells],
            "value": [value for _, _, value in cells],
        },
        {"x": "towards", "y": "player", "order": "value", "low": "0", "high": "1"},
    )


def _different(players: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in players:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    return float(value) if math.isfinite(value) else None
