"""What every test shares: the environment JAX starts in, the browser and the published tables.

The environment is set while this file is imported, before any test imports JAX.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}
LONG = "FREEZETAG_LONG" in os.environ
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"no {BROWSERS[0]} found (also looked for {', '.join(BROWSERS[1:])})"
_browser_tests: Counter[str] = Counter()

os.environ["JAX_PLATFORMS"] = "cpu"  # figures are compared on one device
# One compilation cache for all xdist workers and later runs.
os.environ.setdefault("FREEZETAG_CACHE", str(ROOT / ".cache" / "freezetag"))

settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if IN_CI else "dev")


def find_chromium() -> str | None:
    """Path of an installed Chromium, or None."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium, an ``executable_path``; without one CI fails and others skip."""
    found = find_chromium()
    if found is None and IN_CI:
        pytest.fail(NO_BROWSER)
    if found is None:
        pytest.skip(NO_BROWSER)
    return found


@pytest.fixture(scope="session")
def tables() -> Path:
    """The folder of published tables; its README says where each is from."""
    return ROOT / "tests" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses the browser is marked so, whether its author thought of it or not; and a
    long one runs if somebody asks for it."""
    for item in items:
        if item.get_closest_marker("long") and not LONG:
            item.add_marker(pytest.mark.skip(reason="long: make long"))
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the browser tests by what became of them, also those that xdist ran elsewhere."""
    if "browser" in report.keywords and (report.when == "call" or report.skipped):
        _browser_tests["skipped" if report.skipped else "ran"] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say whether the browser tests ran, here and in a file that `make test` reads."""
    if skipped := _browser_tests["skipped"]:
        verdict = f"did not run: {NO_BROWSER}"
        terminalreporter.write_sep("!", f"{skipped} browser tests {verdict}")
    elif ran := _browser_tests["ran"]:
        verdict = f"ran: {ran}"
    else:
        return  # a run that selects none of them says nothing about them
    note = ROOT / ".cache" / "browser-tests"
    note.parent.mkdir(exist_ok=True)
    note.write_text(verdict + "\n")
