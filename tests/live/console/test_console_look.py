"""How the console looks: nothing for axe, no scrolling, and text that is only text."""

from __future__ import annotations

import asyncio
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.live._serving import enrolled, until
from tests.live.console.steps import FADED, School, fade_fast, hold, opened

HOSTILE = "<img src=x onerror=alert(1)>"


def placed(page: Page, part: str) -> tuple[float, float]:
    """Where the top of a part is on the screen, and how high it is."""
    box = page.locator(part).bounding_box()
    assert box is not None, part
    return box["y"], box["height"]


def test_hostile_text_is_text(empty: School, context: BrowserContext) -> None:
    school, service = empty, empty.server.service
    # Such names are refused today; a ledger of before may hold them.
    enrolment = service.commit(
        lambda: service.authority.enrol(HOSTILE, [HOSTILE + "\"'"], "rest_is_safe", {}, [], "")
    )
    threading.Thread(target=asyncio.run, args=(enrolment,)).start()
    until(lambda: HOSTILE in service.authority.facts.agents)
    school.remote.post("/api/start", {"agent": HOSTILE, "who": HOSTILE}, "start")
    service.press(f"agent:{HOSTILE}", HOSTILE, HOSTILE + "\u202e")
    until(lambda: not service.undurable)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    hold(context, school, "status", "press")
    for path in ("/", "/reset"):
        page.goto(school.url + path)
        assert page.locator("img").count() == 0
        assert HOSTILE in page.locator("main").inner_text()
    page.goto(school.url)
    page.get_by_label("Stops").select_option(f"agent:{HOSTILE}")
    expect(page.locator("#stops")).to_have_text(HOSTILE)
    service.press("fleet", HOSTILE)
    expect(page.locator("#standing li")).to_have_count(2)
    assert page.locator("img").count() == 0
    assert messages == []


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_an_answer_takes_no_room_of_what_is_chosen(
    school: School, context: BrowserContext, width: int
) -> None:
    page = opened(context, school, "status", "press")
    page.set_viewport_size({"width": width, "height": 740})
    page.get_by_label("Stops").select_option("agent:writer")

    def wide(part: str) -> float:
        box = page.locator(part).bounding_box()
        assert box is not None, part
        return box["width"]

    before = wide("#scope"), wide("#category")
    page.locator("#stop").click()
    expect(page.locator("#said")).to_contain_text("Pressed, durable: 1 agent.")
    assert (wide("#scope"), wide("#category")) == before
    assert wide("#said") > width - 60  # no word of it has to break
    assert wide(".proof") > width - 60
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, school: School, scheme: str) -> None:
    context = browser.new_context(
        bypass_csp=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": 1280, "height": 800},
    )
    page = opened(context, school, "status", "press")

    def check(what: str) -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, f"{what}: {found.generate_report()}"

    page.locator(".start summary").click()
    check("running and held")
    school.remote.press("agent:writer", "see")
    expect(page.locator("#standing li")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    check("pressed, narrow")
    for path in ("/reset", "/sign-in"):
        page.goto(school.url + path)
        check(path)
    context.clear_cookies()
    fade_fast(context)
    page.goto(school.url)
    page.route(school.url + "/", lambda route: route.abort())
    expect(page.locator(".live .up")).to_be_hidden(timeout=FADED)
    check("lost, without a token")
    context.close()


@pytest.mark.slow
def test_a_class_of_31_fits_without_scrolling(empty: School, context: BrowserContext) -> None:
    school = empty
    for n in range(31):
        enrolled(school.remote, school.folder, f"pupil-{n:02d}", groups=["class"])
    school.remote.press("fleet", "a reason of some length, as people give")
    page = opened(context, school, "status", "press")
    expect(page.locator("#standing li")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 800
    scroll = page.locator("#agents .scroll")
    assert scroll.evaluate("(list) => list.scrollHeight - list.clientHeight") <= 0
    for part in ("#stop", "#banner", "#counts", "#timeline", "#agents li >> nth=30", "#ledger"):
        y, height = placed(page, part)
        assert 0 <= y <= 800 - height, part
    words = page.locator("#counts dt")
    for width in (1000, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        heights = words.evaluate_all("(all) => all.map((each) => each.offsetHeight)")
        assert max(heights) <= 2 * min(heights), "a word is broken"
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.mouse.wheel(0, 2000)
    assert 0 <= placed(page, "#stop")[0] < 300  # it stays in reach
