"""The button in Chromium, against a real server with real gates: with scripts, without, by key."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.live._serving import enrolled, gated, started, until
from tests.live.console.steps import AGENTS, School, badge, hold, opened


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


def test_a_scope_that_nobody_understands_is_said_to_stop_all(
    school: School, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(school.url)  # without a right to the states the scope is typed
    page.get_by_label("Stops").fill("gruop:market")
    page.get_by_label("Token").first.fill(school.token("press"))
    page.locator("#stop").click()
    expect(page.locator("#said")).to_contain_text("not understood, so everyone: 3 agents")


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
    expect(page.locator("#standing li")).to_contain_text("writer by the folder's own token")
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_is_not_durable_is_loud(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    told = {"id": "0" * 32, "state": "stopping, NOT durable", "agents": 3}
    page.route("**/press", lambda route: route.fulfill(json=told))
    page.locator("#stop").click()
    expect(page.locator("#said.loud")).to_contain_text("3 agents stopping, NOT durable")


@pytest.mark.slow
def test_the_focus_stays_with_an_agent_that_comes_to_life(
    school: School, context: BrowserContext
) -> None:
    file = enrolled(school.remote, school.folder, "baker")
    page = opened(context, school, "status")
    page.locator("#agents li", has_text="baker").focus()
    old = page.evaluate("document.activeElement.id")
    started(school.remote, "baker")
    with gated(file, name="baker"):
        expect(page.locator("#agents li", has_text="baker")).to_contain_text("running")
        page.wait_for_function("() => document.activeElement.dataset.scope === 'agent:baker'")
        assert page.evaluate("document.activeElement.id") != old
