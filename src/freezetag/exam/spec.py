"""What an examination was asked to do: written to `spec.toml`, hashed on the card, run again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from freezetag import players
from freezetag.core import Panel, PowerLimit, Press, RuntimeLimit, StopButton, UserError
from freezetag.core.seed import seed_problem

QUICK, FULL = 1.0, 10.0
"""Sizes of an examination: each probe may ask for so many times the acts that it declares."""
LONGEST = 100_000
"""Steps of a match at most: each is on record."""
MOST = 30
"""Classmates at most: a world has 31 seats at most."""


class BadSpec(UserError, ValueError):
    """An option of an examination that makes no sense; the message says what would."""


@dataclass(frozen=True)
class Spec:
    """Every choice of an examination, defaults included.

    worlds, probes   names; empty means all that apply
    classmates       n of the class of n, at most 30; or the names of a population of one's own
    horizon          steps of a match: "60", or "40:400" to draw from; "" = each probe's own
    sizes            people in a class, the agent among them (1 is the agent alone), besides the
                     whole class; empty = drawn
    button           "50%" of the horizon, step "120", or "0.02/step"; "" = nobody presses
    runtime, power   limits, None = not fitted
    size             1 for the acts that each probe declares, 10 for ten times as many
    step_seconds     what one act of a foreign agent may take
    budget_calls     calls at most of an agent that is paid by the call; None = its own number
    budget_usd       dollars at most; None = no limit
    comprehension    agents that read are first asked whether they understand the rules
    roster           version and hash of the roster that a number of classmates is drawn from; a
                     version alone is completed, and "" becomes today's
    files            "my_world.py sha256:...": each file that the names above stand for
    """

    agent: str
    seed: int
    worlds: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    classmates: int | tuple[str, ...] = MOST
    horizon: str = ""
    sizes: tuple[int, ...] = ()
    button: str = ""
    runtime: float | None = None
    power: float | None = None
    size: float = QUICK
    step_seconds: float = 2.0
    roster: str = ""
    files: tuple[str, ...] = ()
    budget_calls: int | None = None
    budget_usd: float | None = None
    comprehension: bool = True

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            # True is an int to Python, and no number to anybody else.
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise BadSpec(f"{name} must be {_WORDS[name]}, got {value!r}.")
        for name in ("worlds", "probes", "classmates", "files"):
            value = getattr(self, name)
            if isinstance(value, tuple) and not all(isinstance(each, str) for each in value):
                raise BadSpec(f"{name} must be {_WORDS[name]}, got {value!r}.")
        if isinstance(self.classmates, int) and not 0 <= self.number <= MOST:
            raise BadSpec(
                f"a class has 0 to {MOST} classmates, got {self.number}. "
                "0 prints as class of 1: the agent alone."
            )
        if not 0 < self.size < float("inf"):
            raise BadSpec(f"the size is a number above 0 (1 quick, 10 full), got {self.size}.")
        if self.runtime is not None and self.runtime < 0:
            raise BadSpec(f"the runtime limit is a number of steps, got {self.runtime:g}.")
        if not self.step_seconds > 0:
            raise BadSpec(f"step_seconds must be above 0, got {self.step_seconds}.")
        if self.budget_calls is not None and self.budget_calls < 1:
            raise BadSpec(f"a budget is at least 1 call, got {self.budget_calls}.")
        if self.budget_usd is not None and not 0 < self.budget_usd < float("inf"):
            raise BadSpec(f"a budget is a number of dollars above 0, got {self.budget_usd}.")
        if problem := seed_problem(self.seed):
            raise BadSpec(problem)
        for size in self.sizes:
            whole = isinstance(size, int) and not isinstance(size, bool)
            if not whole or not 1 <= size <= self.number + 1:
                raise BadSpec(
                    f"--sizes says how many people are in a class, the agent among them: from 1, "
                    f"the agent alone, to {self.number + 1} with all classmates. Got {size!r}."
                )
        # What is run is on record, also where it was left to today's.
        object.__setattr__(self, "roster", roster(self.roster))
        _ = self.lengths
        self.press()
        self.panel()

    @property
    def number(self) -> int:
        """How many classmates there are."""
        return self.classmates if isinstance(self.classmates, int) else len(self.classmates)

    @property
    def lengths(self) -> tuple[int, int] | None:
        """(least, most) steps of a match, as `horizon` says; None where it says nothing."""
        text = self.horizon.strip()
        if not text:
            return None
        least, colon, most = text.partition(":")
        try:
            found = int(least), int(most if colon else least)
        except ValueError:
            found = 0, 0
        if not 1 <= found[0] <= found[1] <= LONGEST:
            raise BadSpec(
                f"--horizon says how many steps a match has, got {self.horizon!r}. Give a number "
                f"(60), or the least and the most of a draw (40:400), from 1 to {LONGEST:,}."
            )
        return found

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
        """Raises `BadSpec` for unknown or misplaced entries, and for a roster that there is not."""
        try:
            given: Mapping[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadSpec(
                f"the spec is not TOML: {error}. A run folder's spec.toml is such a file."
            ) from None
        return cls.of(given)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Spec:
        """The spec of these entries; of today's roster if they name none. Raises `BadSpec` as
        `from_toml` does."""
        if "budget" in given:
            raise BadSpec(
                f"the spec is of an older freezetag: its budget = {given['budget']} was shared out "
                "among the probes, which now have acts of their own. Replace that entry by "
                "size = 1 (or size = 10 for a --full run)."
            )
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise BadSpec(f"the spec has unknown entries: {', '.join(unknown)}.")
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        if missing := [name for name in needed if name not in given]:
            raise BadSpec(
                f"the spec does not say {' and '.join(missing)}. A run folder's spec.toml says all "
                "that --spec reads."
            )
        lists: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in given.items()
        }
        try:
            return cls(**lists)
        except TypeError as error:
            raise BadSpec(f"the spec is incomplete or has a wrong type: {error}.") from None

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Every entry that may be left out, with what it is then."""
        return {field.name: field.default for field in fields(cls) if field.default is not MISSING}

    @classmethod
    def read(cls, file: Path) -> Spec:
        """The spec in a file. Raises `BadSpec`, for a file that cannot be read too."""
        try:
            return cls.from_toml(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadSpec(f"cannot read {file}: {error.strerror}.") from None
        except UnicodeDecodeError as error:
            raise BadSpec(
                f"{file} is not a spec: byte {error.start} is not UTF-8, in which TOML is written."
            ) from None


def roster(named: str = "") -> str:
    """Version and hash of a roster: of this version, or of the one that classes are drawn from
    where none is named. Raises `BadSpec` for one that there is not."""
    try:
        return players.stamp(named)
    except ValueError as error:
        raise BadSpec(str(error)) from None


def version_of(stamp: str) -> str:
    """The version of a roster that a spec names. Raises `BadSpec` for one that there is not."""
    return roster(stamp).partition(" ")[0]


_NUMBER = (int, float)
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("agent", "horizon", "button", "roster"), str),
    **dict.fromkeys(("worlds", "probes", "sizes", "files"), tuple),
    "seed": int,
    "classmates": (int, tuple),
    **dict.fromkeys(("size", "step_seconds"), _NUMBER),
    **dict.fromkeys(("runtime", "power", "budget_usd"), (*_NUMBER, type(None))),
    "budget_calls": (int, type(None)),
    "comprehension": bool,
}
_WORDS = {
    **dict.fromkeys(("agent", "horizon", "button", "roster"), "a text"),
    "sizes": "a list of whole numbers",
    **dict.fromkeys(("worlds", "probes", "files"), "a list of names"),
    "seed": "a whole number",
    "classmates": "a number, or a list of names",
    **dict.fromkeys(("size", "step_seconds"), "a number"),
    **dict.fromkeys(("runtime", "power", "budget_usd"), "a number, or left out"),
    "budget_calls": "a whole number, or left out",
    "comprehension": "true or false",
}
