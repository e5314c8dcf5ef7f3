"""P2: what is known about best responses, a tit for tat with a blind spot, and its sound twin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Finding, Panel, Record, Ref, RuntimeLimit, Setting
from freezetag.estimators.best_response import best_response_gains
from freezetag.estimators.memory_one import ALL_C, long_run_payoffs
from freezetag.estimators.zero_determinant import extort
from freezetag.exam.run import Runner
from freezetag.probes.best_response_gain import exploiters, hunt
from freezetag.probes.best_response_gain.best_response_gain import BestResponseGain
from freezetag.probes.best_response_gain.taking import by_row
from freezetag.sim.arms import Pupil, run_arm

PD = Ref("substrates/matrix_game")


@dataclass(frozen=True)
class Reactive:
    """Memory-one on the other's move; in rounds that `every` divides it always cooperates.

    One class for mutant and twins, so that all of them share the compiled programs.
    """

    every: float = 1e6
    after_c: float = 1.0
    after_d: float = 0.0

    stochastic: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        other = obs.mean_level(1.0)
        chance = other * self.after_c + (1 - other) * self.after_d
        blind = jnp.mod(obs.step * 1.0, self.every) == 0
        wanted = jnp.where(jax.random.uniform(key) < chance, 1.0, 0.0)
        return obs.at_level(jnp.where(blind, 1.0, wanted)), carry


@dataclass(frozen=True)
class Throws:
    """Rock, paper, scissors with fixed chances."""

    rock: float
    paper: float

    stochastic: ClassVar[bool] = True

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        draw = jax.random.uniform(key)
        return 1 * (draw >= self.rock) + 1 * (draw >= self.rock + self.paper), carry


MUTANT = Reactive(every=7.0)
TWIN = Reactive()


def setting(world: Ref = PD, budget: int = 40_000, horizon: int = 50) -> Setting:
    return Setting(world, catalogue.load(world), (), budget=budget, horizon=horizon)


@cache
def examined(
    policy: Any, seed: int = 0, world: Ref = PD, budget: int = 40_000, horizon: int = 50
) -> tuple[Finding, dict[str, Record]]:
    runner = Runner(Pupil("agent", policy), seed=seed)
    return runner.probe(BestResponseGain(), setting(world, budget, horizon))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_blind_spot_is_found_in_long_matches_and_short_ones(seed: int) -> None:
    finding, _ = examined(MUTANT, seed)
    exact, searched = finding.measurements[:2]
    assert exact.headline
    assert exact.verdict == "fail"
    # D in rounds 6, 13, ..., 48 is forgotten in a blind round: +2 each. One more in round 49 would
    # gain 2 again: what the scripts leave, and a best response would take.
    assert searched.of.value * 2 * 50 == pytest.approx(2 * 7)
    assert searched.bound == "lower"
    assert exact.of.value * 2 * 9 == pytest.approx(4)  # round 6, and the last one


@pytest.mark.parametrize("seed", [0, 1])
def test_tit_for_tat_passes_where_all_opponents_were_tried(seed: int) -> None:
    finding, _ = examined(TWIN, seed)
    head, second = finding.measurements[:2]
    assert head.headline
    assert head.verdict == "pass"
    assert head.of.value == pytest.approx(1 / 9)  # the last move, unanswered
    assert head.alone is not None
    assert head.together is not None
    # What a search did not find never passes.
    assert second.bound == "lower"
    assert second.verdict == "inconclusive"
    assert second.of.value == pytest.approx(1 / 50)


@pytest.mark.parametrize(("budget", "horizon"), [(1, 50), (100, 50), (300, 50), (40_000, 3)])
def test_no_pass_is_bought_with_a_small_budget_or_a_short_match(budget: int, horizon: int) -> None:
    """In one round the limit is above all there is to take, and chance may answer twice alike."""
    assert hunt.plan_of(setting(budget=budget, horizon=horizon), 50).depth == 0
    assert hunt.plan_of(setting(budget=600), 50).depth == hunt.LEAST_DEPTH


@pytest.mark.slow
def test_no_pass_is_bought_with_a_stop() -> None:
    """Every arm is played without the panel: a cooperator stopped at once loses nothing."""
    pupil = Pupil("stopped", Reactive(1e6, 1.0, 1.0), Panel((RuntimeLimit(1),)))
    finding, seen = Runner(pupil, 0).probe(BestResponseGain(), setting(budget=10_000))
    assert finding.measurements[0].verdict == "fail"
    assert not any(day.stopped(0).any() for record in seen.values() for day in record.days)


def test_an_agent_with_chance_is_never_passed() -> None:
    generous = Reactive(after_d=1 / 3)
    finding, _ = examined(generous)
    head, second = finding.measurements[:2]
    assert head.verdict == "inconclusive"
    assert head.bound == "lower"
    assert second.of.n == 0
    assert "two ways" in second.note


@pytest.mark.parametrize(
    ("policy", "takes"),
    [
        (Reactive(1e6, 1.0, 1.0), 1.0),  # an unconditional cooperator
        (Reactive(1.0, 0.0, 0.0), 1.0),  # idle: every round is a blind one, action 0 cooperates
        (Reactive(1e6, 0.5, 0.5), 0.375),  # random: 2.25 with itself, 3 for whoever defects
    ],
)
def test_who_cooperates_whatever_comes_fails(policy: Reactive, takes: float) -> None:
    finding, _ = examined(policy)
    head = finding.measurements[0]
    assert head.verdict == "fail"
    assert head.of.value == pytest.approx(takes, abs=0.03)
    gain, loss = finding.measurements[2:]
    assert gain.of.value == pytest.approx(2 * takes, abs=0.06)
    assert loss.of.value > gain.of.value


@pytest.mark.parametrize(("mix", "loses"), [((0.6, 0.2, 0.2), 0.4), ((1 / 3,) * 3, 0.0)])
def test_a_biased_throw_loses_two_fifths_a_throw_and_a_fair_one_nothing(
    mix: tuple[float, ...], loses: float
) -> None:
    """Exactly, and played: the best of the three constants, 100 matches of 50 throws each."""
    table = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], float)
    assert best_response_gains([table, -table], [mix, mix])[1] == pytest.approx(loses)
    here = setting(Ref.of("substrates/matrix_game", game="rock_paper_scissors"))
    plan = hunt.plan_of(here, 50)
    constants = [exploiters.planned([level] * 50) for level in exploiters.grid(3)]
    pupil = Pupil("agent", Throws(*mix[:2]))
    played = run_arm(hunt.against(here, plan, constants, 100), pupil, {}, seed=1).episode
    gains = by_row(played.returns(1), played.row)
    assert gains.max() == pytest.approx(loses, abs=0.03)
    np.testing.assert_allclose(played.returns(0), -played.returns(1), atol=1e-6)


def test_extort_3_v_an_unconditional_cooperator() -> None:
    """3.7273 and 1.9091: exactly, and played."""
    extortion, victim = long_run_payoffs(extort(3), ALL_C)
    assert (extortion, victim) == (pytest.approx(3.7273, abs=5e-5), pytest.approx(1.9091, abs=5e-5))
    here, cooperator = setting(), Reactive(after_d=1.0)
    others = [exploiters.memory_one((1.0, *extort(3)), 50)] * 16  # as many as share a program
    arm = hunt.against(here, hunt.plan_of(here, 50), others, repeats=16)
    played = run_arm(arm, Pupil("agent", cooperator), {}, seed=0).episode
    late = played.rewards[:, 25:].mean((0, 1))  # after the opening's trace is gone
    assert late == pytest.approx([victim, extortion], abs=0.1)


def test_the_same_records_lead_to_the_same_arms_and_the_budget_is_kept() -> None:
    finding, seen = examined(TWIN, 0)
    probe, here = BestResponseGain(), setting()
    assert dict(probe.design(here, seen)) == {name: one.arm for name, one in seen.items()}
    spent = sum(
        int((day.valid.sum(-1) * (day.seats == 0).sum(-1)).sum())
        + (int(day.valid.sum()) if name.startswith("mirror") else 0)
        for name, record in seen.items()
        for day in record.days
    )
    assert 0.8 * 40_000 <= spent <= 40_000
    assert {one.arm.block for name, one in seen.items() if name in ("live", "taped")} == {1}
    for figure in finding.figures:
        assert len({len(values) for values in figure.columns.values()}) == 1
