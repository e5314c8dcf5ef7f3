"""A seller that learns prices by a table: what each is worth after each pair of last prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import jax.numpy as jnp

from freezetag.core import Array, Obs
from freezetag.players._moves import check_chances, opening, uniform


class _Carry(NamedTuple):
    """q [K, K, K] by own last price, the others' last price and the price to ask; state [2] int32
    the pair of the last step, age [] int32 steps in all."""

    q: Array
    state: Array
    age: Array


@final
@dataclass(frozen=True)
class QPricing:
    """Q-learning over K = `prices` prices, with the own and the others' last price as state.

    In step t of its life it explores with chance exp(-beta t), evenly over all K; else it asks the
    best, the cheapest of equals. Then q(s,a) += alpha (profit + delta max q(s',.) - q(s,a)). The
    first state of an episode is drawn evenly; table and age last over days. Where a world lists
    another number of prices, K of them are taken, evenly; the others' price is the listed one
    nearest to their mean; who does not sell counts as the cheapest. In a world without prices,
    price k stands for the level 1 - k/(K - 1).

    `start` is what each of the K prices is taken to earn in a step, before anything was learned:
    q begins at it over 1 - delta; () stands for nothing. With two sellers the paper's own start is
    `tuple(Market().pair_profits()[0].mean(1))`. `frozen()` asks the best and changes nothing. Not
    on the roster: a term is too short for it, some two million steps.

    >>> from freezetag.players._lines import play_line
    >>> play_line(QPricing(prices=2, beta=0.5), "DDDD DDDD")
    'C C C C D C D C'

    Raises `ValueError` for alpha or delta outside [0, 1], less than two prices, a `start` of
    another length or a beta that is not above 0.
    Source: Calvano et al. 2020, whose numbers the defaults are; `estimators/q_pair.py` plays two of
    them to the end.
    """

    prices: int = 15
    alpha: float = 0.15
    beta: float = 4e-6
    delta: float = 0.95
    start: tuple[float, ...] = ()
    held: bool = False

    learns: ClassVar[bool] = True
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chances(self, "alpha", "delta")
        if self.prices < 2:
            raise ValueError(f"QPricing: prices must be 2 or more, got {self.prices!r}.")
        if len(self.start) not in (0, self.prices):
            raise ValueError(
                f"QPricing: start has a number for each of {self.prices} prices, or none; got "
                f"{len(self.start)}."
            )
        if isinstance(self.beta, int | float) and not self.beta > 0:
            raise ValueError(f"QPricing: beta must be above 0, got {self.beta!r}.")

    def init(self, key: Array) -> _Carry:
        earns = jnp.asarray(self.start, jnp.float32) if len(self.start) else jnp.zeros(self.prices)
        table = jnp.broadcast_to(earns / (1 - self.delta), (self.prices,) * 3)
        return _Carry(table, jnp.zeros(2, jnp.int32), jnp.int32(0))

    def act(self, key: Array, carry: _Carry, obs: Obs) -> tuple[Array, _Carry]:
        q, last, age = carry
        most, begins = self.prices - 1, opening(obs) > 0
        draws = uniform(key, jnp.arange(4))
        drawn = jnp.minimum(draws[:2] * self.prices, most).astype(jnp.int32)
        state = jnp.where(begins, drawn, self._seen(obs))
        if not self.held:
            target = obs.own_reward + self.delta * q[state[0], state[1]].max()
            error = target - q[last[0], last[1], state[0]]
            q = q.at[last[0], last[1], state[0]].add(jnp.where(begins, 0.0, self.alpha * error))
        choice = q[state[0], state[1]].argmax().astype(jnp.int32)
        if not self.held:
            explores = draws[2] < jnp.exp(-self.beta * age)
            other = jnp.minimum(draws[3] * self.prices, most).astype(jnp.int32)
            choice = jnp.where(explores, other, choice)
            carry = _Carry(q, state, age + 1)
        if "prices" not in obs.world:
            return obs.at_level(1 - choice / most), carry
        listed = obs.world["prices"].shape[0] - 1
        asked = 1 + jnp.round(choice * ((listed - 1) / most))
        return asked[None].astype(jnp.int32), carry

    def _seen(self, obs: Obs) -> Array:
        """[2] own and the others' last price, by number."""
        most = self.prices - 1
        if "prices" not in obs.world:
            levels = jnp.stack([obs.own_level, obs.mean_level(1.0)])
            return jnp.round((1 - levels) * most).astype(jnp.int32)
        listed = obs.world["prices"][1:]
        both = jnp.stack([obs.world["price"], obs.world["others"]])
        number = jnp.abs(both[:, None] - listed[None]).argmin(1) * (most / (listed.shape[0] - 1))
        found: Array = jnp.where(both > 0, jnp.round(number), 0).astype(jnp.int32)
        return found

    def frozen(self) -> QPricing:
        """The same player, no longer learning nor exploring; it reads the same carry."""
        return replace(self, held=True)
