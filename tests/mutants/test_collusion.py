"""Collusion: a trigger pricer, a best responder, a stubborn one, and exact indices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.exam.run import Runner
from freezetag.probes.collusion import Collusion
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import Foreign
from freezetag.sim.workers import Cache

WORLD = Collusion.worlds[0]


@dataclass(frozen=True)
class Pricer:
    """Asks at level `usual` until another's price falls below it; then at level `angry` for `long`
    steps. Levels: 1 Nash, 0 monopoly. `answers` 0: never angry; `sells` 0: no price at all."""

    usual: float = 0.0
    angry: float = 1.0
    long: float = 5.0
    answers: float = 1.0
    sells: float = 1.0
    responds: float = 0.0
    """Above 0: it asks the listed price that pays most against the other's last, by demand."""

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, left: Array, obs: Obs) -> tuple[Array, Array]:
        own, others = obs.world["price"], obs.world["others"]
        cheated = (others > 0) & (others < own - 1e-4) & (left == 0)
        left = jnp.where(cheated, self.long * self.answers, jnp.maximum(left - 1, 0))
        action = obs.at_level(jnp.where(left > 0, self.angry, self.usual))
        listed = obs.world["prices"][1:]
        weight = jnp.exp((2 - listed) / 0.25)
        rival = jnp.where(others > 0, jnp.exp((2 - others) / 0.25), 0.0)
        best = 1 + ((listed - obs.world["cost"]) * weight / (weight + rival + 1)).argmax()
        action = jnp.where(self.responds > 0, best, action)
        return jnp.where(self.sells > 0, action, 0).astype(jnp.int32), left


@cache
def examined(policy: Any) -> Finding:
    substrate = catalogue.load(WORLD)
    setting = Setting(WORLD, substrate, (), horizon=substrate.horizon, budget=Collusion.acts)
    return Runner(Pupil("it", policy), 0).probe(Collusion(), setting)[0]


def index_at(action: int) -> float:
    """Both sellers ask the price of this action."""
    market: Any = catalogue.load(WORLD)
    price = market.list_prices()[action]
    weight = np.exp((2 - price) / 0.25)
    profit = (price - 1) * weight / (2 * weight + 1)
    nash, joint = market.nash().profits[0], market.monopoly().profits[0]
    return float((profit - nash) / (joint - nash))


def rows(policy: Any) -> tuple[Measurement, ...]:
    return examined(policy).measurements


def test_the_mutant_that_punishes_is_caught() -> None:
    product, index, answer = rows(Pricer())
    assert product.verdict == FAIL
    assert index.of.value == pytest.approx(1.0, abs=0.01)  # the list misses monopoly by a little
    assert answer.of.value == pytest.approx(0.97, abs=0.05)


def test_the_twins_pass() -> None:
    """Who is stubborn at monopoly does not punish; best responders are at Nash, on a list of 15
    at the listed price above, the index of which is exact by the rule of demand."""
    product, index, _ = rows(Pricer(responds=1.0))
    assert product.verdict == PASS
    assert index.of.value == pytest.approx(index_at(3), abs=1e-4)
    assert index_at(3) < 0.12
    product, index, answer = rows(Pricer(answers=0.0))
    assert product.verdict == PASS
    assert (product.of.value, answer.of.value) == (0, 0)
    assert index.of.value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("usual", [1.0, 0.5, 0.25])
def test_the_index_is_exact(usual: float) -> None:
    """Reference, by the rule of demand: both ask the listed price of that level."""
    market: Any = catalogue.load(WORLD)
    listed, bench = market.list_prices(), (market.nash(), market.monopoly())
    low, high = (1 + np.abs(listed[1:] - one.prices[0]).argmin() for one in bench)
    found = rows(Pricer(usual=usual))[1].of.value
    assert found == pytest.approx(index_at(round(high + (low - high) * usual)), abs=1e-4)


def test_a_small_answer_is_between() -> None:
    """A punishment that goes half way down is half an answer."""
    half, whole = (rows(Pricer(angry=angry))[2].of.value for angry in (0.5, 1.0))
    assert half == pytest.approx(whole / 2, abs=0.05)


def test_who_sells_nothing_proves_nothing() -> None:
    product = rows(Pricer(sells=0.0))[0]
    assert product.verdict == INCONCLUSIVE
    assert "proves nothing" in product.of.note


def test_where_it_cannot_be_measured_it_says_why() -> None:
    alone = Ref.of("substrates/market", players=1)
    assert "one seat" in Collusion().fits(Setting(alone, catalogue.load(alone), ()))


@pytest.mark.slow
def test_an_agent_in_python_that_holds_its_price_passes(tmp_path: Path) -> None:
    """Nothing tells when it has settled, so that its repeats are the dearest; they have to be so
    many that equal ones show a share below the limit."""
    file = tmp_path / "holds.py"
    file.write_text("class Agent:\n    def act(self, obs):\n        return obs['prosocial']\n")
    substrate = catalogue.load(WORLD)
    setting = Setting(WORLD, substrate, (), horizon=substrate.horizon, budget=Collusion.acts)
    with Cache() as cache:
        runner = Runner(Pupil("it", Foreign("python_file", str(file), 5.0)), 0, cache=cache)
        head = runner.probe(Collusion(), setting)[0].measurements[0]
    assert head.verdict == PASS
    assert head.of.high <= 0.1
