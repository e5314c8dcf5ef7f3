"""What probes over pairs share: match returns by co-player, the unit they are printed in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from freezetag.core import Arm, Array, Press, Record, Ref, Setting

FEW = 5
"""Repeats below which an interval over repeats is wide, whatever the data."""
ZERO_SUM_UNIT = "per 1000 throws"


def match_returns(record: Record, seat: int = 0) -> Array:
    """[R, rows] mean reward per step of a seat, by repeat (seed) and row of the seating."""
    rows = len(record.arm.scenario.seating)
    return np.asarray(record.episode.returns(seat), np.float64).reshape(rows, -1).T


def match_levels(record: Record, seat: int = 0) -> Array:
    """[R, rows] mean executed level of a seat."""
    episode = record.episode
    played = np.where(episode.valid, episode.levels[:, :, seat], 0.0)
    rows = len(record.arm.scenario.seating)
    return np.asarray(played.sum(-1) / episode.lengths, np.float64).reshape(rows, -1).T


def scale_of(setting: Setting) -> tuple[float, str]:
    """(factor, unit) of printed returns: a step's utility, or 1000 throws of rock-paper-scissors,
    as the literature on that game counts."""
    if getattr(setting.substrate, "game", "") == "rock_paper_scissors":
        return 1000.0, ZERO_SUM_UNIT
    return 1.0, "utility per step"


def own_range(setting: Setting) -> tuple[float, float]:
    """The least and the greatest one-step payoff of seat 0, before `scale_of`."""
    own = np.asarray(setting.substrate.payoffs(), np.float64)[..., 0]
    return float(own.min()), float(own.max())


def head_range(setting: Setting) -> tuple[float, float] | None:
    """The least and the greatest mean payoff of all seats in a step; None for too large a table."""
    try:
        mean = np.asarray(setting.substrate.payoffs(), np.float64).mean(-1)
    except ValueError:
        return None
    return float(mean.min()), float(mean.max())


def rounds_of(setting: Setting, default: int) -> int:
    """Steps of a match: the world's horizon among bots from outside, which are made for matches of
    one length; else drawn around the probe's own number, or as long as the user asked."""
    return setting.horizon if has_foreign(setting) else setting.length(default)


def no_pairs(setting: Setting) -> str:
    """Why no matches of two can be compared here; "" if they can."""
    seats = setting.substrate.players
    if seats != 2:
        return f"it plays matches of two, and the world has {seats} seats"
    if len(setting.classmates) < 2:
        return f"it needs at least 2 classmates to compare, got {len(setting.classmates)}"
    return ""


def needs_two_seats(setting: Setting, probe: str) -> None:
    """Raises `ValueError` in a world that is not for pairs, or in a class of one."""
    if reason := no_pairs(setting):
        raise ValueError(f"{probe}: {reason}. Give it a world with players=2 and classmates.")


def no_dilemma(setting: Setting) -> str:
    """Why cooperation means nothing here; "" if it may. Only games with a constant sum are
    refused: what one gains there another loses, so that no move is good for all."""
    try:
        sums = np.asarray(setting.substrate.payoffs(), np.float64).sum(-1)
    except ValueError:  # a table too large to write down: the public good of many
        return ""
    unit = float(np.ptp(np.asarray(setting.substrate.payoffs(), np.float64)))
    if float(np.ptp(sums)) > 1e-9 * unit:
        return ""
    name = getattr(setting.substrate, "game", "") or setting.world.name
    return f"{name.replace('_', ' ')} has a constant sum: no move cooperates or defects"


def focal_row(setting: Setting, rounds: int, share: float, block: int = 0) -> Arm:
    """The focal agent against each classmate in turn, on `share` of the budget of focal acts.

    Nobody presses and no panel is connected: who is stopped half way has no return to compare.
    At least 2 repeats are played, whatever the budget, since one has no interval; where `share`
    buys fewer than `FEW`, so many are played as the whole budget buys, up to `FEW`.
    """
    acts = len(setting.classmates) * rounds
    repeats = int(share * setting.budget) // acts
    if repeats < FEW:
        repeats = max(2, min(FEW, setting.budget // acts))
    return Arm(setting.pairs(horizon=rounds, press=Press()), repeats, block, equipped=False)


BOTH = tuple(itertools.product((0.0, 1.0), repeat=5))
MEMORY_ONE = ("start", "cc", "cd", "dc", "dd")


def _memory_one(chances: tuple[float, ...]) -> Ref:
    settings = dict(zip(MEMORY_ONE, chances, strict=True))
    return Ref.of("players/exploiters/memory_one", **settings)


RANDOM = _memory_one((0.5,) * 5)
"""Random play, where there are two actions: one program with the candidates."""
CANDIDATES = tuple(_memory_one(chances) for chances in BOTH)
"""The 32 deterministic memory-one players. Against a memory-one co-player one of them is a best
response in the long run (Press & Dyson 2012: a longer memory gains nothing)."""


def anchored_by_search(setting: Setting) -> bool:
    """Whether `background` plays the candidates: two actions, and nobody from outside."""
    return tuple(setting.substrate.action_sizes) == (2,) and not has_foreign(setting)


def has_foreign(setting: Setting) -> bool:
    """Whether a classmate is an agent in Python, as in `Ref("rrps:greenberg")`."""
    return any(who.foreign for who in setting.classmates)


def background(setting: Setting, rounds: int, repeats: int, block: int = 0) -> Arm:
    """Matches without the focal agent, which cost no focal acts: every pair of classmates, then
    random play and each candidate against every classmate. One arm, so that probes share it."""
    n = len(setting.classmates)
    extra = (RANDOM, *CANDIDATES) if anchored_by_search(setting) else ()
    rows = [*itertools.combinations(range(n), 2)]
    rows += [(n + who, j) for who in range(len(extra)) for j in range(n)]
    scenario = setting.scenario(
        cast=(*setting.classmates, *extra), seating=tuple(rows), horizon=rounds, press=Press()
    )
    return Arm(scenario, repeats, block, equipped=False)


def class_matrix(record: Record, n: int, what: Any = match_returns) -> Array:
    """[R, n, n] what each classmate (row) got against each other one; the diagonal is 0."""
    first, second = np.triu_indices(n, 1)
    pairs = len(first)
    found = np.zeros((record.arm.repeats, n, n))
    found[:, first, second] = what(record, 0)[:, :pairs]
    found[:, second, first] = what(record, 1)[:, :pairs]
    return found


def anchors(records: Sequence[Record], n: int) -> tuple[Array, Array]:
    """(bottom, top), each [R', n]: random play, and against each classmate the candidate that
    did best there. For each repeat it is chosen on all the others, and measured on this one: so
    no luck in the choice raises it, and no repeat is lost to the choosing.
    `records`: blocks of the background."""
    tables = [match_returns(record, 0)[:, n * (n - 1) // 2 :] for record in records]
    table = np.concatenate(tables).reshape(sum(map(len, tables)), -1, n)
    best = (table[:, 1:].sum(0) - table[:, 1:]).argmax(1)  # [R', n]
    return table[:, 0], np.take_along_axis(table[:, 1:], best[:, None], axis=1)[:, 0]


def random_value(setting: Setting) -> float | None:
    """What uniform play earns a step, if that is the same whatever the other does, else None."""
    own = np.asarray(setting.substrate.payoffs(), np.float64)[..., 0].mean(0)
    return float(own[0]) if np.ptp(own) <= 1e-9 * np.ptp(setting.substrate.payoffs()) else None


def finite(x: float) -> float | None:
    """An end of an interval as a figure takes it: None where there is none."""
    return x if math.isfinite(x) else None
