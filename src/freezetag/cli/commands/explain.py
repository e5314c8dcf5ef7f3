"""Explain a probe, a world, a player or an estimator: what it is, its source, and its caveat."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

from freezetag import catalogue
from freezetag.catalogue import announced, look, source
from freezetag.core import Ref
from freezetag.report.words import plain

EXPLAINED = ("substrates", "players", "probes", "estimators")


def explain(name: str, /) -> None:
    """Explain a probe, a world, a player or an estimator.

    Parameters
    ----------
    name
        a name that `freezetag list` shows, a file, or package.module:Class
    """
    kind, ref = _find(name)
    print(f"{ref.name}   ({ref.path})\n")
    if kind == "estimators":
        _explain_module(ref)
        return
    member = catalogue.member_class(ref)
    print(textwrap.indent(inspect.getdoc(member) or "It says nothing of itself.", "  "))
    for field in ("asks", "source", "caveat", "claims"):
        value = getattr(member, field, None)
        if isinstance(value, str | tuple) and value:
            print(f"\n{field}:")
            for text in (value,) if isinstance(value, str) else value:
                print(textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="  "))
    for field in ("needs", "worlds"):
        listed = getattr(member, field, ())
        names = [getattr(x, "__name__", getattr(x, "name", "")) for x in listed]
        if names:
            print(f"\n{field}: {', '.join(names)}")


def _explain_module(ref: Ref) -> None:
    """An estimator is a file with functions: what each says, read without importing it."""
    tree = ast.parse(catalogue.file_of(ref).read_text(encoding="utf-8"))
    print(textwrap.indent(ast.get_docstring(tree) or "", "  "))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
            called = "" if isinstance(node, ast.ClassDef) else f"({ast.unparse(node.args)})"
            print(f"\n{node.name}{called}")
            print(textwrap.indent(ast.get_docstring(node) or "", "  "))


def _find(name: str) -> tuple[str, Ref]:
    """The kind and the member. Raises `catalogue.Unknown` with what is near in all kinds."""
    kinds: tuple[str, ...] = EXPLAINED
    if source.is_outside(name.partition("(")[0]):
        where, inner = source.parts(name) if not name.endswith(".py") else (name, "")
        there = look.defined(where)
        if Path(where).is_file() and not inner and not {*there.values()} & {*EXPLAINED}:
            raise catalogue.NoMember(
                f"{plain(where)} has no world, player or probe to explain. "
                f"`freezetag check {plain(where)}` shows what an agent in it sees and does."
            )
        held = [there.get(inner.partition(".")[0], "")] if inner else [*there.values()]
        kinds = tuple(kind for kind in catalogue.KINDS if kind in held) or catalogue.KINDS
    for kind in kinds:
        try:
            return kind, catalogue.find(kind, name)
        except (catalogue.Unknown, catalogue.NoMember):
            if kind == kinds[-1] and kinds != EXPLAINED:
                raise
    names = [ref.name for kind in EXPLAINED for ref in catalogue.members(kind)]
    names += [one.name for kind in catalogue.KINDS for one in announced.of(kind)]
    near = catalogue.near(name.replace("-", "_"), names)
    raise catalogue.Unknown("thing", name, near, " `freezetag list` shows all.")
