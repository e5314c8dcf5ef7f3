"""Interlocks: sensor, logic, final element. Only the logic is here, written once.

The same `Panel` decides in plain Python, under NumPy, inside `jit(scan)` and in the live gate.
Source: Holtman, "Creating AGI Safety Interlocks" (2021); the boundaries are those of
docs/sources.md D5.

A mode is a bit mask, 0 for "go". Bit i says that interlock i of the panel was *exceeded* (pressed,
or a limit passed); bit i + `UNKNOWN` says that its reading was *unknown* (missing, not a number,
stale). Both stop the agent. The mode only ever gains bits: `mode | bits` is a join, so that it
does not matter in which order, or how often, trips arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol, final, runtime_checkable

from freezetag.core.arrays import Array

GO = 0
UNKNOWN = 15
"""Bit i + UNKNOWN of a mode: the reading of interlock i was unknown."""
NO_PANEL = 1 << 30
"""The mode of whoever has no panel where one is required."""

_NAN = float("nan")


@runtime_checkable
class Interlock(Protocol):
    """A condition on one reading. `trips` must be 1 on NaN: ignorance stops the agent."""

    @property
    def sensor(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def trips(self, value: Array) -> Array:
        """1 where `value` stops the agent, 0 where it may go on."""
        ...


@final
@dataclass(frozen=True)
class StopButton:
    """Stops while the button is down: trips unless the reading is 0 or less."""

    sensor: str = "button"
    unit: str = "pressed"

    def trips(self, value: Array) -> Array:
        return 1 - (value <= 0)


@final
@dataclass(frozen=True)
class RuntimeLimit:
    """Stops at step `t_max`: steps 0 .. t_max - 1 are normal. Trips unless t < t_max."""

    t_max: float
    sensor: str = "runtime"
    unit: str = "steps"

    def __post_init__(self) -> None:
        _require_number(self, "t_max", self.t_max)

    def trips(self, value: Array) -> Array:
        return 1 - (value < self.t_max)


@final
@dataclass(frozen=True)
class PowerLimit:
    """Stops when power is too high: trips unless value <= u_max (equality is allowed).

    `unit` is compared with the sensor's when the panel is wired; "" takes the sensor's unit.
    """

    u_max: float
    sensor: str = "power"
    unit: str = ""

    def __post_init__(self) -> None:
        _require_number(self, "u_max", self.u_max)

    def trips(self, value: Array) -> Array:
        return 1 - (value <= self.u_max)


@final
@dataclass(frozen=True)
class Watchdog:
    """Stops when nothing was heard for too long: trips unless age < limit."""

    limit: float
    sensor: str = "lease_age"
    unit: str = "seconds"

    def __post_init__(self) -> None:
        _require_number(self, "limit", self.limit)

    def trips(self, value: Array) -> Array:
        return 1 - (value < self.limit)


@dataclass(frozen=True)
class Trip:
    """Why a bit of the mode is set: which interlock, and `exceeded` or `unknown`."""

    interlock: str
    sensor: str
    kind: str


@final
@dataclass(frozen=True)
class Panel:
    """The interlocks of one agent, in the order of their bits.

    The empty panel is the arm "interlocks off" in simulation; live, no panel means refused.
    Raises `TypeError` for anything but a tuple (or list) of interlocks, and `ValueError` for more
    of them than a mode has bits.
    """

    interlocks: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.interlocks, list):
            object.__setattr__(self, "interlocks", tuple(self.interlocks))
        if not isinstance(self.interlocks, tuple):
            raise TypeError(
                f"a panel takes a tuple of interlocks, got {self.interlocks!r}. "
                "Write Panel((StopButton(), RuntimeLimit(500)))."
            )
        if len(self.interlocks) > UNKNOWN:
            raise ValueError(
                f"a panel holds at most {UNKNOWN} interlocks, got {len(self.interlocks)}. "
                "Split the agent's limits over fewer sensors."
            )

    def latch(self, mode: Array, reading: Mapping[str, Any]) -> Array:
        """The mode after a reading: what was set stays set, what trips now is added.

        `mode` is an int or an int array [...]; `reading` maps sensors to values that broadcast
        against it. A sensor that is absent, None or not a number counts as NaN.
        """
        for bit, interlock in enumerate(self.interlocks):
            value = as_number(reading.get(interlock.sensor, _NAN))
            unknown = 1 * (value != value)
            exceeded = interlock.trips(value) * (1 - unknown)
            mode = mode | (exceeded << bit) | (unknown << (bit + UNKNOWN))
        return mode

    def causes(self, mode: int) -> tuple[Trip, ...]:
        """The trips that a (scalar) mode records, in the order of the panel."""
        mode = int(mode)
        return tuple(
            Trip(type(interlock).__name__, interlock.sensor, kind)
            for bit, interlock in enumerate(self.interlocks)
            for kind, at in (("exceeded", bit), ("unknown", bit + UNKNOWN))
            if mode >> at & 1
        )


def as_number(value: Any) -> Array:
    """`value` if it is a real number or an array of them, else NaN."""
    if type(value) is float:  # what a live gate reads, several times per action
        return value
    if isinstance(value, Real):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return value if kind in {"b", "i", "u", "f"} else _NAN


def _require_number(interlock: Any, field: str, value: Any) -> None:
    number = as_number(value)
    if isinstance(number, Real) and number != number:
        raise ValueError(
            f"{type(interlock).__name__}: {field} must be a number, got {value!r}. "
            "A limit that is not a number would stop the agent at once."
        )
