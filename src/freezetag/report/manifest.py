"""`files.sha256`: the SHA-256 of each file of a run folder, as `sha256sum -c` reads it.

A hash is not a signature: who changes a file can write the list anew. Whoever wants to know later
keeps the list's own hash outside of the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

FILE = "files.sha256"


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


def changed(folder: Path) -> str:
    """Which files of a run folder are not those that were written, in words; "" if all are, or the
    folder has no list of them, as those of earlier versions."""
    if not digest(folder):
        return ""
    return "; ".join(_wrong(folder))


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
