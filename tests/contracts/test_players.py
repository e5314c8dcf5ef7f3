"""The contract of a player, for every file in every family's folder, on the roster or not."""

from __future__ import annotations

import doctest
import inspect
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from freezetag import catalogue
from freezetag.contracts import check_policy
from freezetag.core import Obs, Planner, Policy, Ref, ReportsPower
from freezetag.players import families

FILES = [f"{family}/{name}" for family, names in families().items() for name in names]
SEATS = 4


def module_of(path: str) -> Any:
    return import_module(f"freezetag.players.{path.replace('/', '.')}")


def class_of_file(path: str) -> Any:
    name = "".join(part.capitalize() for part in path.rsplit("/", 1)[-1].split("_"))
    return getattr(module_of(path), name)


PLANNERS = [path for path in FILES if isinstance(class_of_file(path)(), Planner)]
PATHS = [path for path in FILES if path not in PLANNERS]
QUICK = ("learners/multiplicative_weights", "reciprocators/tit_for_tat")


def observation(width: int = 1) -> Obs:
    """Shapes of an observation: N = 4 seats, K = width components of 3 values each."""
    seats = jnp.arange(SEATS)
    return Obs(
        seat=jnp.int32(1),
        step=jnp.int32(3),
        own_reward=jnp.float32(1.5),
        own_action=jnp.ones(width, jnp.int32),
        own_level=jnp.float32(0.5),
        present=seats != 1,
        seen=(seats != 1) & (seats != 3),
        levels=jnp.float32(seats == 0),
        others_rewards=jnp.float32(seats),
        selfish=jnp.full(width, 2, jnp.int32),
        prosocial=jnp.zeros(width, jnp.int32),
        legal=jnp.ones(3 * width, bool),
    )


def shapes(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


@pytest.mark.parametrize("path", FILES)
def test_one_public_frozen_dataclass_named_as_the_file(path: str) -> None:
    module, cls = module_of(path), class_of_file(path)
    public = [
        name
        for name, item in inspect.getmembers(module, inspect.isclass)
        if item.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert public == [cls.__name__]
    assert is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert isinstance(cls(), Policy | Planner)
    assert hash(cls()) == hash(cls())


@pytest.mark.parametrize("path", FILES)
def test_traits_are_declared(path: str) -> None:
    cls = class_of_file(path)
    assert all(type(vars(cls)[trait]) is bool for trait in ("learns", "plans", "stochastic"))
    assert cls.plans == (path in PLANNERS)


def test_the_planners_were_found() -> None:
    assert {"planners/factual", "planners/interlocked"} <= set(PLANNERS)


@pytest.mark.parametrize("path", PLANNERS)
def test_a_planner_has_a_policy_in_a_world_with_a_model(path: str) -> None:
    """And a panel. `home` names the world of a planner that cannot plan in every world."""
    planner = class_of_file(path)()
    world = catalogue.load(Ref(getattr(planner, "home", "substrates/button")))
    assert all(hasattr(each, "trips") for each in planner.panel.interlocks)
    policy = planner.plan(world, 0)
    assert isinstance(policy, Policy)
    assert isinstance(policy, ReportsPower)
    assert "\nSource: " in (inspect.getdoc(class_of_file(path)) or "")
    seen = replace(observation(), step=jnp.int32(0), world={"state": jnp.int32(0)})
    carry = policy.init(jax.random.key(0))
    action, after = policy.act(jax.random.key(1), carry, seen)
    assert action.shape == (1,)
    assert 0 <= int(action[0]) < world.action_sizes[0]
    assert shapes(carry) == shapes(after)
    assert jnp.isfinite(policy.power(carry, seen))


@pytest.mark.parametrize(
    "path", [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in PATHS]
)
def test_a_player_keeps_the_contract_that_a_users_own_is_held_to(path: str) -> None:
    check_policy(class_of_file(path)())


@pytest.mark.parametrize("path", PATHS)
def test_a_played_line_is_in_the_docstring(path: str) -> None:
    examples = doctest.DocTestParser().get_examples(class_of_file(path).__doc__)
    assert any("play_line" in example.source and example.want for example in examples)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("path", PATHS)
def test_acts_alike_in_shape_with_traced_settings(path: str, width: int) -> None:
    """One carry for ever, an action [K]; and every float setting may be a tracer."""
    cls = class_of_file(path)
    defaults = {field.name: getattr(cls(), field.name) for field in fields(cls)}
    settings = {  # a tuple of numbers travels as one array
        name: jnp.asarray(value)
        for name, value in defaults.items()
        if isinstance(value, float) or (isinstance(value, tuple) and value)
    }

    def twice(key: Any, leaves: Any) -> Any:
        who = cls(**leaves)
        carry = who.init(key)
        action, after = who.act(key, carry, observation(width))
        return carry, action, after

    carry, action, after = jax.eval_shape(twice, jax.random.key(0), settings)
    assert action.shape == (width,)
    assert shapes(carry) == shapes(after)
    assert all(leaf.dtype in (jnp.float32, jnp.int32) for leaf in jax.tree.leaves(carry))


@pytest.mark.parametrize("path", PATHS)
def test_alone_it_still_acts_within_the_scale(path: str) -> None:
    """Nobody present, and NaN nowhere: a class of 1."""
    nobody, zeros = jnp.zeros(SEATS, bool), jnp.zeros(SEATS)
    none = dict(present=nobody, seen=nobody, levels=zeros, others_rewards=zeros)
    own = dict(own_level=jnp.float32(1), own_action=jnp.zeros(1, jnp.int32))
    who = class_of_file(path)()

    def acts(key: Any, step: Any) -> Any:
        alone = replace(observation(), step=step, **none, **own)
        return who.act(key, who.init(key), alone)[0][0]

    for step in (0, 2):
        action = float(acts(jax.random.key(1), jnp.int32(step)))
        assert action in (0, 1, 2)
