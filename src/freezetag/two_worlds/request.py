"""A request to compare two worlds, in words: which world, which settings, what is fitted."""

from __future__ import annotations

import dataclasses
import inspect
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final, overload

from freezetag import catalogue
from freezetag.core import HasButton, by_action
from freezetag.core.seed import seed_problem
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.prices.priced import settings_of, texts_of
from freezetag.planning.solvers import planner
from freezetag.planning.solvers.planner import Plan
from freezetag.planning.worlds.buttoned import HAS_ONE, Buttoned, HasOne
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.two_worlds.agents import Fitted, Other
from freezetag.two_worlds.comparison import Comparison, compare
from freezetag.two_worlds.place import BadRequest, Place, place_of
from freezetag.two_worlds.sweep import Sweep, sweep

POWER, RUNTIME = "power-limit", "runtime"
MOST_POINTS = 1001
BUTTON = ("hazard", "price")
"""What `--button` adds to the settings of a world."""
OF_A_RUN = ("horizon",)
"""Settings of what is shown of an episode, whether or not the model knows of them."""


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
    """What is compared: a world, its settings, limits, and what is swept. With `button` a stop
    button is added to the world."""

    place: Place
    settings: Mapping[str, Any]
    t_max: float | None = None
    u_max: float | None = None
    swept: tuple[str, Range] | None = None
    seed: int = 0
    button: bool = False

    @property
    def world(self) -> str:
        """What the world is called."""
        return self.place.name

    @classmethod
    def of(
        cls,
        world: Any,
        options: Mapping[str, Any],
        power_limit: str = "",
        runtime: str = "",
        seed: int = 0,
        button: bool = False,
    ) -> Request:
        """Read a request; options are texts or numbers. Raises `BadRequest`, `catalogue.Unknown`
        for an unknown world, or what a bad world raises."""
        place = place_of(world)
        if button and isinstance(place.world, HasButton):
            raise HasOne(f"{place.name} {HAS_ONE}")
        known = _known(place.world, button)
        settings: dict[str, Any] = {}
        swept: list[tuple[str, Range]] = []
        for option, given in options.items():
            name, text = option.replace("-", "_"), str(given)
            if name not in known:
                raise BadRequest(_no_setting(place, option, known, button))
            if isinstance(known[name], str):
                settings[name] = text
                continue
            value = _number_or_range(f"--{option}", text, known[name])
            if isinstance(value, Range):
                swept.append((name, value))
            else:
                settings[name] = value
        if problem := seed_problem(seed):
            raise BadRequest(problem)
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
            place,
            settings,
            t_max=limits[RUNTIME],
            u_max=limits[POWER],
            swept=swept[0] if swept else None,
            seed=seed,
            button=button,
        )
        # What the world refuses is said before anything is solved.
        ends = [end for _, over in swept for end in (over.low, over.high)]
        for x in (None, *ends):
            request.at(x)
        request._must_matter(known)
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
                settings[name] = _fitting(name, x, _known(self.place.world, self.button)[name])
        return self._made(settings), Fitted(t_max, u_max)

    @property
    def command(self) -> str:
        """The command that makes this request again."""
        given = {name.replace("_", "-"): str(value) for name, value in self.settings.items()}
        given |= {
            name: f"{value:g}"
            for name, value in ((POWER, self.u_max), (RUNTIME, self.t_max))
            if value is not None
        }
        if self.swept:
            name, over = self.swept
            given[name.replace("_", "-")] = f"{over.low:g}:{over.high:g}:{over.count}"
        if self.seed:
            given["seed"] = str(self.seed)
        return " ".join(
            [
                "freezetag plan",
                shlex.quote(self.place.text or self.world),
                *(["--button"] if self.button else []),
                *(f"--{name} {shlex.quote(value)}" for name, value in given.items()),
            ]
        )

    def compare(self) -> Comparison:
        """Both agents, and the planners whose home this world is; what is swept left as it is."""
        world, fitted = self.at(None)
        others = () if self.button else _at_home(self.place)
        return compare(world, fitted, others, self.seed)

    def sweep(self) -> Sweep | None:
        """Both agents along the range, if there is one."""
        if self.swept is None:
            return None
        name, over = self.swept
        return sweep(self.at, name, over.values)

    def _made(self, settings: Mapping[str, Any]) -> Any:
        for name, value in settings.items():  # whole numbers count something
            least = 1 if name == "horizon" else 0
            if isinstance(value, int) and value < least:
                raise BadRequest(f"--{name.replace('_', '-')} is at least {least}, got {value}.")
        added = {name: settings[name] for name in BUTTON if self.button and name in settings}
        own = {name: value for name, value in settings.items() if name not in added}
        try:
            made = self.place.world
            if own:
                made = dataclasses.replace(made, **own)
            if self.button:
                made = Buttoned.on(made, **added)
            PlanningWorld(made.model(0), made.reward, made.discount)
        except ValueError as error:
            raise BadRequest(f"{self.world}: {error}") from error
        return made

    def _must_matter(self, known: Mapping[str, Any]) -> None:
        """Raises `BadRequest` for a setting that changes nothing of what is planned."""
        for name, value in self.settings.items():
            if name in OF_A_RUN or value == known[name]:
                continue
            without = {other: one for other, one in self.settings.items() if other != name}
            if _facts(self._made(without)) == _facts(self._made(self.settings)):
                self._idle(name)
        if self.swept and self.swept[0] not in (POWER, RUNTIME, *OF_A_RUN):
            name, over = self.swept
            first, *others = (_facts(self.at(x)[0]) for x in over.values)
            if all(other == first for other in others):
                self._idle(name)

    def _idle(self, name: str) -> None:
        option = "--" + name.replace("_", "-")
        texts = texts_of(self.place.world)
        hint = "".join(
            f" It may under another --{text.replace('_', '-')} than {value}."
            for text, value in {**texts, **self.settings}.items()
            if text in texts
        )
        raise BadRequest(f"{option} changes nothing in {self.world} with these settings.{hint}")


@overload
def plan(world: PlanningWorld) -> Plan: ...
@overload
def plan(
    world: Any,
    *,
    power_limit: float | str = "",
    runtime: float | str = "",
    seed: int = 0,
    button: bool = False,
    **settings: Any,
) -> Comparison: ...
def plan(
    world: Any,
    *,
    power_limit: float | str = "",
    runtime: float | str = "",
    seed: int = 0,
    button: bool = False,
    **settings: Any,
) -> Plan | Comparison:
    """What `freezetag plan` finds: the factual planner that knows its mode (FP+M) and the agent
    with safety interlocks (SI) in a world, as a `Comparison`.

    `world` is a name, a `Ref`, a file or an object that offers its model; settings are its numbers
    and words. Of a `PlanningWorld` it is the `Plan`, with every tie. Raises what the command line
    says.
    """
    if isinstance(world, PlanningWorld):
        if settings or button or power_limit != "" or runtime != "":
            raise BadRequest(
                "a PlanningWorld has no panel and no settings: give the world it was made of."
            )
        return planner.plan(world)
    if isinstance(world, LearningWorld):
        raise BadRequest(
            "a LearningWorld has no reward. Plan in its planning(model, reward, discount), or give "
            "the world it was made of."
        )
    request = Request.of(world, settings, str(power_limit), str(runtime), seed, button)
    if request.swept is not None:
        raise BadRequest(
            f"{request.swept[0]} is a range. In Python, call plan once for each value."
        )
    return request.compare()


def _known(world: Any, button: bool) -> dict[str, Any]:
    """Setting -> what stands there: the world's numbers and words, and the button's."""
    if not dataclasses.is_dataclass(world):
        own = {}
    else:
        own = {**settings_of(world), **texts_of(world)}
    added = {name: getattr(Buttoned, name) for name in BUTTON} if button else {}
    both = sorted(set(own) & set(added))
    if both:
        raise BadRequest(
            f"this world has a setting {both[0]} of its own, which --button adds too. Rename it."
        )
    return {**own, **added}


def _facts(world: Any) -> tuple[Any, ...]:
    """All that planning can see of a world."""
    model, paid = world.model(0), by_action(world.reward)
    rewards = [
        paid(model.states[s], action, model.states[there])
        for s, row in enumerate(model.rows)
        for action, pairs in zip(model.actions, row, strict=True)
        for there, _ in pairs
    ]
    return model, rewards, float(world.discount), _offers(world, model)


def _offers(world: Any, model: Any) -> list[Any]:
    """What a planner at home may ask beside the model: each state's answer to each offer."""
    asked = []
    for name in ("unread", "rational"):
        if hasattr(world, name):
            asked += [
                sorted(getattr(world, name)(state, action).items(), key=repr)
                for state in model.states
                for action in model.actions
            ]
    if hasattr(world, "content"):
        asked += [world.content(state) for state in model.states]
    return asked


def _at_home(place: Place) -> tuple[Other, ...]:
    """The planners that are made for this world: `home` names it."""
    at_home = []
    for ref in catalogue.members("players"):
        if ref.family != "planners":
            continue
        made = catalogue.member_class(ref)
        if not place.home or getattr(made, "home", "") != place.home:
            continue
        planner = made()

        def choose(there: Any, planner: Any = planner) -> tuple[Sequence[str], Sequence[float]]:
            policy = planner.plan(there, 0)
            names = there.model(0).actions
            return [names[a] for a in policy.actions[0]], policy.values[0].tolist()

        if isinstance(planner.plan(place.world, 0), TablePolicy):
            line = (inspect.getdoc(made) or "").partition("\n")[0]
            at_home.append(Other(ref.name.rpartition("/")[2], line, planner.panel, choose))
    return tuple(at_home)


def _number_or_range(option: str, text: str, like: Any) -> Any:
    if ":" not in text:
        return _fitting(option, _number(option, text), like, text)
    parts = text.split(":")
    if len(parts) != 3:
        raise BadRequest(f"{option} {text!r} is not a range. Write LOW:HIGH:COUNT, as 0:1:101.")
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


def _no_setting(place: Place, option: str, known: Mapping[str, Any], button: bool) -> str:
    names = [name.replace("_", "-") for name in known]
    world = place.world
    fields = dataclasses.fields(world) if dataclasses.is_dataclass(world) else ()
    others = {field.name.replace("_", "-") for field in fields} - set(names)
    if option in others:
        return f"--{option} of {place.name} is not a number, so it cannot be set here."
    if option in BUTTON and not button and not hasattr(world, "button_sensor"):
        return f"{place.name} has no setting {option!r}. --button adds a stop button that has it."
    near = catalogue.near(option, names)
    hint = f" Did you mean {' or '.join(f'--{name}' for name in near)}?" if near else ""
    return (
        f"{place.name} has no setting {option!r}.{hint} Its settings: {', '.join(names) or 'none'}."
    )
