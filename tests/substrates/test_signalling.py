"""Signalling against its closed forms, and Lewis's game as its learners play it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import SILENCE, Arm, Obs, Ref, Scenario, Unrecorded
from freezetag.players.learners.urns import Urns
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.signalling import Signalling, information, success

PLAIN = Ref("players/altruists/always_cooperate")
LIAR = Ref("players/exploiters/always_defect")


def played(**settings: float) -> Any:
    """100 talks of three plain speakers, then 100 of three who say the next number."""
    scenario = Scenario(Signalling(players=3, **settings), (PLAIN, LIAR), ((0,) * 3, (1,) * 3), 40)
    return run_arm(Arm(scenario, 100), Pupil("it", None), {}, seed=5).episode


def test_plain_speech_is_understood_at_once() -> None:
    episode = played()
    assert (episode.rewards[:100, 0] == 0).all()
    assert (episode.rewards[:100, 1:] == 1).all()
    assert (episode.world["bystander"][:100] == 1).all()
    assert (episode.levels[:100] == 1).all()


def test_a_liar_is_believed_by_who_takes_it_at_its_word() -> None:
    """Closed form: with conflict c a lie that is believed pays its speaker c / 2."""
    episode = played(conflict=0.75)
    assert (episode.levels[100:] == 0).all()
    assert episode.rewards[100:, 1:] == pytest.approx(0.375)
    assert episode.rewards[:100, 1:] == pytest.approx((1 + 0.25) / 2)
    assert (episode.world["bystander"][100:] == 0).all()


def test_noise_and_drops_have_their_rates() -> None:
    """Closed form: an act is right with (1 - drop)(1 - noise (n - 1) / n)."""
    episode = played(noise=0.2, drop=0.1)
    wanted = 0.9 * (1 - 0.2 * 7 / 8)
    rate = episode.world["acted_well"][:100, 1:].mean()
    assert abs(rate - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / (100 * 39 * 3))
    assert (episode.heard[:, 1:, 0, 1] == SILENCE).mean() == pytest.approx(0.1, abs=0.02)


def test_everybody_hears_everybody_but_the_ring_pays() -> None:
    world = Signalling(players=5)
    state = world.init(jax.random.key(0), jnp.array([1, 0, 1, 1, 0], bool))
    assert world._neighbour(state.present)[jnp.array([0, 2, 3])].tolist() == [3, 0, 2]


def test_success_and_information_of_urns_in_closed_form() -> None:
    eye, pooled = np.eye(3), np.full((3, 3), 1 / 3)
    assert success(eye, eye) == 1
    assert information(eye) == pytest.approx(np.log2(3))
    assert success(pooled, pooled) == pytest.approx(1 / 3)
    assert information(pooled) == pytest.approx(0)
    # Two of three states pooled on one symbol, and one of them understood: a partial pooling.
    says = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert success(says, np.eye(3)) == pytest.approx(2 / 3)
    assert information(says) == pytest.approx(np.log2(3) - 2 / 3)


def lewis(n: int, rounds: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """(success, bits) of each language after so many rounds: of a run there are two, seat 0's to
    seat 1 and seat 1's to seat 0, which share nothing but their speakers."""
    world = Signalling(players=2, states=n, symbols=n)
    scenario = Scenario(world, (Urns(size=n),), ((0, 0),), 2, days=1, unrecorded=Unrecorded(rounds))
    record = run_arm(Arm(scenario, runs), Pupil("it", Urns(size=n)), {}, seed=1)
    carries = record.policies(-1)
    says, does = (
        np.concatenate([np.asarray(carries[seat][0][part], np.float64) for seat in order])
        for part, order in ((0, (0, 1)), (1, (1, 0)))
    )
    says, does = (x / x.sum(-1, keepdims=True) for x in (says, does))
    pairs = list(zip(says, does, strict=True))
    return np.array([success(s, d) for s, d in pairs]), np.array([information(s) for s in says])


def without_driver(n: int, rounds: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """The same by the world's and the learner's own functions, with no driver around them: a
    million rounds of a hundred runs take minutes there, and half an hour with it."""
    world, learner = Signalling(players=2, states=n, symbols=n), Urns(size=n)
    none = jnp.zeros(2)

    def talk(key: Any) -> Any:
        state = world.init(key, jnp.ones(2, bool))
        carries = jax.vmap(learner.init)(jax.random.split(key))

        def one(t: Any, loop: Any) -> Any:
            state, carries = loop
            now = jax.random.fold_in(key, t)
            world_key, own = jax.random.split(now)

            def act(key: Any, carry: Any, seen: Any) -> Any:
                obs = Obs(0, t, 0, none, 0, none, none, none, none, none, none, none, seen, none)
                return learner.act(key, carry, obs)

            actions, carries = jax.vmap(act)(jax.random.split(own), carries, world.observe(state))
            return world.step(world_key, state, actions).state, carries

        return jax.lax.fori_loop(0, rounds, one, (state, carries))[1]

    carries = jax.jit(jax.vmap(talk))(jax.random.split(jax.random.key(1), runs))
    says, does = (np.asarray(part, np.float64) for part in carries[:2])
    does = does[:, ::-1]
    says, does = (
        x.reshape(-1, n, n) / x.reshape(-1, n, n).sum(-1, keepdims=True) for x in (says, does)
    )
    pairs = list(zip(says, does, strict=True))
    return np.array([success(s, d) for s, d in pairs]), np.array([information(s) for s in says])


def test_two_states_learn_a_language() -> None:
    """Short: 4,000 rounds of 20 runs; the reference is after a million (the long test)."""
    rate, bits = lewis(2, 4_000, 20)
    assert (rate > 0.8).mean() == 1
    assert bits.mean() > 0.85


@pytest.mark.long
@pytest.mark.parametrize(
    ("n", "share", "mean", "told"), [(2, 0.99, None, 0.998), (3, 0.904, 0.9665, 1.516)]
)
def test_lewis_reference(n: int, share: float, mean: float | None, told: float) -> None:
    """docs/sources.md W11: shares of runs above .8 after a million rounds; 4 standard errors."""
    rate, bits = without_driver(n, 1_000_000, 100)
    runs = len(rate)
    error = np.sqrt(share * (1 - share) / runs)
    print(n, runs, (rate > 0.8).mean(), error, rate.mean(), rate.std(), bits.mean(), bits.std())
    assert (rate > 0.8).mean() >= share - 4 * error
    assert n == 2 or (rate > 0.8).mean() <= share + 4 * error
    if mean is not None:
        assert abs(rate.mean() - mean) < 4 * rate.std() / np.sqrt(runs) + 0.002
    assert abs(bits.mean() - told) < 4 * bits.std() / np.sqrt(runs) + 0.002


def test_words_are_heard_by_all_others_present_where_the_channel_is_open() -> None:
    present = jnp.array([True, True, False, True])
    for opened in (True, False):
        world = Signalling(players=4, open_text=opened)
        near = np.asarray(world.earshot(world.init(jax.random.key(0), present)))
        wanted = opened & np.outer(present, present) & ~np.eye(4, dtype=bool)
        np.testing.assert_array_equal(near, wanted)
