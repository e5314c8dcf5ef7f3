"""The contract of a player that is pure JAX, as a check."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from freezetag.contracts._common import ContractError, need, same, shapes
from freezetag.core import FOCAL, Arm, Array, Obs, Scenario, level_of
from freezetag.sim import engine
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.commons import Commons
from freezetag.substrates.matrix_game import MatrixGame


def check_policy(policy: Any, *, steps: int = 6, seed: int = 0) -> None:
    """Raise `ContractError` unless `policy` keeps to `core.Policy` as a pure JAX player.

    Checked in a pair game and in a commons of five: the carry keeps its structure, shapes and
    types; actions are whole, legal and of shape [K] or []; the same key, the same action; jit
    changes nothing; a player that declares `stochastic = False` ignores its key, one that
    declares `learns = False` has no `learn`. At last the real driver seats it beside copies of
    itself, for two days.
    """
    engine.start()
    name = type(policy).__name__
    for method in ("init", "act"):
        need(callable(getattr(policy, method, None)), f"{name} has no method {method}.")
    if getattr(policy, "learns", None) is False:
        need(not hasattr(policy, "learn"), f"{name} declares learns = False but has `learn`.")
    for substrate in (MatrixGame(), Commons(players=5)):
        where = f"{name} in {type(substrate).__name__}"
        _policy_in(policy, substrate, where, steps, seed)
        _driven(policy, substrate, where, steps, seed)


def _policy_in(policy: Any, substrate: Any, where: str, steps: int, seed: int) -> None:
    key = jax.random.key(seed)
    seats, sizes = substrate.players, substrate.action_sizes
    names = [field.name for field in dataclasses.fields(Obs)]
    rng = np.random.default_rng(seed)

    def act(key: Array, carry: Any, view: Mapping[str, Any]) -> tuple[Array, Any]:
        action, after = policy.act(key, carry, Obs(**view))
        return action, after

    compiled = jax.jit(act)
    state = substrate.init(key, np.ones(seats, bool))
    carry = jax.tree.map(jax.numpy.asarray, policy.init(key))
    need(same(carry, policy.init(key)), f"{where}: init differs for the same key.")
    if getattr(policy, "stochastic", None) is False:
        need(
            same(carry, policy.init(jax.random.fold_in(key, 1000))),
            f"{where}: declares stochastic = False, but init differs with the key.",
        )
    kinds, levels, rewards = shapes(carry), np.zeros(seats, np.float32), np.zeros(seats)
    actions = np.zeros((seats, len(sizes)), np.int32)
    for t in range(steps):
        selfish, prosocial = (np.asarray(end) for end in substrate.scale(state))
        others = np.arange(seats) > 0
        seen = others & (t > 0)
        values = (
            *(np.int32(0), np.int32(t), np.float32(rewards[0]), actions[0], levels[0]),
            *(others, seen, levels * seen, np.float32(rewards * seen), selfish[0], prosocial[0]),
            np.asarray(substrate.legal(state))[0],
            {name: value[0] for name, value in substrate.observe(state).items()},
            None,
        )
        view = dict(zip(names, values, strict=True))
        own = jax.random.fold_in(key, t)
        action, after = compiled(own, carry, view)
        value = np.atleast_1d(np.asarray(action))
        whole = value.shape == (len(sizes),) and (value == np.round(value)).all()
        need(whole, f"{where}, step {t}: action {action} must be whole numbers [{len(sizes)}].")
        inside = all(0 <= v < s for v, s in zip(value, sizes, strict=True))
        need(inside, f"{where}, step {t}: action {value} is outside of sizes {sizes}.")
        need(shapes(after) == kinds, f"{where}, step {t}: the carry changed shape or type.")
        need(
            same((action, after), compiled(own, carry, view)),
            f"{where}, step {t}: same key, differs.",
        )
        eager = act(own, carry, view)
        need(np.array_equal(eager[0], action), f"{where}, step {t}: jit and eager differ.")
        if getattr(policy, "stochastic", None) is False:
            other = compiled(jax.random.fold_in(key, 1000 + t), carry, view)[0]
            need(
                np.array_equal(other, action),
                f"{where}, step {t}: declares stochastic = False, but acts {action} or {other}.",
            )
        played = rng.integers(0, 2, (seats, 1)) * (prosocial - selfish) + selfish
        played[0] = value
        out = substrate.step(own, state, played.astype(np.int32))
        levels = np.asarray(level_of(played, selfish, prosocial), np.float32)
        state, carry, actions, rewards = out.state, after, played, np.asarray(out.rewards)


def _driven(policy: Any, substrate: Any, where: str, steps: int, seed: int) -> None:
    """The driver seats it: what it makes of the policy, it can run."""
    seating = (tuple(0 for _ in range(substrate.players)),)
    scenario = Scenario(substrate, (FOCAL,), seating, steps, days=2)
    try:
        record = run_arm(Arm(scenario, 2), Pupil("it", policy), {}, seed)
    except Exception as error:
        raise ContractError(
            f"{where}: the driver cannot seat it: {type(error).__name__}: {error}"
        ) from error
    illegal = record.episode.illegal.any()
    need(not illegal, f"{where}: an action was not legal, and the seat rested instead.")
