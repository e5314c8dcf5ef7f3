"""Substrate steps a second with 31 players, against PettingZoo's loop: at least 100 times as many.

Measured twice: the world alone, its actions given, and the whole driver with players, interlocks
and record, against the same players in Python. `harvest`, with sight and space, is measured against
its rule in plain Python: Melting Pot 2.4.1 does not build from a package registry alone (its build
downloads assets from elsewhere), and SocialJax is in none. `python -m bench.world_steps harvest`
runs it alone.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tests.substrates.test_harvest import PlainHarvest, against_the_rule

from bench._measure import by_turns, checked, head, ratio, table
from bench._python_worlds import (
    PythonCommons,
    PythonPublicGoods,
    always_cooperate,
    always_defect,
    play,
    play_blind,
    play_sampled,
    tit_for_tat,
)
from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Ref, Scenario
from freezetag.sim import arms, engine
from freezetag.sim.arms import Pupil, run_arm

PLAYERS, HORIZON, EPISODES, REPEATS = 31, 12, 512, 5
AGAIN = 20  # runs of the world alone, one after the other: one takes less than a millisecond
CAST = {
    Ref("players/reciprocators/tit_for_tat"): tit_for_tat,
    Ref("players/exploiters/always_defect"): always_defect,
    Ref("players/altruists/always_cooperate"): always_cooperate,
}
SEATS = (0,) * 25 + (1,) * 3 + (2,) * 3
WORLDS = {
    "commons": (Ref.of("substrates/commons", players=PLAYERS), PythonCommons),
    "public goods": (
        Ref.of("substrates/matrix_game", game="public_goods", players=PLAYERS),
        PythonPublicGoods,
    ),
}


def main() -> None:
    head(
        f"world steps, {PLAYERS} players (25 tit for tat, 3 always defect, 3 always cooperate), "
        f"episodes of {HORIZON} steps, {EPISODES} at once",
        "pettingzoo",
        "jax",
        "numpy",
    )
    for name, (ref, peer) in WORLDS.items() if "harvest" not in sys.argv else ():
        print(f"\n{name}")
        compare(ref, peer(PLAYERS, HORIZON))
    print("\nharvest, 31 players, 8 patches of apples, views of 11 x 11 for all")
    harvest()


def harvest() -> None:
    """The grid world alone, all actions drawn evenly, all views made, on both sides."""
    ref = Ref.of("substrates/harvest", players=PLAYERS, across=4, down=2)
    world = catalogue.load(ref)
    against_the_rule(world, np.ones(PLAYERS, bool), 30)  # stops where the two sides differ
    checked("places, views, apples and pay of 30 steps equal on both sides", True)
    rng, steps = np.random.default_rng(0), 2 * HORIZON
    first = world.init(jax.random.key(0), jnp.ones(PLAYERS, bool))

    def plainly() -> None:
        plain = PlainHarvest(world, first)
        acts = rng.integers(0, 8, (steps, PLAYERS)).tolist()
        for t in range(steps):
            plain.step(acts[t], rng.random(PLAYERS).tolist(), rng.random(len(world.sites)).tolist())
            shown = {c: 2 if c in plain.apples else 3 for c in plain.sites}
            shown |= {c: 5 if f else 4 for c, f in zip(plain.board.at, plain.frozen, strict=True)}
            for seat in range(PLAYERS):
                plain.board.sees(seat, shown)

    times = by_turns({"plain Python": plainly, "freezetag": alone(ref, sampled=True)}, REPEATS)
    each = {
        "plain Python": times["plain Python"].per(steps, 1e6),
        "freezetag": times["freezetag"].per(EPISODES * HORIZON, 1e6),
    }
    table("microseconds a world step", each)
    for side, timing in each.items():
        print(f"  {side:<40} {1e6 / timing.median:>10,.0f} world steps a second")
    ratio("harvest, views for all", each["plain Python"], each["freezetag"], 10)


def alone(ref: Ref, sampled: bool = False, record: bool = False) -> Any:
    """The world without driver or players: all episodes, everybody at level 1 at every step, or
    at random.

    Per step what the PettingZoo side does then: scale, step, and the world's own observations,
    without what the seats see of each other. As there, what a step gives is there until the next
    step, unless `record` asks for the rewards of all.
    """
    world = catalogue.load(ref)

    def step(state: Any, keys: Any) -> Any:
        actions = jnp.zeros((PLAYERS, 1), jnp.int32) if sampled else world.scale(state)[1]
        if sampled:
            draw = jax.random.bits(jax.random.fold_in(keys, 1), actions.shape) >> 8
            actions = (draw * world.action_sizes[0] >> 24).astype(actions.dtype)
        outcome = world.step(keys, state, actions)
        return outcome.state, (outcome.rewards, outcome.terminated, world.observe(outcome.state))

    @jax.jit
    def run(keys: Any) -> Any:
        first = jax.vmap(partial(world.init, present=jnp.ones(PLAYERS, bool)))(keys)

        def all_worlds(state: Any, t: Any) -> Any:
            return jax.vmap(step)(state, jax.vmap(lambda key: jax.random.fold_in(key, t))(keys))

        def next_step(last: Any, t: Any) -> Any:
            after = all_worlds(last[0], t)
            return after, after[1][0] if record else None

        start = jax.tree.map(jnp.zeros_like, all_worlds(first, jnp.int32(0)))
        (_, last), rewards = jax.lax.scan(next_step, (first, start[1]), jnp.arange(HORIZON))
        return rewards if record else last

    keys = jax.random.split(jax.random.key(0), EPISODES)
    return lambda: jax.block_until_ready(run(keys))


def again(run: Any) -> Any:
    return lambda: [run() for _ in range(AGAIN)]


def compare(ref: Ref, env: Any) -> None:
    focal = next(iter(CAST))
    row = tuple(0 if seat == 0 else 1 + who for seat, who in enumerate(SEATS))
    arm = Arm(Scenario(ref, (FOCAL, *CAST), (row,), HORIZON), EPISODES)
    pupil = Pupil("tit_for_tat", catalogue.load(focal))
    given = {}
    loop = arms.rollout

    def noted(*inputs: object) -> object:
        given["inputs"] = inputs
        return loop(*inputs)

    arms.rollout = noted  # what `run_arm` hands to the loop, to time the loop alone too
    try:
        episode = run_arm(arm, pupil, {}, seed=1).episode
    finally:
        arms.rollout = loop

    def in_full() -> Any:
        """The loop as a long run has it: compiled with all optimisation."""
        usual, engine.LONG = engine.LONG, 0
        try:
            return loop(*given["inputs"])
        finally:
            engine.LONG = usual

    players = [list(CAST.values())[who] for who in SEATS]
    rewards = np.asarray(play(env, players))
    same = np.array_equal(episode.lengths, np.full(EPISODES, len(rewards))) and np.allclose(
        episode.rewards[:, : len(rewards)], rewards, rtol=1e-6, atol=0
    )
    checked("every reward of every step and player equal to 1e-6 on both sides", same)
    rewards_alone = np.asarray(alone(ref, record=True)())
    blind_rewards = np.asarray(play(env, [always_cooperate] * PLAYERS))
    checked(
        "the world alone, all at level 1: every reward equal to 1e-6 on both sides",
        bool(np.allclose(rewards_alone, blind_rewards[:, None], rtol=1e-6, atol=0)),
    )
    ours, few = int(episode.valid.sum()), 20
    theirs, blind = few * len(rewards), few * play_blind(env)
    alone_steps = AGAIN * EPISODES * HORIZON
    sides: dict[str, tuple[int, Any]] = {
        "PettingZoo, Python players": (theirs, lambda: [play(env, players) for _ in range(few)]),
        "PettingZoo, no players": (blind, lambda: [play_blind(env) for _ in range(few)]),
        "freezetag, world alone": (alone_steps, again(alone(ref))),
        "freezetag, the loop, as in long runs": (ours, in_full),
        "freezetag, the loop, as in short runs": (ours, lambda: loop(*given["inputs"])),
        "freezetag, run_arm": (ours, lambda: run_arm(arm, pupil, {}, seed=1)),
    }
    if env.any_action:
        draws = lambda: [play_sampled(env) for _ in range(few)]  # noqa: E731
        sides["PettingZoo, sampled actions"] = (few * HORIZON, draws)
        sides["freezetag, sampled actions"] = (alone_steps, again(alone(ref, sampled=True)))
    times = by_turns({side: run for side, (_, run) in sides.items()}, REPEATS)
    steps = {side: count for side, (count, _) in sides.items()}
    each = {side: timing.per(steps[side], 1e6) for side, timing in times.items()}
    table("microseconds a world step", each)
    for side, timing in each.items():
        print(f"  {side:<40} {1e6 / timing.median:>10,.0f} world steps a second")
    with_players, without = each["PettingZoo, Python players"], each["PettingZoo, no players"]
    ratio("the world alone on both sides", without, each["freezetag, world alone"], 100)
    if env.any_action:
        documented = each["PettingZoo, sampled actions"]
        ratio("the documented loop, sampled", documented, each["freezetag, sampled actions"], 100)
    for run in ("long", "short"):
        name = f"freezetag, the loop, as in {run} runs"
        ratio(f"driver and players on both sides, {run} runs", with_players, each[name])
    ratio("the same with the record (run_arm)", with_players, each["freezetag, run_arm"])


if __name__ == "__main__":
    main()
