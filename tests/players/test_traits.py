"""Declared traits of every player's file against behaviour, on the fixed histories of `histories`.

stochastic: another key, and nothing else, changes what the player wants.
learns: with the same key, the same moves of everyone and the same last 25 rewards, what it earned
before changes what it wants. (Memory of moves is not learning, nor is envy of the last reward.)
Who learns between days alone (`learn`) shows nothing of it within one: see `test_replaced`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.players.histories import (
    LEARNED,
    batched,
    everyone,
    player,
    respond,
    rows,
    stack,
    these,
)

from freezetag.core import Freezable, Obs, Ref
from freezetag.players import families, roster

NAMES = {ref.name: ref for ref in roster()}
SETTINGS: dict[str, dict[str, Any]] = {
    "memory_one": dict(cd=0.5),
    "planned": dict(levels=(-1.0,), cd=0.5),
    "q_pricing": dict(prices=2, beta=0.5, start=(1.0, 0.0)),
}
"""Of players whose traits depend on settings that are not their defaults."""
ELSEWHERE = {"repricer", "urns"}
"""Who acts by chance, or learns, in its own world alone: tests of their own, below."""
OTHERS = {
    name: Ref.of(f"players/{family}/{name}", **SETTINGS.get(name, {}))
    for family, names in families().items()
    for name in names
    if name not in NAMES and family != "planners"
}
EVERY_FILE = [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
LEARNERS = [name for name, ref in NAMES.items() if player(ref).learns]


def of(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    """A player and what it did; those who do not sit on the roster make one program more."""
    if name in NAMES:
        return player(NAMES[name]), everyone()[name]
    return player(OTHERS[name]), these(tuple(OTHERS.values()))[name]


@pytest.mark.parametrize("name", EVERY_FILE)
def test_another_key_changes_a_stochastic_player_only(name: str) -> None:
    who, found = of(name)
    differs = (found["probes"] != found["other key"]).any()
    assert differs == (who.stochastic and name not in ELSEWHERE)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_past_rewards_change_a_learner_only(name: str) -> None:
    who, found = of(name)
    tape, twisted = found["tape"], found["twisted"]
    assert (tape[:, :LEARNED, 1] == twisted[:, :LEARNED, 1]).all(), "own moves were forced alike"
    differs = (tape[:, LEARNED:, 0] != twisted[:, LEARNED:, 0]).any()
    within = who.learns and not hasattr(who, "learn")
    assert differs == (within and name not in ELSEWHERE)


def seen(**world: Any) -> Obs:
    """An observation of seat 0 of two, with these fields of its world."""
    two, yes = jnp.zeros(2), jnp.asarray([False, True])
    return Obs(
        seat=jnp.int32(0), step=jnp.int32(5), own_reward=jnp.float32(0),
        own_action=jnp.zeros(2, jnp.int32), own_level=jnp.float32(0), present=yes, seen=yes,
        levels=two, others_rewards=two, selfish=jnp.zeros(2, jnp.int32),
        prosocial=jnp.ones(2, jnp.int32), legal=jnp.ones(4, bool),
        world={name: jnp.asarray(value) for name, value in world.items()},
        messages=jnp.zeros((2, 1), jnp.int32),
    )  # fmt: skip


def wants(who: Any, carry: Any, obs: Obs) -> set[tuple[int, ...]]:
    """What it does by twenty keys."""
    keys = jax.random.split(jax.random.key(0), 20)
    actions = jax.vmap(lambda key: who.act(key, carry, obs)[0])(keys)
    return {tuple(np.atleast_1d(action).tolist()) for action in actions}


def test_a_repricer_acts_by_chance_where_there_are_prices() -> None:
    """Between two that are listed it takes either."""
    who = player(OTHERS["repricer"])
    obs = seen(prices=[0.0, 1.0, 2.0], cost=1.0, others=1.5)
    assert wants(who, who.init(jax.random.key(0)), obs) == {(1,), (2,)}
    none = replace(obs, world={})
    assert len(wants(who, who.init(jax.random.key(0)), none)) == 1


def test_urns_learn_and_act_by_chance_where_there_is_a_channel() -> None:
    """A ball for what was understood, and for no more."""
    who = player(Ref.of("players/learners/urns", size=2))
    channel = dict(shown=0, heard=0, acted_well=0.0)
    carry = who.init(jax.random.key(0))
    assert wants(who, carry, seen(**channel, understood=0.0)) == {(0, 0), (0, 1), (1, 0), (1, 1)}

    def says(understood: float) -> Any:
        after = carry
        for step in range(200):
            key = jax.random.fold_in(jax.random.key(1), step)
            _, after = who.act(key, after, seen(**channel, understood=understood))
        return after[0]

    assert (says(0.0) == carry[0]).all()
    assert float(says(1.0).sum()) == float(carry[0].sum()) + 200


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
