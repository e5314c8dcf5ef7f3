"""What there is: our own members, found by reading folders, and those from anywhere else.

A member is a world, a player or a probe; which of them it is, the Protocols in `core` decide. It
is named in one of these ways, each with settings if wanted, as in `button(hazard=0.02)`:

    commons, reciprocators/tit_for_tat      one of ours: the folder is the catalogue
    volunteers                              one that an installed package announces
    my_world.py, my_world.py:Volunteers     one in a file
    package.module:Volunteers               one in a module that can be imported
    pettingzoo:mpe2.simple_spread_v3        a world of another library, or an environment in a file,
                                            which is stepped in a process of its own

Listing ours imports nothing, so that `freezetag list` and near-name hints are quick. **A file or
module that is named is executed in this process, with your rights**: it is JAX code, which the
driver compiles together with everything else.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from functools import cache
from pathlib import Path
from typing import Any

from freezetag.catalogue import announced, hosted, member, source
from freezetag.catalogue.member import BadSettings, NoMember
from freezetag.catalogue.source import NotLoaded
from freezetag.core import Ref, UserError
from freezetag.core.named import parse

__all__ = [
    "BadSettings",
    "NoMember",
    "NotLoaded",
    "Unknown",
    "file_of",
    "find",
    "given",
    "is_given",
    "is_player",
    "load",
    "member_class",
    "members",
    "near",
    "ours",
    "summary",
]

HERE = Path(__file__).parents[1]
KINDS = ("substrates", "players", "probes")
_given: dict[Ref, Any] = {}


class Unknown(UserError):
    """A name that is not in the catalogue; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, near: list[str], more: str = "") -> None:
        self.kind, self.name, self.near = kind, name, near
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"there is no {kind.rstrip('s')} called {name!r}.{hint}{more}")


@cache
def members(kind: str) -> tuple[Ref, ...]:
    """All of our members of a kind, by path: files that do not start with an underscore, and
    folders with a file of their own name in them. In a kind that has families the members lie in
    the families' folders, and files beside them are not members.
    """
    root = HERE / kind
    folders = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(("_", "."))]
    grown = [folder for folder in folders if (folder / f"{folder.name}.py").exists()]
    in_families = [] if grown else [f for family in folders for f in family.glob("*.py")]
    files = in_families or [*root.glob("*.py"), *grown]
    found = sorted(f.relative_to(HERE).with_suffix("") for f in files if f.name[0] != "_")
    return tuple(Ref(path.as_posix()) for path in found)


def find(kind: str, name: str) -> Ref:
    """The member called `name`, with its settings if the name has any.

    Ours are found by their short name, `family/name` or whole path, before those that a package
    announces. A file or a module is loaded, to see what it holds. Raises `Unknown`, `BadName`,
    `NotLoaded` for what cannot be loaded, `NoMember` for a file without such a member or with two.
    """
    head, settings = parse(name)
    if (ref := Ref(head, settings)) in _given:
        return ref
    wanted = head.replace("-", "_")
    for ref in members(kind):
        if wanted == ref.path or ref.path.endswith(f"/{wanted}"):
            return Ref(ref.path, settings)
    if kind == "substrates" and (path := hosted.path_of(head)):
        hosted.made(path, settings)
        return Ref(path, settings)
    if source.is_outside(head):
        path, thing = member.located(kind, head)
        own = ours(kind, thing) if isinstance(thing, type) else ""
        return Ref(own or path, settings)
    theirs = announced.of(kind)
    if (one := announced.called(theirs, head)) is not None:
        path, _ = member.located(kind, one.value, one)
        return Ref(path, settings)
    names = [*(ref.name for ref in members(kind)), *(one.name for one in theirs)]
    raise Unknown(kind, head, near(wanted, [*names, *source.files_here(head)]), _see(kind))


def near(name: str, names: list[str]) -> list[str]:
    """Up to three of `names` that look like `name`."""
    lowered = {candidate.lower(): candidate for candidate in names}
    hits = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    return [lowered[hit] for hit in hits]


def file_of(ref: Ref) -> Path:
    """The file of one of our members; of one that outgrew a file, the file of its name in its
    folder."""
    folder = HERE / ref.path
    return folder / f"{folder.name}.py" if folder.is_dir() else HERE / f"{ref.path}.py"


def member_class(ref: Ref) -> type[Any]:
    """The class that a member is made of."""
    found: Any = _thing(ref)
    return found if isinstance(found, type) else type(found)


def load(ref: Ref) -> Any:
    """The object a Ref names, with its settings. Raises as `find` does, and `BadSettings`."""
    if ref in _given:
        return _given[ref]
    if _is_hosted(ref):
        return hosted.made(ref.path, ref.settings)
    return member.made(_thing(ref), ref)


def _is_hosted(ref: Ref) -> bool:
    return ref.path.partition(":")[0] in hosted.schemes()


def _thing(ref: Ref) -> Any:
    """The class, function or object that a Ref names, without its settings."""
    if ref in _given or _is_hosted(ref):
        return load(ref)
    if source.is_outside(ref.path):
        return source.named(ref.path)
    return _of_ours(HERE, ref.path)


@cache
def _of_ours(here: Path, path: str) -> Any:
    """`_thing` for a member in the folder `here`; an exam asks thousands of times."""
    ref, kind = Ref(path), path.split("/", 1)[0]
    if not file_of(ref).exists():
        names = [r.name for r in members(kind)] if kind in KINDS else []
        raise Unknown(kind, path, near(ref.name, names), _see(kind))
    file = file_of(ref).relative_to(here).with_suffix("")
    module = importlib.import_module("freezetag." + file.as_posix().replace("/", "."))
    return getattr(module, _camel(Path(path).name))


def given(kind: str, thing: Any) -> Ref:
    """The Ref of an object (or class) that was given in Python in place of a name.

    A frozen dataclass of a file or module is named by its class and the settings that differ from
    its defaults, so that the record says how to make it again; this process uses the object
    itself. Raises `NoMember` for what is no such member, or cannot be hashed.
    """
    if isinstance(thing, type):
        member.must_be(kind, thing, thing.__name__)
        thing = member.made(thing, Ref(thing.__name__))
    member.must_be(kind, thing, f"this {type(thing).__name__}")
    cls = type(thing)
    path = ours(kind, cls) or f"{source.address(cls.__module__)}:{cls.__qualname__}"
    settings = member.changed(thing)
    ref, number = Ref(path, settings), 1
    while ref in _given and _given[ref] != thing:
        number += 1
        ref = Ref(f"{path}#{number}", settings)
    _given[ref] = thing
    return ref


def is_given(ref: Ref) -> bool:
    """Whether only this process can make it, because it was given as an object."""
    return ref in _given


def is_player(thing: Any) -> bool:
    """Whether an object or a class is a player in JAX, rather than an agent in Python."""
    return member.is_one("players", thing)


def ours(kind: str, thing: Any) -> str:
    """The path of one of our members from its class; "" for anything else."""
    top, _, rest = str(getattr(thing, "__module__", "")).partition(".")
    path = rest.replace(".", "/")
    folder, _, last = path.rpartition("/")
    path = folder if folder.endswith(f"/{last}") else path  # one that outgrew a file
    return path if top == "freezetag" and Ref(path) in members(kind) else ""


def _camel(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


def _see(kind: str) -> str:
    return f" `freezetag list {kind}` shows all." if kind in KINDS else ""


def summary(ref: Ref) -> str:
    """The first line of one of our members' files, read without importing it."""
    tree = ast.parse(file_of(ref).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]
