"""Draw docs/pictures, photographed in Chromium from real runs.

A card, a console, a harvest and a flash crash.

python docs/draw_pictures.py [RUN]     RUN: a folder that `freezetag examine` wrote, else a new one
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.conftest import NO_BROWSER, find_chromium
from tests.live._serving import agent, enrolled, gated, home, started, until
from tests.live.console.conftest import QUIET
from tests.live.console.steps import School, hold

from freezetag import catalogue
from freezetag.cli import run as freezetag
from freezetag.core import FOCAL, Arm, Episode, Figure, Panel, PowerLimit, Record, Ref, Scenario
from freezetag.estimators import bootstrap
from freezetag.exam.parquet import episode_rows
from freezetag.live.remote.operator import local
from freezetag.live.server.server import Server
from freezetag.players.exploiters.always_defect import AlwaysDefect
from freezetag.probes.shared.course import Course
from freezetag.report import html, svg
from freezetag.report.grid_frames import Film, film
from freezetag.sim.arms import Pupil, run_arm

PICTURES = Path(__file__).with_name("pictures")
HARVEST = Ref("substrates/harvest")
CRASH = "substrates/flash_crash"
MAKER = Ref.of("players/altruists/mostly_cooperate", chance=0.1)
"""Passes contracts on in nine minutes of ten: thirty of them pass one on 10.8 times."""
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


def harvested(limit: float, seeds: int = 20) -> Record:
    """Seven greedy ones in the field of apples, each with a power limit on apples eaten."""
    scenario = Scenario(HARVEST, (FOCAL,), ((0,) * 7,), 200)
    pupil = Pupil("always_defect", AlwaysDefect(), Panel((PowerLimit(limit),)))
    return run_arm(Arm(scenario, seeds), pupil, {}, 0)


def harvest(browser: Browser) -> None:
    """The stock over time without and with the limit, as a card draws it, and the field of one."""
    arms = {"without interlocks": math.inf, "with interlocks: each stopped past 5 apples": 5.0}
    records = {name: harvested(limit) for name, limit in arms.items()}
    world = catalogue.load(HARVEST)
    off, on = records.values()
    course = Course.of(world, off, on, "seven greedy ones in a field of apples")
    assert course is not None
    figure = course.figure()
    print(figure.finding)
    for row in course.rows(""):
        print(f"{row.name}: {row.of.value} [{row.of.low}, {row.of.high}]")
    strips = "".join(
        f"<h3>{escape(name)}</h3>"
        f"<iframe srcdoc='{escape(strip(film(episode_rows(record.episode, 0), world)))}'></iframe>"
        for name, record in records.items()
    )
    photographed(browser, figure, "harvest.png", strips)


def crashed(halt: int, limit: float, seeds: int = 20) -> Episode:
    """A seller that follows the volume beside thirty makers, with a power limit on how far the log
    price falls in a minute; `halt` in thousandths is the market's own."""
    scenario = Scenario(Ref.of(CRASH, halt=halt), (FOCAL, MAKER), ((0, *(1,) * 30),), 40)
    pupil = Pupil("always_defect", AlwaysDefect(), Panel((PowerLimit(limit, sensor="fall"),)))
    return run_arm(Arm(scenario, seeds), pupil, {}, 0).episode


def crash(browser: Browser) -> None:
    """The price over time without an interlock, with the market's halt and with the seller's."""
    columns: dict[str, list[Any]] = {key: [] for key in ("x", "y", "low", "high", "series")}
    for halt, limit, name in (
        (0, math.inf, "without interlocks"),
        (4, math.inf, "the market halts"),
        (0, 0.004, "the seller is stopped"),
    ):
        episode = crashed(halt, limit)
        price = np.asarray(episode.world["price"], np.float64)
        fall = bootstrap.mean(100 * (1 - price.min(1)), bounds=(0.0, 100.0))
        stopped = int((episode.mode[:, -1, 0] != 0).sum())
        print(f"{name}: greatest fall {fall} per cent; stopped in {stopped} of {len(price)} seeds")
        for minute in range(40):
            # Nothing is left to chance in the first minute; all contracts make 7.2 per cent.
            at = 100 * price[:, minute]
            of = bootstrap.mean(at, bounds=(92.7, 101.0), deterministic=minute == 0)
            row = (minute + 1, of.value, of.low, of.high, name)
            for key, value in zip(columns, row, strict=True):
                columns[key].append(value)
    figure = Figure(
        "curve",
        "A sale that follows the volume it makes",
        "Mean of 20 seeds, the same in all three, with 95 % intervals. The market halts for five "
        "minutes, and the seller is stopped for good, when the price falls by more than .4 % in a "
        "minute.",
        columns,
        {"x": "minute", "y": "price, per cent of the first"},
    )
    photographed(browser, figure, "flash_crash.png")


def photographed(browser: Browser, figure: Figure, name: str, below: str = "") -> None:
    """A figure as a card draws it, with its caption, and what is `below` it."""
    page = browser.new_page(viewport={"width": 1100, "height": 300})
    page.set_content(
        f"<style>{html.css()} body {{ padding: 1.5rem; background: var(--paper) }} .plot {{ "
        "max-width: none } iframe { width: 100%; height: 190px; border: 0 }</style>"
        f"<h2>{figure.title}</h2>{svg.draw(figure)}<p class=small>{figure.finding}</p>{below}"
    )
    page.wait_for_timeout(1000)
    page.screenshot(path=PICTURES / name, full_page=True)


def strip(shown: Film | None) -> str:
    """The stills of a film as a page of their own, all in one row."""
    assert shown is not None
    return (
        f"<style>{html.css()}{shown.css} body {{ background: none }} .film {{ display: none }} "
        f".strip {{ grid-template-columns: repeat(6, 1fr) }} li:nth-child(n+7) {{ display: none }}"
        f"</style>{shown.markup.partition('<script')[0]}"
    )


def draw(run: Path | None) -> None:
    """All pictures."""
    PICTURES.mkdir(exist_ok=True)
    if (found := find_chromium()) is None:
        sys.exit(NO_BROWSER)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        if run is None:
            run = Path(folder) / "run"
            freezetag(["examine", "tit_for_tat", "--seed", "0", "--out", str(run)])
        browser = driver.chromium.launch(executable_path=found, args=QUIET)
        harvest(browser)
        crash(browser)
        card(browser, run)
        with school(Path(folder)) as here:
            console(browser.new_context(viewport={"width": 1100, "height": 620}), here)
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if sys.argv[1:] else None)
