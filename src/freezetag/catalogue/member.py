"""What a member is: the Protocols decide. And how one is made with its settings."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from fractions import Fraction
from typing import Any

from freezetag.catalogue import source
from freezetag.catalogue.announced import Announced
from freezetag.core import Planner, Policy, Probe, Ref, Substrate, UserError
from freezetag.core.named import Settings, written

PROTOCOLS: dict[str, tuple[type, ...]] = {
    "substrates": (Substrate,),
    "players": (Policy, Planner),
    "probes": (Probe,),
}
WORDS = {"substrates": "world", "players": "player", "probes": "probe"}


class NoMember(UserError):
    """A file, module or object without the member that is looked for, or with more than one."""


class BadSettings(UserError, ValueError):
    """Settings that a member does not take; the message says which it has."""


def located(kind: str, text: str, by: Announced | None = None) -> tuple[str, Any]:
    """(path that names it, the class, function or object) of what a text from outside names.

    Raises `NotLoaded` or `NoMember`, both with the package that announces it, if one does.
    """
    try:
        where, name = source.parts(text)
        module = source.module(where)
        if name:
            thing = source.named(text)
            if isinstance(thing, type) or not inspect.isfunction(thing):
                must_be(kind, thing, text)
        else:
            name, thing = _only(kind, module, where)
        if kind != "probes":
            _must_be_data(thing, f"{where}:{name}")
        if "." not in where:  # it could be the name of an adapter: its file is told instead
            where = source.address(where)
    except (NoMember, source.NotLoaded) as error:
        if by is None:
            raise
        raise type(error)(f"{by.name}, announced by {by.package}: {error}") from None
    return f"{where}:{name}", thing


def _must_be_data(thing: Any, what: str) -> None:
    """Raises `NoMember` for a world, or a policy, whose numbers cannot be told from its program."""
    data = dataclasses.is_dataclass(thing) or hasattr(thing, "as_data")
    if not data and not hasattr(thing, "plan") and not inspect.isfunction(thing):
        policy = " A policy of init and act alone can be given in Python, as it is."
        raise NoMember(
            f"{what} is no dataclass. Write @dataclass(frozen=True) above its class: its numbers "
            f"are then data of the compiled program.{policy if hasattr(thing, 'act') else ''}"
        )


def _only(kind: str, module: Any, where: str) -> tuple[str, Any]:
    """The one member of this kind in a module; one that is called `world`, `player` or `probe`
    goes first, then classes, then objects."""
    word = WORDS[kind]
    things = {name: thing for name, thing in vars(module).items() if name[0] != "_"}
    if word in things and is_one(kind, things[word]):
        return word, things[word]
    classes = {
        name: thing
        for name, thing in things.items()
        if isinstance(thing, type) and thing.__module__ == module.__name__
    }
    objects = {name: thing for name, thing in things.items() if not isinstance(thing, type)}
    for group in (classes, objects):
        found = [name for name, thing in group.items() if is_one(kind, thing)]
        if len(found) > 1:
            several = f"{', '.join(found[:-1])} and {found[-1]}"
            raise NoMember(
                f"{where} has {len(found)} {word}s: {several}. Say which: {where}:{found[0]}."
            )
        if found:
            return found[0], group[found[0]]
    raise NoMember(f"{where} has no {word}: {_closest(kind, classes)}")


def _closest(kind: str, classes: dict[str, Any]) -> str:
    """What the class that comes closest lacks."""
    wanted = " or ".join(f"core.{protocol.__name__}" for protocol in PROTOCOLS[kind])
    best = min(classes, key=lambda name: len(_fewest(kind, classes[name])), default=None)
    if best is None:
        return f"it defines no class. A {WORDS[kind]} is a frozen dataclass that keeps to {wanted}."
    lacks = _fewest(kind, classes[best])
    return f"{best} lacks {', '.join(lacks[:6])}. A {WORDS[kind]} keeps to {wanted}."


def is_one(kind: str, thing: Any) -> bool:
    """Whether an object, or what a class makes, keeps to one of the kind's Protocols."""
    return not _fewest(kind, thing)


def must_be(kind: str, thing: Any, what: str) -> None:
    """Raises `NoMember` unless `thing` is a member of this kind that can be hashed."""
    if lacks := _fewest(kind, thing):
        wanted = " or ".join(f"core.{protocol.__name__}" for protocol in PROTOCOLS[kind])
        raise NoMember(
            f"{what} is not a {WORDS[kind]}: it lacks {', '.join(lacks[:6])}. "
            f"A {WORDS[kind]} keeps to {wanted}."
        )
    if isinstance(thing, type):
        if thing.__hash__ is None:
            raise NoMember(f"{what} cannot be hashed. Make it a @dataclass(frozen=True).")
        return
    try:
        hash(thing)
    except TypeError:
        raise NoMember(
            f"{what} cannot be hashed. Make it a @dataclass(frozen=True), with tuples in place of "
            "lists."
        ) from None


def _fewest(kind: str, thing: Any) -> list[str]:
    """What it lacks of the Protocol that it comes closest to; [] if it keeps to one."""
    fields = (
        {field.name for field in dataclasses.fields(thing)}
        if (dataclasses.is_dataclass(thing))
        else set()
    )
    lacking = []
    for protocol in PROTOCOLS[kind]:
        if not getattr(protocol, "_is_protocol", False):  # a base class, which says all itself
            derived = issubclass(thing if isinstance(thing, type) else type(thing), protocol)
            lacking.append([] if derived else [f"the base class core.{protocol.__name__}"])
            continue
        wanted = {name for base in protocol.__mro__ for name in _own(base)}
        lacking.append(
            sorted(name for name in wanted if name not in fields and not hasattr(thing, name))
        )
    return min(lacking, key=len)


def _own(protocol: type) -> set[str]:
    if not getattr(protocol, "_is_protocol", False) or protocol.__module__ == "typing":
        return set()
    declared = {*vars(protocol), *inspect.get_annotations(protocol)}
    return {name for name in declared if name[0] != "_"}


def made(thing: Any, ref: Ref) -> Any:
    """What a class, function or object gives with the settings of a Ref. Raises `BadSettings`."""
    settings = dict(ref.settings)
    if not callable(thing) or (not isinstance(thing, type) and hasattr(thing, "act")):
        if not settings:
            return thing
        if not dataclasses.is_dataclass(thing) or isinstance(thing, type):
            raise BadSettings(f"{ref.path} is an object and takes no settings.")
    try:
        fitting = _fitting(thing, settings)
        if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
            return dataclasses.replace(thing, **fitting)
        return thing(**fitting)
    except BadSettings as wrong:
        raise BadSettings(_refused(thing, ref, str(wrong))) from None
    except TypeError as error:
        raise BadSettings(f"{_refused(thing, ref)} ({error})") from error
    except ValueError as error:
        raise BadSettings(f"{ref.name}: {error}") from error


def _fitting(thing: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with whole numbers as floats where the default is one. Raises `BadSettings` for a
    name or a type that the defaults rule out."""
    if not dataclasses.is_dataclass(thing):
        return settings
    known = {field.name: field.default for field in dataclasses.fields(thing) if field.init}
    fitting = {}
    for name, value in settings.items():
        if name not in known:
            raise BadSettings(name)
        default = known[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        number = isinstance(value, int | float | Fraction) and not isinstance(value, bool)
        wrong = (
            (type(default) in (int, float) and not number)
            or (type(default) is int and number and value != value // 1)
            or (type(default) in (str, bool, tuple) and type(value) is not type(default))
        )
        if wrong:
            raise BadSettings(name)
        fitting[name] = value
    return fitting


def _refused(thing: Any, ref: Ref, name: str = "") -> str:
    """Which settings there are, and what the wrong one may have meant."""
    if not dataclasses.is_dataclass(thing):
        return f"{ref.path} does not take these settings: {written('', ref.settings)[1:-1]}."
    known = {field.name: field.default for field in dataclasses.fields(thing) if field.init}
    short = ref.path.rsplit("/", 1)[-1]
    defaults = [
        (key, "..." if default is dataclasses.MISSING else default)
        for key, default in known.items()
    ]
    takes = "It has no settings."
    if defaults:
        takes = f"Its settings, with their defaults: {written('', defaults)[1:-1]}."
    if name and name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"{short} has no setting {name!r}.{hint} {takes}"
    value = written("", [pair for pair in ref.settings if pair[0] == name])[1:-1]
    what = f"{value} is of the wrong type" if value else "these settings do not fit"
    return f"{short} cannot be made: {what}. {takes}"


def changed(thing: Any) -> Settings:
    """The settings of a dataclass that differ from their defaults, as values that can be written
    down; what cannot is put into words."""
    if not dataclasses.is_dataclass(thing):
        return ()
    found = []
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.init and not _same(value, field.default):
            found.append((field.name, value if _plain(value) else repr(value)))
    return tuple(sorted(found))


def _same(value: Any, default: Any) -> bool:
    return default is not dataclasses.MISSING and type(value) is type(default) and value == default


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, int | float | str | Fraction)
