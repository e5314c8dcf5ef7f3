"""A diagram drawn from the object: an SVG for a page or for a file of its own.

Chance nodes are round, decisions square, utilities diamonds; links into a decision are dashed,
since they carry information (Howard and Matheson, 1984). Highlighted paths are bold. Colours are
the CSS variables of `palette`, so that one drawing is light and dark; there are no scripts and no
ids, so that many can stand in a page.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from freezetag.core.diagram import Diagram, DiagramError, Edge
from freezetag.core.graph import Graph
from freezetag.core.node import KINDS, Kind, Node
from freezetag.report import palette, words
from freezetag.report._diagram_layout import Box, Curve, boxes, route

Paths = Iterable[Sequence[str]]

SVG = "http://www.w3.org/2000/svg"
MOST_NODES = 300
LONGEST_LABEL = 24
DASHES = "5 4"
WIDEST = 780.0
"""Panels stand side by side up to this width, and below each other past it."""
MARGIN, GAP, CAPTION, LEGEND = 14.0, 44.0, 30.0, 34.0
INK: dict[Kind, str] = {"chance": "soft", "decision": "series-1", "utility": "series-2"}
USED = ("paper", "ink", "soft", "grid", "axis", "harm", "series-1", "series-2")


def svg(
    diagrams: Diagram | Mapping[str, Diagram],
    title: str,
    highlight: Paths = (),
    standalone: bool = False,
) -> str:
    """The diagram as an `<svg>` element; several, by caption, side by side with one layout.

    Each node stands in the same place in every panel; where a panel lacks it, a dotted outline
    stays, so that an edit shows. A highlighted path is bold in the panels that have all of it.
    `standalone` adds the colours, light and dark, and a background: for a file of its own.
    Raises `DiagramError` for no node at all, more than `MOST_NODES`, and a path that no diagram
    has.
    """
    panels = {"": diagrams} if isinstance(diagrams, Diagram) else dict(diagrams)
    nodes = {node.name: node for d in reversed(panels.values()) for node in reversed(d.nodes)}
    nodes = dict(reversed(nodes.items()))
    if not 0 < len(nodes) <= MOST_NODES:
        raise DiagramError(f"{len(nodes)} nodes cannot be drawn; 1 to {MOST_NODES} can.")
    bold = _edges_of(highlight, list(panels.values()))
    links: dict[str, dict[str, None]] = {name: {} for name in nodes}
    for diagram in panels.values():
        for parent, child in diagram.edges:
            links[child][parent] = None
    letters = {name: sum(len(part) for part in _label(node)) for name, node in nodes.items()}
    places = boxes(list(nodes.values()), Graph(links), letters)

    placed = [
        {n: replace(box, kind=d[n].kind) if n in d else box for n, box in places.items()}
        for d in panels.values()
    ]
    curves = [
        {edge: route(edge, at) for edge in d.edges}
        for d, at in zip(panels.values(), placed, strict=True)
    ]
    left, top, wide, high = _bounds(places, [curve for each in curves for curve in each.values()])
    wide = max([wide, *(len(caption) * 8.0 for caption in panels)])
    head = CAPTION if any(panels) else 0.0
    along = wide * len(panels) + GAP * (len(panels) - 1) <= WIDEST
    root = ET.Element("svg", {"xmlns": SVG, "class": "diagram", "role": "img"})
    heading = words.plain(title)
    ET.SubElement(root, "title").text = heading
    root.set("aria-label", heading)
    right = bottom = 0.0
    for i, (caption, diagram) in enumerate(panels.items()):
        x, y = (right + GAP, 0.0) if along else (0.0, bottom + GAP)
        x, y = (x, y) if right else (0.0, 0.0)
        panel = _group(root, "panel", MARGIN + x, MARGIN + y)
        if caption:
            _text(panel, 0, 12, [caption], size=14, anchor="start", weight="600")
        drawing = _group(panel, "drawing", -left, head - top)
        _draw(drawing, diagram, nodes, placed[i], curves[i], bold[i])
        right, bottom = x + wide, y + high + head
    legend = _legend(root, list(panels.values()), any(bold), bottom + MARGIN + 8)
    width = max(right, legend) + 2 * MARGIN
    height = bottom + LEGEND + 2 * MARGIN
    root.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
    root.set("style", f"display:block;width:100%;max-width:{width:.0f}px;height:auto")
    if standalone:
        _stand_alone(root)
    return ET.tostring(root, encoding="unicode")


def _edges_of(highlight: Paths, diagrams: Sequence[Diagram]) -> list[set[Edge]]:
    """The highlighted edges of each diagram: those of the paths that it has whole."""
    bold: list[set[Edge]] = [set() for _ in diagrams]
    for path in highlight:
        steps = set(pairwise(path))
        having = [i for i, diagram in enumerate(diagrams) if steps <= set(diagram.edges)]
        if not having or not steps:
            raise DiagramError(
                f"the path {' -> '.join(map(str, path))} cannot be highlighted: no diagram has it."
            )
        for i in having:
            bold[i] |= steps
    return bold


def _bounds(
    places: Mapping[str, Box], curves: Iterable[Curve]
) -> tuple[float, float, float, float]:
    """Left, top, width and height of all shapes and curves."""
    bent = [curve.middle for curve in curves]
    xs = [box.x + side * box.a for box in places.values() for side in (-1, 1)]
    ys = [box.y + side * box.b for box in places.values() for side in (-1, 1)]
    xs, ys = xs + [x for x, _ in bent], ys + [y for _, y in bent]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _draw(
    parent: ET.Element,
    diagram: Diagram,
    nodes: Mapping[str, Node],
    places: Mapping[str, Box],
    curves: Mapping[Edge, Curve],
    bold: set[Edge],
) -> None:
    for edge in sorted(diagram.edges, key=bold.__contains__):  # bold ones last, on top
        _edge(parent, edge, curves[edge], diagram[edge[1]].kind, edge in bold)
    strong = {name for edge in bold for name in edge}
    for name, node in nodes.items():
        here = diagram.get(name)
        group = ET.SubElement(parent, "g", {"class": "node" if here else "gone"})
        said = f"{name}: {here.kind}" if here else f"{name}: not in this diagram"
        ET.SubElement(group, "title").text = words.plain(said)
        box = places[name]
        if here is None:
            _shape(group, box, "grid", 1.2, dash="2 4", fill="none")
        elif name in strong:
            _shape(group, box, "harm", 2.6)
        else:
            _shape(group, box, INK[here.kind], 1.6)
        _text(group, box.x, box.y + 4.5, _label(node), ink="ink" if here else "axis")


def _edge(parent: ET.Element, edge: Edge, curve: Curve, into: Kind, bold: bool) -> None:
    group = ET.SubElement(parent, "g", {"class": "edge bold" if bold else "edge"})
    ET.SubElement(group, "title").text = words.plain(f"{edge[0]} → {edge[1]}")
    colour = f"var(--{'harm' if bold else 'soft'})"
    line = {"d": curve.d, "fill": "none", "stroke": colour, "stroke-width": "3" if bold else "1.3"}
    if into == "decision":
        line["stroke-dasharray"] = DASHES
    ET.SubElement(group, "path", line)
    long, wide = (11.0, 5.5) if bold else (8.5, 3.6)
    (x, y), turn = curve.end, curve.angle
    back = [
        (
            x - long * math.cos(turn) + s * wide * math.sin(turn),
            y - long * math.sin(turn) - s * wide * math.cos(turn),
        )
        for s in (1, -1)
    ]
    corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in ((x, y), *back))
    ET.SubElement(group, "polygon", {"points": corners, "fill": colour})


def _shape(
    parent: ET.Element, box: Box, ink: str, width: float, dash: str = "", fill: str = "var(--paper)"
) -> None:
    x, y, a, b = box.x, box.y, box.a, box.b
    drawn = {"fill": fill, "stroke": f"var(--{ink})", "stroke-width": f"{width:g}"}
    if dash:
        drawn["stroke-dasharray"] = dash
    if box.kind == "utility":
        corners = ((x - a, y), (x, y - b), (x + a, y), (x, y + b))
        points = " ".join(f"{px:.1f},{py:.1f}" for px, py in corners)
        ET.SubElement(parent, "polygon", {"points": points, **drawn})
        return
    sides = {"x": x - a, "y": y - b, "width": 2 * a, "height": 2 * b}
    sides["rx"] = b if box.kind == "chance" else 2
    ET.SubElement(parent, "rect", {k: f"{v:.1f}" for k, v in sides.items()} | drawn)


def _label(node: Node) -> list[str]:
    """What stands in a shape: the name, cut if long, and the step of an unrolled node below it."""
    base, below = node.name, ""
    if node.step is not None and node.name.endswith(f"[{node.step}]"):
        base, below = node.name.removesuffix(f"[{node.step}]"), str(node.step)
    base = " ".join(words.plain(base).split())
    return [base if len(base) <= LONGEST_LABEL else base[: LONGEST_LABEL - 1] + "…", below]


def _text(
    parent: ET.Element,
    x: float,
    y: float,
    said: Sequence[str],
    ink: str = "ink",
    size: int = 13,
    anchor: str = "middle",
    weight: str = "400",
) -> None:
    """A line of text, its second part as a subscript."""
    text = ET.SubElement(
        parent,
        "text",
        {
            "x": f"{x:.1f}",
            "y": f"{y:.1f}",
            "text-anchor": anchor,
            "fill": f"var(--{ink})",
            "font-family": "system-ui,sans-serif",
            "font-size": str(size),
            "font-weight": weight,
        },
    )
    text.text = words.plain(said[0])
    for part in filter(None, said[1:]):
        lowered = ET.SubElement(text, "tspan", {"dy": "3", "font-size": str(size - 3)})
        lowered.text = words.plain(part)


def _legend(root: ET.Element, diagrams: Sequence[Diagram], bold: bool, y: float) -> float:
    """What the shapes and lines mean, in one line; its width."""
    group = _group(root, "legend", MARGIN, y + MARGIN)
    x = 0.0

    def say(text: str, start: float) -> float:
        _text(group, start, 4, [text], ink="soft", size=12, anchor="start")
        return start + 18 + len(text) * 6.4

    def line(start: float, **look: str) -> float:
        drawn = {name.replace("_", "-"): value for name, value in look.items()}
        ET.SubElement(group, "path", {"d": f"M{start:.0f} 0h24", **drawn})
        return start + 30

    for kind in KINDS:
        if any(diagram.of_kind(kind) for diagram in diagrams):
            half = 9.0 if kind == "utility" else 7.0
            _shape(group, Box(kind, x + half, 0, half, half), INK[kind], 1.4)
            x = say(kind, x + 2 * half + 6)
    if any(d[name].parents for d in diagrams for name in d.of_kind("decision")):
        x = say("information", line(x, stroke="var(--soft)", stroke_dasharray=DASHES))
    if bold:
        x = say("highlighted path", line(x, stroke="var(--harm)", stroke_width="3"))
    return x


def _group(parent: ET.Element, name: str, x: float, y: float) -> ET.Element:
    place = f"translate({x:.1f} {y:.1f})"
    return ET.SubElement(parent, "g", {"class": name, "transform": place})


def _stand_alone(root: ET.Element) -> None:
    """Give it the palette, light and dark, and a background of its own."""
    light, dark = (
        palette.declarations({name: scheme[name] for name in USED})
        for scheme in (palette.LIGHT, palette.DARK)
    )
    style = ET.Element("style")
    style.text = f".diagram{{{light}}}@media (prefers-color-scheme:dark){{.diagram{{{dark}}}}}"
    back = ET.Element("rect", {"width": "100%", "height": "100%", "fill": "var(--paper)"})
    root[1:1] = [style, back]
