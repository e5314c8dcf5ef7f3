"""The seller that learns prices by a table: in the driver as in the loop, and in any world."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from freezetag.core import Arm, Ref, Scenario
from freezetag.estimators.q_pair import q_pair
from freezetag.players.learners.q_pricing import QPricing
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.market import Market

PAY = Market().pair_profits()
START = tuple(map(float, PAY[0].mean(1)))


def two(world: str, who: Any, steps: int, repeats: int = 4) -> Any:
    scenario = Scenario(Ref(world), (who, who), ((0, 1),), steps)
    return run_arm(Arm(scenario, repeats), Pupil("it", who), {}, seed=1)


def test_in_the_driver_it_learns_what_the_loop_learns() -> None:
    """From the driver's own moves: the table is that of the rule, step by step."""
    who = QPricing(beta=8e-3, start=START)
    record = two("substrates/market", who, 120, 2)
    moves = np.asarray(record.episode.executed)[:, :, :, 0] - 1  # [B, T, N]
    paid = np.asarray(record.episode.rewards, np.float64)
    for b in range(2):
        for seat in (0, 1):
            q, hits = np.broadcast_to(np.asarray(START) / 0.05, (15, 15, 15)).copy(), []
            for t in range(1, 119):
                s = moves[b, t - 1, seat], moves[b, t - 1, 1 - seat]
                a, r = moves[b, t, seat], moves[b, t, 1 - seat]
                target = paid[b, t, seat] + 0.95 * q[a, r].max()
                q[(*s, a)] += 0.15 * (target - q[(*s, a)])
                hits.append(q[a, r].argmax() == moves[b, t + 1, seat])
            # It explores with chance exp(-.16) at 20, and exp(-.96) at the end.
            wanted = 1 - (14 / 15) * np.exp(-8e-3 * np.arange(2, 120))
            assert np.sum(hits) == pytest.approx(wanted.sum(), abs=4 * np.sqrt(118 / 4))


def test_held_it_asks_the_best_and_learns_nothing() -> None:
    who = QPricing(beta=1e9, start=START).frozen()
    moves = np.asarray(two("substrates/market", who, 20).episode.executed)[:, :, :, 0] - 1
    assert (moves == int(np.argmax(START))).all()


def test_the_loop_from_the_same_start_asks_the_same_first() -> None:
    """Both begin at the mean profit against an even mixture, over 1 - delta."""
    first = q_pair(PAY, most=1, sessions=1).values[0, 0]
    own = np.asarray(QPricing(start=START).init(jax.random.key(0)).q)
    assert (np.abs(first - own) > 1e-3).sum() <= 1


def test_where_another_number_of_prices_is_listed_it_takes_them_evenly() -> None:
    listed, prices = 40, 15
    scenario = Scenario(
        Ref.of("substrates/market", prices=listed), (QPricing(prices=prices),) * 2, ((0, 1),), 150
    )
    record = run_arm(Arm(scenario, 4), Pupil("it", QPricing(prices=prices)), {}, seed=0)
    asked = np.unique(record.episode.executed)
    steps = np.arange(prices) * (listed - 1) / (prices - 1)
    assert asked.tolist() == np.unique(1 + np.round(steps)).tolist()


def test_in_a_world_without_prices_it_learns_levels() -> None:
    """Two Q-learners with two levels, who soon stop exploring, defect in the dilemma."""
    who = QPricing(prices=2, beta=0.02, delta=0.0)
    levels = two("substrates/matrix_game", who, 600, 16).episode.levels
    assert levels[:, :50].mean() > 0.3
    assert levels[:, 500:].mean() < 0.1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(prices=1), "2 or more"),
        (dict(start=(1.0,)), "each of 15"),
        (dict(beta=0.0), "above 0"),
        (dict(alpha=2.0), r"\[0, 1\]"),
    ],
)
def test_what_it_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QPricing(**wrong)
