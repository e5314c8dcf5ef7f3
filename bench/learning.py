"""Learners: gradient pairs with foresight, Q-learners that price, and PPO beside JaxMARL's IPPO.

1,024 pairs that look ahead take 200 steps in a second; 200 sessions of Calvano et al. reach the end
of their two million periods in a minute; PPO in a world of 31 makes at least as many world steps a
second, learning included, as IPPO with JaxMARL's numbers, in the same world and in JaxMARL's own.
`python -m bench.learning lola calvano ppo riddle` names parts; without names all are run. JaxMARL's
own world is its switch_riddle: of those that take 31 agents it is as small as our public good.
"""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np

from bench._measure import by_turns, checked, head, ratio, table, timed
from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Ref, Scenario
from freezetag.estimators.gradient_pair import gradient_pair
from freezetag.estimators.q_pair import mean_payoffs, q_pair
from freezetag.players.learners.ppo import Ppo
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.market import Market

RUNS, STEPS, REPEATS = 1024, 200, 5
SESSIONS = 200
PLAYERS, UPDATES = 31, 4
WORLD = Ref.of("substrates/matrix_game", game="public_goods", players=PLAYERS)
OURS = "freezetag, run_arm with its record"


def main() -> None:
    head("learners", "jax", "numpy", "numba", "jaxmarl", "optax")
    parts = {"lola": lola, "calvano": calvano, "ppo": ppo, "riddle": riddle}
    for name in sys.argv[1:] or parts:
        print()
        parts[name]()


def goal(what: str, seconds: float, most: float) -> None:
    print(f"{what}: {seconds:.3g} s  goal {most:g} s: {'met' if seconds <= most else 'MISSED'}")


def lola() -> None:
    start = np.random.default_rng(0).normal(size=(RUNS, 2, 5))
    ends = gradient_pair(start, steps=STEPS, eta=1.0).payoffs[-1].mean()
    checked(f"pairs with foresight end at {ends:.3f}, in [-1.25, -1.00]", -1.25 <= ends <= -1.0)
    times = by_turns(
        {
            "with foresight": lambda: gradient_pair(start, steps=STEPS, eta=1.0),
            "naive": lambda: gradient_pair(start, steps=STEPS),
        },
        REPEATS,
    )
    table(f"seconds, {RUNS:,} pairs, {STEPS} steps, float64", times)
    goal("with foresight, median", times["with foresight"].median, 1)


def calvano() -> None:
    market = Market()
    pay = market.pair_profits()
    q_pair(pay, sessions=2, most=10_000)  # compiles
    found: list[Any] = []
    took = timed(lambda: found.append(q_pair(pay, sessions=SESSIONS)), 1, warm=False)
    pair = found[0]
    low, high = (float(b.profits.mean()) for b in (market.nash(), market.monopoly()))
    index = (mean_payoffs(pair, pay).mean() - low) / (high - low)
    checked(f"the mean index of {SESSIONS} sessions is {index:.4f}", 0.82 <= index <= 0.88)
    checked(f"all of {SESSIONS} converged", bool(pair.converged.all()))
    table(f"seconds, {SESSIONS} sessions, {pair.periods.mean():,.0f} periods each", {"": took})
    print(f"{1e9 * took.median_cpu / pair.periods.sum():.3g} ns of processor time a period")
    goal(f"{SESSIONS} sessions", took.median, 60)


def ppo() -> None:
    from bench import _ippo

    _against("IPPO, the same public goods", _ippo.of_ours(catalogue.load(WORLD), _ippo.STEPS))


def riddle() -> None:
    from bench import _ippo

    _against("IPPO, JaxMARL's switch_riddle", _ippo.riddle(PLAYERS))


def _against(name: str, world: Any) -> None:
    from bench import _ippo

    scenario = Scenario(WORLD, (FOCAL,), ((0,) * PLAYERS,), _ippo.STEPS, days=UPDATES)
    arm, pupil = Arm(scenario, _ippo.WORLDS), Pupil("ppo", Ppo())

    def ours() -> Any:
        return run_arm(arm, pupil, {}, seed=1)

    record = ours()
    first, last = (np.asarray(record.days[day].levels).mean() for day in (0, -1))
    checked(f"ours learns: its level falls from {first:.3f} to {last:.3f}", last < first - 0.02)
    train = _ippo.trainer(world, UPDATES)
    rewards = np.asarray(train(jax.random.key(0))[1])
    checked(f"IPPO's mean rewards are finite: {rewards.round(3)}", bool(np.isfinite(rewards).all()))
    sides = {
        OURS: ours,
        name: lambda: jax.block_until_ready(train(jax.random.key(1))),
    }
    steps = _ippo.WORLDS * _ippo.STEPS * UPDATES
    times = {side: t.per(steps, 1e6) for side, t in by_turns(sides, REPEATS).items()}
    table(f"microseconds a world step of {PLAYERS} seats, learning included", times)
    for side, timing in times.items():
        print(f"  {side:<40} {1e6 / timing.median:>10,.0f} world steps a second")
    ratio(f"against {name}", times[name], times[OURS], 1)
    print("Ours is five chances and five values a seat; theirs is a network of 64 x 64 for all.")


if __name__ == "__main__":
    main()
