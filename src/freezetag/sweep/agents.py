"""Which agents a sweep is of: names, patterns, families, folders, each agent once."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from freezetag import catalogue
from freezetag.catalogue import announced, look
from freezetag.core import Ref
from freezetag.core.named import parse
from freezetag.exam.resolve import (
    FILE,
    UnknownAgent,
    agent_ref,
    must_load,
    own_name,
    resolve,
)
from freezetag.exam.resolve import schemes as all_schemes
from freezetag.sim.adapter import adapter
from freezetag.sim.foreign import AgentFailed, BadAgent
from freezetag.sim.workers import Cache

Note = Callable[[str], None]
_WILD = frozenset("*?[")


def agents_named(texts: Sequence[str], note: Note = lambda text: None) -> tuple[str, ...]:
    """The names of all agents that are meant, in order, each once; `note` is told what is left out.

    A text is whatever `examine` takes, or one of

        axelrod:*                 a pattern over the names of a library's agents
        tit_*, reciprocators/*    a pattern over the names of players (and announced agents)
        reciprocators             a family of players
        my_agents, my_agents/*.py a folder of agents, or files by a pattern

    Raises `UnknownAgent` for what matches nobody, with near names, as `examine` does.
    """
    found: dict[Any, str] = {}
    with Cache(note) as cache:
        for text in texts:
            for name in _several(text.strip(), note):
                if (same := _same(name)) in found:
                    note(f"{name} is named twice and examined once.")
                    continue
                found[same] = name
                if name == text.strip():
                    _must_be_there(name, cache)
    if not found:
        raise UnknownAgent(
            "a sweep is of at least one agent: freezetag sweep tit_for_tat grudger, or "
            "freezetag sweep 'reciprocators/*'."
        )
    return tuple(found.values())


def _several(text: str, note: Note) -> Iterator[str]:
    """The names that a text stands for; itself, if it is a name."""
    head, settings = parse(text)
    scheme, colon, rest = head.partition(":")
    if settings or Path(text).is_file():
        yield text
    elif colon and scheme in all_schemes() and scheme != FILE and _WILD & set(rest):
        yield from _of_library(scheme, rest, note)
    elif Path(text).expanduser().is_dir():
        yield from _of_folder(Path(text).expanduser(), note)
    elif _WILD & set(text) and (
        text.endswith(".py") or (Path(text).parent.is_dir() and "/" in text)
    ):
        yield from _of_files(text, note)
    elif _WILD & set(text) and colon:
        near = catalogue.near(scheme, list(all_schemes()))
        hint = f" Did you mean {near[0]}:{rest}?" if near else ""
        raise UnknownAgent(f"there is no library {scheme!r} of agents.{hint}")
    elif _WILD & set(text):
        yield from _of_players(text)
    elif family := _family(text.rstrip("/")):
        yield from family
    else:
        yield text


def _of_library(scheme: str, pattern: str, note: Note) -> Iterator[str]:
    its = adapter(scheme)
    if its.names is None:
        raise UnknownAgent(
            f"{scheme}:{pattern} stands for nobody: there is no list of the agents of {scheme}. "
            "Name each of them."
        )
    if slow := its.notice(pattern):
        note(f"{slow} ...")
    try:
        with its.library():
            names = its.names()
    except BadAgent as error:
        raise UnknownAgent(f"{scheme}:{pattern}: {error}") from None
    hits = [name for name in names if fnmatch.fnmatchcase(name.casefold(), pattern.casefold())]
    if not hits:
        raise UnknownAgent(f"no agent matches {scheme}:{pattern}.{_near(pattern, names, scheme)}")
    yield from (f"{scheme}:{name}" for name in hits)


def _near(pattern: str, names: Sequence[str], scheme: str = "") -> str:
    near = catalogue.near("".join(c for c in pattern if c not in _WILD), list(names))
    prefix = f"{scheme}:" if scheme else ""
    return f" Did you mean {' or '.join(prefix + name for name in near)}?" if near else ""


def _of_folder(folder: Path, note: Note) -> list[str]:
    files = sorted(file for file in folder.glob("*.py") if file.name[0] not in "_.")
    found = _agents_among(files, note)
    if not found:
        more = f" It has {len(files)} Python files without one." if files else ""
        raise UnknownAgent(
            f"the folder {folder} holds no agent.{more} An agent is a file with act(obs): "
            f"`freezetag new {folder / 'my_agent.py'}` writes one."
        )
    return found


def _of_files(pattern: str, note: Note) -> list[str]:
    where = Path(pattern).expanduser()
    try:
        files = sorted(file for file in where.parent.glob(where.name) if file.is_file())
    except (OSError, ValueError):
        files = []
    found = _agents_among(files, note)
    if not found:
        raise UnknownAgent(f"no file with an agent matches {pattern}.")
    return found


def _agents_among(files: Sequence[Path], note: Note) -> list[str]:
    """Those that seem to hold an agent, by their source: nothing is executed. A file that cannot
    be read as Python stays, so that it gets a row that says why."""
    found = []
    for file in files:
        kinds = look.defined(str(file))
        known = [name for name in look.AGENTS if name in kinds]
        if known or not kinds or "players" in kinds.values():
            found.append(str(file))
        else:
            note(f"{file} holds no agent and is left out.")
    return found


def _of_players(pattern: str) -> list[str]:
    players = catalogue.members("players")
    theirs = [one.name for kind in ("players", "agents") for one in announced.of(kind)]
    wanted = pattern.replace("-", "_")
    hits = [
        _short(ref)
        for ref in players
        if fnmatch.fnmatchcase(ref.name, wanted)
        or fnmatch.fnmatchcase(f"{ref.family}/{ref.name}", wanted)
    ]
    hits += [name for name in theirs if fnmatch.fnmatchcase(name, pattern)]
    if not hits:
        names = [*(ref.name for ref in players), *_families(), *theirs]
        raise UnknownAgent(
            f"no player matches {pattern!r}.{_near(pattern, names)} "
            "`freezetag list players` shows all."
        )
    return hits


def _families() -> tuple[str, ...]:
    return tuple(dict.fromkeys(ref.family for ref in catalogue.members("players")))


def _family(name: str) -> list[str]:
    """The players of a family; none if there is none of this name, or a player is called so."""
    wanted = name.replace("-", "_")
    players = catalogue.members("players")
    if any(ref.name == wanted for ref in players):
        return []
    return [_short(ref) for ref in players if ref.family == wanted]


def _short(ref: Ref) -> str:
    """A player's short name; with its family where two share it."""
    alike = [other for other in catalogue.members("players") if other.name == ref.name]
    return ref.name if len(alike) == 1 else f"{ref.family}/{ref.name}"


def _same(name: str) -> Any:
    """What two names have in common of one agent that is asked the same. Raises `UnknownAgent`."""
    ref, asked = agent_ref(name), name.removesuffix(own_name(name))
    scheme, colon, rest = ref.path.partition(":")
    if colon and scheme in all_schemes():
        if scheme == FILE:
            return asked, FILE, str(Path(rest).resolve()) if Path(rest).is_file() else rest
        return asked, scheme, "".join(c for c in rest if c not in " _-").casefold()
    return asked, ref.path, ref.settings


def _must_be_there(name: str, cache: Cache) -> None:
    """Raises `UnknownAgent` for a name that its library does not know: a typing error is refused at
    once. What is wrong in a user's own file is a row of its own."""
    ref = agent_ref(name)
    scheme = ref.path.partition(":")[0]
    if own_name(name) != name:
        resolve(name)  # it may not be one of whom this can be asked
    elif ref.foreign and scheme in all_schemes() and scheme != FILE:
        try:
            must_load(resolve(name), cache)
        except AgentFailed as failed:
            raise UnknownAgent(str(failed)) from None
