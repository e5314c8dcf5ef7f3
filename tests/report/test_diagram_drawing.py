"""Drawings hold every node and edge once, in text that nothing can break out of."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from freezetag.core.diagram import Diagram, DiagramError, Node
from freezetag.core.unroll import unroll
from freezetag.report import palette
from freezetag.report.diagram import svg

HOSTILE = '</svg><script>alert("x")</script>`]}#quot; \u202e\x00'


def learning(steps: int = 3) -> Diagram:
    return unroll(
        [Node("S"), Node("M", parents=("S",)), Node("A", "decision", ("S", "M"))],
        [
            Node("S", parents=("S[-1]", "A[-1]")),
            Node("M", parents=("S", "M[-1]")),
            Node("A", "decision", ("S", "M")),
            Node("R", "utility", ("S[-1]", "S")),
        ],
        steps,
    )


def hostile() -> Diagram:
    return Diagram([Node(HOSTILE), Node("A", "decision", (HOSTILE,)), Node("U", "utility", ("A",))])


def parts(element: ET.Element, name: str) -> list[str]:
    """The tooltips of all groups of a class: what a node or an edge calls itself."""
    return [
        group[0].text or ""
        for group in element.iter("{http://www.w3.org/2000/svg}g")
        if name in (group.get("class") or "").split()
    ]


def numbers(root: ET.Element) -> tuple[float, float]:
    left, top, width, height = map(float, (root.get("viewBox") or "").split())
    assert (left, top) == (0, 0)
    return width, height


def test_every_node_and_edge_once() -> None:
    diagram = learning()
    root = ET.fromstring(svg(diagram, "The learning world"))
    assert sorted(parts(root, "node")) == sorted(f"{n.name}: {n.kind}" for n in diagram.nodes)
    assert sorted(parts(root, "edge")) == sorted(f"{a} → {b}" for a, b in diagram.edges)
    assert not parts(root, "gone")
    assert not parts(root, "bold")
    assert root.get("role") == "img"
    assert root[0].text == root.get("aria-label") == "The learning world"


def test_shapes_stand_apart_inside_the_picture() -> None:
    """Chance round, decisions square, utilities diamonds; none on another, none cut off."""
    root = ET.fromstring(svg(learning(4), "x"))
    width, height = numbers(root)
    assert width <= 1000
    (drawing,) = (g for g in root.iter() if g.get("class") == "drawing")
    (panel,) = (g for g in root.iter() if g.get("class") == "panel")
    moved = [
        list(map(float, re.findall(r"-?[\d.]+", g.get("transform", "")))) for g in (panel, drawing)
    ]
    dx, dy = (sum(each) for each in zip(*moved, strict=True))
    boxes = []
    for group in drawing:
        if group.get("class") != "node":
            continue
        kind, shape = (group[0].text or "").split(": ")[1], group[1]
        if kind == "utility":
            assert shape.tag.endswith("polygon")
            pairs = [p.split(",") for p in (shape.get("points") or "").split()]
            xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
            boxes.append((min(xs) + dx, min(ys) + dy, max(xs) + dx, max(ys) + dy))
        else:
            x, y, w, h, rx = (float(shape.get(k, "")) for k in ("x", "y", "width", "height", "rx"))
            assert (rx == h / 2) == (kind == "chance")
            boxes.append((x + dx, y + dy, x + w + dx, y + h + dy))
    assert len(boxes) == len(learning(4).nodes)
    assert all(l >= 0 and t >= 0 and r <= width and b <= height for l, t, r, b in boxes)  # noqa: E741
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]


def test_panels_show_the_edit_and_the_path() -> None:
    factual = learning()
    planning = factual.remove("M[0]", "M[1]", "M[2]")
    path = ("A[0]", "S[1]", "M[1]", "A[1]", "S[2]", "R[2]")
    shared = ("A[0]", "S[1]", "R[1]")
    root = ET.fromstring(
        svg({"Learning": factual, "Planning": planning}, "Two worlds", highlight=[path, shared])
    )
    left, right = (g for g in root.iter() if g.get("class") == "panel")
    assert parts(right, "gone") == [f"M[{t}]: not in this diagram" for t in range(3)]
    assert not parts(left, "gone")
    assert len(parts(left, "bold")) == 6
    assert sorted(parts(right, "bold")) == ["A[0] → S[1]", "S[1] → R[1]"]
    assert [t.text for t in root.iter() if (t.text or "") in {"Learning", "Planning"}] == [
        "Learning",
        "Planning",
    ]


def test_two_small_panels_are_beside_each_other_and_large_ones_below() -> None:
    small = {"a": learning(2), "b": learning(2)}
    large = {"a": learning(4), "b": learning(4)}
    assert (
        numbers(ET.fromstring(svg(small, "x")))[0] > numbers(ET.fromstring(svg(small["a"], "x")))[0]
    )
    alone, both = (numbers(ET.fromstring(svg(d, "x"))) for d in (large["a"], large))
    assert both[0] == alone[0]
    assert both[1] > 1.5 * alone[1]


def test_names_are_escaped() -> None:
    drawn = svg(hostile(), HOSTILE, standalone=True)
    root = ET.fromstring(drawn)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        *("svg", "title", "style", "rect", "g", "path", "polygon", "text", "tspan")
    }
    assert "\u202e" not in drawn
    assert "\x00" not in drawn
    assert not re.search(r"\s(id|on\w+|href)=", drawn)


def test_colours_are_the_palettes() -> None:
    drawn = svg(learning(), "x", highlight=[("S[0]", "A[0]")])
    assert set(re.findall(r"var\(--([\w-]+)\)", drawn)) <= set(palette.LIGHT)
    assert "#" not in drawn
    alone = svg(learning(), "x", highlight=[("S[0]", "A[0]")], standalone=True)
    declared = set(re.findall(r"--([\w-]+):#", alone))
    assert set(re.findall(r"var\(--([\w-]+)\)", alone)) <= declared
    assert palette.LIGHT["harm"] in alone
    assert palette.DARK["harm"] in alone
    assert drawn == svg(learning(), "x", highlight=[("S[0]", "A[0]")])


def test_without_steps_it_is_layered_by_depth() -> None:
    names = ["a long name of a node that is cut somewhere", "b", "c", "d"]
    chain = Diagram(
        Node(name, parents=tuple(names[max(0, i - 1) : i])) for i, name in enumerate(names)
    )
    root = ET.fromstring(svg(chain, "x"))
    texts = [t for t in root.iter() if t.tag.endswith("text")]
    xs = {(t.text or ""): float(t.get("x", "")) for t in texts if t.get("text-anchor") == "middle"}
    assert list(xs) == sorted(xs, key=xs.__getitem__)
    assert "a long name of a node t…" in xs


@pytest.mark.parametrize(
    ("diagram", "highlight", "said"),
    [
        (Diagram([]), [], "0 nodes cannot be drawn"),
        (Diagram(Node(f"N{i}") for i in range(301)), [], "301 nodes cannot be drawn"),
        (learning(), [("S[0]", "R[2]")], r"path S\[0\] -> R\[2\] cannot be highlighted"),
        (learning(), [("S[0]",)], r"path S\[0\] cannot be highlighted"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    diagram: Diagram, highlight: list[tuple[str, ...]], said: str
) -> None:
    with pytest.raises(DiagramError, match=said):
        svg(diagram, "x", highlight=highlight)
