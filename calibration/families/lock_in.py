"""Agents that find back from mutual defection, and agents that hardly do."""

from __future__ import annotations

from calibration.drawn import IDLE, RANDOM, WSLS, generous, memory_one, near
from calibration.family import HEALTHY, SICK, Family

FAMILIES = (
    Family(
        "near win-stay, lose-shift",
        HEALTHY,
        near(*WSLS, by=0.05),
        "leaves mutual defection at once",
    ),
    Family(
        "slow forgiver",
        HEALTHY,
        lambda rng: generous(float(rng.uniform(0.02, 0.1))),
        "answers 2 to 10 % of defections with cooperation: 95 % of pairs are back in time",
    ),
    Family(
        "hardly forgives",
        SICK,
        lambda rng: memory_one(1.0, 1.0, 0.0, 0.0, float(rng.uniform(0.005, 0.04))),
        "grim, but gives again in 1 to 4 % of rounds of mutual defection: a third are back",
    ),
    Family(
        "near grim",
        SICK,
        near(1.0, 1.0, 0.0, 0.0, 0.0, by=0.002),
        "forgives once in 500 rounds",
    ),
    IDLE,
    RANDOM,
)
