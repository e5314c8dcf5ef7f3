"""The folder is the catalogue: what there is, found by reading folders; loaded only when used.

Listing imports nothing, so that `freezetag list` and near-name hints are quick.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from functools import cache
from pathlib import Path
from typing import Any

from freezetag.core import Ref, UserError

HERE = Path(__file__).parent
KINDS = ("substrates", "players", "probes")


class Unknown(UserError):
    """A name that is not in the catalogue; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, near: list[str], more: str = "") -> None:
        self.kind, self.name, self.near = kind, name, near
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"there is no {kind.rstrip('s')} called {name!r}.{hint}{more}")


@cache
def members(kind: str) -> tuple[Ref, ...]:
    """All members of a kind, by path: files that do not start with an underscore, and folders with
    a file of their own name in them. In a kind that has families the members lie in the families'
    folders, and files beside them are not members.
    """
    root = HERE / kind
    folders = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(("_", "."))]
    grown = [folder for folder in folders if (folder / f"{folder.name}.py").exists()]
    in_families = [] if grown else [f for family in folders for f in family.glob("*.py")]
    files = in_families or [*root.glob("*.py"), *grown]
    found = sorted(f.relative_to(HERE).with_suffix("") for f in files if f.name[0] != "_")
    return tuple(Ref(path.as_posix()) for path in found)


def find(kind: str, name: str) -> Ref:
    """The member called `name` (short, `family/name` or whole path). Raises `Unknown`."""
    wanted = name.strip().replace("-", "_")
    for ref in members(kind):
        if wanted == ref.path or ref.path.endswith(f"/{wanted}"):
            return ref
    raise Unknown(kind, name, near(wanted, [ref.name for ref in members(kind)]), _see(kind))


def near(name: str, names: list[str]) -> list[str]:
    """Up to three of `names` that look like `name`."""
    lowered = {candidate.lower(): candidate for candidate in names}
    hits = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    return [lowered[hit] for hit in hits]


def file_of(ref: Ref) -> Path:
    """The file of a member; of one that outgrew a file, the file of its name in its folder."""
    folder = HERE / ref.path
    return folder / f"{folder.name}.py" if folder.is_dir() else HERE / f"{ref.path}.py"


def member_class(ref: Ref) -> type[Any]:
    """The class that a member's file defines: its name in CamelCase."""
    file = file_of(ref).relative_to(HERE).with_suffix("")
    module = importlib.import_module("freezetag." + file.as_posix().replace("/", "."))
    name = "".join(word.title() for word in Path(ref.path).name.split("_"))
    found: type[Any] = getattr(module, name)
    return found


def load(ref: Ref) -> Any:
    """The object a Ref names, with its settings. Raises `Unknown` or `ValueError`."""
    kind = ref.path.split("/", 1)[0]
    if not file_of(ref).exists():
        raise Unknown(kind, ref.path, near(ref.name, [r.name for r in members(kind)]), _see(kind))
    cls = member_class(ref)
    try:
        return cls(**dict(ref.settings))
    except TypeError as error:
        raise ValueError(
            f"{ref.path} does not take these settings: {dict(ref.settings)} ({error})."
        ) from error


def _see(kind: str) -> str:
    return f" `freezetag list {kind}` shows all."


def summary(ref: Ref) -> str:
    """The first line of a member's file, read without importing it."""
    tree = ast.parse(file_of(ref).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]
