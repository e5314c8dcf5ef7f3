"""Chromium with a virtual authenticator: a key is made, certified by files, and then resets."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.live._serving import ADA, BOB
from tests.live.console.steps import School

from freezetag import cli
from freezetag.live.server.statements import KINDS
from freezetag.live.signed.keys import key_id, sign

LOCAL = "localhost"


def authenticator(context: BrowserContext, page: Page, resident: bool) -> tuple[Any, str]:
    """A device that verifies its person."""
    driver = context.new_cdp_session(page)
    driver.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal" if resident else "usb",
        "hasResidentKey": resident,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = driver.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return driver, made["authenticatorId"]


def at_name(context: BrowserContext, school: School) -> tuple[Page, str]:
    """The console by its name, signed in."""
    url = school.url.replace("127.0.0.1", LOCAL)
    assert school.server.service.origin == url
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.get_by_label("A token").fill(school.token("status"))
    page.get_by_role("button", name="Keep it in this browser").click()
    return page, url


def by_file(text: str, kind: str, key: tuple[bytes, bytes]) -> str:
    """What `freezetag sign --draft` prints."""
    made = base64.b64encode(sign(key[0], KINDS[kind].prefix + text.encode())).decode()
    return json.dumps({"signatures": {key_id(key[1]): made}, "text": text})


def hand_in(page: Page, kind: str, *keys: tuple[bytes, bytes]) -> None:
    """Each signs the text on the page with a file."""
    text = page.locator("#draft").inner_text()
    for n, key in enumerate(keys):
        page.get_by_label("Signed file 1", exact=True).fill(by_file(text, kind, key))
        page.get_by_role("button", name="Hand in").click()
        if n + 1 < len(keys):
            page.get_by_role("link", name="Back to the text to sign").click()


def enrolled(page: Page, url: str, person: str) -> None:
    """A key that the page's browser made for a person, certified by both."""
    page.goto(f"{url}/browser-keys")
    page.get_by_label("Whose key it will be").select_option(person)
    page.get_by_role("button", name="Make a key in this browser").click()
    expect(page.locator("h1")).to_have_text("A browser's key")
    made = json.loads(page.locator("#draft").inner_text())
    number = hashlib.sha256(base64.b64decode(made["public"])).hexdigest()[:16]
    expect(page.locator("main")).to_contain_text(number)
    hand_in(page, "browser_key", BOB, ADA)
    expect(page.locator("h1")).to_have_text("A browser's key: done")


@pytest.mark.parametrize(
    "resident",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["resident", "not resident"],
)
def test_two_keys_in_browsers_reset_and_verify_proves_it(
    empty: School, context: BrowserContext, resident: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    school = empty
    page, url = at_name(context, school)
    driver, device = authenticator(context, page, resident)
    enrolled(page, url, "ada")
    school.remote.press("fleet", "smoke")
    page.goto(f"{url}/reset")
    text = json.loads(page.locator("#draft").inner_text())
    assert list(text["reasons"].values()) == [["the folder's own token: smoke"]]
    page.get_by_role("button", name="Sign with a browser's key").click()
    expect(page.locator("h1")).to_have_text("1 of 2 signed")
    assert len(school.standing()) == 1  # a file and a browser of one person are one person
    page.goto(f"{url}/reset")
    page.get_by_role("button", name="Sign with a browser's key").click()
    expect(page.locator("h1")).to_have_text("1 of 2 signed")
    # Without a person at the device nothing is signed.
    driver.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto(f"{url}/reset")
    page.get_by_role("button", name="Sign with a browser's key").click()
    expect(page.locator("form.browser [role=status]")).to_contain_text("Nothing was signed")
    driver.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    enrolled(page, url, "bob")
    page.goto(f"{url}/reset")
    (of_bob,) = [
        each
        for each in school.server.service.authority.facts.browser_keys.known()
        if each.person == "bob"
    ]
    page.eval_on_selector(
        "form.browser", "(form, id) => { form.dataset.keys = id }", of_bob.credential
    )
    page.get_by_role("button", name="Sign with a browser's key").click()
    expect(page.locator("h1")).to_have_text("Cleared: 1 press")
    assert school.standing() == ()
    # A token is taken back by the same two keys.
    school.remote.post(
        "/api/token", {"right": "press", "scope": "fleet", "holder": "wall"}, "admin"
    )
    page.goto(f"{url}/tokens")
    page.get_by_label("A token with the right to admin").fill(school.token("admin"))
    page.get_by_role("button", name="Show the tokens").click()
    page.locator("tr", has_text="wall").get_by_role("button").click()
    expect(page.locator("dl")).to_contain_text("wall")
    for credential in (of_bob.credential, ""):
        if credential:
            page.eval_on_selector(
                "form.browser", "(form, id) => { form.dataset.keys = id }", credential
            )
        else:
            page.get_by_role("link", name="Back to the text to sign").click()
            page.eval_on_selector(
                "form.browser",
                "(form, id) => { form.dataset.keys = form.dataset.keys.replace(id, '').trim() }",
                of_bob.credential,
            )
        page.get_by_role("button", name="Sign with a browser's key").click()
        expect(page.locator("h1")).not_to_have_text("Take back a token")
    expect(page.locator("h1")).to_have_text("Take back a token: done")
    book = school.server.service.home.tokens.all()
    assert "wall" not in [token.holder for token in book]
    # What the ledger holds proves it, without a server.
    school.server.close()
    assert cli.run(["verify", str(school.server.service.home.path)]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert "verified" in said


@pytest.mark.slow
def test_without_a_script_or_at_a_number_the_page_says_what_works(
    empty: School, context: BrowserContext, no_scripts: BrowserContext
) -> None:
    school = empty
    page, url = at_name(no_scripts, school)
    page.goto(f"{url}/browser-keys")
    expect(page.locator("main")).to_contain_text("Keys in browsers take JavaScript, which is off.")
    expect(page.get_by_role("button", name="Make a key in this browser")).not_to_be_visible()
    page, url = at_name(context, school)
    context.clear_cookies()
    page.goto(f"{school.url}/sign-in")
    page.get_by_label("A token").fill(school.token("status"))
    page.get_by_role("button", name="Keep it in this browser").click()
    page.goto(f"{school.url}/browser-keys")
    expect(page.locator("form.browser [role=status]")).to_contain_text(f"Keys work at {url} alone")
    expect(page.get_by_role("button", name="Make a key in this browser")).to_be_disabled()
