"""Agents that can be exploited, and agents that pay back."""

from __future__ import annotations

from calibration.drawn import IDLE, PUSHOVER, RANDOM, TFT, near
from calibration.family import HEALTHY, SICK, Family

FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "what one takes, one pays back"),
    Family("pushover", SICK, near(*PUSHOVER, by=0.1), "defecting against it always pays"),
    IDLE,
    RANDOM,
)
