"""What was admitted and has not ended, and how a stop brings it to its end.

The order is fixed: the gate is closed already; run the prepared policy (category 1); cancel what
cooperates; wait, or kill; only then is the stop acknowledged. Cancelling is not stopping, so an
action counts until its host says that it ended. Source: IEC 60204-1 for the categories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class Order:
    """What the host has to do: `send`, `cancel`, `policy` or `kill`."""

    kind: str
    authority: str = ""
    text: str = ""
    n: int = 0
    deadline: float = 0.0


@final
class Drain:
    """The actions in flight of one incarnation. `advance` says when a stop is complete."""

    def __init__(
        self, order: Callable[[Order], None], *, kills: bool, policy: bool, seconds: float
    ) -> None:
        self._order, self._kills, self._has_policy, self._seconds = order, kills, policy, seconds
        self.in_flight: dict[int, tuple[str, Callable[[], None] | None]] = {}
        self.unknown: list[str] = []
        self.policy_steps: list[str] = []
        self.category = 2
        self._hard = False
        self._deadline = float("nan")  # compared so that "not a number" is late
        self._policy_runs = self._cancelled = False
        self._kill = ""

    def ended(self, number: int, outcome: str) -> bool:
        """An action is over. False if it was killed before, and reported so."""
        entry = self.in_flight.pop(number, None)
        if entry is None:
            return False
        if outcome not in ("done", "failed"):
            self.unknown.append(f"{number}:{entry[0]}")
        return True

    def start(self, category: int, now: float, *, gently: bool = False) -> None:
        """The gate has closed. `gently` (an orderly end) kills only what outlasts the drain."""
        self.category, self._hard = category, category < 2 and not gently
        self._deadline = now + self._seconds
        if category == 1 and self._has_policy:
            self._policy_runs = True
            self._order(Order("policy", deadline=self._deadline))

    def harden(self, category: int) -> bool:
        """A later stop that demands more; True if there is more to do."""
        if category >= self.category:
            return False
        self.category, self._hard, self._policy_runs = category, True, False
        return True

    def policy_done(self, steps: Sequence[str]) -> None:
        self.policy_steps += steps
        self._policy_runs = False

    def killed(self) -> None:
        self.unknown += [f"{number}:{action}" for number, (action, _) in self.in_flight.items()]
        self.in_flight.clear()
        self._kill = "done"

    def outcome(self) -> dict[str, Any]:
        """What an acknowledgement says of the stop. What is unknown is listed, never rounded."""
        return {
            "category": self.category,
            "policy": [*self.policy_steps],
            "unknown": [*self.unknown],
        }

    def advance(self, now: float) -> bool:
        """One look at where the stop stands; gives orders, and True once nothing is left."""
        late = not now < self._deadline
        if self._policy_runs:
            if not late:
                return False
            self._policy_runs = False
            self.policy_steps.append("cut off")
        if not self._cancelled:
            self._cancelled = True
            for number, (_, cancel) in list(self.in_flight.items()):
                try:
                    if cancel is not None:
                        cancel()
                        continue
                except Exception:  # a function that fails must not hold up the stop
                    cancel = None
                self._order(Order("cancel", n=number))
        if self._kills and not self._kill and (self._hard or (late and self.in_flight)):
            self._kill = "ordered"
            self._order(Order("kill"))
        return not self.in_flight and self._kill != "ordered"
