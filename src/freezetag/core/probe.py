"""Probes: a failure mode, made a contrast, made a number with an interval and a verdict."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from freezetag.core.episode import Record
from freezetag.core.scenario import Arm, Ref, Setting

PASS, WARN, FAIL = "pass", "warn", "fail"
INCONCLUSIVE, MEASURED, NOT_MEASURED = "inconclusive", "measured", "not measured"
VERDICTS = (PASS, WARN, FAIL, INCONCLUSIVE, MEASURED, NOT_MEASURED)


class Interval(Protocol):
    """A number that may stand: with its bounds, its n, how they were found, and a test.

    `p_above(x)` is the one-sided p-value of the claim that the true value is above x, `p_below`
    of the claim that it is below. The estimators return such objects.
    """

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def level(self) -> float: ...
    @property
    def note(self) -> str: ...
    def p_above(self, limit: float) -> float: ...
    def p_below(self, limit: float) -> float: ...


@dataclass(frozen=True)
class Limits:
    """Where a measurement turns from good to bad. `harm` says on which side: "above" or "below".

    A value on the good side of `warn` passes; beyond `fail` it fails; between them it warns.
    `reason` says where the numbers come from.
    """

    warn: float
    fail: float
    reason: str
    harm: str = "above"

    def __post_init__(self) -> None:
        if self.harm not in ("above", "below"):
            raise ValueError(f"harm must be 'above' or 'below', got {self.harm!r}.")
        ordered = self.warn <= self.fail if self.harm == "above" else self.warn >= self.fail
        if not ordered:
            raise ValueError(f"warn {self.warn} must come before fail {self.fail} ({self.harm}).")

    def verdict(self, of: Interval, bound: str = "") -> str:
        """pass, warn, fail or inconclusive. The whole interval has to lie on one side.

        `bound="lower"` marks a lower bound on harm (a search that found this much): it can fail
        an agent, never pass it.
        """
        if of.n == 0 or any(x != x for x in (of.value, of.low, of.high)):
            return INCONCLUSIVE
        sign = 1 if self.harm == "above" else -1
        near, far = sorted((sign * of.low, sign * of.high))
        if near > sign * self.fail + self.dust:
            return FAIL
        if far <= sign * self.warn + self.dust:
            return INCONCLUSIVE if bound == "lower" else PASS
        if near > sign * self.warn + self.dust:
            return WARN
        return INCONCLUSIVE

    @property
    def dust(self) -> float:
        """What a value may be beyond a limit by rounding: returns come in single precision."""
        return 1e-6 * max(abs(self.warn), abs(self.fail))

    def reaches_fail(self, of: Interval) -> bool:
        """Whether a warning's interval goes on past `fail`: it may be a failure."""
        if self.verdict(of) != WARN:
            return False
        far = of.high if self.harm == "above" else -of.low
        return far > (self.fail if self.harm == "above" else -self.fail) + self.dust

    def p_fail(self, of: Interval) -> float:
        """p-value of the claim that `fail` is passed."""
        if self.harm == "above":
            return of.p_above(self.fail + self.dust)
        return of.p_below(self.fail - self.dust)


@dataclass(frozen=True)
class Measurement:
    """One row of the card.

    `of` is what the limits judge: for a contrast the paired change, with `alone` (class of 1)
    and `together` (class of 30) beside it. `headline` marks the one row per probe that enters
    the verdict of the card. `advice` says what can be done if it fails. `where` says in a few words
    in which class or place `of` was found, where that may be another than the whole class ("beside
    2"). `samples` are the values of `of` per seed, in the order of the seeds, so that two runs can
    be compared pair by pair.
    """

    name: str
    unit: str
    of: Interval
    alone: Interval | None = None
    together: Interval | None = None
    limits: Limits | None = None
    headline: bool = False
    bound: str = ""
    regime: str = ""
    note: str = ""
    advice: str = ""
    where: str = ""
    samples: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        """Before the correction for many headlines, which the card makes."""
        return self.limits.verdict(self.of, self.bound) if self.limits else MEASURED


@dataclass(frozen=True)
class Figure:
    """Data to be drawn. `kind` names a file of `report/figures`; `columns` are equally long.

    `finding` is the caption: what the figure shows, in words.
    """

    kind: str
    title: str
    finding: str
    columns: Mapping[str, Sequence[Any]]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What a probe returns: its measurements (headline first) and figures; `interaction`, if it
    saw the whole class play in pairs, is the class's map (see `ReportCard`)."""

    measurements: tuple[Measurement, ...]
    figures: tuple[Figure, ...] = ()
    interaction: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class Probe(ABC):
    """One failure mode: a frozen dataclass that derives from this one, in a file (or folder) of
    the failure's name; the class is that name in CamelCase.

    Its declared form, as class variables; those without a value here must be given one:

    asks, source, caveat  the question, where the measure comes from, and how to fool it
    claims       what it puts to the test, in sentences
    needs        Protocols that the world must meet
    agent_needs  Protocols that the agent must meet
    reads        what it reads of what a world from outside may leave open: "level", "rest" (see
                 `core.Undeclared`)
    worlds       where it is measured unless the user names others; a probe that names none and
                 needs nothing is measured in the agent's own world, if it plays but one, or in
                 those that say that they are for it (`core.Everyday`)
    theme        the worry it belongs to, in a word ("button", "motives"): a card groups by it
    rank         its place in the exam, lowest first
    acts         acts of the agent that it may ask for at the exam's size 1; the exam's budget is
                 the sum over its probes, so that a probe has the same n alone and among others

    Raises `TypeError` where a class leaves a part out or gives it in another form.
    """

    asks: ClassVar[str]
    source: ClassVar[str]
    caveat: ClassVar[str]
    claims: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[type, ...]] = ()
    agent_needs: ClassVar[tuple[type, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    worlds: ClassVar[tuple[Ref, ...]] = ()
    theme: ClassVar[str] = ""
    rank: ClassVar[int] = 1000
    acts: ClassVar[int] = 40_000

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, kind in _FORM.items():
            if not isinstance(given := getattr(cls, name, None), kind):
                raise TypeError(
                    f"the probe {cls.__name__} must say {name!r} as a {kind.__name__}, "
                    f"got {given!r}."
                )

    def __post_init__(self) -> None:
        """Raises `ValueError` for limits, set by whoever asks, that no number can keep to."""
        own: dict[str, Any] = {name: getattr(self, name, None) for name in ("warn", "fail")}
        usual: dict[str, Any] = {name: getattr(type(self), name, None) for name in own}
        if any(not isinstance(x, int | float) for x in (*own.values(), *usual.values())):
            return
        if not all(map(math.isfinite, own.values())):
            raise ValueError(f"limits are numbers, got warn={own['warn']}, fail={own['fail']}.")
        sign = 1 if usual["warn"] <= usual["fail"] else -1
        if sign * own["warn"] > sign * own["fail"]:
            order = "at most" if sign > 0 else "at least"
            raise ValueError(
                f"warn={own['warn']:g} must be {order} fail={own['fail']:g}: it warns before it "
                f"fails. They are warn={usual['warn']:g} and fail={usual['fail']:g} unless set."
            )

    @property
    def everywhere(self) -> bool:
        """It asks nothing of world or agent and names no world: a row in every world that a user
        names."""
        return not (self.needs or self.agent_needs or self.worlds)

    def fits(self, setting: Setting) -> str:
        """Why it cannot be measured in this setting; "" if it can.

        It says "the world" and not which: where two worlds lack the same, a card has one line.
        """
        return ""

    def cost(self, setting: Setting) -> int:
        """Acts of the agent at size 1 in this setting: `acts`, unless a match is so long here that
        they would buy no interval."""
        return self.acts

    @abstractmethod
    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """The next arms to run, by key; called with all seen so far until it returns none new.

        So bisection, donors of tapes, train-then-fresh-seeds and sequential sampling are one
        thing: asking for the next arm or the next block of seeds. A key is anything hashable: a
        tuple says what an arm is without a text to be read back.
        """

    @abstractmethod
    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        """What the records say; called once, with all of them."""


_FORM = {
    **dict.fromkeys(("asks", "source", "caveat", "theme"), str),
    **dict.fromkeys(("claims", "needs", "agent_needs", "reads", "worlds"), tuple),
    **dict.fromkeys(("rank", "acts"), int),
}


def label(key: Any) -> str:
    """An arm's key for people: ("defect", 0.01) is "defect 0.01"."""
    if isinstance(key, tuple):
        return " ".join(map(label, key))
    return f"{key:.6g}" if isinstance(key, float) else str(key)
