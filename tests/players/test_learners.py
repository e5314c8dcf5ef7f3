"""Learners off the roster: their rules against the same rules written out, and what they learn."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import FOCAL, Arm, Learned, Record, Ref, Scenario
from freezetag.players._lines import pair_obs
from freezetag.players.learners.multiplicative_weights import MultiplicativeWeights
from freezetag.players.learners.ppo import Ppo
from freezetag.players.learners.reinforce import Reinforce
from freezetag.sim.arms import Pupil, run_arm

PAYOFF = {(0, 0): 1.0, (0, 1): 5.0, (1, 0): 0.0, (1, 1): 3.0}  # (own, other), 1 = C
ALL_C, ALL_D, TFT = (1.0,) * 5, (0.0,) * 5, (1.0, 1.0, 0.0, 1.0, 0.0)


def fed(who: Any, own: list[int], other: list[int]) -> Any:
    """The carry after these executed moves, whatever it wanted."""
    moves = [(0, 0), *zip(own, other, strict=True)]

    def all_of_them() -> Any:
        carry = who.init(jax.random.key(3))
        for step, (a, b) in enumerate(moves):
            obs = pair_obs(step, a, b, PAYOFF[a, b], PAYOFF[b, a])
            carry = who.act(jax.random.key(0), carry, obs)[1]
        return carry

    return jax.jit(all_of_them)()


OWN, OTHER = [0, 1, 1, 0, 1, 0], [1, 1, 0, 0, 1, 0]


def test_the_odds_are_the_product_of_exact_weights() -> None:
    """Reference: with both moves known, each step multiplies by exp(rate * gain / spread)."""
    odds = float(fed(MultiplicativeWeights(rate=0.5), OWN, OTHER)[0])
    wanted, seen = 0.0, dict[tuple[int, int], float]()
    for a, b in zip(OWN, OTHER, strict=True):
        seen[a, b] = PAYOFF[a, b]
        met = {move: [v for (own, _), v in seen.items() if own == move] for move in (0, 1)}
        if met[0] and met[1]:
            tries = list(zip(OWN, OTHER, strict=True))[: len(seen)]
            mean = {
                (m, o): seen.get((m, o), np.mean([PAYOFF[t] for t in tries if t[0] == m]))
                for m in (0, 1)
                for o in (0, 1)
            }
            spread = max(mean.values()) - min(mean.values())
            wanted += 0.5 * (mean[1, b] - mean[0, b]) / spread
    assert odds == pytest.approx(wanted, abs=1e-5)


def test_the_steps_add_up_to_score_times_discounted_return() -> None:
    """Reference: Williams's sum over steps; with a tiny rate theta does not move on the way."""
    rate, discount = 1e-4, 0.9
    who = Reinforce(rate=rate, discount=discount)
    start = np.asarray(who.init(jax.random.key(3))[0], np.float64)
    theta = np.asarray(fed(who, OWN, OTHER)[0], np.float64)
    rewards = np.array([PAYOFF[pair] for pair in zip(OWN, OTHER, strict=True)])
    count = np.arange(1, len(rewards) + 1)
    spread = np.maximum.accumulate(rewards) - np.minimum.accumulate(rewards)
    more = (rewards - rewards.cumsum() / count) / np.where(spread > 0, spread, 1)
    wanted = np.zeros(5)
    for t, move in enumerate(OWN):
        state = 0 if t == 0 else 4 - 2 * OWN[t - 1] - OTHER[t - 1]
        score = move - 1 / (1 + np.exp(-start[state]))
        wanted[state] += score * (discount ** np.arange(len(more) - t) * more[t:]).sum()
    np.testing.assert_allclose((theta - start) / rate, wanted, atol=0.02)


def a_day(own: list[int], other: list[int]) -> dict[str, Any]:
    rewards = [PAYOFF[pair] for pair in zip(own, other, strict=True)]
    return {
        "own_level": jnp.float32(own),
        "mean_level": jnp.float32(other),
        "present": jnp.array([False, True]),
        "own_reward": jnp.float32(rewards),
        "valid": jnp.arange(len(own)) < len(own) - 1,  # the last step did not take place
    }


def test_a_small_step_of_ppo_is_the_policy_gradient_of_its_advantages() -> None:
    """Reference: generalised advantages as the double sum of Schulman et al. 2016, eq. 16."""
    theta, value = np.linspace(-1, 1, 5), np.linspace(2, 0, 5)
    n, day = len(OWN) - 1, a_day(OWN, OTHER)
    state = [0] + [4 - 2 * a - b for a, b in zip(OWN, OTHER, strict=True)]
    who = Ppo(rate=1e-3, epochs=1)
    learn = jax.jit(lambda carry: who.learn(jax.random.key(0), carry, day))
    found = learn((jnp.float32(theta), jnp.float32(value)))
    v = np.append(value[state[:n]], 0.0)
    error = np.array([PAYOFF[OWN[t], OTHER[t]] + who.discount * v[t + 1] - v[t] for t in range(n)])
    shrink = who.discount * who.decay
    gain = np.array([sum(shrink ** (k - t) * error[k] for k in range(t, n)) for t in range(n)])
    scaled = (gain - gain.mean()) / gain.std()
    wanted = np.zeros(5)
    for t in range(n):
        wanted[state[t]] += scaled[t] * (OWN[t] - 1 / (1 + np.exp(-theta[state[t]]))) / n
    np.testing.assert_allclose((np.asarray(found[0]) - theta) / 1e-3, wanted, atol=1e-3)
    for s in set(state[:n]):
        mean = np.mean([gain[t] + v[t] for t in range(n) if state[t] == s])
        assert float(found[1][s]) == pytest.approx((value[s] + mean) / 2, abs=1e-5)


def test_ppo_stops_beyond_its_clip_and_learns_nothing_when_held() -> None:
    theta, value = jnp.linspace(-1, 1, 5), jnp.zeros(5)
    day = a_day(OWN, OTHER)

    def after(who: Ppo) -> Any:
        learn = jax.jit(lambda carry: who.learn(jax.random.key(0), carry, day))
        return np.asarray(learn((theta, value))[0])

    np.testing.assert_array_equal(after(Ppo(clip=0.0, epochs=60)), after(Ppo(clip=0.0, epochs=1)))
    assert (after(Ppo(epochs=60)) != after(Ppo(epochs=1))).any()
    np.testing.assert_array_equal(after(Ppo().frozen()), theta)


PARTNERS = tuple(
    Ref.of("players/exploiters/memory_one", start=s, cc=cc, cd=cd, dc=dc, dd=dd)
    for s, cc, cd, dc, dd in (ALL_C, ALL_D, TFT)
)


def played(scenario: Scenario, repeats: int, seen: dict[str, Record] | None = None) -> Record:
    return run_arm(Arm(scenario, repeats), Pupil("ppo", Ppo()), seen or {}, seed=1)


def pairs(cast: tuple[Any, ...], rows: Any, horizon: int, **changes: Any) -> Scenario:
    return Scenario(Ref("substrates/matrix_game"), cast, tuple(rows), horizon, **changes)


def test_one_defects_everywhere_and_one_unless_it_is_answered() -> None:
    """Mean level in the last 100 of 500 steps beside ALLC, ALLD and tit for tat."""
    cast = (MultiplicativeWeights(), Reinforce(rate=0.2), *PARTNERS)
    rows = [(who, other) for who in (0, 1) for other in (2, 3, 4)]
    episode = played(pairs(cast, rows, 500), 32).episode
    weights, sampled = episode.levels[:, 400:, 0].mean(1).reshape(2, 3, 32).mean(2)
    assert (weights < 0.02).all()  # to defect is better against each move of the other's
    assert (sampled[:2] < 0.2).all()
    assert sampled[2] > 0.5


def test_ppo_learns_over_days_and_a_held_copy_keeps_what_it_learned() -> None:
    rows = ((0, 1), (0, 2), (0, 3))
    term = played(pairs((FOCAL, *PARTNERS), rows, 50, days=12), 16)
    first, last = (
        day.levels[:, :, 0].mean(1).reshape(3, 16).mean(1) for day in (term.days[0], term.days[-1])
    )
    assert (last[:2] < first[:2] - 0.1).all()
    assert last[2] > last[:2].max() + 0.2
    again = pairs((Learned("term", 0), *PARTNERS), rows, 50, days=2)
    held = played(again, 16, {"term": term})
    np.testing.assert_array_equal(held.carries[-1][0][0][0], term.carries[-1][0][0][0])
