"""HTML from calls. Whatever is not markup already is escaped, so no name or reason can be any."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | Html | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """An element. `class_` is class, `data_x` is data-x; True is a bare attribute, None is none.

    >>> tag("p", "<b>", class_="x", hidden=True)
    '<p class="x" hidden>&lt;b&gt;</p>'
    """
    told = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            told.append(f" {attribute}")
        elif value is not None and value is not False:
            told.append(f' {attribute}="{html.escape(str(value))}"')
    opening = f"<{name}{''.join(told)}>"
    return Html(opening if name in VOID else f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """The children one after the other; None is nothing."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(html.escape(child))
        elif child is not None:
            parts.append(join(*child))
    return Html("".join(parts))


def name(text: str) -> Html:
    """Somebody else's text, which cannot turn the direction of what stands beside it."""
    return tag("bdi", text)


def document(title: str, *body: Child, every: int = 0, **attributes: str | int | None) -> Html:
    """A whole page. `every`: without the script, the browser asks again after so many seconds."""
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · freezetag"),
        tag("link", rel="stylesheet", href="/static/console.css"),
        tag("link", rel="icon", href="data:,"),
        tag("script", src="/static/console.js", defer=True),
        tag("noscript", tag("meta", http_equiv="refresh", content=every)) if every else None,
    )
    page = tag("html", tag("head", *head), tag("body", *body, **attributes), lang="en")
    return Html(f"<!doctype html>{page}")
