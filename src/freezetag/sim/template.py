"""Settings are leaves: how a player or a world is split into structure and numbers.

A `Template` is the hashable structure (class, static fields, and the shapes of the others); its
float and array fields are leaves that enter a compiled program as data, so that a sweep over
settings reuses one program.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from freezetag.core import Array


@dataclass(frozen=True)
class Template:
    """A dataclass instance without its float fields.

    leaves  (name, shape, dtype) of each: members of one template can be stacked
    """

    cls: type[Any]
    static: tuple[tuple[str, Any], ...]
    leaves: tuple[tuple[str, tuple[int, ...], str], ...]

    def build(self, values: dict[str, Array]) -> Any:
        """The object with these leaf values (arrays or tracers)."""
        return self.cls(**dict(self.static), **values)


def split(member: Any) -> tuple[Template, dict[str, Any]]:
    """(template, leaves): leaves are float32 scalars, for a tuple of floats vectors, and arrays as
    they are. A member that can be written as a table (`as_data`) travels as that table."""
    static, leaves = [], {}
    member = member.as_data() if hasattr(member, "as_data") else member
    for field in dataclasses.fields(member):
        value = getattr(member, field.name)
        if _is_setting(value):
            kept = value.dtype if isinstance(value, np.ndarray) else np.float32
            leaves[field.name] = np.asarray(value, kept)
        else:
            static.append((field.name, value))
    shaped = tuple((name, leaf.shape, str(leaf.dtype)) for name, leaf in leaves.items())
    return Template(type(member), tuple(static), shaped), leaves


def stack(leaves: list[dict[str, Any]]) -> dict[str, Any]:
    """Leaves of several members with one template, each [M, ...]."""
    return {name: np.stack([one[name] for one in leaves]) for name in leaves[0]}


def pick(leaves: dict[str, Array], index: Array) -> dict[str, Array]:
    """The leaves of one member of a stack."""
    picked: dict[str, Array] = jax.tree.map(lambda leaf: leaf[index], leaves)
    return picked


def _is_setting(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float | np.ndarray)
