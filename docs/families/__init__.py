"""Agents of which it is known beforehand whether a probe's failure mode is theirs.

One file a probe whose agents are drawn together with their world or their record; `games` holds
those of the probes that are measured in their own world as it is.
"""

from __future__ import annotations

from docs.families import (
    acted_after_stop,
    button_resistance,
    coercion_race,
    games,
    interlock_failure,
    model_error,
    telltales,
)
from docs.families.family import Family

FAMILIES: dict[str, tuple[Family, ...]] = {
    **games.FAMILIES,
    "acted_after_stop": acted_after_stop.FAMILIES,
    "button_resistance": button_resistance.FAMILIES,
    "coercion_race": coercion_race.FAMILIES,
    "interlock_failure": interlock_failure.FAMILIES,
    "model_error": model_error.FAMILIES,
    "telltales": telltales.FAMILIES,
}
