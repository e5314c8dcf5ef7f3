"""One run, and exact inference: a sweep that keeps the joint law of the frontier alone.

The frontier is what is filled in and still needed: by a child to come, or by the question. Nodes
that are not ancestors of the question are never touched. Joint values of probability 0 are never
stored, so deterministic nodes (a record of all that happened) cost nothing by the size of their
domain, but by what can be reached.

Cost: the sum over the nodes of (reachable joint values of the frontier) x (values in a row).
The order of the sweep is greedy: it takes the node after which the frontier is smallest. For a
chain or an unrolled two-slice diagram that is linear in the number of steps; in the worst case
it is exponential in the number of nodes, as exact inference is (Cooper, 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from numbers import Rational

from freezetag.core.node import DiagramError, Node, Number, Value, is_number

MOST_STATES = 2_000_000
"""Joint values of the frontier beyond which a question is refused, rather than memory filled."""


def run(nodes: Sequence[Node], draw: Callable[[], float]) -> dict[str, Value]:
    """A value for each node, parents first: see `Diagram.sample`."""
    found: dict[str, Value] = {}
    for node in nodes:
        row = node.row(tuple(found[parent] for parent in node.parents))
        value = next(iter(row))
        if len(row) > 1:
            drawn = draw()
            if not 0 <= drawn < 1:
                raise DiagramError(f"{node.name}: draw() gave {drawn!r}, which is not in [0, 1).")
            reached: Number = 0
            for value, probability in row.items():  # noqa: B007 - rounding leaves the last one
                reached += probability
                if drawn < reached:
                    break
        found[node.name] = value
    return found


def law(
    nodes: Mapping[str, Node], of: Sequence[str], given: Mapping[str, Value]
) -> dict[tuple[Value, ...], Number]:
    """P(of | given). Raises `DiagramError` for a condition of probability 0."""
    found = joint(nodes, of, given)
    if not given:
        return found
    total = sum(found.values())
    if not total:
        said = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise DiagramError(f"nothing can be said given {said}: that has probability 0.")
    return {values: _ratio(weight, total) for values, weight in found.items()}


def mean(
    found: Mapping[tuple[Value, ...], Number], of: Sequence[str], what: Callable[..., Number]
) -> Number:
    """E[what] under a law of the nodes `of`. Raises `DiagramError` where it is not a number."""
    total: Number = 0
    for values, weight in found.items():
        value = what(*values)
        if not is_number(value):
            said = ", ".join(f"{name}={v!r}" for name, v in zip(of, values, strict=True))
            raise DiagramError(f"no expectation: at {said} the value is {value!r}, not a number.")
        total += weight * value
    if not is_number(total):
        raise DiagramError(f"no expectation of {', '.join(of)}: it is infinity less infinity.")
    return total


def _ratio(part: Number, whole: Number) -> Number:
    return Fraction(part) / whole if isinstance(part, Rational) else part / whole


def joint(
    nodes: Mapping[str, Node], of: Sequence[str], given: Mapping[str, Value]
) -> dict[tuple[Value, ...], Number]:
    """P(of = values and given), for all values of `of` that are possible.

    `nodes` in an order in which parents come first. Raises `DiagramError` as `Node.row` does, and
    for a question that needs more than `MOST_STATES` joint values.
    """
    order = _schedule(nodes, {*of, *given})
    last_use = {parent: i for i, node in enumerate(order) for parent in node.parents}
    frontier: list[str] = []
    states: dict[tuple[Value, ...], Number] = {(): 1}
    for i, node in enumerate(order):
        heard = [frontier.index(parent) for parent in node.parents]
        asked = [last_use.get(name, -1) > i or name in of for name in (*frontier, node.name)]
        kept = [k for k, stays in enumerate(asked[:-1]) if stays]
        after: dict[tuple[Value, ...], Number] = {}
        for values, weight in states.items():
            row = node.row(tuple([values[k] for k in heard]))
            rest = tuple([values[k] for k in kept])
            for value, probability in row.items():
                if node.name in given and value != given[node.name]:
                    continue
                key = (*rest, value) if asked[-1] else rest
                after[key] = after.get(key, 0) + weight * probability
        frontier = [frontier[k] for k in kept] + [node.name] * asked[-1]
        states = after
        if len(states) > MOST_STATES:
            raise DiagramError(
                f"at {node.name} this question needs more than {MOST_STATES:,} joint values of "
                f"{', '.join(frontier)}. Ask about fewer nodes, or give them smaller domains."
            )
    places = [frontier.index(name) for name in of]
    return {tuple([values[k] for k in places]): weight for values, weight in states.items()}


def _schedule(nodes: Mapping[str, Node], asked: set[str]) -> list[Node]:
    """The ancestors of `asked`, parents first, such that few are in the frontier at a time."""
    needed = set(asked)
    for name in reversed(list(nodes)):
        if name in needed:
            needed.update(nodes[name].parents)
    children: dict[str, list[str]] = {name: [] for name in needed}
    for name in nodes:
        if name in needed:
            for parent in nodes[name].parents:
                children[parent].append(name)
    missing = {name: len(nodes[name].parents) for name in needed}
    waiting = {name: len(children[name]) + (name in asked) for name in needed}
    ready = [name for name in nodes if name in needed and not missing[name]]
    order = []

    def growth(name: str) -> tuple[int, int]:
        freed = sum(waiting[parent] == 1 for parent in nodes[name].parents)
        # Of two that grow it alike, the one whose child lacks least: that frees parents soonest.
        return (waiting[name] > 0) - freed, min((missing[c] for c in children[name]), default=0)

    while ready:
        name = min(ready, key=growth)
        ready.remove(name)
        order.append(nodes[name])
        for parent in nodes[name].parents:
            waiting[parent] -= 1
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return order
