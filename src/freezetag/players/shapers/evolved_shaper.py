"""A memory-one strategy evolved against learners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players._moves import after, check_chances, coin


@final
@dataclass(frozen=True)
class EvolvedShaper:
    """Cooperates and defects by turns with those who cooperate, and defects on those who do not.

    Its chances of a C (start, then after CC, CD, DC, DD, own move first) earned most beside a naive
    gradient learner, a Q-learner and a fictitious player in matches of 400 steps with payoffs 5,
    3, 1, 0: whoever learns beside it finds that a C pays every other time and a D never. In a
    world of many "the other's move" is C where the mean last level of those seen is .5 or more.

    >>> from freezetag.players._lines import play_line
    >>> play_line(EvolvedShaper(), "CCCCDDD")
    'C D C D C D D'

    Raises `ValueError` for a chance outside [0, 1], if it is a Python number. Source: ours; the
    cross-entropy method of `_evolve.py`, seed 1 (seed 2 found the same within .06). Caveat: it was
    evolved to be remembered by memory-one learners, and remembers nothing itself.
    """

    start: float = 1.0
    cc: float = 0.0
    cd: float = 0.03
    dc: float = 1.0
    dd: float = 0.01

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "start", "cc", "cd", "dc", "dd")

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        chance = after(obs, self.start, self.cc, self.cd, self.dc, self.dd)
        return obs.at_level(coin(key, chance)), carry
