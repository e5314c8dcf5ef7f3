"""Names with settings, as cards print them and people write them: "button(hazard=0.02)".

`parse` reads what `written` writes: `parse(written(name, settings)) == (name, settings)` for
settings that are numbers, fractions, words, text, None, True, False and tuples of these.
"""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from freezetag.core.errors import UserError

Settings = tuple[tuple[str, Any], ...]
_WORDS = {"inf": math.inf, "nan": math.nan}


class BadName(UserError, ValueError):
    """A text that is not a name, nor a name with settings in parentheses."""


def parse(text: str, lists: bool = False) -> tuple[str, Settings]:
    """(name, settings sorted by key) of "name" or "name(key=value, ...)".

    A value is a number, a division of whole numbers (an exact fraction), a text in quotes or a
    bare word, None, True, False, or a tuple of these. A list is read as a tuple, so that settings
    can be hashed, unless `lists`. Raises `BadName`.

    >>> parse("matrix_game(game=chicken, noise=0.05)")
    ('matrix_game', (('game', 'chicken'), ('noise', 0.05)))
    >>> parse("button(hazard=1/50)")
    ('button', (('hazard', Fraction(1, 50)),))
    """
    text = text.strip()
    if not text.endswith(")") or "(" not in text:
        return text, ()
    head, _, rest = text.partition("(")
    head = head.strip()
    wanted = f"Write a name, or a name with settings such as {head or 'name'}(key=1)."
    try:
        call = ast.parse(f"f({rest}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadName(f"{text!r} cannot be read. {wanted}") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not head:
        raise BadName(f"{text!r} cannot be read. {wanted}")
    if call.args or any(entry.arg is None for entry in call.keywords):
        raise BadName(f"{text!r}: a setting has a name: {head}(key=value).")
    settings: dict[str, Any] = {}
    for entry in call.keywords:
        if str(entry.arg) in settings:
            raise BadName(f"{text!r} gives {entry.arg} twice.")
        try:
            settings[str(entry.arg)] = _value(entry.value, lists)
        except ValueError as error:
            raise BadName(f"{text!r}: {entry.arg}={error}") from None
    return head, tuple(sorted(settings.items()))


def written(name: str, settings: Iterable[tuple[str, Any]]) -> str:
    """The text that `parse` reads.

    >>> written("matrix_game", [("game", "chicken")])
    'matrix_game(game=chicken)'
    """
    parts = [f"{key}={_shown(value)}" for key, value in settings]
    return f"{name}({', '.join(parts)})" if parts else name


def _shown(value: Any) -> str:
    if isinstance(value, str):
        # Python reads a bare word in its normal form, which may be another text.
        bare = value.isidentifier() and value.isascii()
        bare = bare and not keyword.iskeyword(value) and value not in _WORDS
        return value if bare else repr(value)
    if isinstance(value, tuple):
        inside = ", ".join(map(_shown, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return str(value)


def _value(node: ast.expr, lists: bool) -> Any:
    """The value that an expression stands for. Raises `ValueError`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | None):
        return node.value
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id, node.id)
    if isinstance(node, ast.Tuple | ast.List):
        inside = [_value(item, lists) for item in node.elts]
        return inside if lists and isinstance(node, ast.List) else tuple(inside)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _value(node.operand, lists)
        if isinstance(number, int | float | Fraction) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        above, below = _value(node.left, lists), _value(node.right, lists)
        if type(above) is int and type(below) is int and below:
            return Fraction(above, below)
    raise ValueError(
        f"{ast.unparse(node)} is not a value. Values are numbers, 'text' or words, None, True, "
        "False, and tuples of these."
    )
