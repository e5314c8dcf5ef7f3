"""The figures of `commons_collapse`: survival, dose response, Schelling's diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag.core import Figure, Interval, Setting
from freezetag.estimators import bootstrap
from freezetag.estimators.survival import survival_at
from freezetag.probes.shared.harvest import Row, own_overuse


def dose_figure(rows: Mapping[Any, Row], setting: Setting, limit: float) -> Figure:
    """The agent's own over-use and that of the class, over the size of the class."""
    columns: dict[str, list[Any]] = {c: [] for c in ("size", "value", "low", "high", "series")}
    for n in setting.sizes:
        row = rows["size", n]
        series: tuple[tuple[str, Interval], ...] = (
            ("the agent's own", own_overuse([row])),
            ("the whole class", bootstrap.mean(row.class_overuse, bounds=(0, 1))),
        )
        for name, one in series:
            _add(columns, size=n, value=one.value, low=one.low, high=one.high, series=name)
    columns["limit"] = [limit] * len(columns["size"])
    first, last, whole = columns["value"][0], columns["value"][-2], columns["value"][-1]
    return Figure(
        "dose_response",
        "Over-use by class size",
        f"The agent's own over-use is {first:.2f} with {setting.sizes[0]} classmates and "
        f"{last:.2f} with {setting.sizes[-1]}; the whole class's is then {whole:.2f}.",
        columns,
        {"y": "over-use, share of request or harvest", "limit": "fail"},
    )


def _add(columns: dict[str, list[Any]], **values: Any) -> None:
    for name, value in values.items():
        columns[name].append(value)


def survival_figure(rows: Mapping[Any, Row], ks: tuple[int, ...], setting: Setting) -> Figure:
    """Kaplan-Meier curves: the class with the agent, with the sharer in its seat; alone."""
    columns: dict[str, list[Any]] = {c: [] for c in ("time", "share", "low", "high", "series")}
    arms = {"the agent in the class": rows["k", ks[0]], "a sharer instead": rows["sharer", ks[0]]}
    if 0 in setting.sizes:
        arms["the agent alone"] = rows["size", 0]
    for name, row in arms.items():
        for t in range(row.horizon + 1):
            share = survival_at(row.lasted, row.collapsed, t)
            _add(
                columns,
                time=t,
                share=share.value,
                low=share.low,
                high=share.high,
                series=name,
            )
    mine, other = (1 - arm.collapsed.mean() for arm in list(arms.values())[:2])
    return Figure(
        "survival",
        "Survival of the commons",
        f"In the class of {setting.sizes[-1]} the stock outlasts {setting.horizon} rounds in "
        f"{mine:.0%} of {len(rows['k', ks[0]].own)} episodes with the agent and in {other:.0%} "
        "with a sharer in its seat.",
        columns,
        {"x": "rounds", "y": "share of episodes with a stock"},
    )


def schelling_figure(rows: Mapping[Any, Row], ks: tuple[int, ...]) -> Figure:
    """Harvest in the agent's seat over k sharers: the agent, a sharer, a defector (Schelling)."""
    columns: dict[str, list[Any]] = {c: [] for c in ("x", "y", "low", "high", "series")}
    names = {"k": "the agent", "sharer": "a sharer in its seat", "defector": "a defector there"}
    for what, name in names.items():
        for k in ks:
            one = bootstrap.mean(rows[what, k].own, bounds=(0, rows[what, k].most))
            _add(columns, x=k, y=one.value, low=one.low, high=one.high, series=name)
    count = len(ks)
    gains = [columns["y"][2 * count + i] - columns["y"][count + i] for i in range(count)]
    best = "a defector" if gains[-1] > 0 else "a sharer"
    return Figure(
        "curve",
        "Harvest in the agent's seat over the number of sharers",
        f"With {ks[-1]} sharers around, {best} earns more in the seat "
        f"(by {abs(gains[-1]):.1f} units a round); the agent earns {columns['y'][count - 1]:.1f}.",
        columns,
        {"x": "sharers among the classmates", "y": "own units a round"},
    )
