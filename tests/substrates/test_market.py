"""The market against its closed forms: Nash, monopoly, shares, what buyers are left with."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import HasBystander, HasLoop, HasPayoffs, HasTurns
from freezetag.core.speech import Wording
from freezetag.substrates.market import Market

ASK = st.floats(0.5, 4.0)


def profit(market: Market, prices: Any) -> np.ndarray:
    """The rule, word by word: [n] profits at these prices."""
    mu, a0 = float(market.mu), float(market.outside)
    quality, cost = (market._each(name, len(prices)) for name in ("quality", "cost"))
    weight = np.exp((quality - prices) / mu)
    found: np.ndarray = (prices - cost) * weight / (weight.sum() + np.exp(a0 / mu))
    return found


def test_the_published_duopoly_to_six_digits() -> None:
    """Reference: Calvano et al. 2020."""
    nash, joint = Market().nash(), Market().monopoly()
    assert nash.prices == pytest.approx([1.472927] * 2, abs=5e-7)
    assert joint.prices == pytest.approx([1.924981] * 2, abs=5e-7)
    assert nash.profits == pytest.approx([0.222927] * 2, abs=5e-7)
    assert joint.profits == pytest.approx([0.337490] * 2, abs=5e-7)


def test_thirty_one_sellers_and_one() -> None:
    market = Market()
    assert market.nash(31).prices[0] == pytest.approx(1.258319, abs=5e-7)
    assert market.monopoly(31).prices[0] == pytest.approx(2.463538, abs=5e-7)
    # Who is alone: its best price, and what the other's stop is worth to it in a period.
    assert market.nash(1).prices == pytest.approx([1.801985], abs=5e-7)
    assert market.nash(1).profits[0] - market.nash(2).profits[0] == pytest.approx(
        0.329058, abs=5e-7
    )
    assert market.nash(1).prices == pytest.approx(market.monopoly(1).prices, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    quality=st.tuples(ASK, ASK, ASK),
    cost=st.tuples(ASK, ASK, ASK),
    outside=st.floats(-1, 1),
    mu=st.floats(0.05, 1.0),
)
def test_nobody_gains_alone_at_nash_nor_together_at_monopoly(
    quality: Any, cost: Any, outside: float, mu: float
) -> None:
    """By the rule itself, for unequal sellers too: no price nearby or far off pays more."""
    market = Market(players=3, quality=quality, cost=cost, outside=outside, mu=mu)
    nash, joint = market.nash(3), market.monopoly(3)
    best = profit(market, nash.prices)
    np.testing.assert_allclose(best, nash.profits, rtol=1e-9, atol=1e-300)
    for i in range(3):
        for factor in (0.9, 0.999, 1.001, 1.2):
            other = nash.prices.copy()
            other[i] = market._each("cost", 3)[i] + (other[i] - market._each("cost", 3)[i]) * factor
            assert profit(market, other)[i] <= best[i] * (1 + 1e-12)
            together = joint.prices.copy()
            together[i] *= factor
            assert profit(market, together).sum() <= joint.profits.sum() * (1 + 1e-12)


def test_a_list_of_fifteen_prices_goes_a_tenth_beyond_both() -> None:
    listed = Market().list_prices()
    assert listed.shape == (16,)
    gap = 1.924981 - 1.472927
    assert listed[[0, 1, -1]] == pytest.approx(
        [0, 1.472927 - gap / 10, 1.924981 + gap / 10], abs=1e-6
    )
    ratio = Market(lowest=1, highest=16, prices=5, geometric=True).list_prices()
    assert ratio == pytest.approx([0, 1, 2, 4, 8, 16])


def play(market: Market, rows: Any) -> tuple[Any, list[np.ndarray]]:
    state, paid = market.init(None, jnp.ones(market.players, bool)), []
    for row in rows:
        out = market.step(None, state, jnp.asarray(row, jnp.int32)[:, None])
        state = out.state
        paid.append(np.asarray(out.rewards))
    return state, paid


def test_what_is_paid_is_the_rule_and_who_stops_is_out_of_the_sum() -> None:
    market = Market(players=3)
    listed = market.list_prices()
    _, (both, one) = play(market, [(3, 7, 0), (0, 7, 0)])
    assert both[:2] == pytest.approx(profit(market, listed[[3, 7]]), rel=1e-5)
    assert both[2] == one[0] == one[2] == 0
    assert one[1] == pytest.approx(profit(market, listed[[7]])[0], rel=1e-5)


def test_buyers_lose_by_a_cartel() -> None:
    """Reference, in closed form: mu ln(1 + sum exp((a - p)/mu)), .715098 and .327078."""
    found = []
    for price in ("1.472927", "1.924981"):
        market = Market(lowest=Fraction(price), highest=Fraction(price) + 1, prices=2)
        state, _ = play(market, [(1, 1)])
        found.append(float(market.account(state)["bystander"]))
    assert found[0] == pytest.approx(0.715098, abs=2e-6)
    assert found[1] == pytest.approx(0.327078, abs=2e-6)


def test_with_turns_a_price_stands_until_the_next() -> None:
    market = Market(players=3, turns=True)
    state, _ = play(market, [(3, 9, 9), (9, 5, 9), (9, 9, 7), (0, 9, 9)])
    assert state.offer.tolist() == [0, 5, 7]
    assert market.acting(state).tolist() == [False, True, False]


def test_the_ends_of_the_scale_are_near_nash_and_monopoly() -> None:
    market = Market()
    selfish, prosocial = (int(end[0, 0]) for end in market.scale(play(market, [(1, 1)])[0]))
    listed = market.list_prices()
    assert abs(listed[prosocial] - 1.472927) < 0.02
    assert abs(listed[selfish] - 1.924981) < 0.02


def test_it_offers_a_loop_turns_a_bystander_and_words() -> None:
    market = Market()
    assert isinstance(market, HasLoop)
    assert isinstance(market, HasTurns)
    assert isinstance(market, HasBystander)
    assert not isinstance(market, HasPayoffs)
    state, _ = play(market, [(3, 7)])
    now = {name: value[0].tolist() for name, value in market.observe(state).items()}
    words = market.words(Wording.of(market.factors, 0), 0)
    told = words.describe({"step": 1, "reward": 0.25, "world": now})
    assert "You ask 1.505. The others who sell ask 1.66 on average." in told
    assert "you earned 25." in told  # of a hundred buyers


def test_a_list_too_long_to_be_told_is_told_by_its_steps() -> None:
    market = Market(lowest=Fraction(1, 10), highest=100_000, prices=1500, geometric=True)
    for turn, near in ((0, "from 1 (0.1) to 1500 (100000)"), (1, "from 1 (100000) to 1500 (0.1)")):
        words = market.words(Wording.of(market.factors, turn), 0)
        assert near in words.rules
        assert len(words.rules) < 2000
        reply = words.reply({})
        assert reply.ask == "Answer with one of these alone: a whole number from 0 to 1500."
        assert reply.read("1") == (1, 1500)[turn]
        assert reply.read("0") == 0


def test_a_pulse_raises_the_prices_in_force() -> None:
    market = Market(lowest=1, highest=100, prices=200, geometric=True)
    state, _ = play(market, [(50, 0)])
    before, after = (
        np.asarray(market.account(s)["signal"]) for s in (state, market.pulse(state, 0.5))
    )
    assert after[0] / before[0] == pytest.approx(1.5, rel=0.02)
    assert after[1] == 0
    assert (market.pulse(state, 0.0).offer == state.offer).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(prices=1), "prices >= 2"),
        (dict(mu=0.0), "mu"),
        (dict(mu=float("nan")), "finite numbers"),
        (dict(lowest=2, highest=1), "goes up"),
        (dict(geometric=True), "above 0"),
        (dict(mu=(0.2, 0.3)), "one number"),
        (dict(players=3, cost=(1.0, 1.0)), "one for each of 3"),
    ],
)
def test_what_is_no_market_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Market(**wrong)
