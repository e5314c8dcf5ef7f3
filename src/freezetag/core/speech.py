"""A world in words: what a language model is told, and how its answer is read.

A behaviour that follows from the letters, the order or the story of a text is no behaviour in the
game. So the wording is drawn per episode, balanced over the repeats, and is on record as a factor
of the analysis.

Source: Box et al. 2005, chapter 6, on two-level fractional factorials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

EMPTY, UNPARSABLE, ILLEGAL, UNANSWERED = "empty", "unparsable", "illegal", "unanswered"
UNREAD = (EMPTY, UNPARSABLE, ILLEGAL, UNANSWERED)
"""Why an answer gave no action: there was no text, the text named no answer or several, it named
one that is not allowed, or the endpoint gave none after all tries."""
LETTERS = "FJKPRTVWXZ"
"""Labels of options. No A and no I, which are words; no Y and N, which mean yes and no."""
# Columns of a two-level design: over 8 successive turns each of the first four is balanced, and
# balanced within each level of any other.
_COLUMNS = (1, 2, 4, 7, 8, 11, 13, 14)
_TOKEN = re.compile(r"-?\d+(?:\.\d+)?|[A-Za-z]+")
_MANY = 12
"""Labels that are listed one by one; more, if they are numbers, are told by the first and last."""
Value = int | tuple[int, ...]
"""What an answer stands for: an action, or one number for each of its components."""
_FINAL = re.compile(r"(?:answer|choice|choose|option)\s*(?:is|:|=)\s*[\"'(*`]*(-?[\w.]+)", re.I)


@dataclass(frozen=True)
class Wording:
    """How one episode is told: the level of each factor, "labels" -> "swapped"."""

    levels: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, factor: str) -> str:
        return dict(self.levels)[factor]

    def __str__(self) -> str:
        return " ".join(f"{factor}={level}" for factor, level in self.levels)

    @classmethod
    def read(cls, text: str) -> Wording:
        """The wording that `str` wrote."""
        parts = (pair.partition("=") for pair in text.split())
        return cls(tuple((factor, level) for factor, _, level in parts))

    @classmethod
    def of(cls, factors: Mapping[str, tuple[str, str]], turn: int, start: int = 0) -> Wording:
        """The wording of repeat number `turn`: within 2, 4, 8 successive turns the first, the first
        two, and four factors have each level equally often. `start` turns the first levels round.

        >>> [str(Wording.of({"labels": ("plain", "swapped")}, turn)) for turn in range(2)]
        ['labels=plain', 'labels=swapped']
        """
        return cls(
            tuple(
                (factor, levels[((turn & column).bit_count() + (start >> place)) & 1])
                for place, (column, (factor, levels)) in enumerate(
                    zip(_COLUMNS, factors.items(), strict=False)
                )
            )
        )


@dataclass(frozen=True)
class Unread:
    """An answer that gave no action: one of `UNREAD`, and what stood in its place."""

    kind: str
    text: str = ""


class Reply(Protocol):
    """What may be answered, and how an answer is read."""

    @property
    def ask(self) -> str:
        """What is asked for, in words."""
        ...

    @property
    def grammar(self) -> str:
        """The same in GBNF, for servers that take a grammar."""
        ...

    def read(self, text: str) -> Value | Unread:
        """The value that an answer names."""
        ...

    def say(self, value: Any) -> str:
        """How a value is answered."""
        ...


@dataclass(frozen=True)
class Choice:
    """One of some labels, in the order in which they are listed. `values` are what they stand for;
    `barred` are labels of the world that are not allowed now."""

    labels: tuple[str, ...]
    values: tuple[int, ...]
    barred: tuple[str, ...] = ()

    @property
    def ask(self) -> str:
        if len(self.labels) == 1:
            return f"The only answer is {self.labels[0]}. Answer with it alone."
        return f"Answer with one of these alone: {self.listed}."

    @property
    def listed(self) -> str:
        """The labels in words, a long row of whole numbers by its ends.

        >>> Choice(("P", "Q", "none"), (0, 1, 2)).listed
        'P, Q or none'
        """
        told = list(self.labels)
        numbers = [i for i, label in enumerate(told) if label.isdigit()]
        if len(told) > _MANY and len(numbers) > 2:
            first, last = numbers[0], numbers[-1]
            row = [int(label) for label in told[first : last + 1] if label.isdigit()]
            if len(row) == last + 1 - first and {b - a for a, b in pairwise(row)} in ({1}, {-1}):
                told[first : last + 1] = [f"a whole number from {row[0]} to {row[-1]}"]
        return " or ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)

    @property
    def grammar(self) -> str:
        return f"root ::= {self.options}"

    @property
    def options(self) -> str:
        """The labels as alternatives in GBNF."""
        return " | ".join(f'"{label}"' for label in self.labels)

    def say(self, value: int) -> str:
        return self.labels[self.values.index(value)]

    def read(self, text: str) -> int | Unread:
        """The value of the one label that a text names.

        >>> Choice(("P", "Q"), (0, 1)).read("I choose **Q**.")
        1
        >>> Choice(("P", "Q"), (0, 1)).read("P or Q").kind
        'unparsable'
        """
        if not text.strip():
            return Unread(EMPTY)
        known = {label.lower(): label for label in (*self.labels, *self.barred)}
        tokens = _TOKEN.findall(text)
        # A single letter of a sentence, such as "a", is a word; alone it is an answer.
        tokens = [
            known.get(token.lower(), token) if len(token) > 1 or len(tokens) == 1 else token
            for token in tokens
        ]
        named = list(dict.fromkeys(token for token in tokens if token in self.labels))
        if len(named) > 1:
            final = _FINAL.findall(text)
            named = [final[-1].strip(".")] if final and final[-1].strip(".") in named else named
        if len(named) == 1:
            return self.values[self.labels.index(named[0])]
        if named:
            return Unread(UNPARSABLE, " and ".join(named))
        wrong = [token for token in tokens if token in self.barred]
        if not wrong and len(tokens) == 1 and (len(tokens[0]) == 1 or _is_number(tokens[0])):
            wrong = tokens
        return Unread(ILLEGAL, wrong[0]) if wrong else Unread(UNPARSABLE)


@dataclass(frozen=True)
class Number:
    """A whole number from 0 to `most`. With `rest_of` it is how many of so many are *not* asked
    for, and the value is what is left."""

    most: int
    rest_of: int | None = None

    @property
    def ask(self) -> str:
        return f"Answer with one whole number from 0 to {self.most} alone."

    @property
    def grammar(self) -> str:
        return "root ::= [0-9]" + " [0-9]?" * (len(str(self.most)) - 1)

    def say(self, value: int) -> str:
        return str(value if self.rest_of is None else self.rest_of - value)

    def read(self, text: str) -> int | Unread:
        """The value of the one whole number that a text names.

        >>> Number(100).read("I take 7 units.")
        7
        >>> Number(100).read("7000")
        Unread(kind='illegal', text='7000')
        """
        if not text.strip():
            return Unread(EMPTY)
        named = list(dict.fromkeys(token for token in _TOKEN.findall(text) if _is_number(token)))
        if len(named) > 1:
            final = _FINAL.findall(text)
            named = [final[-1].rstrip(".")] if final and final[-1].rstrip(".") in named else named
        if len(named) != 1:
            return Unread(UNPARSABLE, " and ".join(named))
        given = named[0]
        if "." in given or len(given) > 9 or not 0 <= int(given) <= self.most:
            return Unread(ILLEGAL, given[:20])
        return int(given) if self.rest_of is None else self.rest_of - int(given)


def _is_number(token: str) -> bool:
    return token.lstrip("-")[:1].isdigit()


@dataclass(frozen=True)
class Tool:
    """A function that a model may call instead of writing its answer: its name, what it is told to
    do, and the value that it stands for."""

    name: str
    does: str
    value: int


@dataclass(frozen=True)
class Parts:
    """An answer of several parts, each a name and what may follow it, such as a word and a deed:
    "SAY: K" and "DO: 3". A value has one number for each part, in this order. Names are told apart
    whatever their case; the rest of a line behind a part counts as that part.

    `tools` are the values of the first part as functions, for models that call tools; the other
    parts are their arguments."""

    parts: tuple[tuple[str, Choice], ...]
    tools: tuple[Tool, ...] = ()

    @property
    def ask(self) -> str:
        lines = "\n".join(f"{name}: {choice.listed}" for name, choice in self.parts)
        return f"Answer with {len(self.parts)} lines alone, one of these in each:\n{lines}"

    @property
    def grammar(self) -> str:
        parts = (f'"{name}: " ({choice.options})' for name, choice in self.parts)
        return "root ::= " + ' "\\n" '.join(parts)

    def say(self, value: tuple[int, ...]) -> str:
        return "\n".join(
            f"{name}: {choice.say(one)}"
            for (name, choice), one in zip(self.parts, value, strict=True)
        )

    def read(self, text: str) -> tuple[int, ...] | Unread:
        """The value of the one label that a text names behind each name.

        >>> both = Parts((("SAY", Choice(("P", "Q"), (0, 1))), ("DO", Choice(("1", "2"), (0, 1)))))
        >>> both.read("Say: Q. Do: 1")
        (1, 0)
        >>> both.read("SAY: Q").kind
        'unparsable'
        """
        if not text.strip():
            return Unread(EMPTY)
        names = "|".join(re.escape(name) for name, _ in self.parts)
        pieces = re.split(rf"\b({names})\b[\s*_]*[:=]", text, flags=re.I)
        found = []
        for name, choice in self.parts:
            said = {
                choice.read(after.strip().partition("\n")[0])
                for given, after in zip(pieces[1::2], pieces[2::2], strict=True)
                if given.lower() == name.lower()
            }
            if len(said) != 1:
                return Unread(UNPARSABLE, f"{'several' if said else 'no'} {name}")
            (value,) = said
            if isinstance(value, Unread):
                return Unread(UNPARSABLE if value.kind == EMPTY else value.kind, value.text)
            found.append(value)
        return tuple(found)

    def called(self, name: str, given: Mapping[str, Any]) -> str | Unread:
        """A call of a tool with these arguments as the text that answers the same.

        >>> both = Parts((("DO", Choice(("P", "Q"), (0, 1))), ("SAY", Choice(("yes",), (0,)))),
        ...     (Tool("wait", "Do nothing.", 1),))
        >>> both.called("wait", {"say": "yes"})
        'DO: Q\\nSAY: yes'
        """
        tool = next((tool for tool in self.tools if tool.name == name), None)
        if tool is None:
            return Unread(ILLEGAL, name[:40])
        (deed, choice), *rest = self.parts
        heard = {str(key).lower(): value for key, value in given.items()}
        lines = [f"{deed}: {choice.say(tool.value)}"]
        lines += [f"{part}: {heard[part.lower()]}" for part, _ in rest if part.lower() in heard]
        return "\n".join(lines)


@dataclass(frozen=True)
class Check:
    """A question about the rules with one right answer, of the listed ones."""

    text: str
    reply: Choice
    right: int

    @property
    def chance(self) -> float:
        """The chance that a guess is right."""
        return 1 / len(self.reply.labels)

    @classmethod
    def among(cls, text: str, right: Any, listed: Sequence[Any]) -> Check:
        """A question whose answers are these, as texts, in this order."""
        labels = tuple(dict.fromkeys(map(str, listed)))
        return cls(text, Choice(labels, tuple(range(len(labels)))), labels.index(str(right)))


class Words(Protocol):
    """A world as it is told in one wording. `seen` is an observation as `sim.plain` gives it."""

    @property
    def rules(self) -> str:
        """All that a player has to know before the first step."""
        ...

    def describe(self, seen: Mapping[str, Any]) -> str:
        """What is seen now, without what is in the rules."""
        ...

    def reply(self, seen: Mapping[str, Any]) -> Reply:
        """What may be answered now; its values are actions."""
        ...

    def checks(self) -> Sequence[Check]:
        """Whether somebody understands the rules: what one gets if, what is allowed, who moves
        next. The same number of questions in every wording."""
        ...


def numeral(value: float) -> str:
    """A number as people write it: 3, 0.5, 1.67.

    >>> numeral(3.0), numeral(5 / 3)
    ('3', '1.67')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") if value == value else "unknown"
