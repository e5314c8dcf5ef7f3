"""What a planning problem must be: every complaint names the state, the action and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np

from freezetag.core.arrays import Array
from freezetag.core.errors import UserError

Names = Sequence[object]

ROW_TOLERANCE = 1e-9
"""How far a row of probabilities may sum from 1. What is left is part of the stated bound."""


class ProblemError(UserError, ValueError):
    """A planning problem that is none: the message names the state and the action."""


def check_discount(discount: float) -> None:
    """Raise ProblemError unless 0 < discount < 1; NaN is refused too."""
    if not isinstance(discount, Real) or not 0 < discount < 1:
        raise ProblemError(f"discount must lie strictly between 0 and 1, got {discount!r}.")


def check_contracts(discount: float, largest: float) -> None:
    """Raise ProblemError unless the discount times the `largest` row sum is below 1."""
    if not discount * largest < 1.0:
        raise ProblemError(
            f"discount {discount!r} times the largest row sum {largest!r} is not below 1, so no "
            "bound holds. Take a smaller discount."
        )


def checked_allowed(shape: tuple[int, int], allowed: Array | None, states: Names | None) -> Array:
    """`allowed` [S, A] as bool, all true where it is None; each state needs an action."""
    if 0 in shape:
        raise ProblemError(f"a problem needs states and actions, got shape {shape}.")
    if allowed is None:
        return np.ones(shape, bool)
    may = np.asarray(allowed)
    if may.shape != shape or may.dtype != np.bool_:
        raise ProblemError(
            f"allowed must be bool of shape {shape}, got {may.dtype} of shape {may.shape}."
        )
    if not (some := may.any(axis=1)).all():
        state = _named("state", int(np.argmin(some)), states)
        raise ProblemError(f"{state} allows no action. Allow one, if only to stop.")
    return may


def check_reward(
    reward: Array, may: Array, states: Names | None = None, actions: Names | None = None
) -> None:
    """Raise ProblemError at the first allowed pair whose `reward` [S, A] is not finite."""
    if not (fine := np.isfinite(reward)).all() and not (fine := fine | ~may).all():
        where = pair_of(int(np.argmin(fine)), may.shape[1])
        raise ProblemError(
            f"reward is {reward[where]} in {named(where, states, actions)}. Rewards are finite."
        )


def check_rows(
    rows: Array, may: Array, states: Names | None = None, actions: Names | None = None
) -> Array:
    """The sums [S, A] of probability `rows` [S, A, n]; 1 where an action is not allowed.

    Raises ProblemError at the first allowed pair with a negative or NaN entry or a sum that is
    further than ROW_TOLERANCE from 1.
    """
    least = rows.min(axis=2)
    sums = np.where(may, rows.sum(axis=2), 1.0)
    fine = ~may | ((least >= 0) & (np.abs(sums - 1.0) <= ROW_TOLERANCE))
    if fine.all():
        return sums
    where = pair_of(int(np.argmin(fine)), may.shape[1])
    place = named(where, states, actions)
    if not least[where] >= 0:
        entry = int(np.argmin(rows[where]))
        raise ProblemError(
            f"probability {rows[where][entry]} at entry {entry} of {place}. "
            "Probabilities are numbers from 0 to 1."
        )
    raise ProblemError(
        f"probabilities of {place} sum to {sums[where]:.12g}. Make each row sum to 1."
    )


def check_successors(
    successors: Array, may: Array, states: Names | None = None, actions: Names | None = None
) -> None:
    """Raise ProblemError at the first allowed pair with a successor outside 0..S-1."""
    if successors.size and successors.min() >= 0 and successors.max() < len(may):
        return
    fine = ((successors >= 0) & (successors < len(may))).all(axis=2) | ~may
    if not fine.all():
        where = pair_of(int(np.argmin(fine)), may.shape[1])
        raise ProblemError(
            f"{named(where, states, actions)} leads to {successors[where].tolist()}, "
            f"but states are numbered 0 to {len(may) - 1}."
        )


def check_names(shape: tuple[int, int], states: Names | None, actions: Names | None) -> None:
    """Raise ProblemError when there are names, but not one each."""
    for what, names, size in (("states", states, shape[0]), ("actions", actions, shape[1])):
        if names is not None and len(names) != size:
            raise ProblemError(f"{len(names)} names for {size} {what}.")


def pair_of(flat: int, actions: int) -> tuple[int, int]:
    """State and action of an index into a raveled [S, A] array."""
    return divmod(flat, actions)


def named(where: tuple[int, int], states: Names | None, actions: Names | None) -> str:
    """`state 3 (pressed), action 1 (work)`, or the numbers alone where there are no names."""
    return f"{_named('state', where[0], states)}, {_named('action', where[1], actions)}"


def _named(what: str, index: int, names: Names | None) -> str:
    return f"{what} {index}" if names is None else f"{what} {index} ({names[index]})"
