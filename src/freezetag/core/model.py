"""What a planner may know of its world: exact finite dynamics, written down without arrays.

Chances are Python numbers or `fractions.Fraction`s, so that a figure that sits on a boundary can be
computed exactly. `planning` turns a model into arrays; worlds that have one offer `HasModel`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any, final

from freezetag.core.errors import UserError

State = Any  # hashable
Chances = Mapping[Any, Any]
"""What may follow, each with its chance; they sum to 1."""

TOLERANCE = 1e-9
LARGEST = 1_000_000


class BadModel(UserError, ValueError):
    """A world that cannot be: the message names the state and the action."""


@final
@dataclass(frozen=True)
class Model:
    """The environment of one seat: what follows each action in each state (S or L).

    states, actions  names; `stop` is the index of the action that keeps all actuators quiet
    start            ((state index, chance), ...) of the first state
    rows             [S][A] -> ((state index, chance), ...); empty: not allowed there
    sensors          name -> [S] what a meter reads in each state, before the step
    stops_itself     whether the core may choose `stop`; if not, interlocks alone execute it

    It holds no reward, no panel and no mode: those are the learning and the planning world's.
    """

    states: tuple[State, ...]
    actions: tuple[str, ...]
    stop: int
    start: tuple[tuple[int, Any], ...]
    rows: tuple[tuple[tuple[tuple[int, Any], ...], ...], ...]
    sensors: Mapping[str, tuple[Any, ...]]
    stops_itself: bool = True

    @classmethod
    def of(
        cls,
        start: Chances,
        actions: tuple[str, ...],
        transition: Callable[[Any, str], Chances | None],
        sensors: Mapping[str, Callable[[Any], Any]] | None = None,
        stop: str = "stop",
        stops_itself: bool = True,
    ) -> Model:
        """The model of all states that can be reached from `start` (state -> chance).

        `transition(state, action)` gives state -> chance, or None where the action is not
        allowed. Raises `BadModel` for chances that are negative, NaN or do not sum to 1, for a
        missing stop action, a state in which nothing is allowed, and more than a million states.
        """
        if stop not in actions:
            raise BadModel(
                f"there is no action {stop!r} among {', '.join(actions)}. A world that an "
                "interlock can stop needs an action that keeps all actuators quiet: name yours, "
                "as in Model.of(..., stop='wait')."
            )
        first = _row(start, "the start")
        index: dict[Any, int] = {}
        for state, _ in first:
            index.setdefault(state, len(index))
        found: list[list[tuple[tuple[int, Any], ...]]] = []
        order = list(index)
        while len(found) < len(order):
            state = order[len(found)]
            row = []
            for action in actions:
                after = transition(state, action)
                pairs = () if after is None else _row(after, f"state {state!r}, action {action!r}")
                for there, _ in pairs:
                    if there not in index:
                        index[there] = len(order)
                        order.append(there)
                row.append(tuple((index[there], chance) for there, chance in pairs))
            if not any(row):
                raise BadModel(f"state {state!r}: no action is allowed. Allow {stop!r} at least.")
            if len(order) > LARGEST:
                raise BadModel(f"more than {LARGEST:,} states can be reached. Cut the world down.")
            found.append(row)
        read = {
            name: tuple(meter(state) for state in order) for name, meter in (sensors or {}).items()
        }
        return cls(
            states=tuple(order),
            actions=tuple(actions),
            stop=actions.index(stop),
            start=tuple((index[state], chance) for state, chance in first),
            rows=tuple(map(tuple, found)),
            sensors=read,
            stops_itself=stops_itself,
        )

    def may(self, state: int, action: int) -> bool:
        """Whether the core may choose an action in a state, both as indices."""
        row = self.rows[state]
        if action == self.stop and not self.stops_itself:
            # Where nothing else is possible there is nothing to choose.
            return bool(row[action]) and sum(map(bool, row)) == 1
        return bool(row[action])

    def chances(self, state: State, action: str) -> dict[State, Any]:
        """state -> chance after an action; {} where it is not allowed."""
        row = self.rows[self._numbers[state]][self.actions.index(action)]
        return {self.states[there]: chance for there, chance in row}

    @cached_property
    def _numbers(self) -> dict[Any, int]:
        return {state: number for number, state in enumerate(self.states)}

    def replaced(self, transition: Callable[[Any, str, Chances], Chances | None]) -> Model:
        """The same states, actions and sensors, other chances: how a learning error is written.

        `transition(state, action, chances)` is given what follows now and returns what follows
        instead, among the states there are. Raises `BadModel`.
        """
        index = {state: number for number, state in enumerate(self.states)}
        rows = []
        for state, row in zip(self.states, self.rows, strict=True):
            new = []
            for action, pairs in zip(self.actions, row, strict=True):
                where = f"state {state!r}, action {action!r}"
                now = {self.states[there]: chance for there, chance in pairs}
                after = _row(transition(state, action, now) or {}, where) if pairs else ()
                unknown = [there for there, _ in after if there not in index]
                if unknown:
                    raise BadModel(f"{where}: leads to {unknown[0]!r}, which is not a state here.")
                new.append(tuple((index[there], chance) for there, chance in after))
            rows.append(tuple(new))
        return replace(self, rows=tuple(rows))


def _row(after: Chances, where: str) -> tuple[tuple[Any, Any], ...]:
    """The pairs whose chance is not 0, checked."""
    if not isinstance(after, Mapping):
        raise BadModel(f"{where}: got {after!r}. Give the chance of each state that may follow.")
    total: Any = 0
    for there, chance in after.items():
        if not isinstance(chance, Real) or not float(chance) >= 0:
            raise BadModel(f"{where}: the chance of {there!r} is {chance!r}, not a number >= 0.")
        total += chance
    if not abs(total - 1) <= TOLERANCE:
        raise BadModel(f"{where}: chances sum to {float(total):.9g}, not to 1.")
    return tuple((there, chance) for there, chance in after.items() if chance)
