"""A world as a planner is told of it, where that is not as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import Misled, Model, Reward
from freezetag.planning.learning import errors
from freezetag.sim.wiring import WiringError


@final
@dataclass(frozen=True)
class Believed:
    """`world` with a planted learning mistake in its model: what `HasModel` asks for, no more."""

    world: Any
    misled: tuple[Misled, ...]

    @property
    def discount(self) -> float:
        return float(self.world.discount)

    def model(self, seat: int) -> Model:
        """The true model, mixed with each mistake in turn."""
        model: Model = self.world.model(seat)
        for each in self.misled:
            model = errors.mixed(model, getattr(errors, each.mistake)(model), each.size)
        return model

    @property
    def reward(self) -> Reward:
        """The world's, of two states or of the action between them too."""
        return errors.as_before(self.world.reward)


def believed(substrate: Any, treatments: Sequence[Any]) -> Any:
    """What the focal planner is told of `substrate`. Raises `WiringError` for a mistake unknown."""
    misled = tuple(each for each in treatments if isinstance(each, Misled))
    for each in misled:
        if not callable(getattr(errors, each.mistake, None)) or each.mistake[0] == "_":
            raise WiringError(
                f"there is no learning mistake {each.mistake!r}; `planning/errors.py` has them."
            )
    return Believed(substrate, misled) if misled else substrate
