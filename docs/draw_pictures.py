"""Draw docs/pictures: a card and a console, photographed in Chromium from real runs.

python docs/draw_pictures.py [RUN]     RUN: a folder that `freezetag examine` wrote, else a new one
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.conftest import NO_BROWSER, find_chromium
from tests.live._serving import agent, enrolled, gated, home, started, until
from tests.live.console.conftest import QUIET
from tests.live.console.steps import School, hold

from freezetag.cli import run as freezetag
from freezetag.live.remote.operator import local
from freezetag.live.server.server import Server

PICTURES = Path(__file__).with_name("pictures")
NAMES = {"trader": ["market"], "buyer": ["market"], "writer": [], "clerk": []}


def card(browser: Browser, run: Path) -> None:
    """The top of a card."""
    page = browser.new_page(viewport={"width": 1100, "height": 935})
    page.goto((run / "card.html").resolve().as_uri())
    page.screenshot(path=PICTURES / "card.png")


@contextmanager
def school(folder: Path) -> Iterator[School]:
    """A server with three agents that run and one that nobody started."""
    with ExitStack() as stack:
        made = home(folder / "home", name="school", length=2.0)
        here = School(stack.enter_context(Server(made)), local(made.path), folder)
        for name, groups in NAMES.items():
            file = enrolled(here.remote, folder, name, groups=groups)
            if name != "clerk":
                started(here.remote, name)
                stack.enter_context(gated(file, name=name))
        until(lambda: all(here.shown(name) == "running" for name in NAMES if name != "clerk"))
        yield here


def console(context: BrowserContext, here: School) -> None:
    """The console after one agent was pressed."""
    press = {"scope": "agent:trader", "reason": "orders above the limit"}
    here.remote.post("/press", press, "press")
    until(lambda: agent(here.remote, "trader")["shown"].startswith("stopped"))
    hold(context, here, "status", "press")
    page = context.new_page()
    page.goto(here.url)
    page.wait_for_timeout(2500)
    page.screenshot(path=PICTURES / "console.png")


def draw(run: Path | None) -> None:
    """Both pictures."""
    PICTURES.mkdir(exist_ok=True)
    if (found := find_chromium()) is None:
        sys.exit(NO_BROWSER)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        if run is None:
            run = Path(folder) / "run"
            freezetag(["examine", "tit_for_tat", "--seed", "0", "--out", str(run)])
        browser = driver.chromium.launch(executable_path=found, args=QUIET)
        card(browser, run)
        with school(Path(folder)) as here:
            console(browser.new_context(viewport={"width": 1100, "height": 620}), here)
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if sys.argv[1:] else None)
