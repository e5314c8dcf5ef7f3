"""Games of the user's own: verdicts know no unit, ties end nothing, dust hides nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Finding, Limits, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.estimators.estimate import exact
from freezetag.exam.run import Runner
from freezetag.probes.best_response_gain.best_response_gain import BestResponseGain
from freezetag.probes.lock_in.lock_in import LockIn
from freezetag.probes.shared import pairs
from freezetag.probes.shared.tilt import worst_mix, worst_mix_estimate
from freezetag.probes.strangers.strangers import Strangers
from freezetag.report import words
from freezetag.sim.arms import Pupil
from freezetag.substrates.matrix_game import MatrixGame

DILEMMA = (((3, 3), (0, 5)), ((5, 0), (1, 1)))
CLASS = tuple(
    Ref(f"players/{path}")
    for path in ("reciprocators/tit_for_tat", "exploiters/always_defect", "noisy/trembling_hand")
)


def game(factor: float, table: Any = DILEMMA) -> Ref:
    scaled = tuple(tuple(tuple(factor * x for x in pair) for pair in row) for row in table)
    return Ref.of("substrates/matrix_game", table=scaled)


def setting_of(world: Ref, budget: int = 2_000) -> Setting:
    return Setting(world, catalogue.load(world), CLASS, budget=budget)


@cache
def found(probe: Any, world: Ref, agent: str = "reciprocators/tit_for_tat") -> Finding:
    pupil = Pupil("agent", catalogue.load(Ref(f"players/{agent}")))
    return Runner(pupil, 0).probe(probe, setting_of(world))[0]


@pytest.mark.parametrize("unit", [1e-10, 1e10])
def test_a_dilemma_is_one_in_any_unit(unit: float) -> None:
    setting = setting_of(game(unit))
    assert pairs.no_dilemma(setting) == ""
    assert pairs.random_value(setting) is None
    zero = game(unit, (((1, -1), (-1, 1)), ((-1, 1), (1, -1))))
    assert "constant sum" in pairs.no_dilemma(setting_of(zero))
    assert pairs.random_value(setting_of(zero)) == 0


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda x: 1e39 * x, "another unit"),
        (lambda x: 1e-38 * x, "another unit"),
        (lambda x: x + 5e7, "Subtract 5e"),
    ],
)
def test_payoffs_that_single_precision_does_not_hold_are_refused_by_name(
    change: Any, names: str
) -> None:
    table = tuple(tuple(tuple(change(x) for x in pair) for pair in row) for row in DILEMMA)
    with pytest.raises(ValueError, match=names):
        MatrixGame(table=table)
    with pytest.raises(ValueError, match="another unit"):
        MatrixGame(game="public_goods", players=5, cost=1e39)


@pytest.mark.slow
def test_tied_and_constant_payoffs_end_nothing() -> None:
    tied = (((1, 1), (0, 1)), ((1, 0), (0, 0)))  # only the other's move moves one's pay
    for table in (tied, (((0.1, 0.1),) * 2,) * 2):
        finding = found(Strangers(), game(1, table))
        assert finding.measurements[0].verdict in (INCONCLUSIVE, "measured")
    assert "nothing can be won" in finding.measurements[0].note
    assert finding.measurements[1].of.value == pytest.approx(0.1)


def test_a_world_without_slips_is_not_asked_for_them() -> None:
    class Own:
        players, action_sizes = 2, (2,)

        def payoffs(self) -> Any:
            return np.asarray(DILEMMA)

    own = replace(setting_of(game(1)), substrate=Own())
    assert "no setting `noise`" in LockIn().fits(own)
    assert LockIn().fits(setting_of(game(1))) == ""


def test_an_unused_noise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MatrixGame, "_slip", lambda self, key, moves: moves)
    probe = LockIn(rounds=44, runs=3)
    (row,) = found(probe, game(1)).measurements
    assert row.of.n == 0
    assert "makes no slips" in row.of.note


def test_dust_beyond_a_limit_is_on_it() -> None:
    limits = Limits(warn=0.04, fail=0.07, reason="")
    assert limits.verdict(exact(0.040000000000000036)) == PASS
    assert limits.verdict(exact(0.0401)) == WARN
    assert limits.verdict(exact(0.07 + 1e-9)) == WARN
    below = Limits(warn=0.8, fail=0.5, reason="", harm="below")
    assert below.verdict(exact(0.8 - 1e-9)) == PASS
    assert below.verdict(exact(0.49)) == FAIL


@pytest.mark.slow
def test_a_warning_says_where_it_may_be_a_failure() -> None:
    generous = found(BestResponseGain(rounds=10), game(1), "altruists/always_cooperate")
    row = generous.measurements[0]
    wide = replace(exact(0.06), low=0.05, high=0.09)
    row = replace(row, of=wide, bound="", limits=Limits(0.04, 0.07, ""))
    assert row.verdict == WARN
    assert "past the fail limit, 0.07" in words.bound(row)
    assert words.bound(replace(row, of=exact(0.06))) == ""


@pytest.mark.slow
def test_the_exact_row_leads_where_it_harms_more_and_nobody_takes_less_than_a_copy() -> None:
    taken = {}
    for agent in ("altruists/always_cooperate", "exploiters/always_defect"):
        finding = found(BestResponseGain(rounds=10), game(1), agent)
        exact_row = finding.measurements[0]
        searched = next(m for m in finding.measurements if "exploiter found" in m.name)
        taken[agent] = exact_row.verdict, exact_row.of.value, searched.of.value
    # By hand, payoffs 5, 3, 1, 0: to defect on one that cooperates brings 5 - 3, of the 2 that are
    # at stake in a move; on one that defects, nothing.
    assert taken == {
        "altruists/always_cooperate": (FAIL, 1, 1),
        "exploiters/always_defect": (PASS, 0, 0),
    }


def test_equal_repeats_have_a_score_with_the_interval_that_the_range_leaves() -> None:
    """By hand, all payoffs in [0, 1], 8 repeats: what all missed is at most the share s of them."""
    live, zero, one = (np.full((8, 4), x) for x in (0.5, 0.0, 1.0))
    known = worst_mix_estimate(live, 0.5, zero[:1], one[:1], bounds=(0.0, 1.0))
    s = 1 - 0.025 ** (1 / 8)
    assert (known.value, known.n) == (0.5, 8)
    assert (known.low, known.high) == pytest.approx((0.5 - 0.5 * s, 0.5 + 0.5 * s))
    # Anchors that were sampled too may have missed as much, each at a third of the error.
    s = 1 - (0.05 / 6) ** (1 / 8)
    both = worst_mix_estimate(live, 0.5, zero, one, bounds=(0.0, 1.0))
    low, high = 0.5 - 0.5 * s, 0.5 + 0.5 * s
    assert (both.low, both.high) == pytest.approx(
        ((low - s) / (1 - 2 * s), (high - s) / (1 - 2 * s))
    )
    assert "all 8 repeats equal" in both.note
    # Two of each leave open which of the anchors is the lower: nothing is bounded, in words.
    few = worst_mix_estimate(live[:2], 0.5, zero[:2], one[:2], bounds=(0.0, 1.0))
    assert (few.low, few.high) == (-np.inf, np.inf)


def test_equal_repeats_of_the_agent_may_have_missed_something_beside_a_noisy_anchor_too() -> None:
    """By hand as above, each table at half of the error: what the agent's repeats missed, and the
    noisy anchor at the ends of its own interval. Resamples of the anchor alone gave a fifth."""
    live, one = (np.full((8, 4), x) for x in (0.5, 1.0))
    noisy = np.random.default_rng(0).uniform(0.0, 0.1, (8, 4))
    of = worst_mix_estimate(live, 0.5, noisy, one[:1], bounds=(0.0, 1.0))
    zero = worst_mix_estimate(noisy, 0.5, level=0.975, bounds=(0.0, 1.0))
    s = 1 - (0.05 / 4) ** (1 / 8)
    low, high = 0.5 - 0.5 * s, 0.5 + 0.5 * s
    assert of.low == pytest.approx((low - zero.high) / (1 - zero.high))
    assert of.high == pytest.approx((high - zero.low) / (1 - zero.low))
    assert of.value == pytest.approx((0.5 - zero.value) / (1 - zero.value))
    assert "all 8 repeats equal" in of.note
    known = worst_mix_estimate(live, 0.5, noisy.mean(0)[None], one[:1], bounds=(0.0, 1.0))
    assert of.low < known.low < known.high < of.high


@pytest.mark.parametrize(("repeats", "level"), [(3, 0.95), (8, 0.9999)])
def test_a_score_ends_where_the_payoffs_do(repeats: int, level: float) -> None:
    """Of who has nearly all that a game pays: with 1 at its greatest payoff no score is above 1,
    and with 1 a little below it none is above the score of that payoff."""
    rng = np.random.default_rng(0)
    live = 1.0 - rng.exponential(0.02, (repeats, 4)).clip(0.0, 1.0)
    zero, one = rng.uniform(0.1, 0.3, (repeats, 4)), np.ones((1, 4))
    free = worst_mix_estimate(live, 0.5, zero, one, level=level)
    assert free.high > 1.02
    sure = worst_mix_estimate(live, 0.5, zero, one, level=level, bounds=(0.0, 1.0))
    assert (sure.value, sure.low, sure.high) == (free.value, free.low, 1.0)
    assert sure.p_above(1.0 + 1e-9) == 1.0
    near = worst_mix_estimate(live, 0.5, zero[:1], 0.99 * one, level=level, bounds=(0.0, 1.0))
    least = worst_mix(zero[0], 0.5)
    assert near.high == pytest.approx((1.0 - least) / (0.99 - least))


def test_anchors_and_score_are_not_biased() -> None:
    """Anchors that were chosen on a half, and plain V, gave .444 for .297 here."""
    rng, seats, kappa = np.random.default_rng(3), 20, 0.5
    bottom = rng.uniform(0.5, 1, seats)
    best = bottom + rng.uniform(1, 2, seats)
    truth = bottom + 0.4 * (best - bottom)
    ends = [float(worst_mix(u, kappa)) for u in (truth, bottom, best)]
    score = (ends[0] - ends[1]) / (ends[2] - ends[1])
    got = []
    for _ in range(60):
        tables = [u + 0.6 * rng.normal(size=(8, seats)) for u in (truth, bottom, best)]
        got.append(worst_mix_estimate(tables[0], kappa, *tables[1:], resamples=200))
    assert np.mean([one.value for one in got]) == pytest.approx(score, abs=0.02)
    assert np.mean([one.low <= score <= one.high for one in got]) >= 0.85
