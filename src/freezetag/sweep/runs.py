"""What lies in a folder of runs: exams and sweeps, whole, interrupted or damaged."""

from __future__ import annotations

import json
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezetag.core import UserError
from freezetag.core.errors import printable
from freezetag.exam.store import SPEC
from freezetag.report import schema
from freezetag.sweep.folder import CELLS, REQUEST

CARD = "card.json"
DAMAGED, INTERRUPTED = "damaged", "interrupted"


class NoFolder(UserError):
    """There is no such folder."""


@dataclass(frozen=True)
class Run:
    """A run folder. `kind` is "exam", "rescored" or "sweep"; `problem` says what is damaged.

    Of a sweep `verdict` counts those of its exams, and `agent` says how many there are.
    """

    kind: str
    path: Path
    date: str
    agent: str = ""
    worlds: tuple[str, ...] = ()
    verdict: str = ""
    problem: str = ""


def runs(folder: Path) -> tuple[Run, ...]:
    """All runs under a folder, the oldest first; of a sweep that is the folder itself, its exams.

    A damaged folder is one of them, and the others go on. Links are not followed. Raises
    `NoFolder`.
    """
    if not folder.is_dir():
        raise NoFolder(
            f"there is no folder {folder}. `freezetag examine AGENT` and `freezetag sweep` write "
            "into runs/, or into --out."
        )
    inside = folder / CELLS if (folder / REQUEST).is_file() else folder
    found = [*_below(inside)]
    return tuple(sorted(found, key=lambda run: (run.date, str(run.path))))


def _below(folder: Path) -> Iterator[Run]:
    try:
        if (folder / REQUEST).is_file():
            yield _sweep(folder)
            return
        if (folder / SPEC).is_file() or (folder / CARD).is_file():
            yield _exam(folder)
        inner = sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError as error:
        said = f"cannot read {folder}: {error.strerror}"
        yield Run("exam", folder, "", verdict=DAMAGED, problem=said)
        return
    for each in inner:
        if each.name[0] != "." and each.name != "parts":
            yield from _below(each)


def _exam(folder: Path) -> Run:
    kind = "rescored" if folder.name.startswith("rescored-") else "exam"
    file = folder / CARD
    if not file.is_file():
        agent, date = "", _day(folder / SPEC)
        try:
            given = tomllib.loads((folder / SPEC).read_text(encoding="utf-8"))
            agent = str(given.get("agent", ""))
        except (OSError, ValueError) as error:
            return Run(kind, folder, date, verdict=DAMAGED, problem=f"{SPEC}: {_line(error)}")
        return Run(kind, folder, date, agent, tuple(given.get("worlds", ())), INTERRUPTED)
    try:
        card = schema.read_json(file)
    except (UserError, OSError, ValueError) as error:
        return Run(kind, folder, _day(file), verdict=DAMAGED, problem=_line(error))
    worlds = tuple(dict.fromkeys(s.world for s in card.sections if s.measurements))
    date = str(card.run.get("date", "")) or _day(file)
    verdict = f"{card.verdict} (partial)" if card.partial else card.verdict
    try:
        problem = schema.altered(file)
    except (UserError, OSError, ValueError) as error:
        problem = _line(error)
    return Run(kind, folder, date, card.agent, worlds, DAMAGED if problem else verdict, problem)


def _sweep(folder: Path) -> Run:
    date = _day(folder / REQUEST)
    try:
        given = tomllib.loads((folder / REQUEST).read_text(encoding="utf-8"))
        agents, seeds = len(given["agents"]), len(given["seeds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"{REQUEST}: {_line(error)}"
        return Run("sweep", folder, date, verdict=DAMAGED, problem=said)
    count: Counter[str] = Counter()
    worlds: dict[str, None] = {}
    for file in sorted((folder / CELLS).glob(f"*/{CARD}")):
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            count["partial" if data["results"]["partial"] else str(data["verdict"])] += 1
            worlds |= {s["world"]: None for s in data["results"]["sections"] if s["measurements"]}
        except (OSError, ValueError, KeyError, TypeError):
            count[DAMAGED] += 1
    said = ", ".join(f"{n} {verdict}" for verdict, n in sorted(count.items()))
    if missing := agents * seeds - sum(count.values()):
        said = ", ".join(filter(None, [said, f"{missing} without a card"]))
    names = f"{agents} agent{'s' if agents != 1 else ''} x {seeds} seed{'s' if seeds != 1 else ''}"
    return Run("sweep", folder, date, names, tuple(worlds), said)


def _day(file: Path) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(file.stat().st_mtime))
    except OSError:
        return ""


def _line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


def as_json(found: tuple[Run, ...]) -> list[dict[str, Any]]:
    """The runs as plain data."""
    return [
        {
            "kind": run.kind,
            "path": str(run.path),
            "date": run.date,
            "agent": run.agent,
            "worlds": list(run.worlds),
            "verdict": run.verdict,
            "problem": run.problem,
        }
        for run in found
    ]
