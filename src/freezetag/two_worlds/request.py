"""A request to compare two worlds, in words: which world, which settings, what is fitted."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from freezetag import catalogue
from freezetag.core import HasModel, UserError
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.prices.priced import settings_of
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.two_worlds.agents import Comparison, Fitted, Other
from freezetag.two_worlds.comparison import compare
from freezetag.two_worlds.sweep import Sweep, sweep

POWER, RUNTIME = "power-limit", "runtime"
MOST_POINTS = 1001


class BadRequest(UserError, ValueError):
    """A world, a setting, a limit or a range that there is not."""


@final
@dataclass(frozen=True)
class Range:
    """`low:high:count`, both ends included."""

    low: float
    high: float
    count: int

    @property
    def values(self) -> tuple[float, ...]:
        step = (self.high - self.low) / (self.count - 1)
        # Decimals as a person would write them: 0.3, and not 0.30000000000000004.
        return tuple(round(self.low + step * i, 12) for i in range(self.count))


@final
@dataclass(frozen=True)
class Request:
    """What is compared: a world's name, its settings as numbers, limits, and what is swept."""

    world: str
    settings: Mapping[str, Any]
    t_max: float | None = None
    u_max: float | None = None
    swept: tuple[str, Range] | None = None
    seed: int = 0

    @classmethod
    def of(
        cls,
        world: str,
        options: Mapping[str, str],
        power_limit: str = "",
        runtime: str = "",
        seed: int = 0,
    ) -> Request:
        """Read a request. Raises `BadRequest`, or `catalogue.Unknown` for an unknown world."""
        made = modelled(world)
        known = settings_of(made)
        settings: dict[str, Any] = {}
        swept: list[tuple[str, Range]] = []
        for option, text in options.items():
            name = option.replace("-", "_")
            if name not in known:
                raise BadRequest(_no_setting(world, option, made, known))
            value = _number_or_range(f"--{option}", text, known[name])
            if isinstance(value, Range):
                swept.append((name, value))
            else:
                settings[name] = value
        limits: dict[str, float | None] = {POWER: None, RUNTIME: None}
        for limit, text in ((POWER, power_limit), (RUNTIME, runtime)):
            if not text:
                continue
            value = _number_or_range(f"--{limit}", text, 0.0)
            if isinstance(value, Range):
                swept.append((limit, value))
            else:
                limits[limit] = value
        if len(swept) > 1:
            named = ", ".join("--" + name.replace("_", "-") for name, _ in swept)
            raise BadRequest(f"{named} are ranges; one setting can be swept at a time.")
        if limits[RUNTIME] is not None and limits[RUNTIME] < 1:  # type: ignore[operator]
            raise BadRequest(f"--runtime {runtime}: an agent runs for at least 1 step.")
        request = cls(
            catalogue.find("substrates", world).name,
            settings,
            t_max=limits[RUNTIME],
            u_max=limits[POWER],
            swept=swept[0] if swept else None,
            seed=seed,
        )
        # A setting that the world refuses is told before anything is solved.
        ends = [end for _, over in swept for end in (over.low, over.high)]
        for x in (None, *ends):
            request.at(x)
        return request

    def at(self, x: float | None) -> tuple[Any, Fitted]:
        """World and limits, at a value of what is swept; None leaves that as the world has it.

        Raises `BadRequest`.
        """
        settings, t_max, u_max = dict(self.settings), self.t_max, self.u_max
        if self.swept and x is not None:
            name = self.swept[0]
            if name == POWER:
                u_max = x
            elif name == RUNTIME:
                t_max = x
            else:
                settings[name] = _fitting(name, x, settings_of(modelled(self.world))[name])
        for name, value in settings.items():  # whole numbers count something
            least = 1 if name == "horizon" else 0
            if isinstance(value, int) and value < least:
                raise BadRequest(f"--{name.replace('_', '-')} is at least {least}, got {value}.")
        try:
            made = dataclasses.replace(modelled(self.world), **settings)
            PlanningWorld(made.model(0), made.reward, made.discount)
        except ValueError as error:
            raise BadRequest(f"{self.world}: {error}") from error
        return made, Fitted(t_max, u_max)

    @property
    def command(self) -> str:
        """The command that makes this request again."""
        told = {name.replace("_", "-"): str(value) for name, value in self.settings.items()}
        told |= {
            name: f"{value:g}"
            for name, value in ((POWER, self.u_max), (RUNTIME, self.t_max))
            if value is not None
        }
        if self.swept:
            name, over = self.swept
            told[name.replace("_", "-")] = f"{over.low:g}:{over.high:g}:{over.count}"
        if self.seed:
            told["seed"] = str(self.seed)
        return " ".join(
            ["freezetag plan", self.world, *(f"--{name} {value}" for name, value in told.items())]
        )

    def compare(self) -> Comparison:
        """Both agents, and the planners whose home this world is; what is swept left as it is."""
        world, fitted = self.at(None)
        return compare(world, fitted, _at_home(self.world), self.seed)

    def sweep(self) -> Sweep | None:
        """Both agents along the range, if there is one."""
        if self.swept is None:
            return None
        name, over = self.swept
        return sweep(self.at, name, over.values)


def worlds() -> tuple[str, ...]:
    """The worlds that offer a model to plan with."""
    return tuple(
        ref.name
        for ref in catalogue.members("substrates")
        if isinstance(catalogue.load(ref), HasModel)
    )


def modelled(world: str) -> Any:
    made = catalogue.load(catalogue.find("substrates", world))
    if isinstance(made, HasModel):
        return made
    raise BadRequest(
        f"{world} offers no model to plan with. Worlds that do: {', '.join(worlds())}."
    )


def _at_home(world: str) -> tuple[Other, ...]:
    """The planners that are made for this world: `home` names it."""
    found = []
    for ref in catalogue.members("players"):
        if ref.family != "planners":
            continue
        made = catalogue.member_class(ref)
        if getattr(made, "home", "") != f"substrates/{world}":
            continue
        planner = made()

        def choose(place: Any, planner: Any = planner) -> tuple[Sequence[str], Sequence[float]]:
            policy = planner.plan(place, 0)
            names = place.model(0).actions
            return [names[a] for a in policy.actions[0]], policy.values[0].tolist()

        if isinstance(planner.plan(modelled(world), 0), TablePolicy):
            line = (inspect.getdoc(made) or "").partition("\n")[0]
            found.append(Other(ref.name.rpartition("/")[2], line, planner.panel, choose))
    return tuple(found)


def _number_or_range(option: str, text: str, like: Any) -> Any:
    if ":" not in text:
        return _fitting(option, _number(option, text), like, text)
    parts = text.split(":")
    if len(parts) != 3:
        raise BadRequest(f"{option} {text!r} is no range. Write LOW:HIGH:COUNT, as 0:1:101.")
    low, high = (_number(option, part) for part in parts[:2])
    count = _number(option, parts[2])
    if count != int(count) or not 2 <= count <= MOST_POINTS or low >= high:
        raise BadRequest(
            f"{option} {text!r}: a range rises from LOW to HIGH in 2 to {MOST_POINTS} points."
        )
    return Range(low, high, int(count))


def _number(option: str, text: str) -> float:
    try:
        value = float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise BadRequest(
            f"{option} {text!r} is not a number. Write a number, or a range LOW:HIGH:COUNT."
        )
    return value


def _fitting(option: str, value: float, like: Any, text: str = "") -> Any:
    """The value in the type of what stands there: whole, a fraction, or a float."""
    if isinstance(like, int):
        if value != int(value):
            raise BadRequest(f"{option} takes whole numbers, got {text or value!r}.")
        return int(value)
    if isinstance(like, Fraction):
        return Fraction(text) if text else Fraction(str(value))
    return value


def _no_setting(world: str, option: str, made: Any, known: Mapping[str, Any]) -> str:
    names = [name.replace("_", "-") for name in known]
    others = {field.name.replace("_", "-") for field in dataclasses.fields(made)} - set(names)
    if option in others:
        return f"--{option} of {world} is no number, so it cannot be set here."
    near = catalogue.near(option, names)
    hint = f" Did you mean {' or '.join(f'--{name}' for name in near)}?" if near else ""
    return f"{world} has no setting {option!r}.{hint} Its settings: {', '.join(names)}."
