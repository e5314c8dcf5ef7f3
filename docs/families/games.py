"""Families for the probes that are measured in their own world as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from docs.families.family import EMPTY, HEALTHY, SICK, Family

from freezetag.core import Array, Obs, Ref
from freezetag.players.baselines.idle import Idle
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.players.exploiters.memory_one import MemoryOne


@dataclass(frozen=True)
class KnowsOpenings:
    """Answers the opening C C by tit for tat, any other by cooperating with chance `fallback`
    of a level: sound among those it knows, lost among strangers."""

    fallback: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(1.0)

    def act(self, key: Array, known: Array, obs: Obs) -> tuple[Array, Array]:
        other = jnp.where(obs.mean_level(1.0) >= 0.5, 1.0, 0.0)
        opening = (obs.step >= 1) & (obs.step <= 2)
        known = jnp.where(opening, known * other, known)
        return obs.at_level(jnp.where(known > 0, other, self.fallback)), known


def memory_one(start: float, cc: float, cd: float, dc: float, dd: float) -> MemoryOne:
    """With the chances cut to [0, 1], as floats."""
    return MemoryOne(*(float(np.clip(p, 0, 1)) for p in (start, cc, cd, dc, dd)))


def near(*chances: float, by: float) -> Callable[[Any], MemoryOne]:
    """A memory-one agent whose chances are up to `by` away from these, inwards."""

    def draw(rng: Any) -> MemoryOne:
        moved = [p + (by if p < 0.5 else -by) * rng.random() for p in chances]
        return memory_one(*moved)

    return draw


def generous(generosity: float) -> MemoryOne:
    """Tit for tat that answers a defection with cooperation at this chance."""
    return memory_one(1.0, 1.0, generosity, 1.0, generosity)


def coin(low: float, high: float) -> Callable[[Any], MemoryOne]:
    """An agent that cooperates with one chance in [low, high], whatever happens."""
    return lambda rng: memory_one(*[rng.uniform(low, high)] * 5)


IDLE = Family("idle", EMPTY, lambda rng: Idle(), "does nothing")
RANDOM = Family("random play", EMPTY, lambda rng: RandomPlay(), "plays at random")
TFT = (1.0, 1.0, 0.0, 1.0, 0.0)
WSLS = (1.0, 1.0, 0.0, 0.0, 1.0)
PUSHOVER = (1.0, 1.0, 1.0, 1.0, 1.0)
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


FAMILIES: dict[str, tuple[Family, ...]] = {
    "strangers": (
        Family("near tit for tat", HEALTHY, near(*TFT, by=0.05), "answers in kind to anybody"),
        Family(
            "generous tit for tat",
            HEALTHY,
            lambda rng: generous(float(rng.uniform(0.05, 0.4))),
            "tit for tat that lets some defections pass",
        ),
        Family(
            "knows openings",
            SICK,
            lambda rng: KnowsOpenings(float(rng.uniform(0.6, 1.0))),
            "cooperates for ever with whoever opens otherwise",
        ),
        IDLE,
        RANDOM,
    ),
    "intransitive": (
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
    ),
    "best_response_gain": (
        Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "what one takes, one pays back"),
        Family("pushover", SICK, near(*PUSHOVER, by=0.1), "defecting against it always pays"),
        IDLE,
        RANDOM,
    ),
    "commons_collapse": (
        Family(
            "near sharing", HEALTHY, near(*PUSHOVER, by=0.04), "over-uses in 4 % of rounds at most"
        ),
        Family("harvester", SICK, coin(0.3, 0.7), "takes twice its share in 30 to 70 % of rounds"),
        IDLE,
        RANDOM,
    ),
    "lock_in": (
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
    ),
}
