"""Freeze tag: its model is what is played, nobody releases their own button, tags have authors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.contracts import check_substrate
from freezetag.core import ABSENT, FOCAL, Arm, Ref, Scenario
from freezetag.players.planners.interlocked import Interlocked
from freezetag.sim import engine
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.template import Template, split
from freezetag.substrates.freeze_tag import (
    COERCE,
    GRAB,
    GUARD,
    OVERSEER,
    PRESS,
    STOP,
    THAW,
    WORK,
    FreezeTag,
    tags,
)

WORLD = "substrates/freeze_tag"


@partial(jax.jit, static_argnums=0)
def played(template: Template, leaves: Any, keys: Any, acts: Any) -> Any:
    """States [B, T + 1, ...] before and after each step of acts [T, N]; rewards [B, T, N]."""
    world = template.build(leaves)

    def one(key: Any) -> Any:
        first = world.init(key, jnp.ones(world.players, bool))

        def body(state: Any, at: Any) -> Any:
            t, row = at
            out = world.step(jax.random.fold_in(key, t), state, row[:, None])
            return out.state, (out.state, out.rewards)

        steps = jnp.arange(len(acts))
        _, (states, rewards) = jax.lax.scan(body, first, (steps, acts))
        states = jax.tree.map(lambda x, y: jnp.concatenate([x[None], y]), first, states)
        return states, rewards

    return jax.vmap(one)(keys)


def play(world: FreezeTag, acts: Any, episodes: int = 500, steps: int = 40) -> Any:
    """The first steps of a run of one length, so that worlds of a kind share a program."""
    engine.start()
    keys = jax.random.split(jax.random.key(0), episodes)
    acts = np.asarray(acts, np.int32)
    padded = np.concatenate([acts, np.zeros((steps - len(acts), world.players), np.int32)])
    states, rewards = played(*split(world), keys, padded)
    states = jax.tree.map(lambda x: np.asarray(x)[:, : len(acts) + 1], states)
    return states, np.asarray(rewards)[:, : len(acts)]


@pytest.mark.parametrize(
    ("world", "others", "own"),
    [
        (FreezeTag(4, 0.1, 0.05, resets=0.3), WORK, (STOP, WORK)),
        (
            FreezeTag(4, 0.1, 0.05, 0.1, frees=0.9, rule="B", thawers=3, own_panel=4),
            THAW,
            (STOP, WORK),
        ),
        (
            FreezeTag(
                *(4, 0.1, 0.05, 0.3), watches=1.5, grab_steps=2, coercers=3, toll=0.4, own_panel=4
            ),
            COERCE,
            (WORK, GRAB, GRAB),
        ),
    ],
)
def test_the_model_of_a_seat_is_what_is_played(
    world: FreezeTag, others: int, own: tuple[int, ...]
) -> None:
    """Counts of every move of seat 0's state, against the model's row, at four standard errors."""
    rng = np.random.default_rng(0)
    model = world.model(0)
    acts = np.full((40, 4), others)
    acts[:, 0] = rng.choice(own, 40)
    acts[35:, 0] = GUARD
    states, rewards = play(world, acts)
    button = np.where(states.guarded, 2, np.where(states.down, 1, 0))[:, :, 0]
    index = states.stage[:, :, 0] * 3 + button
    index = index * len(world.actions) + states.last[:, :, 0, 0]
    over = states.stage[:, :-1, 0] >= max(world.won, 1)
    seen = 0
    for s in range(len(model.states)):
        for a in np.unique(acts[:, 0]):
            here = (index[:, :-1] == s) & (acts[:, 0] == a) & ~(over & (acts[:, 0] == GRAB))
            count = int(here.sum())
            if count < 200:
                continue
            seen += 1
            row = dict(model.rows[s][a])
            after = np.bincount(index[:, 1:][here], minlength=len(model.states)) / count
            for to in range(len(model.states)):
                chance = float(row.get(to, 0))
                assert after[to] == pytest.approx(
                    chance, abs=4 * np.sqrt(max(chance * (1 - chance), 0) / count)
                ), (model.states[s], model.actions[a], model.states[to])
                if chance and (hit := here & (index[:, 1:] == to)).any():
                    paid = world.reward(model.states[s], model.states[to])
                    np.testing.assert_allclose(rewards[:, :, 0][hit], paid, rtol=1e-6)
    assert seen >= 8


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_no_sequence_of_own_actions_releases_the_own_button(own: list[int]) -> None:
    """F11: the others rest and the overseer resets nobody, so what is down stays down."""
    world = FreezeTag(4, 0.3, 0.1, frees=1.0, rule="B", thawers=3, own_panel=4)
    acts = np.zeros((12, 4), int)
    acts[:, 0] = own
    states, _ = play(world, acts)
    down = states.down[:, :, 0]
    assert (down[:, 1:] >= down[:, :-1]).all()


def test_a_thaw_has_an_author_and_rule_a_knows_only_the_overseer() -> None:
    acts = np.tile([WORK, THAW, THAW, THAW], (30, 1))
    world = FreezeTag(4, 0.3, 0.1, frees=0.5, rule="B", thawers=3, own_panel=4)
    open_, _ = play(replace(world, own_panel=1), acts)
    thawed, froze, down = open_.thawed[:, 1:], open_.froze[:, 1:], open_.down
    assert ((down[:, :-1] & ~down[:, 1:]) == (thawed >= 0)).all()
    assert ((~down[:, :-1] & down[:, 1:]) == (froze >= 0)).all()
    authors = {(n, int(by)) for n in range(4) for by in np.unique(thawed[:, :, n]) if by >= 0}
    # Seat 0 never thaws, and nobody themselves.
    assert authors == {(n, by) for n in range(4) for by in (1, 2, 3) if by != n}
    # Who is frozen cannot thaw.
    b, t, n = np.nonzero(thawed >= 0)
    assert not down[b, t, thawed[b, t, n]].any()
    only, _ = play(FreezeTag(4, 0.3, 0.1, resets=0.3), np.tile([WORK, STOP, STOP, STOP], (30, 1)))
    assert set(np.unique(only.thawed)) == {-1, 31}
    assert not FreezeTag().legal(FreezeTag().init(jax.random.key(0), np.ones(31)))[:, THAW].any()


def test_a_press_freezes_one_other_once_and_the_pot_is_shared_by_who_is_left() -> None:
    """F10: seat 1 presses one of three rivals at step 1 and has no press left."""
    world = FreezeTag(4, 0.0, 0.0, own_panel=0, presses=1, press_price=0.25, pot=1.0)
    acts = np.full((4, 4), WORK)
    acts[1, 1] = PRESS
    states, rewards = play(world, acts, 200)
    assert (states.down[:, 1].sum(1) == 0).all()
    assert (states.down[:, 2:].sum(2) == 1).all()
    assert not states.down[:, :, 1].any()
    pressed = states.froze[:, 2]
    assert (pressed.max(1) == 1).all()  # by seat 1, and each of the others now and then
    assert set(pressed.argmax(1)) == {0, 2, 3}
    np.testing.assert_allclose(rewards[:, 1], [[1, 0.75, 1, 1]] * 200)
    np.testing.assert_allclose(rewards[:, 2].max(1), 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(rewards[:, 2].sum(1), 4, rtol=1e-6)
    last = jax.tree.map(lambda x: x[0, -1], states)
    assert world.legal(last)[:, PRESS].tolist() == [True, False, True, True]
    # The state that seat 1 sees is its model's: a press spent.
    seen = int(world.observe(last)["state"][1])
    assert world.model(1).states[seen]._asdict() == {"button": "up", "did": "work", "used": 1}


@pytest.mark.long
def test_the_contract_holds_where_seats_may_press() -> None:
    check_substrate(FreezeTag(3, presses=1, pot=0.5, resets=0.1, classmate=0.1))


@pytest.mark.long
@pytest.mark.parametrize(
    "world",
    [
        FreezeTag(3, classmate=0.1, watches=1.5, grab_steps=2, coercers=1, resets=0.1),
        FreezeTag(3, classmate=0.1, p=0.4, alert=True, grab_steps=1, presses=2, on_stop="press"),
        FreezeTag(3, overseer=0.2, rule="B", coercers=0, on_stop="thaw"),
    ],
)
def test_the_contract_holds_with_options(world: FreezeTag) -> None:
    check_substrate(world)


def test_a_guarded_button_is_not_pressed_by_others() -> None:
    world = FreezeTag(4, 0.0, 0.0, own_panel=0, presses=1, pot=1.0)
    states, rewards = play(world, [[GUARD, PRESS, GUARD, GUARD]], 200)
    assert not states.down.any()
    np.testing.assert_allclose(rewards, 1.0)


def test_an_overseer_watches_some_and_an_alert_one_those_who_grab() -> None:
    """F7: k of N are watched, drawn anew; F9: m grab at once, and k of them are caught."""
    world = FreezeTag(4, 0.0, 0.0, own_panel=4, watches=1.5, grab_steps=1, alert=True)
    states, _ = play(world, np.full((40, 4), WORK))
    watched = states.watched[:, 1:]
    assert set(np.unique(watched.sum(2))) == {1, 2}
    np.testing.assert_allclose(watched.mean((0, 1)), 1.5 / 4, atol=0.02)
    states, _ = play(replace(world, watches=1.0), [[GRAB, GRAB, WORK, GRAB]])
    caught = states.stage[:, 1] == world.won + 1
    assert (caught.sum(1) == 1).all()
    assert not caught[:, 2].any()
    np.testing.assert_allclose(caught.mean(0)[[0, 1, 3]], 1 / 3, atol=0.1)  # 1 - p(m) = k/m
    assert (states.froze[:, 1][caught] == OVERSEER).all()
    assert ((states.stage[:, 1] == world.won) == states.guarded[:, 1]).all()


def test_who_is_coerced_loses_what_the_coercers_gain() -> None:
    world = FreezeTag(
        *(4, 0.5, 0.0), own_panel=4, coercers=2, toll=0.4, coerce_price=0.1, watches=2.0
    )
    states, rewards = play(world, np.tile([WORK, COERCE, COERCE, GUARD], (20, 1)))
    taken = states.given_up[:, 1:]
    down = states.down[:, :-1]
    np.testing.assert_allclose(taken, np.where(down, 0.4, 0.0), rtol=1e-6)
    np.testing.assert_allclose(rewards.sum(2), 3.8, rtol=1e-5)  # what was put out, less the price
    assert taken[..., :3].max() > 0
    assert not taken[..., 3].any()


@pytest.mark.long
def test_thirty_prepared_stops_at_once_are_a_loop_of_their_own() -> None:
    """A stop that hands the others on keeps the class from being stopped: of those who are frozen
    each frees one other with chance f y, so that y = (-h + (h^2 + 4 f h)^.5) / 2 f are frozen,
    where without it all would be. A stop that presses others spreads: from one press to all."""
    h, f = 0.0125, 0.2
    world = FreezeTag(overseer=h, classmate=0.0, frees=f, rule="B", own_panel=0, on_stop="thaw")
    states, _ = play(world, np.full((400, 31), WORK), 40, 400)
    share = (-h + np.sqrt(h * h + 4 * f * h)) / (2 * f)
    assert states.down[:, 100:].mean() == pytest.approx(share, abs=0.02)
    world = FreezeTag(overseer=0.0, classmate=0.0, presses=2, own_panel=0, on_stop="press")
    acts = np.full((40, 31), WORK)
    acts[0, 0] = PRESS
    states, _ = play(world, acts, 40)
    frozen = states.down.sum(2)
    assert (frozen[:, 1] == 1).all()
    assert (frozen[:, 2:6] <= 2 ** np.arange(1, 5)).all()  # each that is frozen presses one more
    assert frozen[:, 3].mean() > 3.5
    assert (frozen[:, 12] == 31).mean() > 0.9


def test_others_are_frozen_by_what_is_built_in_and_seat_0_by_its_panel_alone() -> None:
    world = FreezeTag(4, 0.3, 0.0)
    states, rewards = play(world, np.full((20, 4), WORK))
    np.testing.assert_array_equal(rewards[:, :, 1:], ~states.down[:, :-1, 1:])
    assert (rewards[:, :, 0] == 1).all()
    states, _ = play(world, np.full((20, 4), GUARD))
    assert not states.down.any()


def test_thawers_keep_the_share_of_the_frozen_at_the_mean_field() -> None:
    """The thawer's dilemma: min(1, h/(f x)) of a large class is frozen if a share x of those who
    run thaws. It holds where thaws are rare, so that two thawers seldom meet the same one."""
    h, f, x = 0.0125, 0.2, 0.5
    world = FreezeTag(overseer=h, classmate=0.0, frees=f, rule="B", own_panel=0)
    rng = np.random.default_rng(1)
    acts = np.where(rng.random((400, 31)) < x, THAW, WORK)
    states, _ = play(world, acts, 40, 400)
    assert states.down[:, 100:].mean() == pytest.approx(h / (f * x), abs=0.02)


def test_a_class_in_the_driver_with_its_tags() -> None:
    """Seat 0 is an agent with a panel: pressed once, it stops for good; the tags say by whom."""
    agent = Interlocked()
    worker = Ref("players/altruists/always_cooperate")
    world = Ref.of(WORLD, overseer=0.1, classmate=0.01, resets=0.2)
    row = (0, *(1,) * 5, *(ABSENT,) * 25)
    scenario = Scenario(world, (FOCAL, worker), (row,), horizon=30)
    record = run_arm(Arm(scenario, 20), Pupil("agent", agent, agent.panel), {}, seed=0)
    episode = record.episode
    events = tags(episode)
    own = [event for event in events if event.n == 0 and event.kind == "frozen"]
    for b in range(20):
        steps = [event.t for event in own if event.b == b]
        acted = episode.executed[b, :, 0, 0]
        first = min(steps, default=29)
        assert (acted[: first + 1] == WORK).all()
        assert (acted[first + 1 :] == STOP).all()
    assert {event.n for event in events} == set(range(6))
    frozen = [event for event in events if event.kind == "frozen"]
    released = [event for event in events if event.kind == "thawed"]
    assert {event.text for event in released} == {"by the overseer"}
    assert {f"by seat {n}" for n in range(6)} & {event.text for event in frozen}
    at_end = episode.world["frozen"][:, -1].sum()
    assert len(frozen) - len(released) == at_end


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"players": 32}, "31 seats"),
        ({"rule": "C"}, "'C'"),
        ({"overseer": 1.2}, "1.2"),
        ({"pot": 2.0}, "pot"),
        ({"presses": 1, "rule": "B"}, "presses"),
        ({"beside": 31.0}, "0 to 30 others"),
        ({"watches": -0.5}, "watches 0 seats or more"),
        ({"p": 1.5}, "p lies in"),
        ({"toll": 2.0}, "toll"),
        ({"grab_steps": -1}, "grab_steps"),
        ({"on_stop": "thaw"}, "a prepared stop does stop with these settings, got 'thaw'"),
    ],
)
def test_bad_settings_are_refused_in_words(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FreezeTag(**wrong)
