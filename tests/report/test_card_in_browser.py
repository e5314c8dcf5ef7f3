"""card.html in Chromium: no request, both schemes, with and without scripts, narrow, printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from tests.report.cards import card, crashed

from freezetag.report import html

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCHEMES = ["light", "dark"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "card.html"
    path.write_text(html.write_html(card(sections=(*card().sections, crashed()))), "utf-8")
    return path


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_request_no_message_no_alert(
    browser: Browser, file: Path, scheme: str, scripts: bool
) -> None:
    context = browser.new_context(
        offline=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=scripts,
    )
    page = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    assert requests == [file.as_uri()]
    assert messages == []
    assert "<script>alert(1)</script>" in page.get_by_role("heading", level=1).inner_text()
    assert page.get_by_role("img").count() >= 8
    page.get_by_text("The numbers").first.click()
    assert page.get_by_role("table").first.is_visible()
    context.close()


@pytest.mark.slow
def test_the_schemes_differ_and_paper_is_light(browser: Browser, file: Path) -> None:
    seen = {}
    for scheme in SCHEMES:
        page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(file.as_uri())
        ink = "getComputedStyle(document.querySelector('.plot text')).fill"
        seen[scheme] = (background(page), page.evaluate(ink))
        page.emulate_media(media="print")
        seen[f"{scheme} on paper"] = (background(page), page.evaluate(ink))
        assert len(page.pdf()) > 20_000
        page.close()
    assert seen["light"] != seen["dark"]
    assert seen["light on paper"] == seen["dark on paper"]
    assert seen["light on paper"][1] == seen["light"][1]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing(browser: Browser, file: Path, scheme: str, width: int) -> None:
    context = browser.new_context(
        bypass_csp=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
    )
    page = context.new_page()
    page.goto(file.as_uri())
    for numbers in page.get_by_text("The numbers").all()[:2]:
        numbers.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    context.close()


@pytest.mark.slow
def test_axe_would_find_something(browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.set_content("<html><body><img src='data:,'></body></html>")
    assert Axe().run(page).violations_count > 0
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 360, 768])
def test_the_page_never_scrolls_sideways(browser: Browser, file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 700})
    page.goto(file.as_uri())
    for numbers in page.get_by_text("The numbers").all():
        numbers.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.slow
def test_it_works_with_the_keyboard(browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"DIV", "SUMMARY", "A"} <= reached
    page.close()
