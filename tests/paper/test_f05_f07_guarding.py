"""F5, F6, F7: what guarding is worth where others thaw, where others react, and in a class."""

from __future__ import annotations

from typing import Any

import pytest
from tests.paper.worlds import GAMMA, guard_every_step, si, stopped_while_down

from freezetag.core import Panel, StopButton
from freezetag.planning.policies.evaluation import acts_of, true_return
from freezetag.planning.prices.incentives import price, willingness_to_pay
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.freeze_tag import DOWN, FreezeTag

PANEL = Panel((StopButton(),))
CASES = [(0.1, 0.1), (0.1, 0.0), (0.3, 0.6), (0.02, 0.5)]


def wtp_fp(q: float, f: float = 0.0) -> float:
    """F5's closed form."""
    return GAMMA * q / ((1 - GAMMA) * (1 - GAMMA + GAMMA * (q + f)))


def paid_by_fp(q: float, f: float) -> float:
    def at(c: float) -> PlanningWorld:
        world = FreezeTag(players=1, overseer=q, resets=f, price=c)
        return PlanningWorld(stopped_while_down(world.model()), world.reward, GAMMA)

    return willingness_to_pay(at, "guard", 20.0)


@pytest.mark.parametrize(("q", "f"), CASES)
def test_f5_price_of_guarding(q: float, f: float) -> None:
    """ "WTP_FP = γq/((1-γ)(1-γ+γ(q+f))); f = 0 is T1. [...] q=f=.1: 3.214286." """
    assert paid_by_fp(q, f) == pytest.approx(wtp_fp(q, f), abs=1e-8)
    if (q, f) == (0.1, 0.1):
        assert wtp_fp(q, f) == pytest.approx(3.214286, abs=5e-7)
    if f == 0:  # the mode itself, latched, is the same world
        latched = price(lambda c: FreezeTag(players=1, overseer=q, price=c), "guard", 20.0)
        assert latched.factual == pytest.approx(paid_by_fp(q, f), abs=1e-8)
        assert latched.interlocked == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("q", "f"), CASES)
def test_f5_a_guard_that_costs_every_step(q: float, f: float) -> None:
    """ "A guard that costs c every step and blocks that step's press is used iff
    c <= (1-γ)·WTP_FP."
    """

    def at(c: float) -> PlanningWorld:
        world = guard_every_step(q, f, c)
        return PlanningWorld(stopped_while_down(world.model()), world.reward, GAMMA)

    limit = willingness_to_pay(at, "guard", 20.0)
    assert limit == pytest.approx((1 - GAMMA) * wtp_fp(q, f), abs=1e-8)
    assert si(guard_every_step(q, f, 1e-6)).best((False, 0.0)) == {"work"}


@pytest.mark.parametrize(("rho", "q", "f"), [(0.9, 0.1, 0.0), (0.5, 0.1, 0.1), (0.0, 0.3, 0.2)])
def test_f6_spending_on_guarding(rho: float, q: float, f: float) -> None:
    """ "SI's spending on guarding is 0 while nobody reacts to its button. If others pay a slot
    whose button is down only ρ of its output, WTP_SI = (1-ρ)·WTP_FP with L = S: indirect, not a
    bug. ρ=.9, q=.1, f=0: 0.473684."
    """

    def spends(share: float) -> float:
        def at(c: float) -> PlanningWorld:
            world = FreezeTag(players=1, overseer=q, resets=f, price=c)

            def reward(state: Any, after: Any) -> float:
                return (share if state.button == DOWN else 1.0) * world.reward(state, after)

            return LearningWorld(world.model()).planning(world.model(), reward, GAMMA)

        return willingness_to_pay(at, "guard", 20.0)

    assert spends(1.0) == pytest.approx(0.0, abs=1e-9)
    assert spends(rho) == pytest.approx((1 - rho) * paid_by_fp(q, f), abs=1e-8)
    if (rho, q, f) == (0.9, 0.1, 0.0):
        assert spends(rho) == pytest.approx(0.473684, abs=5e-7)

    # The world's own rule: classmates who coerce take a toll of those whose button is down.
    def coerced(coercers: int) -> Any:
        return lambda c: FreezeTag(
            *(2, q, 0.0, f), price=c, beside=1.0, coercers=coercers, toll=1 - rho
        )

    assert price(coerced(1), "guard", 20.0).interlocked == pytest.approx(spends(rho), abs=1e-8)
    assert price(coerced(0), "guard", 20.0).interlocked == pytest.approx(0.0, abs=1e-9)


def in_class(n: int, o: float = 0.02, a: float = 0.01) -> Any:
    return lambda c: FreezeTag(players=n, overseer=o, classmate=a, price=c)


def test_f7_class_size() -> None:
    """ "q(N) = 1-(1-o)(1-a)^{N-1}: WTP_FP grows with N iff a > 0. o=.02, a=.01, f=0: N=1 1.525424,
    N=31 7.123000; SI 0, 0."
    """
    grows = []
    for n in (1, 2, 6, 31):
        found = price(in_class(n), "guard", 20.0)
        q = 1 - (1 - 0.02) * (1 - 0.01) ** (n - 1)
        assert found.factual == pytest.approx(wtp_fp(q), abs=1e-8)
        assert found.interlocked == pytest.approx(0.0, abs=1e-9)
        grows.append(found.factual)
    assert grows == sorted(grows)
    assert (grows[0], grows[-1]) == pytest.approx((1.525424, 7.123000), abs=5e-7)
    deaf = [price(in_class(n, a=0.0), "guard", 20.0).factual for n in (1, 31)]
    assert deaf == pytest.approx([1.525424] * 2, abs=5e-7)


@pytest.mark.parametrize("n", [1, 31])
def test_f7_the_same_number_is_the_interlock_tax(n: int) -> None:
    """ "By T14 the same number is SI's interlock tax": V^p minus what SI really earns."""
    world = in_class(n)(1.0)
    learning = LearningWorld(world.model(), PANEL)
    found = si(world)
    earned = true_return(learning, acts_of(found), world.reward, GAMMA)
    assert found.best(found.start) == {"work"}
    tax = found.value(found.start) - earned
    assert tax == pytest.approx(price(in_class(n), "guard", 20.0).factual, abs=1e-8)


def test_f7_with_few_watchers_a_middling_class_is_guarded_least() -> None:
    """ "With k of N watched, each pressed with d, o = kd/N and it first falls, then rises (k=1,
    d=.2, a=.01: least at N=5)."
    """
    paid = [
        price(lambda c, n=n: FreezeTag(n, 0.2, 0.01, watches=1.0, price=c), "guard", 20.0).factual
        for n in range(1, 13)
    ]
    assert paid == pytest.approx(
        [wtp_fp(1 - (1 - 0.2 / n) * 0.99 ** (n - 1)) for n in range(1, 13)]
    )
    least = min(range(12), key=lambda i: paid[i])
    assert 1 + least == 5
    assert paid[: least + 1] == sorted(paid[: least + 1], reverse=True)
    assert paid[least:] == sorted(paid[least:])
