"""From a figure's data to a static SVG that may stand in a page: the one way there.

lets-plot has six traps (an error drawn as text, rows dropped with a line on stdout, random ids,
no viewBox or title, global style rules, opaque backgrounds) and reads links and formulas in
text. All are handled here: what comes out holds known elements and attributes only, colours are
CSS variables (light and dark in one drawing), and two runs agree byte for byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pkgutil
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

import freezetag.report.figures as catalogue
from freezetag.core import Figure
from freezetag.report import palette, words

SVG = "http://www.w3.org/2000/svg"
TAGS = {"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"}
ATTRIBUTES = {
    *("class", "clip-path", "cx", "cy", "d", "dy", "fill", "fill-opacity", "fill-rule", "height"),
    *("id", "points", "r", "rx", "ry", "stroke", "stroke-dasharray", "stroke-linecap"),
    *("stroke-linejoin", "stroke-opacity", "stroke-width", "text-anchor", "transform", "width"),
    *("x", "x1", "x2", "y", "y1", "y2", "style"),
}
MOST_ROWS = 5_000
SHARED = ("fill", "stroke", "stroke-width", "stroke-opacity", "text-anchor", "class", "style")
_NUMBER = re.compile(r"-?\d+\.\d+(?:[eE]-?\d+)?")
_SIZE = re.compile(r"font-(?:size|weight|style):[^;]*;")


class FigureError(ValueError):
    """This figure cannot be drawn; the message says what is wrong with its data."""


def kinds() -> tuple[str, ...]:
    """The kinds of figure there are: the files of the folder."""
    names = (module.name for module in pkgutil.iter_modules(catalogue.__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def draw(figure: Figure) -> str:
    """The figure as an `<svg>` element, coloured by CSS variables. Raises `FigureError`."""
    if figure.kind not in kinds():
        raise FigureError(f"no figure kind {figure.kind!r}; there are {', '.join(kinds())}.")
    module = importlib.import_module(f"freezetag.report.figures.{figure.kind}")
    columns = checked(figure, module.REQUIRED, module.OPTIONAL)
    labels = {key: legible(value, 80) for key, value in figure.labels.items()}
    try:
        plot = module.plot(columns, labels)
        with _native_stdout() as said:
            raw = plot.to_svg()
    except FigureError:
        raise
    except Exception as error:  # a picture must never cost the card; its data are shown instead
        raise FigureError(
            f"figure {figure.title!r} ({figure.kind}): {type(error).__name__}: {error}"
        ) from error
    if said:
        raise FigureError(f"figure {figure.title!r}: {words.plain(said[0]).strip()}")
    return tidy(raw, figure.title, figure.finding)


@contextlib.contextmanager
def _native_stdout() -> Iterator[list[str]]:
    """Catch what lets-plot's native part prints: it names dropped rows, past Python's stdout."""
    said: list[str] = []
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # no stdout to protect
        yield said
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield said
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            if text := file.read().decode(errors="replace").strip():
                said.append(text)


def checked(
    figure: Figure, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, list[Any]]:
    """The columns as lists, if they are those that the kind needs and equally long."""
    columns = {name: _listed(column) for name, column in figure.columns.items()}
    where = f"figure {figure.title!r} ({figure.kind})"
    if absent := [name for name in required if name not in columns]:
        raise FigureError(f"{where} lacks the column(s) {', '.join(absent)}.")
    if unknown := [name for name in columns if name not in (*required, *optional)]:
        raise FigureError(
            f"{where} has the unknown column(s) {', '.join(unknown)}; "
            f"it takes {', '.join((*required, *optional))}."
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or not lengths[required[0]]:
        raise FigureError(f"{where} needs columns of one length, at least 1; got {lengths}.")
    if lengths[required[0]] > MOST_ROWS:
        raise FigureError(
            f"{where} has {lengths[required[0]]} rows; more than {MOST_ROWS} are not drawn. "
            "Thin or average them where they are measured."
        )
    return columns


def _listed(column: Any) -> list[Any]:
    return list(column.tolist() if hasattr(column, "tolist") else column)


def legible(text: Any, longest: int = 28) -> str:
    """Text for a figure: plain, short, and without what lets-plot would read as link or formula."""
    clean = words.plain(text).replace("<", "‹").replace(">", "›").replace("\\", "⧵")
    clean = " ".join(clean.split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def tidy(raw: str, title: str, finding: str) -> str:
    """lets-plot's SVG made fit for a page. Raises `FigureError` for an error drawn as text."""
    for spelling, variable in palette.spellings():
        raw = raw.replace(spelling, variable)
    root = ET.fromstring(raw)
    if "plt-container" not in (root.get("class") or ""):
        problem = words.plain(" ".join(text.strip() for text in root.itertext() if text.strip()))
        raise FigureError(f"figure {title!r} could not be drawn: {problem}")
    width, height = (float(root.get(side, "0")) for side in ("width", "height"))
    _clean(root)
    _hoist(root)
    _rename(root, hashlib.sha256(f"{title}\0{finding}\0{raw_shape(root)}".encode()).hexdigest()[:8])
    root.attrib.clear()
    root.attrib.update(
        {"class": "plot", "role": "img", "viewBox": f"0 0 {width:g} {height:g}"},
    )
    heading = ET.Element(f"{{{SVG}}}title")
    heading.text = words.plain(f"{title}. {finding}")
    root.insert(0, heading)
    root.set("aria-label", heading.text)
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def raw_shape(root: ET.Element) -> str:
    """All that is drawn, without ids: what makes the ids of two figures in one page differ."""
    return "".join(element.get("d", "") + (element.text or "") for element in root.iter())


def _clean(root: ET.Element) -> None:
    """Known elements and attributes only, no stray blanks, two decimals."""
    for parent in list(root.iter()):
        for child in list(parent):
            name = _local(child.tag)
            if (
                name == "style"
                or (name in {"g", "defs"} and not len(child))
                or (name == "path" and not child.get("d"))
            ):
                parent.remove(child)
            elif name not in TAGS:
                raise FigureError(f"lets-plot drew an element that we do not let through: {name}.")
        if parent.tag != f"{{{SVG}}}tspan":
            parent.text = (parent.text or "").strip() or None
        parent.tail = None
        kept = {name: value for name, value in parent.attrib.items() if name in ATTRIBUTES}
        if _local(parent.tag) == "line":
            kept.pop("fill", None)
        parent.attrib.clear()
        for name, value in kept.items():
            if name == "style":
                value = "".join(_SIZE.findall(value))
            elif name not in ("id", "class", "clip-path"):
                value = _NUMBER.sub(_short, value).strip()
            if value and (name, value) not in {("fill-opacity", "1"), ("stroke-opacity", "1")}:
                parent.set(name, value)


def _hoist(parent: ET.Element) -> None:
    """What all children share is said once, on their parent: a heat map shrinks by half."""
    for child in parent:
        _hoist(child)
    if _local(parent.tag) != "g" or len(parent) < 2:
        return
    first = parent[0]
    for name in SHARED:
        value = first.get(name)
        if value and name not in parent.attrib and all(c.get(name) == value for c in parent):
            parent.set(name, value)
            for child in parent:
                del child.attrib[name]


def _short(match: re.Match[str]) -> str:
    return f"{round(float(match.group()), 2):g}"


def _rename(root: ET.Element, prefix: str) -> None:
    """Ids in the order of appearance, and the references to them; unused ones dropped."""
    used = {
        found
        for element in root.iter()
        for found in re.findall(r"url\(#([^)]+)\)", element.get("clip-path", ""))
    }
    names: dict[str, str] = {}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in used:
            names[str(old)] = f"f{prefix}-{len(names)}"
            element.set("id", names[str(old)])
    for element in root.iter():
        if old := element.get("clip-path"):
            element.set("clip-path", f"url(#{names[old[5:-1]]})")
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) == "defs" and not any(item.get("id") for item in child):
                parent.remove(child)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def standalone(svg: str, scheme: Mapping[str, str]) -> str:
    """The drawing as a file of its own, in one scheme: for a README or a slide."""
    for name, value in scheme.items():
        svg = svg.replace(f"var(--{name})", value)
    style = f"<style>text{{fill:{scheme['ink']};font:12px sans-serif}}</style>"
    back = f'<rect width="100%" height="100%" fill="{scheme["paper"]}"/>'
    return svg.replace("</title>", f"</title>{style}{back}", 1)
