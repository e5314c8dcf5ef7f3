"""The console in Chromium, against a real server with real gates."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.live._serving import (
    ADA,
    BOB,
    EVE,
    agent,
    enrolled,
    gated,
    home,
    signed,
    started,
    until,
)

from freezetag.live.presses import Press
from freezetag.live.remote import Remote, local
from freezetag.live.server.run import Server

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FADED = 8_000  # milliseconds; the fade takes four seconds
SHIPPED = "--rest: 2.5s; --fade: 1.5s"
AGENTS = ("clerk", "writer", "trader")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=QUIET)
        yield opened
        opened.close()


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


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[School]:
    """A server without agents."""
    made = home(tmp_path / "home", name="school")
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


def hold(context: BrowserContext, school: School, *rights: str) -> None:
    """As signing in does."""
    for right in rights:
        cookie = {"name": f"freezetag_{right}", "value": school.token(right), "url": school.url}
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


def placed(page: Page, part: str) -> tuple[float, float]:
    """Where the top of a part is on the screen, and how high it is."""
    box = page.locator(part).bounding_box()
    assert box is not None, part
    return box["y"], box["height"]


def test_press_without_scripts(school: School, no_scripts: BrowserContext) -> None:
    page = no_scripts.new_page()
    page.goto(school.url)
    page.get_by_label("Reason").fill("a fire drill")
    page.get_by_label("Token").first.fill(school.token("press"))
    page.get_by_role("button", name=re.compile("STOP")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pressed. It is durable.")
    assert page.locator(".whom li").all_inner_texts() == ["clerk", "writer", "trader"]
    assert until(lambda: school.shown("writer") != "running")
    (press,) = school.standing()
    assert (press.scope, press.reason, press.category) == ("fleet", "a fire drill", 0)
    hold(no_scripts, school, "status")
    page.get_by_role("link", name="See whether each has stopped").click()
    assert page.locator("noscript").count() == 1  # it asks again by itself
    expect(page.locator("#standing")).to_contain_text("a fire drill")


def test_a_foreign_token_presses_nothing(school: School, no_scripts: BrowserContext) -> None:
    page = no_scripts.new_page()
    page.goto(school.url)
    page.get_by_label("Token").first.fill(school.token("status"))
    page.locator("#stop").click()
    expect(page.locator("h1")).to_have_text("This was not done.")
    expect(page.locator("main")).to_contain_text("'press'")
    assert not school.standing()


def test_a_get_never_presses_and_pages_allow_no_foreign_code(school: School) -> None:
    bearer = {"Authorization": f"Bearer {school.token('press')}"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(school.url + "/press", headers=bearer))
    assert refused.value.code == 405
    refused.value.close()
    assert not school.standing()
    bearer = {"Authorization": f"Bearer {school.token('status')}"}
    for path in ("/", "/reset", "/sign-in"):
        with urllib.request.urlopen(
            urllib.request.Request(school.url + path, headers=bearer)
        ) as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = answer.read().decode()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|https?://", text)


def test_a_press_shows_at_once_without_a_reload(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.evaluate("window.marker = 1")
    assert badge(page, "writer") == "▶ running"
    expect(page.locator("#stops")).to_have_text("the fleet, 3 agents")
    page.get_by_label("Stops").select_option("agent:writer")
    expect(page.locator("#stops")).to_have_text("writer")
    page.locator("#stop").click()
    expect(page.locator("#said")).to_contain_text("Pressed, durable: 1 agent.")
    expect(page.locator("#standing li")).to_contain_text("writer by first")
    expect(page.locator("#timeline")).to_contain_text("stopped writer")
    assert badge(page, "trader") == "▶ running"
    # From elsewhere: shown well before the next second's beat.
    took = []
    for n in range(3):
        begun = time.perf_counter()
        school.server.service.press("agent:trader", "the wall", "see")
        shown = "(text) => document.querySelector('#standing').textContent.includes(text)"
        page.wait_for_function(shown, arg=f"pressed {n + 1} times" if n else "the wall")
        took.append(time.perf_counter() - begun)
        time.sleep(0.1)
    assert min(took) < 0.5, took
    assert page.evaluate("window.marker") == 1
    assert messages == []


def test_what_is_typed_chosen_or_open_stays(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    page.get_by_label("Stops").select_option("agent:trader")
    page.get_by_label("Reason").fill("half a sen")
    page.locator(".start summary").click()
    page.get_by_label("who starts it").fill("an")
    enrolled(school.remote, school.folder, "newcomer", groups=["a group that comes first"])
    expect(page.locator("#agents")).to_contain_text("newcomer")
    assert page.get_by_label("Stops").input_value() == "agent:trader"
    assert page.locator("#stops").inner_text() == "trader"
    assert page.get_by_label("Reason").input_value() == "half a sen"
    assert page.get_by_label("who starts it").first.input_value() == "an"
    assert page.evaluate("document.activeElement.name") == "who"


def test_keys_move_and_choose_and_never_press(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    focused = "document.activeElement.dataset.scope || document.activeElement.id"
    page.keyboard.press("b")
    assert page.evaluate(focused) == "stop"
    for _ in AGENTS:
        page.keyboard.press("j")
    assert page.evaluate(focused) == "agent:trader"
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    assert page.get_by_label("Stops").input_value() == "agent:writer"
    page.keyboard.press("f")
    assert page.get_by_label("Stops").input_value() == "fleet"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_label("Reason").press("b")  # typing is typing
    assert page.get_by_label("Reason").input_value() == "b"
    assert not school.standing()
    page.locator("#agents li").first.focus()
    page.keyboard.press("b")
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_contain_text("durable")


def test_silence_turns_all_to_unknown(empty: School, context: BrowserContext) -> None:
    school = empty
    enrolled(school.remote, school.folder, "clerk")
    fade_fast(context)
    page = opened(context, school, "status", "press")
    expect(page.locator(".banner .now")).to_be_visible()
    time.sleep(2)
    expect(page.locator(".banner .now")).to_be_visible()  # while news come
    # The stream lives, but no fresh page comes: a script that hangs, a proxy that repeats itself.
    old = page.content()
    page.route(school.url + "/", lambda route: route.fulfill(body=old, content_type="text/html"))
    expect(page.locator(".banner .lost")).to_be_visible(timeout=FADED)
    expect(page.locator(".banner .now")).to_be_hidden()
    expect(page.locator(".live .down")).to_be_visible()
    page.unroute_all()
    expect(page.locator(".banner .now")).to_be_visible()
    school.server.close()
    expect(page.locator(".banner .now")).to_be_hidden(timeout=FADED)
    expect(page.locator(".banner .lost")).to_contain_text("freezetag press")
    for shown in page.locator(".badge > span, .counts dd > span").all():
        assert not shown.is_visible()
    page.locator("#stop").click()
    expect(page.locator("#said")).to_contain_text("NOT SENT")


def test_without_the_right_to_see_nothing_is_shown(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status")
    expect(page.locator("#agents")).to_contain_text("writer")
    context.clear_cookies()  # as after twelve hours
    expect(page.locator("h1")).to_have_text("? not shown")
    assert "writer" not in page.content()
    page.goto(school.url + "/reset")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("A token").fill(school.token("status"))
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#agents")).to_contain_text("writer")
    assert page.evaluate("document.cookie") == ""  # no script can read it


def test_what_is_not_durable_is_loud(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    told = {"id": "0" * 32, "state": "stopping, NOT durable", "agents": 3}
    page.route("**/press", lambda route: route.fulfill(json=told))
    page.locator("#stop").click()
    expect(page.locator("#said.loud")).to_contain_text("3 agents stopping, NOT durable")


def test_two_people_reset_then_held_then_a_start(
    school: School, no_scripts: BrowserContext
) -> None:
    school.remote.press("fleet", "to be reset")
    page = opened(no_scripts, school, "status")
    page.get_by_role("link", name="Reset").click()
    expect(page.locator("h1")).to_have_text("Reset 1 press")
    expect(page.locator("main")).to_contain_text("to be reset")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download it").click()
    draft = json.loads(download.value.path().read_text("utf-8"))
    assert draft == {"signatures": {}, "text": page.locator("#draft").inner_text()}

    def hand_in(key: tuple[bytes, bytes]) -> None:
        area = page.get_by_label("Signed file 1", exact=True)
        area.fill(json.dumps(signed(draft["text"], key)))
        page.get_by_role("button", name="Hand in").click()

    for _ in range(2):  # the same person twice is one person
        hand_in(ADA)
        expect(page.locator("h1")).to_have_text("1 of 2 signed")
        page.get_by_role("link", name="Back to the text to sign").click()
    assert page.locator("#draft").inner_text() == draft["text"]
    expect(page.locator(".people")).to_contain_text("ada: signed")
    hand_in(EVE)
    expect(page.locator("h1")).to_have_text("This was not done.")
    page.goto(school.url + "/reset")
    hand_in(BOB)
    expect(page.locator("h1")).to_have_text("Cleared: 1 press")
    page.goto(school.url)
    assert page.locator("#standing").inner_text() == ""
    assert [badge(page, name) for name in AGENTS] == ["‖ held"] * 3
    row = page.locator("#agents li", has_text="writer")
    row.locator("summary").click()
    form = row.locator("form")
    form.get_by_label("who starts it").fill("ann")
    form.get_by_label("start token").fill(school.token("start"))
    form.get_by_role("button", name="Start writer").click()
    assert page.url == school.url + "/"
    expect(page.locator("#timeline")).to_contain_text("started writer by ann, epoch 2")
    until(lambda: school.shown("writer") == "running")
    page.reload()
    assert [badge(page, name) for name in ("writer", "trader")] == ["▶ running", "‖ held"]


def test_a_signed_file_can_be_chosen(school: School, context: BrowserContext) -> None:
    school.remote.press("agent:writer", "see")
    hold(context, school, "status")
    page = context.new_page()
    page.goto(school.url + "/reset")
    for n, key in ((1, ADA), (2, BOB)):
        file = school.folder / f"signed-{n}.json"
        file.write_text(json.dumps(signed(page.locator("#draft").inner_text(), key)), "utf-8")
        page.get_by_label(f"signed file {n}", exact=True).set_input_files(file)
        expect(page.locator(f"#signature-{n}")).to_have_value(file.read_text("utf-8"))
    page.get_by_role("button", name="Hand in").click()
    expect(page.locator("h1")).to_have_text("Cleared: 1 press")


def test_hostile_text_is_text(empty: School, context: BrowserContext) -> None:
    school, service = empty, empty.server.service
    body = {"agent": HOSTILE, "groups": [HOSTILE + "\"'"]}
    school.remote.post("/api/enrol", body, "admin")
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
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.mouse.wheel(0, 2000)
    assert 0 <= placed(page, "#stop")[0] < 300  # it stays in reach
