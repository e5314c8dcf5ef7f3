"""A round robin of 100 strategies, against Axelrod's: at least 500 times faster a turn.

Also the long-run payoffs of memory-one pairs, exactly and without sampling.
"""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench._measure import by_turns, checked, head, ratio, table, timed
from freezetag.core import Array
from freezetag.estimators.memory_one import PAYOFFS, finite_payoffs, payoff_matrix
from freezetag.sim.tournament import Machine, round_robin

TURNS, REPETITIONS, STRATEGIES, SHARED, REPEATS = 200, 5, 100, 24, 3

NAMED: dict[str, tuple[float, float, float, float, float]] = {
    "Cooperator": (1, 1, 1, 1, 1),
    "Defector": (0, 0, 0, 0, 0),
    "TitForTat": (1, 1, 0, 1, 0),
    "SuspiciousTitForTat": (0, 1, 0, 1, 0),
    "WinStayLoseShift": (1, 1, 0, 0, 1),
    "Grudger": (1, 1, 0, 0, 0),
    "GTFT": (1, 1, 1 / 3, 1, 1 / 3),
    "Random": (0.5, 0.5, 0.5, 0.5, 0.5),
}
"""Strategies that Axelrod has by name: first move, then after CC, CD, DC and DD."""

MakePlayer = Callable[[Any], Any]


def field() -> tuple[list[Machine], list[tuple[float, ...] | None], list[MakePlayer]]:
    """(our machines, chances of the memory-one ones, how Axelrod makes the same players).

    The named ones, then by turns a random memory-one strategy and a random machine of four
    states, so that the first few of the list are a mixture too.
    """
    machines, chances, makers = [], [], []
    for name, five in NAMED.items():
        machines.append(Machine.memory_one(five[1:], five[0]))
        chances.append(five)
        makers.append(lambda axl, name=name: getattr(axl, name)())
    source = random.Random(7)
    while len(machines) < STRATEGIES:
        if len(machines) % 2:
            four = tuple(source.random() for _ in range(4))
            machines.append(Machine.memory_one(four))
            chances.append((1, *four))
            makers.append(lambda axl, four=four: axl.MemoryOnePlayer(four, axl.Action.C))
        else:
            moves = [source.randrange(2) for _ in range(4)]
            after = [(source.randrange(4), source.randrange(4)) for _ in range(4)]
            # A machine of Axrelod's plays on its way; one of ours plays where it is: state
            # 2 s + m is "Axelrod's s, having played m on the way there". The other's move decides.
            machines.append(_machine(moves, after))
            chances.append(None)
            makers.append(lambda axl, moves=moves, after=after: _fsm(axl, moves, after))
    return machines, chances, makers


def _machine(moves: list[int], after: list[tuple[int, int]]) -> Machine:
    """Plays moves[s] (1 is D) in state s; goes to after[s][0] or [1] by the other's C or D."""
    return Machine(tuple(float(1 - move) for move in moves), tuple((c, d, c, d) for c, d in after))


def _fsm(axl: Any, moves: list[int], after: list[tuple[int, int]]) -> Any:
    """The same in Axelrod's words: (state, other's move, next state, move on the way there)."""
    action = (axl.Action.C, axl.Action.D)
    rows = tuple(
        (state, action[other], after[state][other], action[moves[after[state][other]]])
        for state in range(len(moves))
        for other in (0, 1)
    )
    return axl.FSMPlayer(transitions=rows, initial_state=0, initial_action=action[moves[0]])


def main() -> None:
    warnings.simplefilter("ignore")
    import axelrod as axl  # takes 20 seconds

    machines, chances, makers = field()
    head(
        f"round robin with themselves, {TURNS} turns, {REPETITIONS} repetitions",
        "axelrod",
        "jax",
        "numpy",
    )
    players, others = ([make(axl) for make in makers[:SHARED]] for _ in range(2))
    few = machines[:SHARED]
    check(axl, machines, chances, makers)

    def tournament(analysed: bool) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            event = axl.Tournament(players, turns=TURNS, repetitions=REPETITIONS, seed=1)
            file = None if analysed else str(Path(folder, "played.csv"))
            return event.play(progress_bar=False, build_results=analysed, filename=file)

    def matches() -> None:
        for i in range(SHARED):
            for j in range(i, SHARED):
                for _ in range(REPETITIONS):
                    axl.Match((players[i], others[j]), turns=TURNS, seed=1).play()

    def ours(field: list[Machine]) -> Any:
        found = round_robin(field, turns=TURNS, repetitions=REPETITIONS)
        return found.scores(), found.totals(), found.cooperation()

    times = by_turns(
        {
            "Tournament.play": lambda: tournament(True),
            "Tournament.play, no results": lambda: tournament(False),
            "Match.play, play only": matches,
            f"ours, {SHARED} strategies": lambda: ours(few),
            f"ours, {STRATEGIES} strategies": lambda: ours(machines),
        },
        REPEATS,
    )
    turns = {
        name: size * (size + 1) // 2 * REPETITIONS * TURNS
        for name, size in zip(times, (*[SHARED] * 4, STRATEGIES), strict=True)
    }
    each = {name: timing.per(turns[name], 1e9) for name, timing in times.items()}
    table("nanoseconds a turn of a match", each)
    best = each[f"ours, {STRATEGIES} strategies"]
    ratio("against Tournament.play", each["Tournament.play"], best, 500)
    ratio("against play only", each["Match.play, play only"], best)
    same = each[f"ours, {SHARED} strategies"]
    ratio(f"Tournament.play, {SHARED} on both sides", each["Tournament.play"], same)
    exact()


def check(axl: Any, machines: list[Machine], chances: list[Any], makers: list[MakePlayer]) -> None:
    """Deterministic pairs give Axelrod's scores exactly; the others the exact expectation."""
    sure = [n for n, m in enumerate(machines) if set(m.chances) <= {0.0, 1.0}]
    scores = round_robin(machines, turns=TURNS, repetitions=1).scores()[0] * TURNS
    # One object on both sides of a match would share its state, so there are two of each.
    players, others = ({n: makers[n](axl) for n in sure} for _ in range(2))
    pairs, equal = 0, True
    for i in sure:
        for j in sure:
            if j >= i:
                match = axl.Match((players[i], others[j]), turns=TURNS)
                match.play()
                pairs += 1
                equal &= match.final_score() == (round(scores[i, j]), round(scores[j, i]))
    checked(f"the scores of all {pairs} deterministic pairs equal Axelrod's exactly", equal)

    some = [n for n, five in enumerate(chances) if five is not None][:16]
    again = 400
    played = round_robin([machines[n] for n in some], turns=TURNS, repetitions=again).scores()
    five = np.array([chances[n] for n in some])
    means, _ = finite_payoffs(
        five[:, None, 1:], five[None, :, 1:], TURNS, first=five[:, None, 0], other_first=five[:, 0]
    )
    worst = _worst(played, means)
    checked(
        f"{len(some)} memory-one strategies: mean scores of {again} repetitions within 5 standard "
        f"errors of the exact ones (worst {worst:.1f})",
        worst <= 5,
    )
    few = some[4:10]
    event = axl.Tournament([makers[n](axl) for n in few], turns=TURNS, repetitions=30, seed=3)
    result = event.play(progress_bar=False)
    theirs = np.array(result.payoffs).transpose(2, 0, 1)
    worst = _worst(theirs, means[4:10, 4:10])
    checked(
        f"Axelrod's own mean scores of {len(few)} of them, 30 repetitions, likewise (worst "
        f"{worst:.1f})",
        worst <= 5,
    )


def _worst(played: Array, means: Array) -> float:
    """Largest distance of mean scores [R, n, n] from `means` [n, n], in standard errors."""
    error = played.std(0, ddof=1) / np.sqrt(len(played))
    gap = np.abs(played.mean(0) - means)
    return float(np.where(gap < 1e-9, 0, gap / np.maximum(error, 1e-12)).max())


def exact() -> None:
    """Long-run payoffs of all pairs of random memory-one strategies."""
    print("\nlong-run payoffs of memory-one pairs, exactly (goals 1, 5 and 50 ms)")
    source = np.random.default_rng(1)
    rows = {}
    for n in (30, 100, 300):
        strategies = source.random((n, 4))
        rows[f"{n} strategies"] = timed(lambda s=strategies: payoff_matrix(s), 15).per(1, 1e3)
    small = source.random((6, 4))
    long = round_robin([Machine.memory_one(p) for p in small], turns=20_000, repetitions=20)
    worst = _worst(long.scores(), payoff_matrix(small))
    checked(f"matches of 20,000 turns agree (payoffs {PAYOFFS}; worst {worst:.1f})", worst <= 5)
    table("milliseconds", rows)


if __name__ == "__main__":
    main()
