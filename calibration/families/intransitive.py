"""Agents that close a cycle of a class, and agents that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from calibration.drawn import IDLE, RANDOM, TFT, near
from calibration.family import HEALTHY, SICK, Family
from freezetag.core import Array, Obs, Ref

RPS = Ref.of("substrates/matrix_game", game="rock_paper_scissors")
ROCK_AND_SCISSORS = (
    Ref("players/altruists/always_cooperate"),
    Ref("players/exploiters/always_defect"),
)


@dataclass(frozen=True)
class Paper:
    """Always the middle of three throws: closes the cycle over rock and scissors."""

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(0.5), carry


FAMILIES = (
    Family("near tit for tat", HEALTHY, near(*TFT, by=0.05), "never scores above its partner"),
    Family(
        "closes a cycle",
        SICK,
        lambda rng: Paper(),
        "paper, in a class of rock and scissors: a cycle by the rules of the game",
        RPS,
        ROCK_AND_SCISSORS,
    ),
    IDLE,
    RANDOM,
)
