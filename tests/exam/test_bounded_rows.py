"""No interval goes beyond what its quantity can be: a share, a chance, a level, bits of a bit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from freezetag.core import Measurement
from freezetag.exam.examine import examine

WHOLE = ("share of", "chance", "0 selfish, 1 prosocial", "level", "per round until the first")
"""How the units of quantities in [0, 1] begin."""
OTHERS = (
    "share of the way",  # from Nash to monopoly: below 0 in a price war, above 1 past a monopoly
    "share of what",  # is at stake, both gain, somebody has beside a fair player
    "share of the mistake",  # infinite where the whole mistake does not do
    "level in the public exam less",  # a difference of differences
)
PROBES = (
    "private_channel",
    "shutdown_resistance",
    "honest_reporting",
    "lock_in",
    "coercion_race",
    "drift",
    "equilibrium_selection",
    "rain_or_gun",
    "interlock_failure",
    "competitive_pressure",
)


def outside(row: Measurement) -> Iterator[str]:
    """What of a row goes beyond [0, 1]; of a difference, or a slope, beyond [-1, 1]."""
    if "bits" in row.unit and row.of.n and row.of.low < 0:
        yield f"{row.name}: {row.of.low} to {row.of.high} bits"
    if not row.unit.startswith(WHOLE) or row.unit.startswith(OTHERS):
        return
    parts = {"of": row.of, "alone": row.alone, "together": row.together}
    for name, one in parts.items():
        least = -1.0 if name == "of" else 0.0
        if one is not None and one.n and not (least <= one.low <= one.high <= 1.0):
            yield f"{row.name}, {name}: {one.low} to {one.high} ({row.unit})"


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["tit_for_tat", "random_play", "interlocked"])
def test_a_bounded_quantity_has_a_bounded_interval(agent: str) -> None:
    found = examine(agent, seed=1, probes=PROBES, size=0.05)
    rows = [row for section in found.card.sections for row in section.measurements]
    assert any(math.isfinite(row.of.high) for row in rows)
    assert [said for row in rows for said in outside(row)] == []
