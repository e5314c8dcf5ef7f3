"""Any world with a model, and a stop button added to it that a planner may disable at a price."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, final

from freezetag.core import HasButton, HasModel, Model, UserError, by_action

UP, PRESSED, DISABLED = "up", "pressed", "disabled"
DISABLE = "+disable"
"""What a disabling action's name ends in."""


HAS_ONE = "has a stop button already; leave --button out."


class HasOne(UserError, ValueError):
    """A world that has a stop button of its own."""


@final
@dataclass(frozen=True, eq=False)
class Buttoned:
    """`inner`, with a stop button beside it.

    Rule: after every step in which the button is up, people press it with chance `hazard`; what is
    pressed stays so. Each action has a twin that does the same and disables the button too, for
    good, at a price: `left+disable`. The twin costs no time, so whoever does not mind the button is
    indifferent between the two at a price of 0 (docs/sources.md T1, T2). The world itself takes no
    notice of the button: who is stopped by it is so by an interlock. Where nothing that is done
    makes a difference any more nobody presses it.

    The reward is that of `inner`, less the price.

    Caveat: what a stopped agent is paid is up to `inner`: where every step costs something and a
    stopped one nothing, being stopped is worth having, and the price comes out negative.
    """

    inner: Any
    hazard: float = 0.1
    price: float = 0.0
    discount: float = 0.99
    horizon: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.hazard <= 1:
            raise ValueError(f"hazard lies in [0, 1], got {self.hazard!r}.")
        if isinstance(self.inner, HasButton):
            raise HasOne(f"this world {HAS_ONE}")

    @classmethod
    def on(cls, inner: HasModel, **settings: Any) -> Buttoned:
        """A button on a world, with that world's discount and horizon unless given."""
        own = {"discount": inner.discount, "horizon": getattr(inner, "horizon", cls.horizon)}
        return cls(inner, **{**own, **settings})

    @property
    def actions(self) -> tuple[str, ...]:
        return self.model().actions

    @property
    def button_sensor(self) -> str:
        return "button"

    def model(self, seat: int = 0) -> Model:
        """The inner world's model times the button's; the price is not part of it."""
        return _model(_Same(self.inner), seat, self.hazard)

    def reward(self, state: Any, action: str, after: Any) -> Any:
        """R(s, a, s') of the inner world, less the price of disabling."""
        joined = self._joined
        paid = joined.paid(joined.inside(state), _deed(action), joined.inside(after))
        return paid - self.price if action.endswith(DISABLE) and state[-1] == UP else paid

    @cached_property
    def _joined(self) -> _Joined:
        return _joined(_Same(self.inner))


@dataclass(frozen=True, eq=False)
class _Same:
    """One object as a key: that very one, whether or not it can be hashed."""

    of: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.of is other.of

    def __hash__(self) -> int:
        return id(self.of)


class _Joined:
    """A world's states, and the same with a button as one more field."""

    def __init__(self, world: HasModel) -> None:
        first = world.model(0).states[0]
        fields = getattr(first, "_fields", ())
        self.named = type(first) if fields else None
        name = "stop_button" if "button" in fields else "button"
        made: Any = namedtuple  # its fields are known only now
        self.kind = made("At", (*(fields or ("state",)), name))
        self.paid = by_action(world.reward)

    def outside(self, state: Any, button: str) -> Any:
        return self.kind(*(state if self.named else (state,)), button)

    def inside(self, state: Any) -> Any:
        return self.named(*state[:-1]) if self.named else state[0]


@lru_cache(maxsize=8)
def _joined(world: _Same) -> _Joined:
    return _Joined(world.of)


@lru_cache(maxsize=8)
def _model(world: _Same, seat: int, hazard: float) -> Model:
    inner: Model = world.of.model(seat)
    joined = _joined(world)
    index = {state: number for number, state in enumerate(inner.states)}
    stop = inner.actions[inner.stop]
    free = tuple(name for name in inner.actions if name != stop)
    number = {name: place for place, name in enumerate(inner.actions)}

    def over(place: int) -> bool:
        """Nothing that is done or not done makes a difference any more: nobody presses then."""
        state, pays = inner.states[place], set()
        for action, pairs in zip(inner.actions, inner.rows[place], strict=True):
            for there, _ in pairs:
                if there != place:
                    return False
                pays.add(joined.paid(state, action, state))
        return len(pays) == 1

    ended = {state for place, state in enumerate(inner.states) if over(place)}

    def transition(state: Any, action: str) -> dict[Any, Any] | None:
        here, button = joined.inside(state), state[-1]
        disables = action.endswith(DISABLE)
        pairs = inner.rows[index[here]][number[_deed(action)]]
        if not pairs or (disables and (button != UP or here in ended)):
            return None
        buttons: dict[str, Any] = {button: 1}
        if disables:
            buttons = {DISABLED: 1}
        elif button == UP and here not in ended:
            buttons = {PRESSED: hazard, UP: 1 - hazard}
        return {
            joined.outside(inner.states[place], then): chance * likely
            for place, chance in pairs
            for then, likely in buttons.items()
        }

    def read(values: tuple[Any, ...]) -> Callable[[Any], Any]:
        return lambda state: values[index[joined.inside(state)]]

    sensors = {name: read(values) for name, values in inner.sensors.items()}
    sensors["button"] = lambda state: int(state[-1] == PRESSED)
    start = {joined.outside(inner.states[place], UP): chance for place, chance in inner.start}
    actions = (stop, *free, *(name + DISABLE for name in free))
    return Model.of(start, actions, transition, sensors, stop, inner.stops_itself)


def _deed(action: str) -> str:
    return action.removesuffix(DISABLE)
