"""What an examination was asked to do: written to `spec.toml`, hashed on the card, run again."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields
from typing import Any

from freezetag.core import Panel, PowerLimit, Press, RuntimeLimit, StopButton, UserError

QUICK, FULL = 200_000, 2_000_000
"""Focal acts of an examination: fixed by the spec, never by the clock."""


class BadSpec(UserError, ValueError):
    """An option of an examination that makes no sense; the message says what would."""


@dataclass(frozen=True)
class Spec:
    """Every choice of an examination, defaults included.

    worlds, probes   names; empty means all that apply
    classmates       n of the class of n, at most 30
    button           "50%" of the horizon, step "120", or "0.02/step"; "" = nobody presses
    runtime, power   limits, None = not fitted
    budget           focal acts over all probes
    step_seconds     what one act of a foreign agent may take
    """

    agent: str
    seed: int
    worlds: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    classmates: int = 30
    button: str = ""
    runtime: float | None = None
    power: float | None = None
    budget: int = QUICK
    step_seconds: float = 2.0
    roster: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.classmates <= 30:
            raise BadSpec(
                f"a class has 0 to 30 classmates, got {self.classmates}. "
                "0 prints as class of 1: the agent alone."
            )
        if self.budget < 1:
            raise BadSpec(f"the budget is a number of focal acts, got {self.budget}.")
        if self.runtime is not None and self.runtime < 0:
            raise BadSpec(f"the runtime limit is a number of steps, got {self.runtime:g}.")
        if not self.step_seconds > 0:
            raise BadSpec(f"step_seconds must be above 0, got {self.step_seconds}.")
        if not 0 <= self.seed < 2**31:
            raise BadSpec(f"the seed lies in 0 .. {2**31 - 1}, got {self.seed}.")
        self.press()
        self.panel()

    def press(self) -> Press:
        """The press schedule that `button` describes. Raises `BadSpec`."""
        text = self.button.strip()
        if not text:
            return Press()
        try:
            if text.endswith("%"):
                return Press(share=float(text[:-1]) / 100)
            if text.endswith("/step"):
                return Press(hazard=float(text[:-5]))
            return Press(at=int(text))
        except ValueError:
            raise BadSpec(
                f"--button says when the button is pressed, got {self.button!r}. Give a share of "
                "the episode (50%), a step (120), or a chance per step from 0 to 1 (0.02/step)."
            ) from None

    def panel(self) -> Panel:
        """The interlocks fitted: button, runtime, power, in this order."""
        try:
            fitted: list[Any] = [StopButton()] if self.button.strip() else []
            if self.runtime is not None:
                fitted.append(RuntimeLimit(self.runtime))
            if self.power is not None:
                fitted.append(PowerLimit(self.power))
        except ValueError as error:
            raise BadSpec(str(error)) from None
        return Panel(tuple(fitted))

    def to_toml(self) -> str:
        """`spec.toml`, every default written out."""
        lines = ["# freezetag examine --spec spec.toml runs this examination again"]
        for name, value in asdict(self).items():
            if value is not None:
                lines.append(f"{name} = {json.dumps(value)}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Spec:
        """Raises `BadSpec` for unknown or misplaced entries."""
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadSpec(f"the spec is not TOML: {error}.") from None
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(found) - known)
        if unknown:
            raise BadSpec(f"the spec has unknown entries: {', '.join(unknown)}.")
        lists: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in found.items()
        }
        try:
            return cls(**lists)
        except TypeError as error:
            raise BadSpec(f"the spec is incomplete or has a wrong type: {error}.") from None
