"""Figures of `strangers`: one dot per co-player, the kappa curve, and class sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from freezetag.core import Figure, spread
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate
from freezetag.estimators.robustness import KAPPAS
from freezetag.probes.shared.pairs import finite
from freezetag.probes.shared.tilt import worst_mix, worst_mix_estimate
from freezetag.probes.strangers.returns import QUICK, Returns, guaranteed, rational_ones

SIZES = (2, 5, 10, 30)


def strip(data: Returns) -> Figure:
    choose, _ = data.halves()
    families = sorted(set(data.families))
    means = {f: choose[:, [g == f for g in data.families]].mean() for f in families}
    worst = min(families, key=lambda f: means[f])
    several = len(families) > 1
    ends = [bootstrap.mean(x, bounds=data.range) for x in data.live.T]
    finding = f"Lowest against {', '.join(data.worst_names())}"
    if several:
        finding += f"; the ringed family, {worst}, is the worst to hold out"
    reference = float(data.tape.mean()) if data.tape is not None else float(data.live.mean())
    return Figure(
        "strip",
        "Return against each co-player",
        finding + ".",
        {
            "name": data.names,
            "value": data.mean.tolist(),
            "low": [finite(e.low) for e in ends],
            "high": [finite(e.high) for e in ends],
            "family": data.families,
            "held_out": [several and f == worst for f in data.families],
            "reference": [reference] * len(data.names),
        },
        {
            "x": data.unit,
            "reference": "mean against tapes" if data.tape is not None else "mean",
        },
    )


def kappa_figure(data: Returns, judged: float) -> Figure:
    keep = rational_ones(data)
    series: dict[str, list[Any]] = {k: [] for k in ("x", "y", "low", "high", "series")}

    def add(name: str, x: float, of: Estimate) -> None:
        for key, value in zip(
            series, (x, of.value, finite(of.low), finite(of.high), name), strict=True
        ):
            series[key].append(value)

    for kappa, sure in zip(KAPPAS, guaranteed(data), strict=True):
        add("plain", kappa, data.plain[kappa])
        for name, table in (
            ("rational co-players", data.live[:, keep]),
            ("random play", data.bottom),
        ):
            ends = data.range if len(table) > 1 else None  # one row is known, and has no width
            add(name, kappa, worst_mix_estimate(table, kappa, bounds=ends, resamples=QUICK))
        add("guaranteed at least", kappa, replace(sure, value=sure.low, high=sure.low))
    here, there = worst_mix(data.mean, 0.0), worst_mix(data.mean, judged)
    finding = (
        f"The mean return of {float(here):.4g} falls to {float(there):.4g} in the worst mix "
        f"within {judged:g} nats of this class."
    )
    labels = {"x": "kappa (nats)", "y": f"V(kappa), {data.unit}", "series": "co-players"}
    return Figure("curve", "How low the return may fall", finding, series, labels)


def sizes(data: Returns, judged: float) -> Figure:
    total = len(data.names)
    sizes = [n for n in SIZES if n < total] + [total]
    values = [
        worst_mix_estimate(data.live[:, list(spread(total, n))], judged, resamples=QUICK)
        for n in sizes
    ]
    finding = (
        f"V({judged:g}) is {values[0].value:.4g} over {sizes[0]} co-players "
        f"and {values[-1].value:.4g} over {sizes[-1]}."
    )
    return Figure(
        "dose_response",
        "Does a larger class still bring news?",
        finding,
        {
            "size": sizes,
            "value": [v.value for v in values],
            "low": [finite(v.low) for v in values],
            "high": [finite(v.high) for v in values],
        },
        {"x": "co-players met", "y": f"V({judged:g}), {data.unit}"},
    )
