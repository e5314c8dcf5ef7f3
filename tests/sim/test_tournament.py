"""Tournaments of tables: the moves of the players, the exact means, the laws of counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import Arm, Ref, Scenario
from freezetag.estimators.memory_one import PAYOFFS, SWAP, finite_payoffs
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.tournament import FEW_STATES, Machine, moves, round_robin

STEPS = 24
TIT_FOR_TAT = Machine.memory_one((1, 0, 1, 0))
# The same players as files of the catalogue and as tables.
PLAYERS: dict[Ref, Machine] = {
    Ref("players/altruists/always_cooperate"): Machine((1,), ((0, 0, 0, 0),)),
    Ref("players/exploiters/always_defect"): Machine((0,), ((0, 0, 0, 0),)),
    Ref("players/reciprocators/tit_for_tat"): TIT_FOR_TAT,
    Ref("players/reciprocators/win_stay_lose_shift"): Machine.memory_one((1, 0, 0, 1)),
    Ref("players/reciprocators/grudger"): Machine((1, 0), ((0, 1, 0, 1), (1, 1, 1, 1))),
    Ref("players/silent/alternator"): Machine((1, 0), ((1, 1, 1, 1), (0, 0, 0, 0))),
    Ref.of("players/altruists/forgiving", patience=2): Machine(
        (1, 1, 0), ((0, 1, 0, 1), (0, 2, 0, 2), (0, 1, 0, 1))
    ),
    Ref("players/exploiters/prober"): Machine(
        # D C C; then, if both were answered with C, D for good (6), else tit for tat (7, 8).
        (0, 1, 1, 1, 0, 0, 0, 1, 0),
        (
            (1, 1, 1, 1),
            (2, 3, 2, 3),
            (6, 8, 6, 8),
            (7, 8, 7, 8),
            (4, 4, 4, 4),
            (5, 5, 5, 5),
            (6, 6, 6, 6),
            (7, 8, 7, 8),
            (7, 8, 7, 8),
        ),
    ),
}
SEVERAL = (0.9, 0.2, 0.6, 0.3), (0.1, 0.5, 0.8, 0.7), (1.0, 1 / 3, 1.0, 1 / 3), (1.0, 0.0, 0.0, 1.0)


def test_moves_are_those_of_the_players_in_the_driver() -> None:
    n = len(PLAYERS)
    rows = tuple((i, j) for i in range(n) for j in range(i, n))
    scenario = Scenario(Ref("substrates/matrix_game"), tuple(PLAYERS), rows, STEPS)
    episode = run_arm(Arm(scenario, 1), Pupil("nobody", None), {}, seed=1).episode
    machines = tuple(PLAYERS.values())
    ours = moves(machines, np.array(rows), turns=STEPS)
    np.testing.assert_array_equal(ours, episode.executed[..., 0])
    scores = round_robin(machines, turns=STEPS, repetitions=1).scores()[0]
    for (i, j), row in zip(rows, range(len(rows)), strict=True):
        assert scores[i, j] == pytest.approx(episode.returns(0)[row])
        assert scores[j, i] == pytest.approx(episode.returns(1)[row])


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_means_are_the_exact_ones(noise: float) -> None:
    machines = [Machine.memory_one(chances) for chances in SEVERAL]
    played = round_robin(machines, turns=30, repetitions=4000, noise=noise, seed=3).scores()
    for i, p in enumerate(SEVERAL):
        for j, q in enumerate(SEVERAL):
            exact, _ = finite_payoffs(np.array(p), np.array(q), 30, noise=noise)
            spread = played[:, i, j].std() / np.sqrt(4000)
            assert abs(played[:, i, j].mean() - exact) <= 4.5 * spread + 1e-9


def test_draws_of_turns_repetitions_and_players_are_not_tied() -> None:
    coin = Machine((0.5,), ((0, 0, 0, 0),))
    played = moves([coin] * 40, np.argwhere(np.ones((40, 40))), turns=128).astype(float)
    centred = played - 0.5
    size = np.sqrt(centred[..., 0].size)
    assert abs(4 * (centred[..., 0] * centred[..., 1]).sum()) < 4.5 * size
    for lag in (1, 2, 7):
        tied = 4 * (centred[:, lag:, 0] * centred[:, :-lag, 0]).sum()
        assert abs(tied) < 4.5 * size
    assert abs(4 * (centred[1:] * centred[:-1]).sum()) < 4.5 * size * np.sqrt(2)
    counts = played.sum(1).ravel()  # binomial of 128
    assert counts.var() == pytest.approx(32, rel=0.1)


chance = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1e-9, 1 - 1e-9])


@st.composite
def machine(draw: st.DrawFn) -> Machine:
    states = draw(st.integers(1, 4))
    state = st.integers(0, states - 1)
    row = st.tuples(state, state, state, state)
    chances = draw(st.lists(chance, min_size=states, max_size=states))
    return Machine(tuple(chances), tuple(draw(row) for _ in range(states)))


@settings(max_examples=15, deadline=None)
@given(st.lists(machine(), min_size=1, max_size=4), st.floats(0, 1), st.integers(-5, 2**40))
def test_counts_add_up_and_both_sides_agree(
    machines: list[Machine], noise: float, seed: int
) -> None:
    found = round_robin(machines, turns=9, repetitions=2, noise=noise, seed=seed)
    n = len(machines)
    assert found.outcomes.shape == (2, n, n, 4)
    assert (found.outcomes >= 0).all()
    assert (found.outcomes.sum(-1) == 9).all()
    off = ~np.eye(n, dtype=bool)
    mirrored = found.outcomes.transpose(0, 2, 1, 3)[..., SWAP]
    np.testing.assert_array_equal(found.outcomes[:, off], mirrored[:, off])
    pairs = np.stack(np.triu_indices(n), -1)
    record = moves(machines, pairs, turns=9, noise=noise, seed=seed, repetition=1)
    outcome = 2 * record[..., 0] + record[..., 1]
    counts = (outcome[..., None] == np.arange(4)).sum(1)
    np.testing.assert_array_equal(counts, found.outcomes[1][pairs[:, 0], pairs[:, 1]])


def test_more_machines_and_repetitions_leave_the_rest() -> None:
    machines = [Machine.memory_one(chances) for chances in SEVERAL]
    few = round_robin(machines[:3], turns=50, repetitions=2, seed=1)
    many = round_robin(machines, turns=50, repetitions=3, seed=1)
    np.testing.assert_array_equal(few.outcomes, many.outcomes[:2, :3, :3])
    other = round_robin(machines[:3], turns=50, repetitions=2, seed=2)
    assert (few.outcomes != other.outcomes).any()
    assert (few.outcomes[0] != few.outcomes[1]).any()


def test_blocks_do_not_change_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [Machine.memory_one(chances) for chances in SEVERAL] * 5
    whole = round_robin(machines, turns=5, repetitions=4)
    monkeypatch.setattr("freezetag.sim.tournament._MOST_MATCHES", 256)
    np.testing.assert_array_equal(
        whole.outcomes, round_robin(machines, turns=5, repetitions=4).outcomes
    )


def test_scores_totals_and_cooperation() -> None:
    defector = Machine((0.0,), ((0, 0, 0, 0),))
    found = round_robin([TIT_FOR_TAT, defector], turns=10, repetitions=1)
    r, s, t, p = PAYOFFS
    np.testing.assert_allclose(found.scores()[0], [[r, (s + 9 * p) / 10], [(t + 9 * p) / 10, p]])
    np.testing.assert_allclose(found.totals()[0], [(s + 9 * p) / 10, (t + 9 * p) / 10])
    np.testing.assert_allclose(found.cooperation(), [[1, 0.1], [0, 0]])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Machine((), ()), "1 to"),
        (lambda: Machine((1.5,), ((0, 0, 0, 0),)), "1.5"),
        (lambda: Machine((float("nan"),), ((0, 0, 0, 0),)), "nan"),
        (lambda: Machine((1.0,), ((0, 0, 0, 1),)), "state 0"),
        (lambda: Machine((1.0, 0.0), ((0, 0, 0, 1),)), "1 rows"),
        (lambda: round_robin([]), "machines"),
        (lambda: round_robin([TIT_FOR_TAT], turns=0), "turn"),
        (lambda: round_robin([TIT_FOR_TAT], repetitions=0), "repetition"),
        (lambda: round_robin([TIT_FOR_TAT], noise=float("nan")), "noise"),
        (lambda: moves([TIT_FOR_TAT], np.array([[0, 1]])), "0 .. 0"),
    ],
)
def test_what_cannot_be_is_said(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]


def test_machines_of_many_states_play_alike() -> None:
    """Nine states or more are looked up in memory, fewer in words of bits."""
    machines = [Machine.memory_one(chances) for chances in SEVERAL]
    small = [*machines, *PLAYERS.values()][:11]
    assert max(len(machine.chances) for machine in small) <= FEW_STATES
    padded = [
        Machine((*one.chances, *[0.0] * 9), (*one.then, *[(0, 0, 0, 0)] * 9)) for one in small
    ]
    settings = {"turns": 450, "noise": 0.03, "seed": 8}  # a count of a word holds 255
    few, many = (round_robin(field, repetitions=2, **settings) for field in (small, padded))
    np.testing.assert_array_equal(few.outcomes, many.outcomes)
