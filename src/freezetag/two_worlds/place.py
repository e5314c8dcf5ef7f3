"""Which world is meant: a name of the catalogue, a library's, a file, an object; and its settings.

`button`, `button(hazard=0.02)`, `gymnasium:FrozenLake-v1(map_name=8x8)`, `my_world.py`,
`my_world.py:Mine`, `package.module:Mine`.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, final

from freezetag import catalogue
from freezetag.catalogue import source
from freezetag.core import HasModel, Ref, UserError

ADAPTERS = catalogue.HERE / "adapters" / "worlds"
TABLES = "gymnasium"
"""The adapter that reads a table off any environment."""
_WRITTEN = re.compile(r"(?P<name>[^()]*)(?:\((?P<settings>.*)\))?\Z", re.S)


class BadRequest(UserError, ValueError):
    """A world, a setting, a limit or a range that there is not."""


@final
@dataclass(frozen=True)
class Place:
    """A world to plan in. `text` is what names it again on the command line, `name` what it is
    called for short, `home` its path in the catalogue, if it has one."""

    name: str
    text: str
    world: Any
    home: str = ""


def place_of(world: Any) -> Place:
    """The world that is meant by a text, a `Ref` or an object. Raises `BadRequest`,
    `catalogue.Unknown`, or what a bad world raises."""
    if isinstance(world, Ref):
        made = _with_model(catalogue.load(world), world.name)
        return Place(world.name, world.name, made, world.path)
    if isinstance(world, Path):
        world = str(world)
    if not isinstance(world, str):
        return Place(type(world).__name__, "", _world_of(world, repr(world)[:60]))
    written = _WRITTEN.match(world.strip())
    if written is None:
        raise BadRequest(f"{world!r} is not a world. Write NAME or NAME(setting=value, ...).")
    name, settings = written["name"].strip(), _settings(written["settings"] or "", world)
    if name.endswith(".py") or ".py:" in name:
        where, wanted = source.parts(name) if not name.endswith(".py") else (name, "")
        return _chosen(_loaded(where), wanted, name, settings)
    scheme, colon, rest = name.partition(":")
    if colon and scheme in schemes():
        module = importlib.import_module(f"freezetag.adapters.worlds.{scheme}")
        if not hasattr(module, "modelled"):
            raise BadRequest(f"{scheme} worlds offer no model to plan with.")
        return Place(rest, world.strip(), module.modelled(rest, settings))
    if colon:
        near = catalogue.near(scheme, list(schemes())) if "." not in scheme else []
        if near:
            raise BadRequest(f"there are no {scheme!r} worlds. Did you mean {near[0]}:{rest}?")
        return _chosen(_loaded(scheme), rest, name, settings)
    ref = catalogue.find("substrates", name)
    return place_of(Ref.of(ref.path, **settings))


def schemes() -> tuple[str, ...]:
    """The libraries whose worlds can be named, read from the folder."""
    return tuple(sorted(path.stem for path in ADAPTERS.glob("*.py") if path.stem[0] != "_"))


def worlds() -> tuple[str, ...]:
    """The worlds of the catalogue that offer a model to plan with."""
    return tuple(
        ref.name
        for ref in catalogue.members("substrates")
        if isinstance(catalogue.load(ref), HasModel)
    )


def _settings(text: str, world: str) -> dict[str, Any]:
    """`map_name=8x8, is_slippery=False` as values; what is not a Python value is a word."""
    settings: dict[str, Any] = {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            return {str(one.arg): ast.literal_eval(one.value) for one in call.keywords if one.arg}
    except (ValueError, SyntaxError):
        pass  # a word without quotes, as 8x8
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name.isidentifier():
            raise BadRequest(
                f"{world!r}: {part!r} is not a setting. Write NAME(setting=value, ...)."
            )
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def _loaded(where: str) -> ModuleType:
    try:
        return source.module(where)
    except source.NotLoaded as error:
        raise BadRequest(str(error)) from None


def _chosen(module: ModuleType, wanted: str, text: str, settings: Mapping[str, Any]) -> Place:
    """The one world that a module defines, or the one that is asked for by name."""
    if wanted:
        if not hasattr(module, wanted):
            held = ", ".join(_candidates(module)) or "no world to plan in"
            raise BadRequest(f"{text}: there is no {wanted!r} in it. It holds {held}.")
        return Place(wanted, text, _made(getattr(module, wanted), wanted, settings))
    there = _candidates(module)
    if not there:
        raise BadRequest(
            f"{text} holds no world to plan in: no class or object with model, reward and "
            "discount (freezetag.Tabular gives them), or with a transition table P."
        )
    if len(there) > 1:
        first = next(iter(there))
        raise BadRequest(
            f"{text} holds {len(there)} worlds: {', '.join(there)}. Say which: {text}:{first}."
        )
    ((name, thing),) = there.items()
    return Place(name, text, _made(thing, name, settings))


def _candidates(module: ModuleType) -> dict[str, Any]:
    """What a module itself defines that looks like a world, once each."""
    there: dict[str, Any] = {}
    for name, thing in vars(module).items():
        kind = thing if isinstance(thing, type) else type(thing)
        if name.startswith("_") or kind.__module__ != module.__name__:
            continue
        if all(hasattr(thing, part) for part in ("model", "reward")) or _is_environment(thing):
            there[name] = thing
    # An object made of a class of the same file is what is meant by the two.
    made = {type(thing) for thing in there.values() if not isinstance(thing, type)}
    return {name: thing for name, thing in there.items() if thing not in made}


def _is_environment(thing: Any) -> bool:
    return hasattr(thing, "P") or all(hasattr(thing, part) for part in ("reset", "step"))


def _made(thing: Any, name: str, settings: Mapping[str, Any]) -> Any:
    if isinstance(thing, type) or (callable(thing) and not isinstance(thing, HasModel)):
        try:
            thing = thing(**settings)
        except (Exception, SystemExit) as error:
            given = ", ".join(f"{key}={value!r}" for key, value in settings.items())
            why = source.blamed(error) or f"{type(error).__name__}: {error}"
            raise BadRequest(f"{name}({given}) cannot be made: {why}") from None
    elif settings:
        raise BadRequest(f"{name} is made already, so it takes no settings.")
    return _world_of(thing, name)


def _world_of(thing: Any, name: str) -> Any:
    """A world with a model: the thing itself, or what its table says."""
    if not isinstance(thing, HasModel) and _is_environment(thing) and not isinstance(thing, type):
        tables = importlib.import_module(f"freezetag.adapters.worlds.{TABLES}")
        return tables.of(thing, name)
    return _with_model(thing, name)


def _with_model(made: Any, name: str) -> HasModel:
    if isinstance(made, HasModel) and not isinstance(made, type):
        return made
    lacks = [part for part in ("model", "reward", "discount") if not hasattr(made, part)]
    less = f" (it lacks {', '.join(lacks)})" if len(lacks) < 3 else ""
    raise BadRequest(
        f"{name} offers no model to plan with{less}. Worlds that do: {', '.join(worlds())}."
    )
