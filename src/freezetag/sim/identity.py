"""A name for a structure that holds in every process: what is the same is named the same.

Python's `hash` and `repr` change from process to process and hide differences; this names a value
by module, qualified name and fields. What cannot be named so is refused, never guessed.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Nameless(Exception):
    """A value that has no name outside this process; the message says which."""


def identity(value: Any) -> str:
    """The name. Raises `Nameless` for an object that is no dataclass, a function or class inside
    another, and a class that was changed after it was made."""
    return "".join(_words(value))


@lru_cache(maxsize=1)
def version() -> str:
    """A hash of every source file of this package: any of them may shape a program."""
    files = sorted(PACKAGE.rglob("*.py"))
    return _hash((f.relative_to(PACKAGE).as_posix().encode(), f.read_bytes()) for f in files)


def _words(value: Any) -> Iterator[str]:
    if value is None or (isinstance(value, bool | int | str | bytes) and not _special(value)):
        yield f"{type(value).__name__} {value!r};"
    elif isinstance(value, float) and not _special(value):
        yield f"float {value.hex()};"
    elif type(value) is Fraction:
        yield f"Fraction {value};"
    elif isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise Nameless(f"an array of objects: {value!r}")
        content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        yield f"array {array.dtype.str} {array.shape} {content};"
    elif isinstance(value, type):
        yield f"class {_place(value)};"
    elif isinstance(value, enum.Enum):
        yield f"{_place(type(value))}.{value.name};"
    elif dataclasses.is_dataclass(value):
        yield f"{_place(type(value))}("
        for field in dataclasses.fields(value):
            yield f"{field.name}="
            yield from _words(getattr(value, field.name))
        yield ")"
    elif isinstance(value, tuple | list):
        yield f"{_place(type(value))}["
        for item in value:
            yield from _words(item)
        yield "]"
    elif isinstance(value, dict):
        yield f"{_place(type(value))}{{"
        for key, item in value.items():
            yield from _words(key)
            yield from _words(item)
        yield "}"
    elif isinstance(value, set | frozenset):
        yield f"{_place(type(value))}<{''.join(sorted(map(identity, value)))}>"
    elif isinstance(value, partial):
        yield "partial "
        yield from _words((value.func, value.args, value.keywords))
    elif isinstance(value, types.FunctionType):
        yield f"function {_place(value)};"
    else:
        raise Nameless(f"{type(value).__qualname__} {value!r:.80}")


def _special(value: Any) -> bool:
    """Whether it is of a class derived from a plain one, such as an enum of integers."""
    return type(value) not in (bool, int, str, bytes, float)


def _place(thing: Any) -> str:
    """Module and qualified name of a class or function, and, outside this package, a hash of the
    sources it may depend on. Raises `Nameless` where they do not lead back to it."""
    name, home = thing.__qualname__, thing.__module__
    there: Any = sys.modules.get(home)
    for part in name.split("."):
        there = getattr(there, part, None)
    if there is not thing or home == "__main__":
        raise Nameless(f"{home}.{name} cannot be imported")
    if isinstance(thing, type):
        for cls in thing.__mro__:
            _as_written(cls)
    return f"{home}:{name}{_sources(home)}"


def _as_written(cls: type) -> None:
    """Raises `Nameless` for a class with a method put in from elsewhere (a test does that)."""
    if cls.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return
    for name, method in vars(cls).items():
        code = getattr(method, "__code__", None)
        if code is not None and not _ours(code.co_filename):
            raise Nameless(f"{cls.__module__}.{cls.__qualname__}.{name} was replaced")


def _ours(file: str) -> bool:
    # What a dataclass writes for itself has a name in angle brackets.
    return file.startswith(("<", str(PACKAGE), *_INSTALLED))


def _sources(module: str) -> str:
    """A hash of the user's sources: of all modules of the same library, and for a file that
    belongs to none, of all loaded files that belong to none."""
    top = module.partition(".")[0]
    if top == __name__.partition(".")[0]:
        return ""  # `version` is part of every key
    if top in sys.stdlib_module_names:
        return ""  # the version of Python is part of every key
    loaded = {
        name: Path(file)
        for name, found in list(sys.modules.items())
        if (file := getattr(found, "__file__", None)) and isinstance(file, str)
    }
    if top not in loaded or not str(loaded[top]).startswith(_INSTALLED):
        mine = {n: f for n, f in loaded.items() if not _ours(str(f))}
        if module not in mine:
            raise Nameless(f"{module} has no file")
    else:
        mine = {n: f for n, f in loaded.items() if n.partition(".")[0] == top}
    try:
        return " " + _hash((n.encode(), mine[n].read_bytes()) for n in sorted(mine))
    except OSError as error:
        raise Nameless(f"the source of {module} cannot be read: {error}") from None


def _hash(parts: Iterator[tuple[bytes, bytes]]) -> str:
    found = hashlib.sha256()
    for name, content in parts:
        found.update(b"%d %s %d " % (len(name), name, len(content)))
        found.update(content)
    return found.hexdigest()
