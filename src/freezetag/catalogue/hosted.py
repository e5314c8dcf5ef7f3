"""Worlds of other libraries: `scheme:name`, where a file of `adapters/worlds` makes worlds.

Such a world is stepped in a process of its own, so that nothing of it is imported here. A file
without a world of ours, but with an environment, is one too.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

from freezetag.catalogue import look, source

FOLDER = Path(__file__).parents[1] / "adapters" / "worlds"
OF_FILES = "pettingzoo"
"""The scheme by which an environment in a file is played."""
NAMES = ("parallel_env", "env", "environment")


@cache
def schemes() -> tuple[str, ...]:
    """Adapters that make worlds, read from the folder: those that define `world`."""
    files = sorted(file for file in FOLDER.glob("*.py") if file.stem[0] != "_")
    return tuple(file.stem for file in files if "world" in look.defined(str(file)))


def path_of(head: str) -> str:
    """ "scheme:name" of what a name without settings means; "" if it is no such world."""
    if head.partition(":")[0] in schemes():
        return head
    where, name = source.parts(head) if not head.endswith(".py") else (head, "")
    if not where.endswith(".py"):
        return ""
    there = look.defined(where)
    if name:
        found = there.get(name.partition(".")[0]) in ("environments", "")
        return f"{OF_FILES}:{head}" if found and _hints(there) else ""
    if "substrates" in there.values():
        return ""
    return f"{OF_FILES}:{head}" if _hints(there) else ""


def _hints(there: dict[str, str]) -> bool:
    return "environments" in there.values() or any(name in there for name in NAMES)


def inner(path: str) -> str:
    """What the scheme of a path is asked for; the path itself if it has none."""
    scheme, _, name = path.partition(":")
    return name if scheme in schemes() else path


def made(path: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    """The world. Raises a `UserError` that says why it cannot be played."""
    scheme, _, name = path.partition(":")
    adapter = importlib.import_module(f"freezetag.adapters.worlds.{scheme}")
    return adapter.world(name, settings)
