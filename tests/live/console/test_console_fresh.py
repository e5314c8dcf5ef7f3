"""The page keeps itself fresh, keeps what people do, and says so when it cannot."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.live._serving import enrolled
from tests.live.console.steps import FADED, School, fade_fast, opened


@pytest.mark.slow
def test_what_is_typed_chosen_or_open_stays(school: School, context: BrowserContext) -> None:
    page = opened(context, school, "status", "press")
    page.get_by_label("Stops").select_option("agent:trader")
    page.get_by_label("Reason").fill("half a sen")
    page.locator(".start summary").click()
    page.get_by_label("who starts it").fill("an")
    enrolled(school.remote, school.folder, "newcomer", groups=["a_group_that_comes_first"])
    expect(page.locator("#agents")).to_contain_text("newcomer")
    assert page.get_by_label("Stops").input_value() == "agent:trader"
    assert page.locator("#stops").inner_text() == "trader"
    assert page.get_by_label("Reason").input_value() == "half a sen"
    assert page.get_by_label("who starts it").first.input_value() == "an"
    assert page.evaluate("document.activeElement.name") == "who"


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


@pytest.mark.slow
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
