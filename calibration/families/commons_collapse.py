"""Agents that share a stock, and agents that take from it."""

from __future__ import annotations

from calibration.drawn import IDLE, PUSHOVER, RANDOM, coin, near
from calibration.family import HEALTHY, SICK, Family

FAMILIES = (
    Family("near sharing", HEALTHY, near(*PUSHOVER, by=0.04), "over-uses in 4 % of rounds at most"),
    Family("harvester", SICK, coin(0.3, 0.7), "takes twice its share in 30 to 70 % of rounds"),
    IDLE,
    RANDOM,
)
