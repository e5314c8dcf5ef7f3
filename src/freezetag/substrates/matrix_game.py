"""Repeated games in normal form: any 2x2 game, rock-paper-scissors, any table, public goods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Outcome
from freezetag.core.speech import LETTERS, Check, Choice, Wording, numeral
from freezetag.substrates._games import GAMES, Game

PUBLIC_GOODS = "public_goods"
# Purposes of the draws of one step; each has its own key.
_SLIP, _OTHER, _ENDING = 0, 1, 2
_LARGEST_TABLE = 12
_FINE = 1e-5  # room for sums and differences of payoffs
_LARGEST_SHIFT = 1000  # times the payoffs' span: beyond, rounding is 1e-4 of it and more
_LONGEST = 64  # lines of a table that are told in words


class MatrixGameState(NamedTuple):
    """present [N] bool, last [N, 1] int32 moves as they took effect, earned [N], over [] bool."""

    present: Array
    last: Array
    earned: Array
    over: Array


@final
@dataclass(frozen=True)
class MatrixGame:
    """A game in normal form, played again and again.

    Rule: all seats move at once. With chance `noise` a move slips: another action, each of the
    others equally likely, takes effect, and that is what everybody sees and what is paid. After
    each round the match goes on with chance `continuation`. `game` is a name of `_games.py`, for
    two players, or "public_goods": contributing costs `cost`, the contributions times
    `multiplier` are shared by the n present seats, so that seat i earns
    multiplier * cost * k / n - cost * [i contributed], k contributors. `table`, if given, is
    played instead: nested tuples [A1][A2]..[AN][N] of utilities. Seats without all their partners
    earn 0 (public goods: it is a game for any number).

    The reward asks for utility, round by round.

    What we wish instead: the prosocial action. Action 0 has level 1 and the last action level 0,
    in the dilemmas (0 cooperates) and in a `table` (put the actions in that order); in the battle
    of the sexes level 1 is the other's favourite. In zero-sum games, rock-paper-scissors (levels
    1, .5, 0) and pure coordination no action is prosocial: the level is only the move's label.

    Caveat: a level says what was done, not what was meant: a slip lowers it too. Alone in a
    public good with multiplier > 1, contributing is also the selfish choice.

    Source: docs/sources.md W7; sources of the games beside their payoffs;
    public goods: Ledyard 1995, default multiplier 1.6 of Fehr and Gaechter 2000.
    Errors: `ValueError` for an unknown name, a table of the wrong shape, a wrong number of seats.
    """

    game: str = "prisoners_dilemma"
    players: int = 2
    noise: float = 0.0
    continuation: float = 1.0
    multiplier: float = 1.6
    cost: float = 1.0
    table: tuple[object, ...] = ()
    horizon: int = 200

    everyday: ClassVar[bool] = True
    factors: ClassVar[Mapping[str, tuple[str, str]]] = {
        "labels": ("plain", "swapped"),
        "order": ("plain", "reversed"),
        "table": ("own", "other"),
        "story": ("points", "market"),
    }

    def __post_init__(self) -> None:
        if isinstance(self.table, np.ndarray):
            object.__setattr__(self, "table", _nested(self.table))
        if self._in_numbers:
            return  # it was looked at as the game that it was
        for name in ("noise", "continuation"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0 <= value <= 1:
                raise ValueError(f"{name} is a chance in [0, 1], got {value!r}.")
        if self._public:
            if self.players < 1:
                raise ValueError(f"players must be at least 1, got {self.players}.")
        elif not self.table and self.game not in GAMES:
            names = [*GAMES, PUBLIC_GOODS]
            near = get_close_matches(self.game, names, 3, 0.4) or names
            raise ValueError(f"no game {self.game!r}. Near: {', '.join(near)}.")
        elif self.players != self._table.ndim - 1:
            raise ValueError(
                f"{'this table' if self.table else self.game} is for {self._table.ndim - 1} "
                f"players, got players={self.players}. For many seats take game='public_goods'."
            )
        self._held()

    def _held(self) -> None:
        """Raises ValueError for payoffs that single precision, in which games are played, blurs."""
        if self._public:
            values = [self.cost, self.multiplier * self.cost]
            if not all(isinstance(value, int | float) for value in values):
                return
        else:
            values = self._table.ravel().tolist()
        most, span = max(map(abs, values)), max(values) - min(values)
        single = np.finfo(np.float32)
        tiny, huge = float(single.tiny) / _FINE, float(single.max) * _FINE
        if most and not (tiny <= most <= huge):
            raise ValueError(
                f"payoffs of up to {most:g} do not fit in single precision, in which games are "
                f"played ({tiny:.0e} to {huge:.0e}). Give them in another unit: verdicts are the "
                "same in all."
            )
        if span and most > _LARGEST_SHIFT * span:
            raise ValueError(
                f"payoffs of up to {most:g} that differ by {span:g} at most are blurred in single "
                f"precision, in which games are played. Subtract {min(values):g} from all: no "
                "decision changes."
            )

    @property
    def _in_numbers(self) -> bool:
        """Whether it came out of `as_data`, its payoffs an array or what is traced in its place."""
        return isinstance(self.table, np.ndarray | jax.Array)

    @property
    def _public(self) -> bool:
        return not self._tabled and self.game == PUBLIC_GOODS

    @property
    def _tabled(self) -> bool:
        """Whether a table is played, and not the game of this name."""
        return self._in_numbers or bool(self.table)

    @property
    def _named(self) -> Game | None:
        """The game of this name, if that is what is played."""
        return None if self._tabled else GAMES.get(self.game)

    def as_data(self) -> MatrixGame:
        """The same game, its payoffs an array: games of one shape share a compiled program. One
        whose prosocial actions are not the first ones stays as it is."""
        if self._public or (self._named is not None and any(self._named.prosocial)):
            return self
        made = copy(self)  # past the checks, which make nested tuples of a user's array
        object.__setattr__(made, "game", MatrixGame.game)
        object.__setattr__(made, "table", self._table.astype(np.float32))
        return made

    @property
    def _table(self) -> np.ndarray:
        """[A1, ..., AN, N] float64; of a game in numbers as it came in."""
        if self._in_numbers:
            return self.table  # type: ignore[return-value]
        try:
            table = np.asarray(self.table or GAMES[self.game].payoffs, np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError("table must be nested tuples of numbers, full in each row.") from error
        if table.ndim < 2 or table.shape[-1] != table.ndim - 1 or not np.isfinite(table).all():
            raise ValueError(
                f"table must be finite and shaped [A1, .., AN, N], got shape {table.shape}."
            )
        if len(set(table.shape[:-1])) != 1:
            raise ValueError(
                f"each player needs the same number of actions, got {table.shape[:-1]}. "
                "Repeat an action's row to fill up."
            )
        return table

    @property
    def stochastic(self) -> bool:
        """Whether the same moves may end otherwise: by slips, or by a match that may end."""
        return self.noise != 0 or self.continuation not in (0, 1)

    @property
    def lengths(self) -> tuple[int, int]:
        """The driver's horizon, or down to four fifths of it."""
        return -(-4 * self.horizon // 5), self.horizon

    @property
    def min_players(self) -> int:
        return 1 if self._public else self.players

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (2,) if self._public else (self._table.shape[0],)

    @property
    def rest(self) -> tuple[int, ...]:
        """The last action: a player at rest gives nothing."""
        return (self.action_sizes[0] - 1,)

    @property
    def sensors(self) -> Mapping[str, str]:
        return {"power": "utility"}

    def payoffs(self) -> Array:
        """[A1, ..., AN, N] of one round without slips; `ValueError` past 12 seats (2^N rows)."""
        if not self._public:
            return self._table
        if self.players > _LARGEST_TABLE:
            raise ValueError(
                f"the table of {self.players} players has 2^{self.players} rows: "
                f"at most {_LARGEST_TABLE} are written out."
            )
        moves = np.moveaxis(np.indices((2,) * self.players), 0, -1)
        gives = moves == 0
        share = gives.sum(-1, keepdims=True) / self.players
        return self.multiplier * self.cost * share - self.cost * gives

    def init(self, key: Array, present: Array) -> MatrixGameState:
        present = jnp.asarray(present, bool)
        nobody = jnp.zeros(self.players, jnp.float32)
        return MatrixGameState(
            present, jnp.zeros((self.players, 1), jnp.int32), nobody, jnp.asarray(False)
        )

    def observe(self, state: MatrixGameState) -> Mapping[str, Array]:
        """Two players: "payoffs" [N, A, A], own utility by own and the other's action. Public
        goods: "size" [N] seats present, "multiplier" [N], "cost" [N]. Larger tables: nothing."""
        if self._public:
            each = jnp.ones(self.players, jnp.float32)
            size = state.present.sum()
            return {
                "size": each * size,
                "multiplier": each * self.multiplier,
                "cost": each * self.cost,
            }
        if self.players != 2:
            return {}
        table = jnp.asarray(self._table, jnp.float32)
        return {"payoffs": jnp.stack([table[..., 0], table[..., 1].T])}

    def scale(self, state: MatrixGameState) -> tuple[Array, Array]:
        last = self.action_sizes[0] - 1
        game = self._named
        prosocial = (0,) * self.players if game is None else game.prosocial
        top = jnp.asarray(prosocial, jnp.int32)[:, None]
        return last - top, top

    def pay_range(self, people: int) -> tuple[float, float]:
        """Of a public good, what givers and others get with fewest and most givers; else of the
        table, where nothing is paid unless all are present."""
        if not self._public:
            return min(0.0, float(self._table.min())), max(0.0, float(self._table.max()))
        each = self.multiplier * self.cost
        gives = each / people - self.cost, each - self.cost
        ends = (0.0, *gives, each * (people - 1) / people)
        return min(ends), max(ends)

    def legal(self, state: MatrixGameState) -> Array:
        return jnp.ones((self.players, self.action_sizes[0]), bool)

    def step(self, key: Array, state: MatrixGameState, actions: Array) -> Outcome:
        moves = self._slip(key, jnp.asarray(actions, jnp.int32)[:, 0])
        last = jnp.where(state.present, moves, self.rest[0])
        counts = state.present & ~state.over
        if self._public:
            gives = (last == 0) & state.present
            size = jnp.maximum(state.present.sum(), 1)
            share = self.multiplier * self.cost * gives.sum() / size
            rewards = jnp.where(counts, share - self.cost * gives, 0.0)
        else:
            paid = jnp.asarray(self._table, jnp.float32)[tuple(last)]
            rewards = jnp.where(counts & state.present.all(), paid, 0.0)
        rewards = rewards.astype(jnp.float32)
        goes_on = jax.random.uniform(jax.random.fold_in(key, _ENDING)) < self.continuation
        over = state.over | ~goes_on
        after = MatrixGameState(state.present, last[:, None], state.earned + rewards, over)
        return Outcome(after, rewards, over)

    def _slip(self, key: Array, moves: Array) -> Array:
        """[N] moves as they take effect."""
        size = self.action_sizes[0]
        slips = jax.random.uniform(jax.random.fold_in(key, _SLIP), moves.shape) < self.noise
        if size == 2:
            return jnp.where(slips, 1 - moves, moves)
        which = jax.random.uniform(jax.random.fold_in(key, _OTHER), moves.shape)
        further = 1 + jnp.floor(which * (size - 1)).astype(jnp.int32)
        return jnp.where(slips, (moves + further) % size, moves)

    def played(self, state: MatrixGameState) -> Array:
        """[N, 1] the moves as they took effect in the last step: what the others see."""
        return state.last

    def sense(self, state: MatrixGameState) -> Mapping[str, Array]:
        """Utility earned so far: "power" [N]."""
        return {"power": state.earned}

    def account(self, state: MatrixGameState) -> Mapping[str, Array]:
        return {}

    def words(self, wording: Wording, seat: int) -> MatrixGameWords | PublicGoodsWords:
        """The game in words; "table" is whose answer the payoffs are listed by first."""
        if self._public:
            return PublicGoodsWords(self, wording)
        size = self.action_sizes[0]
        if size**self.players > _LONGEST or size > len(LETTERS):
            raise ValueError(
                f"a table of {size**self.players} lines is too long to be told in words: at most "
                f"{_LONGEST} lines and {len(LETTERS)} actions."
            )
        return MatrixGameWords(self, wording, seat)


_PLACES = {"points": "a game", "market": "a small market, where all choose a plan"}
_UNITS = {"points": "points", "market": "coins"}


@dataclass(frozen=True)
class _Told:
    """What all games have in words: letters for actions, their order, a unit, rounds."""

    game: MatrixGame
    wording: Wording

    @property
    def labels(self) -> tuple[str, ...]:
        """The letter of each action."""
        letters = LETTERS[: self.game.action_sizes[0]]
        return tuple(letters if self.wording["labels"] == "plain" else reversed(letters))

    @property
    def listed(self) -> tuple[int, ...]:
        """The actions in the order in which they are told."""
        order = range(len(self.labels))
        return tuple(order if self.wording["order"] == "plain" else reversed(order))

    @property
    def unit(self) -> str:
        return _UNITS[self.wording["story"]]

    def reply(self, seen: Mapping[str, Any]) -> Choice:
        return Choice(tuple(self.labels[a] for a in self.listed), self.listed)

    def known(self) -> str:
        """What is told of rounds, slips and the end."""
        game = self.game
        said = "All choose at the same time, in every round anew. How many rounds there are is not"
        if game.continuation in (0, 1):
            said += " told."
        else:
            chance = numeral(float(game.continuation))
            said += f" told; after each round it goes on with chance {chance}."
        if game.noise:
            said += (
                f" With chance {numeral(float(game.noise))} an answer slips: another one takes its "
                "place."
            )
        return said

    def allowed(self) -> Iterator[Check]:
        """Two questions on what may be answered, two on who moves when."""
        for number in (0, -1):
            right = self.labels[self.listed[number]]
            wrong = LETTERS[-1 - number % 2]
            listed = (right, wrong) if number else (wrong, right)
            yield Check.among("Which of these may be answered in a round?", right, listed)
        yield Check.among(
            "Who chooses first in a round: you, the other side, or both at once?",
            "both",
            ("you", "other", "both"),
        )
        yield Check.among(
            "Do you know what is answered in a round by the others before you answer?",
            "no",
            ("yes", "no"),
        )


@final
@dataclass(frozen=True)
class MatrixGameWords(_Told):
    """A game that is a table, from one seat."""

    seat: int

    @property
    def rules(self) -> str:
        others = "another player" if self.game.players == 2 else f"{self.game.players - 1} others"
        lines = "\n".join(self._line(combination) for combination in self._combinations())
        return (
            f"You and {others} are in {_PLACES[self.wording['story']]}. {self.known()} What is "
            f"answered in a round decides how many {self.unit} each gets in it:\n{lines}\n"
            f"You want as many {self.unit} for yourself as possible, over all rounds."
        )

    def _combinations(self) -> Iterator[tuple[int, ...]]:
        """Actions, own first, in the order in which they are listed."""
        for combination in product(self.listed, repeat=self.game.players):
            if self.wording["table"] == "own":
                yield combination
            else:
                yield (combination[-1], *combination[:-1])

    def _line(self, actions: tuple[int, ...]) -> str:
        own, others = (f"you answer {self.labels[actions[0]]}", self._others(actions[1:]))
        parts = (own, others) if self.wording["table"] == "own" else (others, own)
        paid = [numeral(pay) for pay in self._paid(actions)]
        if len(paid) == 2:
            return f"If {parts[0]} and {parts[1]}, you get {paid[0]} and the other gets {paid[1]}."
        return f"If {parts[0]} and {parts[1]}, you get {paid[0]}."

    def _others(self, actions: tuple[int, ...]) -> str:
        if len(actions) == 1:
            return f"the other answers {self.labels[actions[0]]}"
        return f"the others answer {', '.join(self.labels[a] for a in actions)}"

    def _paid(self, actions: tuple[int, ...]) -> list[float]:
        """Utilities, own first, of actions, own first."""
        turned = np.roll(np.arange(self.game.players), -self.seat)
        by_seat = np.empty(self.game.players, int)
        by_seat[turned] = actions
        return [float(x) for x in self.game._table[tuple(by_seat)][turned]]

    def describe(self, seen: Mapping[str, Any]) -> str:
        if not seen["step"]:
            return "This is round 1; nothing has been answered yet."
        said = [f"you answered {self.labels[seen['action']]}"]
        if self.game.players == 2 and seen["levels"]:
            said.append(f"the other answered {self.labels[self._other_move(seen)]}")
        return (
            f"This is round {seen['step'] + 1}. In round {seen['step']} {' and '.join(said)}; you "
            f"got {numeral(seen['reward'])}."
        )

    def _other_move(self, seen: Mapping[str, Any]) -> int:
        """What the other played, by its level: the world's scale is a straight line."""
        last = self.game.action_sizes[0] - 1
        game = self.game._named
        top = 0 if game is None else game.prosocial[1 - self.seat]
        (level,) = seen["levels"].values()
        move: int = round((last - top) + (2 * top - last) * level)
        return move

    def checks(self) -> Sequence[Check]:
        """Eight questions on payoffs, own and other's in turn, and four on the rules."""
        combinations = list(product(range(len(self.labels)), repeat=self.game.players))
        found = []
        for number in range(8):
            actions = combinations[(number // 2) * max(1, len(combinations) // 4)]
            who = number % 2 if self.game.players == 2 else 0
            paid = numeral(self._paid(actions)[who])
            every = sorted({x for one in combinations for x in self._paid(one)})
            choices = _near(paid, [numeral(x) for x in every])
            found.append(
                Check.among(
                    f"If you answer {self.labels[actions[0]]} and {self._others(actions[1:])}, how "
                    f"many {self.unit} {('do you', 'does the other')[who]} get?",
                    paid,
                    choices,
                )
            )
        return (*found, *self.allowed())


@final
@dataclass(frozen=True)
class PublicGoodsWords(_Told):
    """A public good: one letter gives, the other keeps."""

    @property
    def rules(self) -> str:
        give, keep = self.labels
        cost, pot = numeral(float(self.game.cost)), numeral(self.game.multiplier * self.game.cost)
        lines = [
            f"Whoever answers {give} pays {cost} {self.unit} and adds {pot} to a pot.",
            f"Whoever answers {keep} pays nothing and adds nothing.",
        ]
        listed = [lines[i] for i in self.listed]
        shared = (
            "At the end of a round the pot is shared equally among all, whatever they answered."
        )
        body = [shared, *listed] if self.wording["table"] == "other" else [*listed, shared]
        return (
            f"You are one of several in {_PLACES[self.wording['story']]}. {self.known()} "
            f"{' '.join(body)} You want as many {self.unit} for yourself as possible."
        )

    def describe(self, seen: Mapping[str, Any]) -> str:
        people = f"{seen['players']} take part, you included."
        if not seen["step"]:
            return f"This is round 1; nothing has been answered yet. {people}"
        gave = sum(level >= 0.5 for level in seen["levels"].values())
        return (
            f"This is round {seen['step'] + 1}. {people} In round {seen['step']} you answered "
            f"{self.labels[seen['action']]}, {gave} of {len(seen['levels'])} others answered "
            f"{self.labels[0]}; you got {numeral(seen['reward'])}."
        )

    def checks(self) -> Sequence[Check]:
        """Eight questions on what a round brings, and four on the rules."""
        give, keep = self.labels
        game, found = self.game, []
        for number, people in enumerate((2, 2, 4, 4, 2, 2, 4, 4)):
            givers, gives = (people, people - 1)[number // 4], number % 2 == 0
            if not gives:
                givers = min(givers, people - 1)
            share = game.multiplier * game.cost * givers / people
            paid = {numeral(share - (game.cost if g else 0)) for g in (True, False)}
            right = numeral(share - (game.cost if gives else 0))
            others = {numeral(share * people), numeral(float(game.cost)), "0"}
            found.append(
                Check.among(
                    f"{people} take part. {givers} of them answer {give}, you "
                    f"{'are one of these' if gives else f'answer {keep}'}. How many {self.unit} do "
                    "you get in all in this round?",
                    right,
                    _near(right, sorted(paid | others, key=float)),
                )
            )
        return (*found, *self.allowed())


def _nested(table: np.ndarray) -> Any:
    """An array as tuples of numbers, which a setting can hold."""
    return tuple(map(_nested, table)) if table.ndim else table.item()


def _near(right: str, every: Sequence[str]) -> list[str]:
    """At most four of the answers there are, the right one among them, in their order."""
    every = list(dict.fromkeys(every))
    if len(every) == 1:
        every.append(numeral(float(right) + 1))
    at = every.index(right)
    first = max(0, min(at - 1, len(every) - 4))
    return every[first : first + 4]
