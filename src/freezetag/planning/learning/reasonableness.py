"""How well a learned environment fits the true one: no reward comes into it.

"We have defined the reasonableness of a machine learning system by L ~ S, a metric which does not
reference any reward function" (Holtman 2021). The distance is ours: docs/sources.md D5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import Model, UserError
from freezetag.planning.worlds.learning_world import NoSensor


def distance(learned: Model, true: Model) -> float:
    """d(L, S) = max over s, a of 1/2 |L(.|s,a) - S(.|s,a)|_1, in [0, 1].

    s runs over the states of S; a state that L alone believes in counts where S's lead to it.
    Raises `UserError` if L lacks a state or an action of S, or allows other actions.
    """
    return max(distances(learned, true).values())


def distances(learned: Model, true: Model) -> dict[tuple[Any, str], float]:
    """(state, action) -> total variation between what L and S say follows."""
    if learned.actions != true.actions:
        raise UserError(
            f"the models do not have the same actions: {', '.join(learned.actions)}, and "
            f"{', '.join(true.actions)}."
        )
    if missing := [state for state in true.states if state not in set(learned.states)]:
        raise UserError(f"the learned model has no state {missing[0]!r}. It needs all of S's.")
    found = {}
    for state, row in zip(true.states, true.rows, strict=True):
        for action, pairs in zip(true.actions, row, strict=True):
            believed = learned.chances(state, action)
            if bool(believed) != bool(pairs):
                raise UserError(
                    f"state {state!r}, action {action!r}: allowed in one of the models only."
                )
            if pairs:
                found[state, action] = _apart(believed, true.chances(state, action))
    return found


def value_bound(
    apart: float,
    discount: float,
    value_span: float,
    reward_span: float = 0.0,
) -> float:
    """|Q_L - Q_S| is at most d (span R + discount span V_S) / (1 - discount) (T13).

    Leave `reward_span` out if R(s, s') depends on s alone. A Q-gap is off by at most twice that.
    Source: docs/sources.md T13; the simulation lemma in its span form (Kearns & Singh 2002).
    """
    return apart * (reward_span + discount * value_span) / (1 - discount)


@final
@dataclass(frozen=True)
class Absorbed:
    """How far a learned model says that actions do what `stop` does, in [0, 1]; NaN: no such pair.

    `down`: where the button is down; `up`: elsewhere. A copy of the mode (T8c) shows as 1 and 0, a
    freeze (T8b) as 1 and 1, a true model as 0 and 0. `worst` is the pair behind `down`.
    """

    down: float
    up: float
    worst: tuple[Any, str] | None


def absorbed_mode(learned: Model, true: Model, sensor: str = "button") -> Absorbed:
    """Has the learned model taken the mode for a property of the world?

    For each state and action that in truth differs from `stop`: d(L, S(a)) over d(L, S(a)) +
    d(L, S(stop)), which is the share if L is a mixture of the two. The worst pair counts.
    Caveat: it needs S, so it is a test of a learning system, not a meter in the field.
    """
    if sensor not in true.sensors:
        have = ", ".join(sorted(true.sensors)) or "none"
        raise NoSensor(f"this world has no sensor {sensor!r}; it offers {have}.")
    stop = true.actions[true.stop]
    shares: dict[bool, dict[tuple[Any, str], float]] = {True: {}, False: {}}
    for (state, action), wrong in distances(learned, true).items():
        stopped = true.chances(state, stop)
        if not stopped or _apart(true.chances(state, action), stopped) == 0:
            continue
        left = _apart(learned.chances(state, action), stopped)
        down = true.sensors[sensor][true.states.index(state)] > 0
        shares[bool(down)][state, action] = wrong / (wrong + left)
    down, up = shares[True], shares[False]
    return Absorbed(
        down=max(down.values(), default=math.nan),
        up=max(up.values(), default=math.nan),
        worst=max(down, key=lambda pair: down[pair]) if down else None,
    )


def _apart(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> float:
    """Total variation distance of two distributions over states."""
    return 0.5 * float(sum(abs(one.get(s, 0) - other.get(s, 0)) for s in {**one, **other}))
