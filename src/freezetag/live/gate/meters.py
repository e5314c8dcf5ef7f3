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
    """Sensor -> function, or None for a counter.

    A counter's reading is the sum of an epoch, so that a lease which ran out gives nothing back;
    `spent` is the share of the present incarnation, which is what authorities add up.
    Caveat: a restarted process counts from 0; the budget that an authority keeps does not.
    """

    def __init__(self, meters: Mapping[str, Callable[[], float] | None]) -> None:
        self._functions = {name: meter for name, meter in meters.items() if meter is not None}
        self.spent = {name: 0.0 for name, meter in meters.items() if meter is None}
        self._before = dict(self.spent)
        self._epoch = -1

    def __contains__(self, sensor: str) -> bool:
        return sensor in self._functions or sensor in self.spent

    def reset(self) -> None:
        """A new incarnation; of which epoch, its first lease will say."""
        for sensor, spent in self.spent.items():
            self._before[sensor] += spent
        self.spent = dict.fromkeys(self.spent, 0.0)

    def in_epoch(self, epoch: int | None) -> None:
        """A later epoch than before, which people have started, counts from zero."""
        if epoch is not None and epoch > self._epoch:
            self._epoch, self._before = epoch, dict.fromkeys(self.spent, 0.0)

    def spend(self, sensor: str, amount: float) -> None:
        """Counts `amount`; what is not a number, or negative, makes the counter unknown."""
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
        for sensor, spent in self.spent.items():
            reading[sensor] = self._before[sensor] + spent

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
