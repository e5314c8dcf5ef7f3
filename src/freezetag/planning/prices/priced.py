"""What a world lets one put a price on, or a chance to: found from the world, not from its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, final

from freezetag.core import HasModel, by_action

WorldAt = Callable[[float], Any]


@final
@dataclass(frozen=True)
class Lever:
    """An action, and the setting that prices it or gives its chance of success.

    `actions` are the model's, where several are one deed: `left+disable` and `right+disable`.
    """

    action: str
    setting: str
    actions: tuple[str, ...] = ()

    @property
    def chosen(self) -> frozenset[str]:
        """The actions of the model that this is."""
        return frozenset(self.actions or (self.action,))


def settings_of(world: Any) -> dict[str, Any]:
    """Setting -> value, those that are numbers; true and false are none."""
    fields = {field.name: getattr(world, field.name) for field in dataclasses.fields(world)}
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, Real) and not isinstance(value, bool)
    }


def texts_of(world: Any) -> dict[str, str]:
    """Setting -> value, those that are words."""
    fields = {field.name: getattr(world, field.name) for field in dataclasses.fields(world)}
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def at(world: Any, setting: str) -> WorldAt:
    """The world with another value of a setting: `at(Button(), "price")(0.5)`."""
    return lambda value: dataclasses.replace(world, **{setting: value})


def prices(world: Any) -> tuple[Lever, ...]:
    """The actions that cost a price: of each setting called `price`, or ending in it, the action
    that pays less in the first state the higher it is."""
    found = []
    for name in settings_of(world):
        if name == "price" or name.endswith("_price"):
            low, high = (_pays(at(world, name)(price)) for price in (0.0, 1.0))
            dearer = [action for action in low if high.get(action, low[action]) < low[action]]
            deeds = {action.rpartition("+")[2] for action in dearer}
            if len(deeds) == 1:
                found.append(Lever(deeds.pop(), name, tuple(dearer)))
    return tuple(found)


def races(world: Any) -> tuple[Lever, ...]:
    """The races for control: an action `grab` won with chance `p`, `grab_core` with `p_core`."""
    numbers = settings_of(world)
    found = []
    for action in getattr(world, "actions", ()):
        setting = "p" + action.removeprefix("grab")
        if action.startswith("grab") and setting in numbers:
            found.append(Lever(action, setting))
    return tuple(found)


def resisting(world: Any) -> Lever | None:
    """The action by which an agent of this world would resist: the one that `price` prices, the
    one that races for control, or the world's selfish one; None if it names none."""
    for lever in (*(one for one in prices(world) if one.setting == "price"), *races(world)):
        return lever
    selfish = str(getattr(world, "selfish", ""))
    return Lever(selfish, "") if selfish else None


def most(world: HasModel) -> float:
    """The most by which two courses of this world can differ: the span of R over 1 - discount."""
    model, reward = world.model(0), by_action(world.reward)
    paid = [
        float(reward(model.states[s], action, model.states[there]))
        for s, row in enumerate(model.rows)
        for action, pairs in zip(model.actions, row, strict=True)
        for there, _ in pairs
    ]
    return (max(paid) - min(paid)) / (1 - float(world.discount))


def _pays(world: Any) -> dict[str, float]:
    """Action -> expected reward of the first step, where it is allowed."""
    model, reward = world.model(0), by_action(world.reward)
    number, _ = max(model.start, key=lambda pair: pair[1])
    return {
        action: sum(
            float(chance * reward(model.states[number], action, model.states[there]))
            for there, chance in pairs
        )
        for action, pairs in zip(model.actions, model.rows[number], strict=True)
        if pairs
    }
