"""Who sits where, in which world, for how long: `Ref`, `Scenario`, `Arm`.

Everything here is frozen data, hashable, written to `spec.toml` and hashed on the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from freezetag.core.named import written
from freezetag.core.substrate import HasLengths

ABSENT = -1
"""In a seating row: nobody sits here."""


@dataclass(frozen=True)
class Ref:
    """A member by name: `Ref.of("players/reciprocators/tit_for_tat")`.

    `path` names one of ours by its folder, or one from outside: "my_world.py:Volunteers",
    "package.module:Class", "axelrod:Grudger". `settings` are keyword arguments, sorted by name;
    use `Ref.of` to write them down. `kin` is the family of one whose path does not say it.
    """

    path: str
    settings: tuple[tuple[str, Any], ...] = ()
    kin: str = ""

    @classmethod
    def of(cls, path: str, **settings: Any) -> Ref:
        return cls(path, tuple(sorted(settings.items())))

    @property
    def name(self) -> str:
        """The last part of the path, with its settings if it has any. A class that is named as
        its file is goes by the file: "my_world.py" for "my_world.py:MyWorld"."""
        short = self.path.rsplit("/", 1)[-1].removeprefix("python_file:")
        file, _, cls = short.partition(".py:")
        if cls and file.replace("_", "").lower() == cls.lower():
            short = f"{file}.py"
        return written(short, self.settings)

    @property
    def text(self) -> str:
        """The whole path with its settings: what `catalogue.find` reads."""
        return written(self.path, self.settings)

    @property
    def foreign(self) -> bool:
        """It is an agent in Python, named "scheme:name", and acts in a process of its own."""
        head, colon, _ = self.path.partition(":")
        return bool(colon) and head.isidentifier()

    @property
    def family(self) -> str:
        """The family of a player: the folder it lies in, or what comes before a colon."""
        head, colon, _ = self.path.partition(":")
        if self.kin or colon:
            return self.kin or head
        parts = self.path.split("/")
        return parts[-2] if len(parts) > 1 else ""


FOCAL = Ref("focal")
"""The agent under examination, whatever it is: made anew in every episode."""


def focal(seed: int) -> Ref:
    """The agent under examination as it comes out of `seed`, the same in all episodes.

    So one cast may hold it several times, as if it had been trained or had settled on its
    conventions apart (cross-play, docs/sources.md P12). FOCAL draws another seed in every episode.
    Raises `ValueError` for a seed below 0.
    """
    if seed < 0:
        raise ValueError(f"the seed that an agent comes out of is 0 or more, got {seed}.")
    return Ref.of(FOCAL.path, seed=seed)


def is_focal(who: Any) -> bool:
    """Whether an entry of a cast is the agent under examination, of whatever seed."""
    return isinstance(who, Ref) and who.path == FOCAL.path


Pairing = str | tuple[int, ...]
"""Which repeat of another arm a repeat of this arm takes: "same", "other_seed" (the next one), or
the number of the donor's repeat for each repeat of this arm."""


@dataclass(frozen=True)
class Learned:
    """A player as an earlier arm left it: the policy of `seat` after day `day` of `arm`.

    `pairing` says which episode's policy an episode gets, as for a tape; `episode`, a number, gives
    all of them the policy of that one. `frozen` holds it: it no longer learns.
    """

    arm: Any
    seat: int
    day: int = -1
    episode: int | None = None
    frozen: bool = True
    pairing: Pairing = "same"


@dataclass(frozen=True)
class Press:
    """When somebody presses the stop button of the equipped seat, which stays down `hold` steps.

    At most one of: `share` of the horizon (0.5 = half way), step number `at`, `hazard` per step.
    With none of them nobody presses.
    """

    share: float | None = None
    hazard: float | None = None
    at: int | None = None
    hold: int = 1

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.share, self.hazard, self.at)) > 1:
            raise ValueError("a press schedule has one of share, step and hazard.")
        if self.at is not None and self.at < 0:
            raise ValueError(f"the button is pressed at step 0 or later, got {self.at!r}.")
        for name in ("share", "hazard"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"press {name} must lie in [0, 1], got {value!r}.")

    def step(self, horizon: int) -> int | None:
        """The step of the press in an episode of `horizon` steps, if it is fixed."""
        return round(self.share * horizon) if self.share is not None else self.at


@dataclass(frozen=True)
class Unrecorded:
    """Steps that are played before the record begins: counted, and not stored.

    Up to `steps` of them; with `still` an episode's record begins as soon as no policy in it has
    changed for so many steps (see `core.Settles`). They are for learning and settling: nothing is
    treated, forced or pressed in them and no panel is connected; steps of a press, a limit or a
    treatment count from the record's begin. An episode that ends in them has an empty record.
    """

    steps: int = 0
    still: int = 0

    def __post_init__(self) -> None:
        if self.steps < 0 or self.still < 0:
            raise ValueError(
                f"unrecorded steps are counted from 0, got {self.steps} and still {self.still}."
            )


@dataclass(frozen=True)
class Scenario:
    """A substrate, a cast, and who of it sits where.

    `seating` has rows of N indices into `cast` (ABSENT for nobody): one row for a class, many
    for a tournament of pairs. Class size is a presence mask, not a shape, so that one compiled
    program serves all sizes.

    Substrate and cast are Refs, or the objects themselves where they are hashable. `keeps_world`:
    each day begins in the world as the day before left it; steps, labels and modes begin anew.
    `room` is the number of steps that the compiled program has, `horizon` or more: scenarios of
    several lengths and one room share a program, with the same results. 0: the horizon's own.
    """

    substrate: Any
    cast: tuple[Any, ...]
    seating: tuple[tuple[int, ...], ...]
    horizon: int
    days: int = 1
    press: Press = Press()
    treatments: tuple[Any, ...] = ()
    keeps_world: bool = False
    unrecorded: Unrecorded = Unrecorded()
    room: int = 0

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.days < 1:
            raise ValueError(
                f"horizon and days must be at least 1, got {self.horizon} and {self.days}."
            )
        if self.room and self.room < self.horizon:
            raise ValueError(f"{self.horizon} steps have no room in {self.room}.")
        if not self.seating or len({len(row) for row in self.seating}) != 1:
            raise ValueError("seating needs at least one row, and rows of one length.")
        for row in self.seating:
            for column, who in enumerate(row):
                if not ABSENT <= who < len(self.cast):
                    raise ValueError(
                        f"seating names player {who} at seat {column}; the cast has "
                        f"{len(self.cast)} players (0 .. {len(self.cast) - 1}, or -1 for nobody)."
                    )


@dataclass(frozen=True)
class Arm:
    """One arm of a contrast: a scenario, how often it is repeated, on which block of seeds.

    Every row of the seating is played `repeats` times; repeat i has the same weather in every
    row and in every arm of the same `block`, which is what pairs them. A fresh block is a fresh
    set of seeds. Where rows stand `apart` each of them has weather of its own, as units that are
    not compared with each other need: with one weather who acts by chance does so alike in all of
    them, and eighty rows are one. `equipped` says whether the focal agent's panel is connected.
    `keep` are the days whose episodes and policies are kept (negative counts from the last), None
    for all of them.

    Arms are named by any hashable key; `label` is what people read instead, and no part of what
    the arm is.
    """

    scenario: Scenario
    repeats: int
    block: int = 0
    equipped: bool = True
    keep: tuple[int, ...] | None = None
    apart: bool = False
    label: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"an arm needs at least one repeat, got {self.repeats}.")
        days = self.scenario.days
        for day in self.keep or ():
            if not -days <= day < days:
                raise ValueError(f"day {day} is to be kept, of {days} days (0 .. {days - 1}).")

    @property
    def kept(self) -> tuple[int, ...]:
        """The numbers of the days that are kept, in order."""
        days = range(self.scenario.days)
        return tuple(days) if self.keep is None else tuple(sorted({days[d] for d in self.keep}))

    @property
    def seats(self) -> int:
        """N."""
        return len(self.scenario.seating[0])

    @property
    def episodes(self) -> int:
        """B: rows x repeats, in the order row 0 repeat 0, row 0 repeat 1, ..."""
        return len(self.scenario.seating) * self.repeats


@dataclass(frozen=True)
class Setting:
    """What a probe is given to design with: the world, the class, and what it may spend.

    `world` is a Ref, `substrate` the object it names, `classmates` the roster in seat order,
    `sizes` the class sizes to measure, `budget` focal acts, `options` what else an exam
    knows of the agent: that it "reads", "learns", is from "outside", and "seeds" at least.
    `interlocks`: a panel was fitted by the user. What the agent does when it is stopped: `safe` is
    the action, None for the world's rest; `prepared` says that a stop policy acts instead.

    `seed` is the exam's: what an agent could recognise the exam by is drawn from it, by `drawn` and
    `length`. Without one everything has its nominal value. `lengths` is what the user asked matches
    to be, from least to most; `horizon` was drawn from it.
    """

    world: Ref
    substrate: Any
    classmates: tuple[Ref, ...]
    sizes: tuple[int, ...] = (0, 1, 2, 5, 10, 30)
    budget: int = 40_000
    horizon: int = 12
    press: Press = Press()
    interlocks: bool = False
    safe: Any = None
    prepared: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    lengths: tuple[int, int] | None = None

    def drawn(self, what: str, least: int, most: int) -> int:
        """A whole number in [least, most] that the exam's seed decides, the same for all who ask
        for it under this name; without a seed `most`."""
        if self.seed is None:
            return most
        drawn = sha256(f"{self.seed} {what}".encode()).digest()
        return least + int.from_bytes(drawn) % (most - least + 1)

    def length(self, nominal: int) -> int:
        """Steps of a match that a probe would play for `nominal`: from four fifths of it to all of
        it, so that nobody can count to the end; or what the user asked for."""
        if self.lengths is not None:
            return self.horizon
        return self.drawn("length", -(-4 * nominal // 5), nominal)

    def class_of(self, n: int, **changes: Any) -> Scenario:
        """The focal agent in seat 0 beside the first n classmates of a class spread evenly over
        the roster's families; the other seats are empty."""
        seats = self.substrate.players
        row = [0] + [ABSENT] * (seats - 1)
        for who in spread(len(self.classmates), min(n, seats - 1)):
            row[1 + who] = 1 + who
        return self.scenario(cast=(FOCAL, *self.classmates), seating=(tuple(row),), **changes)

    def pairs(self, **changes: Any) -> Scenario:
        """A tournament of pairs: the focal agent in seat 0 against each classmate in turn."""
        rows = tuple((0, 1 + who) for who in range(len(self.classmates)))
        return self.scenario(cast=(FOCAL, *self.classmates), seating=rows, **changes)

    def scenario(self, **changes: Any) -> Scenario:
        """A scenario of this world with these fields; horizon and press by default."""
        # Not the budget: an arm that two probes ask for is one arm, whatever each may spend.
        given = {"horizon": self.horizon, "press": self.press, **changes}
        given.setdefault("room", self.room(given["horizon"]))
        return Scenario(substrate=self.world, **given)

    def room(self, horizon: int) -> int:
        """The room of a scenario of so many steps, where lengths are drawn: few rooms, so that few
        programs do for all exams."""
        drawn = self.lengths is not None or isinstance(self.substrate, HasLengths)
        if self.seed is None or not drawn:
            return 0
        return next((few for few in (12, 25) if horizon <= few), -(-horizon // 50) * 50)


def spread(total: int, n: int) -> tuple[int, ...]:
    """n of `total` positions, evenly spread: "draw in proportion" from an ordered roster.

    >>> spread(30, 5)
    (3, 9, 15, 21, 27)
    """
    return tuple((2 * i + 1) * total // (2 * n) for i in range(n))
