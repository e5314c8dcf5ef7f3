"""What a gate measures itself: functions that are read, and counters that the host spends on.

Whatever a meter gives that is no finite real number, or raises, is "unknown": the panel trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, final

from freezetag.core.errors import UserError

_NAN = float("nan")


@final
class Meters:
    """Sensor -> function, or None for a counter that starts at 0 in each incarnation."""

    def __init__(self, meters: Mapping[str, Callable[[], float] | None]) -> None:
        self._functions = {name: meter for name, meter in meters.items() if meter is not None}
        self.spent = {name: 0.0 for name, meter in meters.items() if meter is None}

    def __contains__(self, sensor: str) -> bool:
        return sensor in self._functions or sensor in self.spent

    def reset(self) -> None:
        self.spent = dict.fromkeys(self.spent, 0.0)

    def spend(self, sensor: str, amount: float) -> None:
        """Counts `amount`; what is no number makes the counter unknown."""
        if sensor not in self.spent:
            raise UserError(f"there is no meter {sensor!r} to spend on; there is {[*self.spent]}")
        number = _number(amount)
        self.spent[sensor] += number if number >= 0 else _NAN

    def read(self, reading: dict[str, Any]) -> None:
        """Puts every sensor's value into `reading`."""
        for sensor, function in self._functions.items():
            try:
                reading[sensor] = _number(function())
            except Exception:
                reading[sensor] = _NAN
        reading.update(self.spent)

    def overdrawn(self, slices: Iterable[Mapping[str, float]]) -> str:
        """Which slice of the leases is spent, in words; "" if none is."""
        for allowance in slices:
            for sensor, allowed in allowance.items():
                if not self.spent.get(sensor, _NAN) < allowed:
                    return f"the lease's slice of {sensor} ({allowed:g}) is spent"
        return ""

    def known(self) -> dict[str, float]:
        """What was spent, without the counters that are unknown."""
        return {sensor: spent for sensor, spent in self.spent.items() if abs(spent) < float("inf")}


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    return float(value) if isinstance(value, Real) else _NAN
