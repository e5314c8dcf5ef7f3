"""A kind of agent, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from freezetag.core import Ref

HEALTHY, SICK, EMPTY = "healthy", "sick", "proves nothing"


@dataclass(frozen=True)
class Placed:
    """An agent, and the settings of the probe's world that were drawn together with it."""

    agent: Any
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """Agents of one kind: drawn by `draw(rng)`, which gives an agent or one that is `Placed`;
    `state` is known because of `why`."""

    name: str
    state: str
    draw: Callable[[Any], Any]
    why: str
    world: Ref | None = None
    classmates: tuple[Ref, ...] = ()


def is_control(family: Family, of: Sequence[Family]) -> bool:
    """Whether it is the control of a probe with these families: their first healthy one, in which
    nothing is wrong and which stands near no limit."""
    return family is next((each for each in of if each.state == HEALTHY), None)


def between(rng: Any, low: float, high: float) -> float:
    """Drawn evenly, as a float."""
    return float(rng.uniform(low, high))
