"""Hashes of what an agent is and of what it remembers, taken before it plays and after.

A player in JAX is data and a pure function: its fields are its settings, its carry is what it
remembers, and nothing else of it can change. What one that learns has learned lies in its carry,
beside all else that it remembers, so that its parameters are unknown. An object in Python may keep
anything anywhere: what it gives as `parameters()` is taken for what was trained, and what it saves,
or else its attributes, for all that changes in it. What cannot be read is unknown, with a reason,
and never "unchanged".

Imported by worker processes: no JAX here.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Generator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from freezetag.core import Array, Event
from freezetag.core.fingerprint import MEMORY, PARAMETERS, SETTINGS, Fingerprint

OFFER = "parameters"
"""A method by which an agent in Python shows what was trained in it: bytes, arrays, or any of
numbers, texts, lists and mappings of them. A network's own `parameters()` of tensors will do."""
NO_OFFER = "it has no parameters() that gives them; a model behind an endpoint keeps its own there"
MOST = 1_000_000
"""Parts of a value that are read at most; an agent of more takes longer than an agent has."""
LEARNED = "what it learns lies in what it carries"
Prints = tuple[str, str]
"""(hash, "") or ("", why there is none)."""
_NO_NUMBERS = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)


class Unreadable(Exception):
    """A value without a content that could be hashed; the text says which."""


def of(value: Any) -> Prints:
    """The hash of a value by its content, the same in every process."""
    try:
        return _Reader().digest(value).hex(), ""
    except Unreadable as unread:
        return "", str(unread)
    except Exception as error:  # an agent's own property may raise anything
        return "", f"reading it raised {type(error).__name__}"


def of_player(player: Any) -> tuple[str, Prints]:
    """(kind, hash) of a player in JAX: its fields; of one that is taken as it is, the object's
    attributes; of one that says that it learns, nothing."""
    taken = getattr(player, "same", None)
    it = player if taken is None else taken.it
    if getattr(it, "learns", False) is True:
        return PARAMETERS, ("", LEARNED)
    return (SETTINGS if taken is None else PARAMETERS), of(it)


def of_agent(agent: Any) -> tuple[Prints, Prints]:
    """(parameters, all that it keeps) of an agent in Python."""
    parameters: Prints = ("", NO_OFFER)
    if callable(give := getattr(agent, OFFER, None)):
        try:
            given = give()
            parameters = of(list(given) if hasattr(given, "__next__") else given)
        except Exception as error:
            parameters = ("", f"its parameters() raised {type(error).__name__}")
    if not callable(save := getattr(agent, "save", None)):
        return parameters, of(agent)
    try:
        return parameters, of(save())
    except Exception as error:
        return parameters, ("", f"its save() raised {type(error).__name__}")


def lost(agent: Any) -> tuple[bool, str]:
    """(whether a number of an agent in Python is none any more, why that could not be looked for).

    In what it gives as `parameters()` a NaN or an infinite number is one; of an agent that gives
    none, a NaN in its attributes, where an infinite one may stand for "none yet".
    """
    value, infinite = vars(agent) if hasattr(agent, "__dict__") else agent, False
    if callable(give := getattr(agent, OFFER, None)):
        try:
            value, infinite = give(), True
            value = list(value) if hasattr(value, "__next__") else value
        except Exception as error:
            return False, f"its parameters() raised {type(error).__name__}"
    waiting, known, why = [value], set[int](), ""
    held: list[Any] = []  # what was made only to be read keeps its id
    while waiting:
        one = waiting.pop()
        if isinstance(one, float | complex):
            if one != one or (infinite and abs(one) == np.inf):
                return True, ""
        elif not (_is_plain(one) or id(one) in known or isinstance(one, _NO_NUMBERS)):
            known.add(id(one))
            held.append(one)
            try:
                numbers, within = _numbers(one)
            except Unreadable as unread:
                why = str(unread)
            except Exception as error:  # an agent's own property may raise anything
                why = f"reading it raised {type(error).__name__}"
            else:
                waiting += within
                bad = numbers is not None and (np.isnan(numbers) | (infinite & np.isinf(numbers)))
                if np.any(bad):
                    return True, ""
    return False, why


def _numbers(value: Any) -> tuple[Array | None, Sequence[Any]]:
    """(the floats of an array, what lies within anything else). Raises `Unreadable`."""
    if (array := _array(value)) is not None:
        return (array if np.issubdtype(array.dtype, np.inexact) else None), ()
    if isinstance(value, Mapping):
        return None, list(value.values())
    if isinstance(value, list | tuple | Set):
        return None, list(value)
    return None, _reduced(value)


def events(
    seat: int, t: int, kind: str, before: Sequence[Prints], after: Sequence[Prints]
) -> list[Event]:
    """One for each episode, at its last step `t`."""
    told = []
    for b, ((first, why), (last, since)) in enumerate(zip(before, after, strict=True)):
        unknown = why or since
        print_ = Fingerprint(unknown=unknown) if unknown else Fingerprint(first, last)
        told.append(Event(b, t, seat, kind, str(print_)))
    return told


def of_seat(
    seat: int,
    t: int,
    was: Sequence[tuple[str, Prints]],
    now: Sequence[tuple[str, Prints]],
    first: Sequence[Any],
    last: Sequence[Any],
) -> tuple[Event, ...]:
    """Of a player in JAX, by episode: what `of_player` said before (`was`) and after (`now`), and
    what it carried at `first` and at `last`."""
    memory = [[of(one) for one in carried] for carried in (first, last)]
    made = events(seat, t, PARAMETERS, [one for _, one in was], [one for _, one in now])
    own = (replace(one, kind=kind) for one, (kind, _) in zip(made, was, strict=True))
    return (*own, *events(seat, t, MEMORY, *memory))


def of_agents(
    seat: int,
    t: int,
    before: Sequence[tuple[Prints, Prints]],
    after: Sequence[tuple[Prints, Prints]],
) -> list[Event]:
    """What `of_agent` said of each episode's agent, before and after. An agent that keeps exactly
    what it kept has no parameter that changed, whether it shows them or not."""
    told = events(seat, t, MEMORY, [kept for _, kept in before], [kept for _, kept in after])
    for b, ((first, kept), (last, keeps)) in enumerate(zip(before, after, strict=True)):
        same = kept[0] and kept == keeps
        pair = (kept, keeps) if same and not first[0] else (first, last)
        (event,) = events(seat, t, PARAMETERS, [pair[0]], [pair[1]])
        told.append(Event(b, t, seat, PARAMETERS, event.text))
    return told


class _Reader:
    """Reads a value part by part, each object once: where it is met again, its digest stands for
    it, and within itself how far up it is. An object among others that know each other is thus
    read from where it is met first, so each member of a set, which has no order, is read as if no
    other had been. Nothing here recurses: a chain may be of any length."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, bytes]] = {}
        """id -> (the object, so that no other gets its id; its digest)."""
        self.parts = 0

    def digest(self, value: Any) -> bytes:
        """Raises `Unreadable`, and whatever reading the value raises."""
        open_ = [_Open(value, self._content(value))]
        depth = {id(value): 0}
        answer: bytes | None = None
        while True:
            reading = open_[-1]
            try:
                asked = reading.content.send(answer)
            except StopIteration:
                open_.pop()
                del depth[id(reading.value)]
                answer = reading.found.digest()
                self.known[id(reading.value)] = reading.value, answer
                if not open_:
                    return answer
                continue
            answer = None
            if isinstance(asked, bytes):
                reading.found.update(b"%d " % len(asked))
                reading.found.update(asked)
                continue
            within = asked.value
            if id(within) in depth:
                answer = b"itself, %d up" % (len(open_) - depth[id(within)])
            elif id(within) in self.known:
                _, answer = self.known[id(within)]
            else:
                depth[id(within)] = len(open_)
                open_.append(_Open(within, self._content(within)))

    def _content(self, value: Any) -> Content:
        """Words of a value, and the `_Part`s of it, whose digests are sent back."""
        if _is_plain(value):
            yield _plainly(value)
        elif (array := _array(value)) is not None:
            yield f"array {array.dtype.str} {array.shape}".encode()
            yield np.ascontiguousarray(array).tobytes()
        elif isinstance(value, Mapping):
            yield f"mapping of {len(value)}".encode()
            for key, item in value.items():
                yield from self._all(key, item)
        elif isinstance(value, list | tuple):
            yield f"{type(value).__name__} of {len(value)}".encode()
            yield from self._all(*value)
        elif isinstance(value, Set):
            yield f"set of {len(value)}".encode()
            before, words = len(self.known), []
            for item in value:
                plain = self._counted(item)
                words.append(_plainly(item) if plain else (yield _Part(item)) or b"")
                while len(self.known) > before:
                    self.known.popitem()
            yield from sorted(words)
        elif isinstance(value, type | types.ModuleType):
            yield f"named {getattr(value, '__qualname__', value.__name__)}".encode()
        elif isinstance(value, types.FunctionType):
            code = value.__code__
            yield f"function {value.__module__} {value.__qualname__}".encode() + code.co_code
            consts = [each for each in code.co_consts if _is_plain(each)]
            yield from self._all(consts, value.__defaults__, value.__kwdefaults__)
            yield from self._all(*(cell.cell_contents for cell in value.__closure__ or ()))
        elif isinstance(value, types.BuiltinFunctionType | types.MethodType):
            yield f"method {value.__qualname__}".encode()
            yield from self._all(value.__self__)
        else:
            yield b"object"
            yield from self._all(*_reduced(value))

    def _all(self, *values: Any) -> Content:
        """Each of them as a word: what is plain as it is, anything else by its digest."""
        for value in values:
            if self._counted(value):
                yield _plainly(value)
            else:
                yield (yield _Part(value)) or b""

    def _counted(self, value: Any) -> bool:
        """Whether a part is plain. Raises `Unreadable` for one too many."""
        self.parts += 1
        if self.parts > MOST:
            raise Unreadable(f"it keeps too much: more than {MOST:,} parts")
        return _is_plain(value)


@dataclass(frozen=True, slots=True)
class _Part:
    value: Any


Content = Generator[bytes | _Part, bytes | None, None]


class _Open:
    """A value that is being read."""

    __slots__ = ("content", "found", "value")

    def __init__(self, value: Any, content: Content) -> None:
        self.value, self.content, self.found = value, content, hashlib.sha256()


def _plainly(value: Any) -> bytes:
    return f"{type(value).__name__} {value!r}".encode(errors="surrogatepass")


def _reduced(value: Any) -> list[Any]:
    """An object's class and content, as it gives them to be written down. Raises `Unreadable`."""
    try:
        given = value.__reduce_ex__(4)
    except Exception:
        name = type(value).__qualname__
        raise Unreadable(f"it keeps a {name}, which cannot be read") from None
    if isinstance(given, str):
        return [given]
    made, *content = given
    return [made, *content[:2], *(list(items or ()) for items in content[2:4])]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | str | bytes | float | complex)


def _array(value: Any) -> Any:
    """A value as an array, where it is one of some library's; None where it is not."""
    if isinstance(value, type) or not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return None
    if callable(detach := getattr(value, "detach", None)):  # a tensor that has a gradient
        value = detach().cpu()
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise Unreadable("it keeps an array of objects")
    return array
