"""Where the nodes of a diagram stand, and which way its edges go round them.

Nodes with a step stand in a column per step, a row per group, each a little further right than
its parents in the same step; without steps, in a column per depth. Lengths are SVG user units.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from freezetag.core.diagram import Edge
from freezetag.core.graph import Graph
from freezetag.core.node import Kind, Node

Point = tuple[float, float]
LETTER = 7.4
"""Mean width of a letter of the labels; generous, since a page chooses the font."""
ROW, STAGGER, CLEARANCE = 66.0, 58.0, 7.0
MOST_PERMUTED = 7
BENDS = tuple(side * size for size in (24, 42, 60, 84, 112, 150, 200) for side in (1, -1))


@dataclass(frozen=True)
class Box:
    """A node's shape: its centre, and half its width and height."""

    kind: Kind
    x: float
    y: float
    a: float
    b: float

    def holds(self, point: Point, margin: float = 0.0) -> bool:
        """Whether a point is inside the shape, or nearer to it than the margin."""
        a, b = self.a + margin, self.b + margin
        dx, dy = abs(point[0] - self.x), abs(point[1] - self.y)
        if self.kind == "utility":
            return dx / a + dy / b <= 1
        if self.kind == "decision":
            return dx <= a and dy <= b
        return dy <= b and math.hypot(max(0.0, dx - (a - b)), dy) <= b


def half_sizes(kind: Kind, letters: float) -> tuple[float, float]:
    """Half the width and height of a shape around so many letters."""
    text = letters * LETTER / 2
    if kind == "utility":
        return max(25.0, text + 17), 23.0
    return max(17.0, text + (10 if kind == "chance" else 8)), 17.0


def boxes(nodes: Sequence[Node], graph: Graph, letters: Mapping[str, float]) -> dict[str, Box]:
    """A place for each node, the top left corner of all of them at (0, 0)."""
    sizes = {node.name: half_sizes(node.kind, letters[node.name]) for node in nodes}
    stepped = any(node.step is not None for node in nodes)
    centres = (_by_step if stepped else _by_depth)(nodes, graph, sizes)
    left = min(centres[name][0] - a for name, (a, _) in sizes.items())
    top = min(centres[name][1] - b for name, (_, b) in sizes.items())
    return {
        node.name: Box(
            node.kind,
            centres[node.name][0] - left,
            centres[node.name][1] - top,
            *sizes[node.name],
        )
        for node in nodes
    }


def _by_step(
    nodes: Sequence[Node], graph: Graph, sizes: Mapping[str, tuple[float, float]]
) -> dict[str, Point]:
    step = {node.name: node.step or 0 for node in nodes}
    group = {node.name: node.group or node.name for node in nodes}
    beside = {(p, c) for c, above in graph.parents.items() for p in above if step[p] != step[c]}
    depth = _depths(graph.without(edges=beside))
    row = _rows(list(dict.fromkeys(group.values())), graph, group)
    widest = max(a for a, _ in sizes.values())
    pitch = max(depth.values()) * STAGGER + max(92.0, 2 * widest + 34)
    return {
        name: ((step[name] - min(step.values())) * pitch + depth[name] * STAGGER, row * ROW)
        for name, row in ((node.name, row[group[node.name]]) for node in nodes)
    }


def _rows(groups: list[str], graph: Graph, group: Mapping[str, str]) -> dict[str, int]:
    """The order of the rows in which edges climb least; the given one among equals."""
    links = {
        frozenset((group[parent], group[child]))
        for child, above in graph.parents.items()
        for parent in above
        if group[parent] != group[child]
    }
    pairs = sorted(tuple(sorted(link)) for link in links)
    orders = itertools.permutations(groups) if len(groups) <= MOST_PERMUTED else iter([groups])

    def climb(order: Iterable[str]) -> int:
        place = {name: i for i, name in enumerate(order)}
        return sum(abs(place[one] - place[other]) ** 2 for one, other in pairs)

    return {name: i for i, name in enumerate(min(orders, key=climb))}


def _by_depth(
    nodes: Sequence[Node], graph: Graph, sizes: Mapping[str, tuple[float, float]]
) -> dict[str, Point]:
    depth = _depths(graph)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in nodes:
        columns[depth[node.name]].append(node.name)
    place: dict[str, Point] = {}
    x = 0.0
    for column in columns:
        wide = max(sizes[name][0] for name in column)
        x += wide if place else 0.0
        # Each near the mean of its parents, so that edges are short and cross little.
        column.sort(key=lambda name: _mean([place[p][1] for p in graph.parents[name]]))
        for i, name in enumerate(column):
            place[name] = (x, (i - (len(column) - 1) / 2) * ROW)
        x += wide + 56
    return place


def _depths(graph: Graph) -> dict[str, int]:
    """The longest way to each node from one without parents; 0 for those on a cycle."""
    depth = dict.fromkeys(graph.parents, 0)
    for name in graph.order():
        depth[name] = max((depth[parent] + 1 for parent in graph.parents[name]), default=0)
    return depth


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


@dataclass(frozen=True)
class Curve:
    """A quadratic curve from the rim of a shape to that of another, and where its arrow points."""

    start: Point
    control: Point
    end: Point
    angle: float

    @property
    def middle(self) -> Point:
        x, y = (self.start[i] / 4 + self.control[i] / 2 + self.end[i] / 4 for i in (0, 1))
        return x, y

    @property
    def d(self) -> str:
        """As an SVG path."""
        (x, y), (cx, cy), (ex, ey) = self.start, self.control, self.end
        return f"M{x:.1f} {y:.1f}Q{cx:.1f} {cy:.1f} {ex:.1f} {ey:.1f}"


def route(edge: Edge, places: Mapping[str, Box]) -> Curve:
    """The straightest curve that runs through no third node; straight if all do."""
    source, target = places[edge[0]], places[edge[1]]
    others = [box for name, box in places.items() if name not in edge]
    ends = (source.x, source.y), (target.x, target.y)
    length = math.dist(*ends) or 1.0
    across = (ends[0][1] - ends[1][1]) / length, (ends[1][0] - ends[0][0]) / length
    middle = (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2
    controls = [
        (middle[0] + bend * across[0], middle[1] + bend * across[1]) for bend in (0, *BENDS)
    ]
    control = next((c for c in controls if _clear(ends[0], c, ends[1], others)), middle)
    points = _points(ends[0], control, ends[1], 200)
    first = next((i for i, point in enumerate(points) if not source.holds(point)), 0)
    last = next((i for i in range(200, 0, -1) if not target.holds(points[i], 1.5)), 200)
    # The part between the two rims is a quadratic curve too; its control is the polar form.
    s, t = first / 200, max(first, last) / 200
    control = _polar(ends[0], control, ends[1], s, t)
    start, end = points[first], points[max(first, last)]
    towards = control if math.dist(control, end) > 1 else start
    return Curve(start, control, end, math.atan2(end[1] - towards[1], end[0] - towards[0]))


def _clear(start: Point, control: Point, end: Point, others: Iterable[Box]) -> bool:
    points = _points(start, control, end, 32)
    return not any(box.holds(point, CLEARANCE) for box in others for point in points)


def _points(start: Point, control: Point, end: Point, count: int) -> list[Point]:
    steps = [i / count for i in range(count + 1)]
    return [_polar(start, control, end, t, t) for t in steps]


def _polar(start: Point, control: Point, end: Point, s: float, t: float) -> Point:
    """The curve's polar form: at s = t the point at t, else the control between both points."""
    one, both, two = (1 - s) * (1 - t), s + t - 2 * s * t, s * t
    x, y = (one * start[i] + both * control[i] + two * end[i] for i in (0, 1))
    return x, y
