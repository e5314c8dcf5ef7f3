"""A two-slice template over time: `unroll(initial, step, steps)`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from freezetag.core.diagram import Diagram
from freezetag.core.node import DiagramError, Node

_REFERENCE = re.compile(r"(?P<base>.*)\[(?P<step>-?\d+)\]", re.DOTALL)


def unroll(initial: Iterable[Node], step: Iterable[Node], steps: int) -> Diagram:
    """Slices 0 .. steps - 1 of a process; node S of slice 3 is called `S[3]`.

    `initial` are the nodes of slice 0, `step` those of every later one. Among the parents, `S` is
    the one in the same slice, `S[-1]` that in the slice before, `S[0]` that of slice 0. Raises
    `DiagramError` as `Diagram` does, and for less than one slice.

    >>> from freezetag.core.node import Node
    >>> doubling = unroll(
    ...     [Node("X", function=lambda: 1)],
    ...     [Node("X", parents=("X[-1]",), function=lambda x: 2 * x)],
    ...     steps=11,
    ... )
    >>> doubling.expectation("X[10]")
    1024
    """
    if not isinstance(steps, int) or steps < 1:
        raise DiagramError(f"a diagram is unrolled over 1, 2, … slices; got {steps!r}.")
    slices = [tuple(initial), *[tuple(step)] * (steps - 1)]
    return Diagram(
        replace(
            node,
            name=f"{node.name}[{t}]",
            parents=tuple(_placed(parent, t) for parent in node.parents),
            step=t,
            group=node.group or node.name,
        )
        for t, nodes in enumerate(slices)
        for node in nodes
    )


def _placed(parent: str, t: int) -> str:
    found = _REFERENCE.fullmatch(parent)
    if found is None:
        return f"{parent}[{t}]"
    step = int(found["step"])
    return f"{found['base']}[{t + step if step < 0 else step}]"
