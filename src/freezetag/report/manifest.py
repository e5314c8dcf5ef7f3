"""`files.sha256`: the SHA-256 of each file of a run folder, as `sha256sum -c` reads it.

The card names the list, so that one that is gone is missed. A hash is not a signature: who changes
a file can write the list anew, and take its name out of the card. Whoever wants to know later keeps
the list's own hash outside of the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from freezetag.core import ReportCard

FILE = "files.sha256"
SPEC = "spec.toml"
"""A file that each run folder has: a card without it was taken out of its folder."""
_NAMED = "files listed in"
"""Where a card's `run` names the list: one of an earlier version names none."""


def named(card: ReportCard) -> ReportCard:
    """The card of a folder that has a list."""
    return replace(card, run={**card.run, _NAMED: FILE})


def text_of(files: Iterable[Path]) -> str:
    """A line a file, by name. Raises `OSError`."""
    named = sorted((file.name, file) for file in files)
    return "".join(f"{_digest(file)}  {name}\n" for name, file in named)


def digest(folder: Path) -> str:
    """ "sha256:..." of the list in a folder; "" where there is none."""
    try:
        return f"sha256:{_digest(folder / FILE)}"
    except OSError:
        return ""


def changed(run: Path, card: ReportCard) -> str:
    """Which files of a run (its folder, or the card in it) are not those that were written, in
    words; "" if all are, or nobody can tell: see `unlisted`."""
    folder = run if run.is_dir() else run.parent
    if digest(folder):
        return "; ".join(_wrong(folder))
    missed = card.run.get(_NAMED) and _is_folder(run)
    return f"{FILE}, the list of its files, is missing" if missed else ""


def unlisted(run: Path, card: ReportCard) -> str:
    """Of a run whose folder never had a list, that nobody can tell, in words; else ""."""
    folder = run if run.is_dir() else run.parent
    if digest(folder) or card.run.get(_NAMED) or not _is_folder(run):
        return ""
    return (
        f"the run in {folder} has no {FILE}, as those of earlier versions: whether its files are "
        "those that were written cannot be told, but of the results in card.json."
    )


def _is_folder(run: Path) -> bool:
    """Whether this is a run's folder or a card in it, and no card that was taken out of it."""
    return run.is_dir() or (run.parent / SPEC).is_file()


def _wrong(folder: Path) -> Iterator[str]:
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines() or [""]
    except ValueError:
        lines = [""]
    for line in lines:
        was, gap, name = line.partition("  ")
        if not gap or len(was) != 64 or Path(name).name != name:
            yield f"{FILE} is damaged"
            return
        try:
            if _digest(folder / name) != was:
                yield f"{name} was changed"
        except FileNotFoundError:
            yield f"{name} is missing"
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
