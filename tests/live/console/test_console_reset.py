"""Two people reset, then the agents are held, then one person starts one: by forms alone."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.live._serving import ADA, BOB, EVE, signed, until
from tests.live.console.steps import AGENTS, School, badge, hold, opened


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
    expect(page.locator("#timeline")).to_contain_text(
        "started writer by the folder's own token, who said ann, epoch 2"
    )
    until(lambda: school.shown("writer") == "running")
    page.reload()
    assert [badge(page, name) for name in ("writer", "trader")] == ["▶ running", "‖ held"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_stop_file_that_still_lies_is_named(school: School, context: BrowserContext) -> None:
    stop = school.server.service.home.path / "STOP"
    stop.touch()
    until(lambda: bool(school.standing()))
    hold(context, school, "status")
    page = context.new_page()
    page.goto(school.url + "/reset")
    expect(page.locator("main .loud")).to_contain_text("it will press again. Remove it first.")
    stop.unlink()
    page.reload()
    expect(page.locator("main .loud")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("Reset 1 press")
