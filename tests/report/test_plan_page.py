"""The page of the two worlds: no request, both schemes, narrow, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from freezetag.report import plan_page
from freezetag.report.plan_rows import rows
from freezetag.two_worlds.comparison import Comparison
from freezetag.two_worlds.request import Request
from freezetag.two_worlds.sweep import Sweep

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def solved() -> tuple[Request, Comparison, Sweep | None]:
    request = Request.of("race", {"p": "0:1:11", "hazard": "0.05"}, power_limit="12")
    return request, request.compare(), request.sweep()


@pytest.fixture(scope="module")
def text(solved: Any) -> str:
    request, found, swept = solved
    return plan_page.page(found, swept, request.world, request.command)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.html"
    path.write_text(text, "utf-8")
    return path


def test_it_is_one_file_without_scripts_or_addresses(text: str) -> None:
    assert "<script" not in text
    assert "Content-Security-Policy" in text
    assert not re.search(r"""(src|href)=["'](?!#)""", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_both_worlds_are_drawn_and_the_offending_paths_are_bold(text: str, solved: Any) -> None:
    for caption in plan_page.CAPTIONS:
        assert f">{caption}<" in text
    assert "M[1]: not in this diagram" in text
    factual, planned = solved[1].diagrams.incentives()["race"]
    assert factual.kind == "both"
    bold = [{e for path in i.paths for e in pairwise(path)} for i in (factual, planned)]
    # The indirect path is whole in both worlds; one more line stands in the legend.
    assert text.count('stroke-width="3"') == len(bold[0] | bold[1]) + len(bold[1]) + 1
    assert "A[0] → race[1] → R[0]" in text


def test_every_row_sweep_source_and_caveat_is_there(text: str, solved: Any) -> None:
    _, found, swept = solved
    for row in rows(found):
        assert row.name.replace("'", "&#39;") in text
    assert "(0.325397, 0.404762]" in text
    assert text.count("<svg") >= 6
    assert len(swept.points) == 11
    assert "Creating AGI Safety Interlocks" in text
    assert "This world: one race, at once decided" in text
    assert "freezetag plan race --hazard 0.05 --power-limit 12 --p 0:1:11" in text


def test_the_command_on_the_page_is_the_request(solved: Any) -> None:
    request = solved[0]
    _, _, world, *rest = request.command.split()
    options = dict(zip((o.removeprefix("--") for o in rest[::2]), rest[1::2], strict=True))
    again = Request.of(world, {k: v for k, v in options.items() if k != "power-limit"}, "12")
    assert again == request


def test_a_name_from_elsewhere_is_escaped(solved: Any) -> None:
    _, found, swept = solved
    hostile = "<script>alert(1)</script>\u202e"
    page = plan_page.page(found, swept, hostile, hostile)
    assert "<script" not in page
    assert "\u202e" not in page


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_in_a_browser(browser: Browser, file: Path, scheme: str, width: int) -> None:
    """One request, no message, no sideways scrolling, nothing that axe finds."""
    context = browser.new_context(
        bypass_csp=True,
        offline=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
    )
    page = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(file.as_uri())
    for numbers in page.locator("summary").all():
        numbers.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).inner_text() == "race"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert requests == [file.as_uri()]
    assert messages == []
    context.close()


def test_without_scripts_and_with_its_own_policy(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.get_by_text("All that was solved").click()
    assert page.get_by_role("columnheader", name="FP+M, true return").is_visible()
    context.close()


@pytest.mark.slow
def test_the_schemes_differ(browser: Browser, file: Path) -> None:
    seen = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(file.as_uri())
        seen.add(
            page.evaluate("getComputedStyle(document.querySelector('.diagram .node rect')).stroke")
        )
        page.close()
    assert len(seen) == 2
