"""What the tests of a module assert, read from the functions that pytest collects in it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from _pytest.mark.structures import ParameterSet

from freezetag.core.probe import FAIL, INCONCLUSIVE, MEASURED, PASS, WARN

VERDICTS = {FAIL, INCONCLUSIVE, MEASURED, PASS, WARN}


@dataclass(frozen=True)
class Test:
    """One test function: the verdicts that something must be for it to pass, the names that it
    uses, and whether it compares a figure with one that is known."""

    name: str
    verdicts: frozenset[str]
    names: tuple[str, ...]
    compares: bool


def collected(module: ModuleType) -> Iterator[Test]:
    """The tests of a module, as pytest finds them: by their name, with the values of parameters."""
    for name, function in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(function):
            yield _read(name, function)


def _read(name: str, function: Any) -> Test:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    known = {**function.__globals__, **_parameters(function)}
    verdicts: set[str] = set()
    compares = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        for compared in (n for n in ast.walk(node.test) if isinstance(n, ast.Compare)):
            equal = all(isinstance(op, ast.Eq) for op in compared.ops)
            for part in ast.walk(compared) if equal else ():
                verdicts |= _values(part, known)
            # In between: low <= reference <= high.
            compares |= len(compared.ops) == 2
        compares |= "approx" in _names(node) or "allclose" in _names(node)
    return Test(name, frozenset(verdicts), (name, *_names(tree)), compares)


def _values(node: ast.AST, known: dict[str, Any]) -> set[str]:
    """The verdicts that a part of an expression stands for."""
    if isinstance(node, ast.Constant):
        found = (node.value,)
    elif isinstance(node, ast.Name):
        value = known.get(node.id)
        found = value if isinstance(value, tuple) else (value,)
    else:
        return set()
    return {one for one in found if isinstance(one, str) and one in VERDICTS}


def _parameters(function: Any) -> dict[str, tuple[Any, ...]]:
    """Name of a parameter -> the values that it is given."""
    found: dict[str, tuple[Any, ...]] = {}
    for mark in getattr(function, "pytestmark", ()):
        if mark.name != "parametrize":
            continue
        given, rows = mark.args[:2]
        names = [n.strip() for n in given.split(",")] if isinstance(given, str) else list(given)
        rows = [row.values if isinstance(row, ParameterSet) else row for row in rows]
        if len(names) == 1:
            values = [[row[0] if isinstance(row, tuple) else row for row in rows]]
        else:
            values = [list(column) for column in zip(*rows, strict=True)]
        found |= {name: tuple(column) for name, column in zip(names, values, strict=True)}
    return found


def _names(tree: ast.AST) -> tuple[str, ...]:
    return tuple(
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )
