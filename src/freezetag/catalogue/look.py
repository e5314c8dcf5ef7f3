"""What a Python file seems to define, read without executing it.

An agent in plain Python is executed in a process of its own, a world, a player or a probe in this
one: which of them a file holds has to be known before it is executed. Classes and functions count
by the names of their methods, with those of their bases; the Protocols have the last
word when the file is loaded.
"""

from __future__ import annotations

import ast
from typing import Any

from freezetag.catalogue import source

AGENTS = ("agent", "Agent", "act")
"""What an agent is called in a file that does not say so otherwise."""
POPULATION, FAMILY = "population", "FAMILY"
DEPTH = 2
"""Files that bases are looked for in, one after the other."""
_NAMED = {"world": "substrates", "player": "players", "probe": "probes"}
_METHODS = {
    "probes": {"design", "measure"},
    "substrates": {"init", "observe", "step"},
    "agents": {"act"},
    "environments": {"reset", "step"},
}
_JAX = 4
"""Arguments of a player's `act(self, key, carry, obs)`; an agent's has (self, obs)."""


def defined(where: str) -> dict[str, str]:
    """name -> kind ("players", "probes", "substrates", "agents", "environments" of another library,
    "population" or "") of what a file or module defines at its top, in order; {} if there is no
    source to read."""
    tree = _tree(where)
    methods = _methods(tree, DEPTH)
    kinds: dict[str, str] = {}
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ClassDef):
            kinds[node.name] = _kind(methods[node.name])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kinds[node.name] = "agents" if node.name in AGENTS else ""
        else:
            for name, value in _assigned(node):
                kinds[name] = POPULATION if name == POPULATION else _of_value(value, kinds, name)
    return kinds


def _methods(tree: ast.Module | None, depth: int) -> dict[str, dict[str, int]]:
    """Of each class of a file, its methods with the number of their arguments, those of its bases
    too, as far as `depth` files away."""
    found: dict[str, dict[str, int]] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                imported[alias.asname or alias.name] = (node.module, alias.name)
        if not isinstance(node, ast.ClassDef):
            continue
        own: dict[str, int] = {}
        for base in node.bases:
            name = getattr(base, "id", "")
            if name in found:
                own |= found[name]
            elif name in imported and depth:
                module, original = imported[name]
                own |= _methods(_tree(module), depth - 1).get(original, {})
        own |= {
            item.name: len(item.args.posonlyargs) + len(item.args.args)
            for item in node.body
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        found[node.name] = own
    return found


def _of_value(value: ast.expr | None, kinds: dict[str, str], name: str) -> str:
    """An object is of the kind of the class it is made of."""
    called = value.func if isinstance(value, ast.Call) else value
    if isinstance(called, ast.Name) and called.id in kinds:
        return kinds[called.id] or _NAMED.get(name, "")
    return "agents" if name in AGENTS else _NAMED.get(name, "")


def _kind(methods: dict[str, int]) -> str:
    """From the methods of a class, with the number of their arguments."""
    if "plan" in methods and "act" not in methods:
        return "players"
    if "init" in methods and methods.get("act", 0) >= _JAX:
        return "players"
    return next((kind for kind, needed in _METHODS.items() if needed <= methods.keys()), "")


def literal(where: str, name: str) -> Any:
    """The value of `name = 'a literal'` at the top of a file or module; None if it has none."""
    tree = _tree(where)
    for node in tree.body if tree is not None else ():
        for target, value in _assigned(node):
            if target == name and value is not None:
                try:
                    return ast.literal_eval(value)
                except (ValueError, TypeError, RecursionError):
                    return None
    return None


def _assigned(node: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name, None) for alias in node.names]
    else:
        return []
    return [(target.id, node.value) for target in targets if isinstance(target, ast.Name)]


def _tree(where: str) -> ast.Module | None:
    file = source.file_of(where)
    if file is None:
        return None
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
