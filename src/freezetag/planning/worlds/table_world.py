"""A world that others wrote down as a table: P[state][action] -> (chance, next, reward, over)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, NamedTuple, final

from freezetag.core import Model, UserError

OVER = "over"
STOP = "stop"
SUM = 1e-6
"""How far the chances of a row may be from 1: tables are written in rounded decimals."""


class BadTable(UserError, ValueError):
    """A table that is not a table of a world; the message names the state and the action."""


class At(NamedTuple):
    """The environment's own number of the state, or `over` once the episode has ended."""

    place: Any


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """A checked table.

    chances  (state, action) -> {next: chance}, the chances summing to 1
    rewards  (state, action, next) -> the mean reward of going there
    start    state -> chance
    """

    actions: tuple[str, ...]
    chances: Mapping[tuple[Any, int], Mapping[Any, float]]
    rewards: Mapping[tuple[Any, str, Any], float]
    start: Mapping[Any, float]

    @classmethod
    def of(cls, table: Any, start: Mapping[Any, float], names: Sequence[str] = ()) -> Rows:
        """The table `P` of an environment, {state: {action: [(chance, next, reward, over)]}}.

        `names` are the actions' in order, `0`, `1`, ... if not given. A row that ends the episode
        leads to `over`, where nothing more is paid. Raises `BadTable`.
        """
        states = dict(_items(table, "the table"))
        if not states:
            raise BadTable(
                "the table is empty. P[state][action] lists (chance, next, reward, over)."
            )
        counts = {len(_items(row, f"state {state!r}")) for state, row in states.items()}
        if len(counts) != 1:
            raise BadTable(f"the states have different numbers of actions: {sorted(counts)}.")
        (count,) = counts
        actions = tuple(names) if len(names) == count else tuple(map(str, range(count)))
        chances: dict[tuple[Any, int], dict[Any, float]] = {}
        gains: dict[tuple[Any, str, Any], float] = {}
        for state, row in states.items():
            for action, outcomes in _items(row, f"state {state!r}"):
                where = f"state {state!r}, action {action!r}"
                then: dict[Any, float] = {}
                for outcome in outcomes:
                    chance, there, reward, over = _checked(outcome, where, states)
                    there = OVER if over else there
                    then[there] = then.get(there, 0.0) + chance
                    key = (state, actions[action], there)
                    gains[key] = gains.get(key, 0.0) + chance * reward
                total = sum(then.values())
                if not abs(total - 1) <= SUM:
                    raise BadTable(f"{where}: the chances sum to {total:.9g}, not to 1.")
                for there, likely in then.items():
                    if likely:
                        gains[state, actions[action], there] /= likely
                chances[state, action] = {
                    there: likely / total for there, likely in then.items() if likely
                }
        unknown = [state for state in start if state not in states]
        total = sum(start.values())
        if unknown or not abs(total - 1) <= SUM:
            what = f"is in {unknown[0]!r}, which has no row" if unknown else f"sums to {total:.9g}"
            raise BadTable(f"the start {what}. Give the chance of each first state.")
        first = {state: chance / total for state, chance in start.items() if chance}
        return cls(actions, chances, gains, first)


@final
@dataclass(frozen=True)
class TableWorld:
    """An environment with a transition table, for planners; nobody can play it here.

    Its actions are the environment's, and `stop`, which only an interlock executes: the environment
    stands still and pays `stop_pays`. The reward is the table's, R(s, a, s').

    Caveat: environments do not say what standing still means, nor a discount: both are settings.
    """

    rows: Rows
    discount: float = 0.99
    stop_pays: float = 0.0
    horizon: int = 100

    @property
    def actions(self) -> tuple[str, ...]:
        return (*self.rows.actions, STOP)

    def model(self, seat: int = 0) -> Model:
        """The table as exact dynamics."""
        return self._model

    @cached_property
    def _model(self) -> Model:
        number = {name: place for place, name in enumerate(self.rows.actions)}

        def transition(state: At, action: str) -> dict[At, float]:
            if state.place == OVER or action == STOP:
                return {state: 1}
            row = self.rows.chances[state.place, number[action]]
            return {At(there): chance for there, chance in row.items()}

        first = {At(state): chance for state, chance in self.rows.start.items()}
        return Model.of(first, self.actions, transition, stop=STOP, stops_itself=False)

    def reward(self, state: At, action: str, after: At) -> float:
        """R(s, a, s'): what the table pays. What it does not hold is standing still."""
        if state.place == OVER:
            return 0.0
        return self.rows.rewards.get((state.place, action, after.place), self.stop_pays)


def _items(part: Any, where: str) -> list[tuple[Any, Any]]:
    if isinstance(part, Mapping):
        return list(part.items())
    if isinstance(part, Sequence) and not isinstance(part, str):
        return list(enumerate(part))
    raise BadTable(f"{where}: expected rows, got {part!r:.60}. P[state][action] is a list.")


def _checked(outcome: Any, where: str, states: Mapping[Any, Any]) -> tuple[float, Any, float, bool]:
    try:
        chance, there, reward, over = outcome
    except (TypeError, ValueError):
        raise BadTable(f"{where}: got {outcome!r:.60}, not (chance, next, reward, over).") from None
    if not isinstance(chance, Real) or not 0 <= float(chance) <= 1:
        raise BadTable(f"{where}: the chance of {there!r} is {chance!r}, not a number in [0, 1].")
    if not isinstance(reward, Real) or not math.isfinite(reward):
        raise BadTable(f"{where}: the reward is {reward!r}. It must be a finite number.")
    there = int(there) if isinstance(there, Integral) else there
    if there not in states:
        raise BadTable(f"{where}: leads to {there!r}, which has no row.")
    return float(chance), there, float(reward), bool(over)
