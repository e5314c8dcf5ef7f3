"""A server for the console, and what tests do in the browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page
from tests.live._serving import agent

from freezetag.live.remote.operator import Remote
from freezetag.live.server.server import Server
from freezetag.live.signed.presses import Press

FADED = 8_000  # milliseconds; the fade takes four seconds
SHIPPED = "--rest: 2.5s; --fade: 1.5s"
AGENTS = ("clerk", "writer", "trader")


@dataclass
class School:
    """A server, and how to reach it."""

    server: Server
    remote: Remote
    folder: Path

    @property
    def url(self) -> str:
        return self.server.addresses["main"]

    def token(self, right: str) -> str:
        return self.remote.token(right)

    def shown(self, name: str) -> str:
        return str(agent(self.remote, name)["shown"])

    def standing(self) -> tuple[Press, ...]:
        facts = self.server.service.authority.facts
        return facts.presses.standing(facts.roster)


def hold(context: BrowserContext, school: School, *rights: str) -> None:
    """As signing in does."""
    for right in rights:
        id = school.server.service.sessions.begin(school.token(right), "127.0.0.1", True)
        name = f"freezetag_{right}_{urlsplit(school.url).port}"
        cookie = {"name": name, "value": id, "url": school.url}
        context.add_cookies([{**cookie, "sameSite": "Strict"}])  # type: ignore[typeddict-item]


def opened(context: BrowserContext, school: School, *rights: str) -> Page:
    hold(context, school, *rights)
    page = context.new_page()
    page.goto(school.url)
    return page


def fade_fast(context: BrowserContext) -> None:
    """Less waiting; the news come once a second, so what is fresh is still never faded."""
    style = files("freezetag.live.console").joinpath("console.css").read_text("utf-8")
    faster = style.replace(SHIPPED, "--rest: 1.3s; --fade: .3s")
    assert faster != style
    context.route(
        "**/console.css", lambda route: route.fulfill(body=faster, content_type="text/css")
    )


def badge(page: Page, agent: str) -> str:
    row = page.locator("#agents li").filter(
        has=page.locator("bdi", has_text=re.compile(f"^{agent}$"))
    )
    return row.locator(".badge").first.inner_text()
