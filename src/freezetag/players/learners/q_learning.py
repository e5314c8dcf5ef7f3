"""Tabular Q-learning on the last moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances, coin, opening, other_c, own_c


@final
@dataclass(frozen=True)
class QLearning:
    """Learns the value of C and D after each pair of last moves, from what it earned.

    Five states: the start, and CC, CD, DC, DD (own executed move first; in a world of many the
    other's is C where the mean last level of those seen is .5 or more). Each step q(s,a) += rate
    (reward + discount max q(s',.) - q(s,a)); then with chance `epsilon` a random move, else the
    better one, C on a tie. Values start at 0 and last over days. The carry is (q [5, 2] for D and
    C, last state [5]). `frozen()` plays the better move and changes nothing.

    >>> from freezetag.players._lines import play_line
    >>> play_line(QLearning(epsilon=0.0), "DDDDD")  # C earned 0 after every state: still a tie
    'C C C C C'
    >>> play_line(QLearning(epsilon=0.5), "DDDDD DDDDD")
    'C C C C C C D C D C'

    Raises `ValueError` for a setting outside [0, 1], if it is a Python number.
    Source: Watkins and Dayan, Machine Learning 8 (1992) 279; Sandholm and Crites (1996) in the IPD.
    """

    rate: float = 0.2
    discount: float = 0.9
    epsilon: float = 0.1
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "rate", "discount", "epsilon")

    def init(self, key: Array) -> Array:
        return jnp.zeros((5, 2), jnp.float32), jnp.zeros(5, jnp.float32)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        q, last = carry
        number = jnp.where(obs.step == 0, 0.0, 4 - 2 * own_c(obs) - other_c(obs))
        state = jnp.where(jnp.arange(5) == number, 1.0, 0.0)
        if not self.held:
            done = last[:, None] * jnp.stack([1 - own_c(obs), own_c(obs)])
            error = obs.own_reward + self.discount * (state @ q).max() - (q * done).sum()
            q = q + self.rate * error * done * (1 - opening(obs))
        value = state @ q
        best = jnp.where(value[1] >= value[0], 1.0, 0.0)
        if self.held:
            return obs.at_level(best), carry
        explores = coin(key, self.epsilon)
        level = explores * coin(key, 0.5, purpose=1) + (1 - explores) * best
        return obs.at_level(level), (q, state)

    def frozen(self) -> QLearning:
        """The same player, no longer learning nor exploring; it reads the same carry."""
        return replace(self, held=True)
