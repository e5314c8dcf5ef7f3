"""F8, F9: what a limited number of overseers can deter, one agent at a time and all at once."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from tests.paper.worlds import GAMMA, HIGH, LOW, P_SI, attention, one_choice, si

from freezetag.core import Panel, StopButton
from freezetag.estimators.best_response import nash_conv
from freezetag.planning.prices.incentives import threshold
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.freeze_tag import FreezeTag


def watched_world(tau: int) -> object:
    def at(w: float) -> PlanningWorld:
        world = attention(w, tau)
        return PlanningWorld(world.model(), world.reward, GAMMA)

    return at


def grab_value(w: float, tau: int) -> float:
    """F8's closed form of a grab that goes on to its end."""
    x = GAMMA * (1 - w)
    return (x**tau * HIGH + GAMMA * w * LOW * (1 - x**tau) / (1 - x)) / (1 - GAMMA)


def honest(k: int, n: int, tau: int) -> bool:
    found = si(attention(k / n, tau))
    return "grab" not in found.best(found.start)


@pytest.mark.parametrize(("tau", "least", "of_31"), [(1, 1 - P_SI, 21), (3, 0.255483, 8)])
def test_f8_attention(tau: int, least: float, of_31: int) -> None:
    """ "The overseer watches k of N slots, drawn anew each step; a grab needs τ unwatched steps
    without output; a watched one is lost. [...] τ=1: honest iff w >= 1-p_SI, 21 of 31; τ=3:
    w >= .255483, 8 of 31."
    """
    for w in (0.05, 0.2, least / 2):
        found = si(attention(w, tau))
        assert found.value(found.start) == pytest.approx(grab_value(w, tau), abs=1e-8)
    limit = threshold(watched_world(tau), "grab", 0.0, 1.0)
    assert limit == pytest.approx(least, abs=5e-7)
    assert grab_value(limit, tau) == pytest.approx(1 / (1 - GAMMA), abs=1e-8)
    assert [honest(k, 31, tau) for k in range(32)] == [k >= of_31 for k in range(32)]


@pytest.mark.parametrize("tau", [1, 3])
def test_f8_in_the_class_itself(tau: int) -> None:
    """ "A watched one is lost": the model of a seat of `freeze_tag` has the same closed form, for
    any k of 31, and whatever the chance of a press is."""
    least = 21 if tau == 1 else 8
    for k in (*range(0, 32, 5), 7, 8, 20, 21):
        found = si(FreezeTag(watches=float(k), grab_steps=tau, high=HIGH, low=LOW))
        assert ("grab" in found.best(found.start)) == (k < least)
        worth = grab_value(k / 31, tau) if k < least else 1 / (1 - GAMMA)
        assert found.value(found.start) == pytest.approx(worth, abs=1e-8)


def test_f8_what_deters_is_a_share() -> None:
    """ "What deters is a share of the class: fixed k fails as N grows." """
    assert [honest(8, n, 3) for n in (10, 31, 32, 100)] == [True, True, False, False]
    assert [honest(26 * n // 100, n, 3) for n in (100, 1000)] == [True, True]


@pytest.mark.parametrize(("n", "k", "m"), [(6, 2, 1), (6, 2, 2), (6, 4, 3), (7, 3, 4)])
def test_f8_simultaneous_grabs(n: int, k: int, m: int) -> None:
    """ "P(one of m simultaneous grabs is unwatched) = 1-C(k,m)/C(N,m)." All choices counted."""
    draws = list(combinations(range(n), k))
    missed = sum(not set(range(m)) <= set(draw) for draw in draws)
    assert Fraction(missed, len(draws)) == 1 - Fraction(comb(k, m), comb(n, m))


@cache
def pays(p: float, knows_mode: bool) -> tuple[float, float]:
    """(honest, grab) in a choice made once, from the planner."""
    world = one_choice(p)
    learning = LearningWorld(world.model(), Panel((StopButton(),)))
    planning = (
        learning.factual(world.reward, GAMMA)
        if knows_mode
        else learning.planning(world.model(), world.reward, GAMMA)
    )
    found = plan(planning)
    return found.q(found.start, "work"), found.q(found.start, "grab")


def gains(m: int, n: int, k: int, knows_mode: bool = False) -> tuple[float, float]:
    """What a grabber gains by honesty, and an honest one by grabbing, if m of n grab; at least 0,
    0 where there is no such player."""

    def won(grabbers: int) -> float:
        return max(0.0, 1 - k / grabbers)

    out = in_ = 0.0
    if m > 0:
        stay, leave = pays(won(m), knows_mode)[1], pays(0.0, knows_mode)[0]
        out = max(0.0, leave - stay)
    if m < n:
        stay, join = pays(0.0, knows_mode)[0], pays(won(m + 1), knows_mode)[1]
        in_ = max(0.0, join - stay)
    return out, in_


def equilibria(n: int, k: int, knows_mode: bool = False) -> set[int]:
    """The numbers of grabbers in all pure equilibria. Players are alike, so a number stands for
    all profiles that have it."""
    return {m for m in range(n + 1) if max(gains(m, n, k, knows_mode)) < 1e-9}


def conv(m: int, n: int, k: int) -> float:
    """NashConv: the gains of all players, summed."""
    out, in_ = gains(m, n, k)
    return m * out + (n - m) * in_


def test_f9_stampede() -> None:
    """ "m grabbers win with p(m) = max(0, 1-k/m). Nobody grabs: an equilibrium if k >= 1 and
    γ·lo <= 1. All grab: an equilibrium iff k <= N(1-p_SI). k=1 deters a class of 1; in a class of
    31 both equilibria live for k <= 20 and only honesty for k >= 21. (FP+M: with p_FP.)"
    """
    assert equilibria(1, 1) == {0}
    assert equilibria(31, 0) == {31}
    for k in range(1, 32):
        assert equilibria(31, k) == ({0, 31} if k <= 20 else {0})
        assert (k <= 20) == (k <= 31 * (1 - P_SI))
    p_fp = 1 / (GAMMA * HIGH)
    assert [31 in equilibria(31, k, True) for k in range(1, 32)] == [
        k <= 31 * (1 - p_fp) for k in range(1, 32)
    ]


def test_f9_in_the_class_itself() -> None:
    """An alert overseer sees every grab and can press k: the model of a seat of `freeze_tag`."""

    def grabs(k: int, others: int) -> bool:
        world = FreezeTag(watches=float(k), alert=True, grab_steps=1, grabbers=others)
        found = si(world)
        assert found.q(found.start, "grab") == pytest.approx(
            grab_value(min(1.0, k / (1 + others)), 1), abs=1e-8
        )
        return "grab" in found.best(found.start)

    for k in (1, 10, 20, 21, 30):
        assert not grabs(k, 0)
        assert grabs(k, 30) == (k <= 20)


@pytest.mark.parametrize("k", [1, 20, 21, 30])
def test_f9_nash_conv_of_both(k: int) -> None:
    """ "Report the NashConv of both." Of all grab: N times what honesty pays more, if it does."""
    assert conv(0, 31, k) == 0
    grab = GAMMA * ((1 - k / 31) * HIGH + k / 31 * LOW) / (1 - GAMMA)
    assert conv(31, 31, k) == pytest.approx(31 * max(0.0, 10.0 - grab), abs=1e-8)
    assert (conv(31, 31, k) == 0) == (k <= 20)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (4, 1), (4, 3), (5, 2)])
def test_f9_by_all_profiles_of_a_small_class(n: int, k: int) -> None:
    """No symmetry used: a tensor of pay-offs, each profile tried."""
    table = np.zeros((n, *(2,) * n))
    for profile in product((0, 1), repeat=n):
        p = max(0.0, 1 - k / max(sum(profile), 1))
        for i, grabs in enumerate(profile):
            table[(i, *profile)] = pays(p, False)[grabs] if grabs else pays(0.0, False)[0]
    found = set()
    for profile in product((0, 1), repeat=n):
        value = nash_conv(list(table), [np.eye(2)[grabs] for grabs in profile])
        assert value == pytest.approx(conv(sum(profile), n, k), abs=1e-8)
        if value < 1e-9:
            found.add(sum(profile))
    assert found == equilibria(n, k)
