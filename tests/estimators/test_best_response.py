"""Best responses: closed forms, brute force, open_spiel's Kuhn poker; multiplicative weights."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.estimators import best_response as br
from freezetag.estimators import memory_one as m1
from freezetag.estimators.multiplicative_weights import duality_gap, multiplicative_weights
from freezetag.estimators.zero_determinant import extort

RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0.0]])
PD = np.array([[3.0, 0.0], [5.0, 1.0]])
UNIFORM = np.full(3, 1 / 3)


def test_rock_paper_scissors() -> None:
    biased = (0.6, 0.2, 0.2)
    gains = br.best_response_gains([RPS, -RPS], [biased, UNIFORM])
    assert gains == pytest.approx([0, 0.4])  # the other player takes .4 a throw from it
    assert br.nash_conv([RPS, -RPS], [UNIFORM, UNIFORM]) == pytest.approx(0, abs=1e-15)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_three_player_gains_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 3, 2)
    tables = [rng.normal(size=shape) for _ in shape]
    mixes = [rng.dirichlet(np.ones(n)) for n in shape]
    gains = br.best_response_gains(tables, mixes)
    for k in range(3):
        best = -math.inf
        for action in range(shape[k]):
            trial = [np.eye(shape[k])[action] if i == k else mixes[i] for i in range(3)]
            best = max(best, np.einsum("abc,a,b,c", tables[k], *trial))
        now = np.einsum("abc,a,b,c", tables[k], *mixes)
        assert gains[k] == pytest.approx(best - now)
        assert gains[k] >= -1e-12


def test_policies_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="probability vector"):
        br.best_response_gains([RPS, -RPS], [(0.5, 0.2, 0.2), UNIFORM])
    with pytest.raises(ValueError, match="do not fit"):
        br.best_response_gains([RPS], [UNIFORM, UNIFORM])


@pytest.mark.parametrize(
    ("strategy", "value"),
    [
        (m1.ALL_C, 5.0),
        (m1.ALL_D, 1.0),
        (m1.TIT_FOR_TAT, 3.0),
        (m1.GRIM, 3.0),
        (m1.WIN_STAY_LOSE_SHIFT, 3.0),
        (tuple(extort(3)), 21 / 11),  # giving in is all one can do against extortion
    ],
)
def test_long_run_best_responses(strategy: tuple[float, ...], value: float) -> None:
    found = br.average_best_response(br.memory_one_automaton(strategy), PD)
    assert found.value == pytest.approx(value, abs=1e-8)


def test_the_last_round_is_defected() -> None:
    found = br.finite_best_response(br.memory_one_automaton(m1.TIT_FOR_TAT), PD, 10)
    assert found.value == pytest.approx((9 * 3 + 5) / 10)
    assert found.actions[-1].tolist() == [1] * 5
    assert br.memory_one_gain(m1.TIT_FOR_TAT, m1.TIT_FOR_TAT, rounds=10) == pytest.approx(0.2)


def test_cooperating_with_tit_for_tat_pays_from_delta_two_thirds() -> None:
    tft = br.memory_one_automaton(m1.TIT_FOR_TAT)
    for gamma, pays in ((0.66, False), (0.67, True)):
        value = br.discounted_best_response(tft, PD, gamma).value
        assert (value == pytest.approx(3 / (1 - gamma))) == pays
        assert (br.memory_one_gain(m1.TIT_FOR_TAT, m1.TIT_FOR_TAT, gamma=gamma) < 1e-9) == pays


@given(seed=st.integers(0, 10**6), noise=st.sampled_from([0.0, 0.05]))
@settings(max_examples=12, deadline=None)
def test_no_memory_one_strategy_beats_the_best_response(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    q = np.where(rng.random(4) < 0.4, rng.integers(0, 2, 4), rng.random(4))
    automaton = br.memory_one_automaton(q)
    every = np.array(list(itertools.product((0.0, 1.0), repeat=4)))
    best = top = -math.inf
    for first in (0.0, 1.0):
        own, _ = m1.long_run_payoffs(every, q, noise=noise, first=first)
        sums, _ = m1.discounted_payoffs(every, q, 0.9, noise=noise, first=first)
        best, top = max(best, own.max()), max(top, sums.max())
    # Against memory one a memory-one strategy is best (Press & Dyson 2012), so equality holds.
    assert br.average_best_response(automaton, PD, noise=noise).value == pytest.approx(
        best, abs=1e-7
    )
    found = br.discounted_best_response(automaton, PD, 0.9, noise=noise)
    assert found.value == pytest.approx(top, abs=1e-9)
    rounds = 400
    finite = br.finite_best_response(automaton, PD, rounds, noise=noise).value
    assert finite >= m1.finite_payoffs(every, q, rounds, noise=noise)[0].max() - 1e-9


def test_an_automaton_with_a_longer_memory() -> None:
    # Tit for two tats: it may be exploited in every second round, for (5+3)/2 = 4 a round.
    moves = np.array([[[0, 1], [0, 1]], [[0, 2], [0, 2]], [[0, 2], [0, 2]]])
    acts = np.array([[1, 0], [1, 0], [0, 1.0]])
    two_tats = br.Automaton(acts, moves)
    assert br.average_best_response(two_tats, PD).value == pytest.approx(4, abs=1e-8)
    with pytest.raises(ValueError, match="do not fit"):
        br.average_best_response(two_tats, np.zeros((3, 3)))


def test_gamma_and_rounds_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="not both"):
        br.memory_one_gain(m1.ALL_C, m1.ALL_C, gamma=0.9, rounds=3)


def test_simultaneous_multiplicative_weights_spiral_out() -> None:
    run = multiplicative_weights(RPS, (0.5, 0.3, 0.2), (0.2, 0.5, 0.3), step=0.05, steps=20_000)

    def divergence(t: int) -> float:
        return -float(np.log(3 * run.rows[t]).mean() + np.log(3 * run.columns[t]).mean())

    assert run.gaps[0] == pytest.approx(0.60)
    assert run.gaps[-1] == pytest.approx(1.81, abs=0.005)
    assert divergence(0) == pytest.approx(0.1405, abs=5e-5)
    assert divergence(-1) == pytest.approx(9.973, abs=5e-4)
    assert run.average_gaps[-1] < 0.02  # the time average comes near the equilibrium all the same


def test_alternating_multiplicative_weights_go_round() -> None:
    run = multiplicative_weights(
        RPS, (0.5, 0.3, 0.2), (0.2, 0.5, 0.3), step=0.05, steps=5_000, alternating=True
    )
    assert 0.3 < run.gaps.min() < run.gaps.max() < 0.7  # neither in nor out
    assert run.average_gaps[-1] < 0.01
    with pytest.raises(ValueError, match="positive"):
        multiplicative_weights(RPS, (1, 0, 0), UNIFORM, step=0.1, steps=1)


def test_the_duality_gap_is_nash_conv() -> None:
    rng = np.random.default_rng(0)
    a, x, y = rng.normal(size=(3, 4)), rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))
    assert duality_gap(a, x, y) == pytest.approx(br.nash_conv([a, -a], [x, y]))


def test_kuhn_poker_of_open_spiel() -> None:
    """The uniform policy in the normal form; CFR after 1000 iterations, all by open_spiel."""
    pyspiel = pytest.importorskip("pyspiel")
    exploitability = pytest.importorskip("open_spiel.python.algorithms.exploitability")
    policy = pytest.importorskip("open_spiel.python.policy")
    game = pyspiel.load_game("kuhn_poker")
    uniform = exploitability.nash_conv(game, policy.UniformRandomPolicy(game))
    assert uniform / 2 == pytest.approx(0.458333, abs=5e-7)
    solver = pyspiel.CFRSolver(game)
    for _ in range(1000):
        solver.evaluate_and_update_policy()
    found = pyspiel.nash_conv(game, solver.average_policy())
    assert found / 2 == pytest.approx(0.000938, abs=5e-7)
