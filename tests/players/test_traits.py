"""Declared traits against behaviour, on the fixed histories of `histories`.

stochastic: another key, and nothing else, changes what the player wants.
learns: with the same key, the same moves of everyone and the same last 25 rewards, what it earned
before changes what it wants. (Memory of moves is not learning, nor is envy of the last reward.)
Who learns between days alone (`learn`) shows nothing of it within one: see `test_replaced`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.players.histories import LEARNED, batched, everyone, player, respond, rows, stack

from freezetag.core import Freezable, Ref
from freezetag.players import roster

NAMES = {ref.name: ref for ref in roster()}
LEARNERS = [name for name, ref in NAMES.items() if player(ref).learns]


@pytest.mark.parametrize("name", NAMES)
def test_another_key_changes_a_stochastic_player_only(name: str) -> None:
    found = everyone()[name]
    differs = (found["probes"] != found["other key"]).any()
    assert differs == player(NAMES[name]).stochastic


@pytest.mark.parametrize("name", NAMES)
def test_past_rewards_change_a_learner_only(name: str) -> None:
    found = everyone()[name]
    tape, twisted = found["tape"], found["twisted"]
    assert (tape[:, :LEARNED, 1] == twisted[:, :LEARNED, 1]).all(), "own moves were forced alike"
    differs = (tape[:, LEARNED:, 0] != twisted[:, LEARNED:, 0]).any()
    who = player(NAMES[name])
    assert differs == (who.learns and not hasattr(who, "learn"))


def test_the_learners_and_two_shapers_learn() -> None:
    assert sorted(LEARNERS) == [
        *("fictitious_play", "lola_estimated", "meta_shaper", "naive_gradient", "q_learning", "ucb")
    ]
    assert all(isinstance(player(NAMES[name]), Freezable) for name in LEARNERS)


def test_nobody_plans() -> None:
    assert not any(player(ref).plans for ref in NAMES.values())


def test_levels_lie_in_the_unit_interval_and_are_numbers() -> None:
    for name, found in everyone().items():
        for kind, values in found.items():
            wanted = values[..., 0]
            assert ((wanted >= 0) & (wanted <= 1)).all(), (name, kind)


class Held:
    """A player that learns until a step and is then held, in one life."""

    def __init__(self, who: Any, until: int) -> None:
        self.who, self.until = who, until

    def init(self, key: Any) -> Any:
        return self.who.init(key)

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        learning = obs.step < self.until
        action, learned = self.who.act(key, carry, obs)
        held, same = self.who.frozen().act(key, carry, obs)
        leaves = zip(jax.tree.leaves(same), jax.tree.leaves(carry), strict=True)
        assert all(after is before for after, before in leaves), "frozen: the same carry"
        carry = jax.tree.map(lambda new, old: jnp.where(learning, new, old), learned, carry)
        return jnp.where(learning, action, held), carry


def test_a_frozen_learner_keeps_its_carry_and_its_policy() -> None:
    """Once held, turned rewards change nothing in what it wants; and its carry is left alone."""
    batch, until = stack(rows()["tape"][:4]), 30
    late = np.where(np.arange(batch.twist.shape[1]) < until, 1.0, -1.0).astype(np.float32)
    turned = batch._replace(twist=np.broadcast_to(late, batch.twist.shape))

    def all_of_them(batch: Any) -> Any:
        people = [Held(player(NAMES[name]), until) for name in LEARNERS]
        return [jax.vmap(partial(respond, who))(batch) for who in people]

    run = jax.jit(all_of_them)
    for name, one, two in zip(LEARNERS, run(batch), run(turned), strict=True):
        assert (one[..., 2] != two[..., 2]).any(), "the rewards were turned"
        assert (one[..., 0] == two[..., 0]).all(), name


def test_a_frozen_q_learner_does_not_explore() -> None:
    who = player(Ref.of("players/learners/q_learning", epsilon=1.0)).frozen()
    wanted = np.asarray(batched(who)(stack(rows()["cooperator"])))[..., 0]
    assert (wanted == 1).all(), "all values are 0: the tie goes to C"


def test_chances_are_checked_before_anything_runs() -> None:
    for path, settings in [
        ("exploiters/memory_one", {"dc": 1.5}),
        ("reciprocators/generous_tit_for_tat", {"generosity": -0.1}),
        ("noisy/trembling_hand", {"tremble": float("nan")}),
        ("altruists/mostly_cooperate", {"chance": 2.0}),
        ("imitators/conformist", {"rate": -1.0}),
        ("learners/q_learning", {"epsilon": 3.0}),
    ]:
        (setting,) = settings
        with pytest.raises(ValueError, match=rf"{setting} must lie in \[0, 1\], got"):
            player(Ref.of(f"players/{path}", **settings))
