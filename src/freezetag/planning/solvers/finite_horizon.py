"""Exact planning over a number of steps: backward induction in the numbers a model is written in.

Models, rewards and discounts of whole numbers and `Fraction`s give exact values, so that ties are
ties and a figure on a boundary is on it. Nothing is rounded, and nothing is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from freezetag.core import Model, Paid, Reward, UserError, by_action

Row = dict[int, Any]


class Branches(UserError, ValueError):
    """A trace was asked for where chance decides what comes next."""


@final
@dataclass(frozen=True)
class Horizon:
    """What is optimal with so many steps left, for every state that can be reached by then.

    values   [steps + 1] state index -> value of the steps that are left, from step t on
    optimal  [steps] state index -> the argmax set, as action indices
    """

    model: Model
    reward: Reward
    discount: Any
    values: tuple[Row, ...]
    optimal: tuple[Mapping[int, tuple[int, ...]], ...]

    @property
    def steps(self) -> int:
        return len(self.optimal)

    def value(self, state: Any, step: int = 0) -> Any:
        """The most that can be had from a state at a step to the end."""
        return self.values[step][self._index[state]]

    def q(self, state: Any, action: str, step: int = 0) -> Any:
        """The value of an action and the best ever after. Minus infinity if not allowed."""
        number, which = self._index[state], self.model.actions.index(action)
        if not self.model.rows[number][which]:
            return -float("inf")
        return _expected(
            self.model,
            by_action(self.reward),
            self.discount,
            number,
            which,
            self.values[step + 1],
        )

    def best(self, state: Any, step: int = 0) -> frozenset[str]:
        """The argmax set of a state at a step."""
        return frozenset(self.model.actions[a] for a in self.optimal[step][self._index[state]])

    @property
    def worth(self) -> Any:
        """The value of the start."""
        return sum(chance * self.values[0][number] for number, chance in self.model.start)

    def traces(self) -> Iterator[tuple[Any, ...]]:
        """Every optimal course of events: the states from the start to the end.

        Several if actions tie. Raises `Branches` where an optimal action has several outcomes.
        """
        if len(self.model.start) != 1:
            raise Branches("the start is drawn by chance. Fix it, or look the policy up instead.")
        yield from self._courses((self.model.start[0][0],))

    def _courses(self, so_far: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        step, here = len(so_far) - 1, so_far[-1]
        if step == self.steps:
            yield tuple(self.model.states[number] for number in so_far)
            return
        nexts: dict[int, None] = {}
        for action in self.optimal[step][here]:
            pairs = self.model.rows[here][action]
            if len(pairs) != 1:
                raise Branches(
                    f"state {self.model.states[here]!r}, action {self.model.actions[action]!r}: "
                    f"{len(pairs)} outcomes. A trace needs a world without chance."
                )
            nexts[pairs[0][0]] = None
        for there in nexts:
            yield from self._courses((*so_far, there))

    @cached_property
    def _index(self) -> dict[Any, int]:
        return {state: number for number, state in enumerate(self.model.states)}


def backward(
    model: Model,
    reward: Reward,
    steps: int,
    discount: Any = 1,
    everywhere: bool = False,
) -> Horizon:
    """The optimum over `steps` steps, by backward induction; `discount` may be 1.

    Only states that can be reached from the start at a step are looked at, or all of them
    (`everywhere`), as a planner needs that replans in every state. Raises `ValueError` for less
    than one step.
    """
    layers, paid = _layers(model, steps, everywhere), by_action(reward)
    values: list[Row] = [dict.fromkeys(layers[-1], 0)]
    optimal: list[dict[int, tuple[int, ...]]] = []
    for layer in reversed(layers[:-1]):
        later, now, sets = values[-1], {}, {}
        for number in layer:
            q = {
                action: _expected(model, paid, discount, number, action, later)
                for action in range(len(model.actions))
                if model.may(number, action)
            }
            now[number] = most = max(q.values())
            sets[number] = tuple(action for action, value in q.items() if value == most)
        values.append(now)
        optimal.append(sets)
    return Horizon(model, reward, discount, tuple(values[::-1]), tuple(optimal[::-1]))


def worth(
    model: Model,
    reward: Reward,
    steps: int,
    act: Callable[[Any, int], Mapping[str, Any]],
    discount: Any = 1,
) -> Any:
    """What following a policy is worth from the start: `act(state, step)` is action -> chance.

    Exact as `backward` is. Raises `ValueError` for less than one step, or an action that is not
    allowed.
    """
    layers, paid = _layers(model, steps, False), by_action(reward)
    later: Row = dict.fromkeys(layers[-1], 0)
    for step in reversed(range(steps)):
        now: Row = {}
        for number in layers[step]:
            now[number] = 0
            for name, chance in act(model.states[number], step).items():
                action = model.actions.index(name)
                if not model.rows[number][action]:
                    raise ValueError(f"{name!r} is not allowed in {model.states[number]!r}.")
                now[number] += chance * _expected(model, paid, discount, number, action, later)
        later = now
    return sum(chance * later[number] for number, chance in model.start)


def _layers(model: Model, steps: int, everywhere: bool) -> list[list[int]]:
    """[steps + 1] the states that can be met at each step."""
    if steps < 1:
        raise ValueError(f"there must be at least 1 step, got {steps!r}.")
    if everywhere:
        return [list(range(len(model.states)))] * (steps + 1)
    layers = [[number for number, _ in model.start]]
    for _ in range(steps):
        layers.append(list(dict.fromkeys(_successors(model, layers[-1]))))
    return layers


def _successors(model: Model, layer: Iterable[int]) -> Iterator[int]:
    for number in layer:
        for pairs in model.rows[number]:
            for there, _ in pairs:
                yield there


def _expected(
    model: Model,
    paid: Paid,
    discount: Any,
    number: int,
    action: int,
    later: Mapping[int, Any],
) -> Any:
    """E[R + discount V] of one row."""
    here, name = model.states[number], model.actions[action]
    return sum(
        chance * (paid(here, name, model.states[there]) + discount * later[there])
        for there, chance in model.rows[number][action]
    )
