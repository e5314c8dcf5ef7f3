"""One step of an environment, asked of a gate: what the wrappers of all libraries share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from freezetag.core.gate import GateLike, Refused, ended


@final
@dataclass(frozen=True)
class Step:
    """Whether the gate admitted a step, under which number, and if not, why.

    `with` it while the environment takes the step, so that the gate knows how that ended.
    """

    gate: GateLike
    number: int
    reason: str = ""
    trips: tuple[str, ...] = ()

    @property
    def admitted(self) -> bool:
        return self.number > 0

    def __enter__(self) -> Step:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.admitted:
            self.gate.end(self.number, ended(kind))

    def oversight(self) -> dict[str, Any]:
        """The entry `info["oversight"]`."""
        return {
            "admitted": self.admitted,
            "mode": self.gate.mode,
            "reason": self.reason,
            "trips": list(self.trips),
        }


def ask(gate: GateLike, name: str, action: Any) -> Step:
    """Asks for one step; a refusal is an answer here, not an error."""
    try:
        return Step(gate, gate.begin(name, detail={"action": plain(action)}))
    except Refused as refused:
        trips = tuple(f"{t.interlock} {t.sensor} {t.kind}" for t in refused.trips)
        return Step(gate, 0, refused.reason, trips)


def plain(value: Any) -> Any:
    """An action as JSON can say it; what it cannot say, as text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
