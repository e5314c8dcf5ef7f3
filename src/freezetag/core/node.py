"""A node of a diagram: a random variable, and the function that fills it in from its parents."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Rational, Real
from typing import Any, Literal, TypeAlias, get_args

from freezetag.core.errors import UserError

Kind = Literal["chance", "decision", "utility"]
Value: TypeAlias = Hashable
Number: TypeAlias = Any
"""An int, a float or a `fractions.Fraction`: exact as long as no float comes in."""
Function: TypeAlias = Callable[..., Any]

KINDS: tuple[Kind, ...] = get_args(Kind)
TOLERANCE = 1e-9
"""How far from 1 the floats of a row may sum. Rows of integers and fractions sum to 1 exactly."""


class DiagramError(UserError, ValueError):
    """A diagram that means nothing, or a question it has no answer to. Names node and values."""


@dataclass(frozen=True)
class Node:
    """One variable of a diagram.

    `function(*values of the parents)` gives the value itself, or a mapping value -> probability.
    It must be pure: each row is asked for once and kept. None leaves a decision open, and makes
    any other node mere structure, which can be drawn and asked for incentives but not run.
    `domain` are the values it may take; empty means whatever the function gives. `step` and
    `group` place it in a drawing: the moment, and the row of those that are the same over time.

    Raises `DiagramError` for an unknown kind, a parent named twice, a domain with a repeated,
    unhashable or NaN value, and a function that does not take as many values as it has parents.
    """

    name: str
    kind: Kind = "chance"
    parents: tuple[str, ...] = ()
    domain: tuple[Value, ...] = ()
    function: Function | None = None
    step: int | None = None
    group: str = ""
    _rows: dict[tuple[Value, ...], dict[Value, Number]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise DiagramError(f"a node's name is a text that is not empty; got {self.name!r}.")
        if isinstance(self.parents, str):
            raise DiagramError(
                f"{self.name}: parents are a tuple of names; got the text {self.parents!r}. "
                f"For one parent write ({self.parents!r},)."
            )
        object.__setattr__(self, "parents", tuple(self.parents))
        object.__setattr__(self, "domain", tuple(self.domain))
        if self.kind not in KINDS:
            raise DiagramError(f"{self.name}: kind {self.kind!r} is none of {', '.join(KINDS)}.")
        if len(set(self.parents)) < len(self.parents):
            raise DiagramError(f"{self.name}: a parent is named twice in {self.parents}.")
        for value in self.domain:
            require_value(self.name, value, "its domain")
        if len(set(self.domain)) < len(self.domain):
            raise DiagramError(f"{self.name}: a value stands twice in the domain {self.domain}.")
        if self.function is not None:
            _require_arity(self.name, self.function, self.parents)

    def row(self, values: tuple[Value, ...]) -> Mapping[Value, Number]:
        """P(this node | parents have `values`), without the impossible values.

        Raises `DiagramError` for a node without a function, a value outside the domain, a
        probability that is negative, NaN or no number, and a row that does not sum to 1.
        """
        if values not in self._rows:
            self._rows[values] = self._ask(values)
        return self._rows[values]

    def _ask(self, values: tuple[Value, ...]) -> dict[Value, Number]:
        if self.function is None:
            raise DiagramError(
                f"{self.name} is a decision without a policy. "
                f"Give it one first: decide({self.name!r}, function)."
                if self.kind == "decision"
                else f"{self.name} has no function, it is structure only. "
                f"Give it one first: replace({self.name!r}, function)."
            )
        where = self.at(values)
        try:
            given = self.function(*values)
        except Exception as error:  # the user's function, so the user's mistake to read about
            raise DiagramError(f"{where}: its function raised {error!r}.") from error
        row = dict(given) if isinstance(given, Mapping) else {given: 1} if _hashable(given) else {}
        if not row:
            raise DiagramError(
                f"{where}: its function gave {given!r}; it must give a hashable value or a "
                "mapping value -> probability that is not empty."
            )
        for value, probability in row.items():
            require_value(where, value, "its row")
            if self.domain and value not in self.domain:
                raise DiagramError(
                    f"{where}: the value {value!r} is not in its domain {_few(self.domain)}."
                )
            if not is_number(probability) or probability < 0:
                raise DiagramError(
                    f"{where}: P({value!r}) = {probability!r}; a probability is a number >= 0."
                )
        if isinstance(given, Mapping):
            _require_one(where, row)
        return {value: probability for value, probability in row.items() if probability}

    def at(self, values: Sequence[Value]) -> str:
        """This node and what its parents are, as messages name it: `S (X=1, Y=2)`."""
        given = ", ".join(f"{p}={v!r}" for p, v in zip(self.parents, values, strict=True))
        return f"{self.name} ({given})" if given else self.name

    def without(self, parents: Sequence[str], told: Mapping[str, Value] | None) -> Node:
        """This node without some of its parents.

        Its function goes on, `told` a fixed value in the place of each; None drops the function.
        """
        kept = tuple(name for name in self.parents if name not in parents)
        function = None
        if told is not None and self.function is not None:
            function = _told(self.function, self.parents, told)
        return replace(self, parents=kept, function=function)


def _told(function: Function, parents: tuple[str, ...], told: Mapping[str, Value]) -> Function:
    def answer(*heard: Value) -> Any:
        rest = iter(heard)
        return function(*(told[name] if name in told else next(rest) for name in parents))

    return answer


def _require_arity(name: str, function: Function, parents: tuple[str, ...]) -> None:
    if not callable(function):
        raise DiagramError(
            f"{name}: its function is {function!r}, which cannot be called. "
            "For a constant write `lambda: value`."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions do not say what they take
        return
    try:
        signature.bind(*parents)
    except TypeError:
        raise DiagramError(
            f"{name} has {len(parents)} parent(s) {parents}, but its function takes {signature}."
        ) from None


def require_value(where: str, value: Value, place: str) -> None:
    """Raise `DiagramError` for what cannot be a value: NaN, or something unhashable."""
    if not _hashable(value) or value != value:
        raise DiagramError(f"{where}: {value!r} in {place} cannot be a value: NaN or unhashable.")


def _require_one(where: str, row: Mapping[Value, Number]) -> None:
    total = sum(row.values())
    exact = all(isinstance(probability, Rational) for probability in row.values())
    if (total != 1) if exact else not math.isclose(total, 1, rel_tol=0, abs_tol=TOLERANCE):
        raise DiagramError(f"{where}: its probabilities sum to {total}, not to 1: {_few(row)}.")


def is_number(value: Any) -> bool:
    """A real number of any type, and not NaN."""
    return isinstance(value, Real) and value == value


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _few(things: object, longest: int = 120) -> str:
    said = repr(things)
    return said if len(said) <= longest else said[: longest - 1] + "…"
