"""Chromium, a server, and agents that really run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.live._serving import enrolled, gated, home, started, until
from tests.live.console.steps import School

from freezetag.live.remote.operator import local
from freezetag.live.server.server import Server

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[School]:
    """A server without agents."""
    made = home(tmp_path / "home", name="school", length=2.0)
    with Server(made) as server:
        yield School(server, local(made.path), tmp_path)


@pytest.fixture
def school(empty: School) -> Iterator[School]:
    """Two agents that run, and one that was never started."""
    enrolled(empty.remote, empty.folder, "clerk")
    with ExitStack() as gates:
        for name in ("writer", "trader"):
            file = enrolled(empty.remote, empty.folder, name, groups=["market"])
            started(empty.remote, name)
            gates.enter_context(gated(file, name=name))
        until(lambda: all(empty.shown(name) == "running" for name in ("writer", "trader")))
        yield empty


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    yield made
    made.close()


@pytest.fixture
def no_scripts(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(java_script_enabled=False)
    yield made
    made.close()
