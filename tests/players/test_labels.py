"""Each family behaves as labelled, and nobody is a duplicate of anybody."""

from __future__ import annotations

from itertools import combinations

import jax
import numpy as np
import pytest
from tests.players.histories import everyone, player

from freezetag.core import Ref
from freezetag.players import roster
from freezetag.players._lines import play_pair

FAMILY: dict[str, list[str]] = {}
for _ref in roster():
    FAMILY.setdefault(_ref.family, []).append(_ref.name)
HISTORIES = 4
"""Two players are told apart by at least this many of the 36 probe histories."""


def members(*families: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [who for each in families for who in FAMILY[each]])


def level(name: str, kind: str) -> float:
    """Mean level executed against a kind of partner."""
    return float(everyone()[name][kind][..., 1].mean())


def pay(name: str, kind: str) -> float:
    return float(everyone()[name][kind][..., 2].mean())


@pytest.mark.slow
def test_no_two_behave_alike() -> None:
    probes = {name: found["probes"][..., 0] for name, found in everyone().items()}
    alike = [
        (one, two)
        for one, two in combinations(probes, 2)
        if (probes[one] != probes[two]).any(1).sum() < HISTORIES
    ]
    assert not alike


@members("reciprocators")
def test_reciprocators_answer_in_kind(name: str) -> None:
    assert level(name, "cooperator") == 1
    assert level(name, "mirror") == 1
    assert level(name, "defector") <= 0.55


@members("altruists")
def test_altruists_cooperate_with_defectors(name: str) -> None:
    """At least nine times in ten; 16 matches of 120 steps leave .9 a standard error of .007."""
    assert level(name, "defector") >= 0.88
    assert level(name, "crowd of defectors") >= 0.88


@members("exploiters", "bad_influences", "liars")
def test_exploiters_gain_from_a_cooperator(name: str) -> None:
    """More than the 3 of mutual cooperation, and more than the cooperator, who gets 3 x level."""
    assert pay(name, "cooperator") > 3.3
    assert pay(name, "cooperator") > 3 * level(name, "cooperator") + 0.5


@members("exploiters")
def test_exploiters_are_not_exploited(name: str) -> None:
    """A defector leaves them nearly what they could get, 1."""
    assert pay(name, "defector") > 0.9


@members("learners")
def test_learners_use_what_they_earned(name: str) -> None:
    """With rewards turned round early on, what they want later is another thing."""
    found = everyone()[name]
    late = np.abs(found["tape"][:, -40:, 0] - found["twisted"][:, -40:, 0])
    assert late.mean() > 0.1


@members("imitators")
def test_imitators_do_as_those_beside_them(name: str) -> None:
    assert level(name, "cooperator") == 1
    assert level(name, "mirror") == 1
    assert level(name, "crowd of defectors") < 0.1


@members("bad_influences")
def test_bad_influences_grow_rich_and_drag_down(name: str) -> None:
    assert level(name, "cooperator") < 0.1
    assert pay(name, "cooperator") > 4.5
    assert level(name, "mirror") < 0.5


@members("liars")
def test_liars_show_cooperation_first_and_then_take(name: str) -> None:
    found = everyone()[name]["cooperator"]
    assert (found[:, 0, 1] == 1).all()
    assert found[..., 1].min() == 0


@members("noisy")
def test_the_noisy_differ_from_what_they_mean(name: str) -> None:
    """One move in ten, in the mean of 1920; tit for tat is what it means to play."""
    noise = np.abs(everyone()[name]["cooperator"][..., 0] - 1).mean()
    assert 0.07 < noise < 0.13


@members("silent")
def test_the_silent_say_nothing_by_what_they_do(name: str) -> None:
    """What they want is the same in every history, step by step."""
    wanted = np.concatenate([found[..., 0] for found in everyone()[name].values()])
    assert (wanted == wanted[0]).all()


def test_shapers_make_a_naive_learner_cooperate() -> None:
    """Beside each of them a naive gradient learner cooperates more than beside its like."""
    keys = jax.random.split(jax.random.key(11), 64)
    naive = player(Ref.of("players/learners/naive_gradient"))
    people = [naive, *(player(Ref.of(f"players/shapers/{name}")) for name in FAMILY["shapers"])]

    def matches(key: jax.Array) -> list[jax.Array]:
        return [play_pair(who, naive, 400, key)[200:, 1].mean() for who in people]

    like, *shaped = (np.asarray(each) for each in jax.jit(jax.vmap(matches))(keys))
    for name, found in zip(FAMILY["shapers"], shaped, strict=True):
        gain = found - like
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        assert gain.mean() > 3 * error, (name, gain.mean(), error)
