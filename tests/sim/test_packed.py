"""Packing changes who computes what, and nothing else."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Ref, Scenario
from freezetag.sim import packed, rollout
from freezetag.sim.arms import Pupil, run_arm

CAST = (
    FOCAL,
    Ref("players/reciprocators/gradual"),
    Ref("players/baselines/random_play"),
    Ref("players/learners/q_learning"),
    Ref.of("players/exploiters/memory_one", cc=0.9, cd=0.2, dc=0.7, dd=0.3),
    Ref.of("players/exploiters/memory_one", cc=0.1, cd=0.8, dc=0.3, dd=0.6),
)
ROWS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (3, 3), (0, 0))


def test_a_tournament_plays_each_pair_as_if_it_played_alone() -> None:
    pupil = Pupil("pupil", catalogue.load(Ref("players/reciprocators/tit_for_tat")))
    world = Ref.of("substrates/matrix_game", noise=0.1, continuation=0.95)
    whole = run_arm(Arm(Scenario(world, CAST, ROWS, 25), 3), pupil, {}, seed=4).episode
    for number in (1, 2, 5):
        row = ROWS[number]
        alone = run_arm(Arm(Scenario(world, CAST, (row,), 25), 3), pupil, {}, seed=4).episode
        mine = whole.row == number
        for name in ("proposed", "executed", "rewards", "valid", "levels"):
            np.testing.assert_array_equal(
                getattr(whole, name)[mine], getattr(alone, name), err_msg=f"{row} {name}"
            )


@pytest.mark.slow
def test_kinds_with_many_places_act_chunk_by_chunk() -> None:
    pupil = Pupil("pupil", catalogue.load(Ref("players/reciprocators/tit_for_tat")))
    world = Ref.of("substrates/matrix_game", noise=0.1, continuation=0.95)
    rows = ((0, 2), (2, 0), (0, 0), (0, 3))  # 160 of 200 places are the pupil's in a chunk of 128
    whole = run_arm(Arm(Scenario(world, CAST, rows, 25), 40), pupil, {}, seed=4).episode
    for number in (1, 3):
        alone = run_arm(
            Arm(Scenario(world, CAST, (rows[number],), 25), 40), pupil, {}, seed=4
        ).episode
        mine = whole.row == number
        for name in ("proposed", "executed", "rewards", "valid", "levels"):
            np.testing.assert_array_equal(
                getattr(whole, name)[mine], getattr(alone, name), err_msg=f"{number} {name}"
            )


def test_seats_of_one_kind_act_as_if_each_acted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pupil = Pupil("pupil", catalogue.load(Ref("players/reciprocators/tit_for_tat")))
    random = Ref("players/baselines/random_play")
    cast = (FOCAL, *(Ref.of("players/altruists/sharer", credit=0.1 * i) for i in range(4)), random)
    world = Ref.of("substrates/commons", players=9)
    rows = ((0, 1, 2, 3, 4, 5, 5, 5, 5), (0, 4, -1, 2, 1, -1, 5, 5, -1))
    arm = Arm(Scenario(world, cast, rows, 12), 3)
    together = run_arm(arm, pupil, {}, seed=4)
    monkeypatch.setattr(packed, "SEVERAL", 99)
    alone = run_arm(arm, pupil, {}, seed=4)
    for name in ("proposed", "executed", "rewards", "valid", "levels"):
        one, other = getattr(together.episode, name), getattr(alone.episode, name)
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert len(np.unique(alone.episode.proposed[:, :, 5:])) > 1


@pytest.mark.parametrize("pairs", [False, True], ids=["in a class", "in pairs"])
def test_players_of_one_class_with_settings_of_unlike_length_are_two_kinds(pairs: bool) -> None:
    pupil = Pupil("pupil", catalogue.load(Ref("players/reciprocators/tit_for_tat")))
    plans = ((1.0, 0.0), (1.0, 0.0, 0.0))
    cast = (FOCAL, *(Ref.of("players/exploiters/planned", levels=plan) for plan in plans))
    rows = ((0, 1), (0, 2)) if pairs else ((0, 1, 2, 1, 2, 1, 2, 1, 2),)
    world = Ref.of("substrates/matrix_game", game="public_goods", players=2 if pairs else 9)
    episode = run_arm(Arm(Scenario(world, cast, rows, 12), 2), pupil, {}, seed=4).episode
    levels = episode.levels[[0, -1], :, 1] if pairs else episode.levels[0, :, 1:3].T
    np.testing.assert_array_equal(
        levels, [[plan[t % len(plan)] for t in range(12)] for plan in plans]
    )


def test_learned_policies_come_back_in_the_order_of_the_episodes() -> None:
    pupil = Pupil("pupil", catalogue.load(Ref("players/reciprocators/tit_for_tat")))
    world = Ref("substrates/matrix_game")
    learner = Ref("players/learners/q_learning")
    both = (FOCAL, learner, Ref("players/learners/ucb"))
    rows = ((0, 1), (0, 2))
    whole = run_arm(Arm(Scenario(world, both, rows, 20), 4), pupil, {}, seed=2)
    alone = run_arm(Arm(Scenario(world, both, rows[:1], 20), 4), pupil, {}, seed=2)
    (single,) = alone.carries[0][1]
    packed = whole.carries[0][1][0]
    same = jax.tree.map(lambda a, b: np.array_equal(a[:4], b), packed, single)
    assert all(jax.tree.leaves(same))


def test_chunks_are_of_one_size() -> None:
    assert rollout.chunk_size(2, 50) == rollout.chunk_size(2, 50, rollout.MANY - 1) == 128
    assert rollout.chunk_size(2, 50, rollout.MANY) == 2048
    assert rollout.chunk_size(31, 12) == 128
    assert rollout.chunk_size(31, 12, rollout.MANY) == 512
    assert rollout.chunk_size(31, 200) == 32
    assert rollout.chunk_size(31, 1_001) == 8
