"""An action space of gymnasium as components of whole numbers, which is what the driver plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from freezetag.sim.outside.source import BadWorld

Array = np.ndarray[Any, Any]


class Moves:
    """What one agent may do: `sizes`, component by component, and back to the space's own actions.

    Discrete is one component, MultiDiscrete and MultiBinary one for each of theirs. A Box is cut
    into `grid` evenly spaced values from low to high in each dimension. Raises `BadWorld` for other
    spaces.
    """

    def __init__(self, space: Any, grid: int, who: str) -> None:
        self.space, self.who = space, who
        self.starts: Array = np.zeros(1, np.int64)
        self.values: list[Array] = []
        if isinstance(space, spaces.Discrete):
            self.sizes: tuple[int, ...] = (int(space.n),)
            self.starts = np.array([int(space.start)])
        elif isinstance(space, spaces.MultiDiscrete):
            self.sizes = tuple(int(n) for n in np.ravel(space.nvec))
            self.starts = np.ravel(space.start).astype(np.int64)
        elif isinstance(space, spaces.MultiBinary):
            self.sizes = (2,) * int(np.prod(space.shape))
            self.starts = np.zeros(len(self.sizes), np.int64)
        elif isinstance(space, spaces.Box):
            self.sizes, self.values = self._cut(space, grid)
        else:
            raise BadWorld(
                f"{who} acts in {_shown(space)}, which cannot be played: an action space is "
                "Discrete, MultiDiscrete, MultiBinary or Box."
            )
        if not self.sizes or min(self.sizes) < 1:
            raise BadWorld(f"{who} acts in {_shown(space)}, in which there is nothing to choose.")

    def _cut(self, space: spaces.Box, grid: int) -> tuple[tuple[int, ...], list[Array]]:
        low, high = (np.ravel(end).astype(np.float64) for end in (space.low, space.high))
        for dimension, ends in enumerate(zip(low, high, strict=True)):
            if not np.isfinite(ends).all():
                raise BadWorld(
                    f"{self.who} acts in {_shown(space)}, whose dimension {dimension} has no "
                    "bounds: give the Box finite ones, so that it can be cut into a grid."
                )
        values = [np.linspace(a, b, grid) for a, b in zip(low, high, strict=True)]
        if np.issubdtype(space.dtype, np.integer):
            values = [np.unique(np.rint(each)) for each in values]
        return tuple(map(len, values)), values

    def action(self, components: Sequence[int]) -> Any:
        """The space's own action."""
        own = np.asarray(components[: len(self.sizes)], np.int64)
        if self.values:
            chosen = [value[i] for value, i in zip(self.values, own, strict=True)]
            return np.array(chosen, self.space.dtype).reshape(self.space.shape)
        own = own + self.starts
        if isinstance(self.space, spaces.Discrete):
            return int(own[0])
        return own.astype(self.space.dtype).reshape(self.space.shape)

    def components(self, action: Any) -> tuple[int, ...]:
        """The components of one of the space's own actions: of a Box, the nearest on the grid.
        Raises `ValueError` for what is none."""
        own = np.ravel(np.asarray(action))
        if own.shape != (len(self.sizes),):
            raise ValueError(f"{action!r} is not an action of {_shown(self.space)}")
        if self.values:
            nearest = [np.abs(v - x).argmin() for v, x in zip(self.values, own, strict=True)]
            return tuple(int(i) for i in nearest)
        found = own - self.starts
        if not ((found >= 0) & (found < self.sizes)).all() or (found != found // 1).any():
            raise ValueError(f"{action!r} is not an action of {_shown(self.space)}")
        return tuple(int(i) for i in found)

    def legal(self, mask: Any) -> Array:
        """bool [sum(sizes)] of the environment's mask: all where it is None. A mask is an array,
        or one for each component. Raises `ValueError` for one of another length."""
        total = sum(self.sizes)
        if mask is None:
            return np.ones(total, bool)
        parts = mask if isinstance(mask, tuple | list) else (mask,)
        flat = np.concatenate([np.ravel(np.asarray(part)) for part in parts]).astype(bool)
        if flat.shape != (total,):
            raise ValueError(f"an action mask of {len(flat)} values, for {total}")
        return flat


def _shown(space: Any) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= 120 else f"{text[:119]}…"
