"""What every test shares: the environment JAX starts in, the browser and the published tables.

The environment is set while this file is imported, before any test imports JAX.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import KeywordMatcher
from _pytest.mark.expression import Expression
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}
TIERS = {"long": "make long", "slow": "make test-all"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"no {BROWSERS[0]} found (also looked for {', '.join(BROWSERS[1:])})"
_browser_tests: Counter[str] = Counter()
_left_out: Counter[str] = Counter()

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
    """A test that uses the browser is marked so, whether its author thought of it or not."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


def pytest_collection_finish() -> None:
    """What was imported and collected stays. Python's collector looked through all of it again and
    again while JAX traced, which makes much garbage: a tenth of the processor time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what `-m` leaves out by tier, of what `-k` would have run: pytest asks for both."""
    words = items[0].config.option.keyword.strip()
    named = Expression.compile(words) if words else None
    for item in items:
        tier = next((mark for mark in TIERS if item.get_closest_marker(mark)), None)
        if tier is not None and (not named or named.evaluate(KeywordMatcher.from_item(item))):
            _left_out[tier] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist tells the process that writes the summary."""
    gc.unfreeze()  # what is still held at the end is told as a leak
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each worker collects every test, so that any of them knows the counts."""
    _left_out.update(Counter(getattr(node, "workeroutput", {}).get("left out")) - _left_out)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the browser tests by what became of them, also those that xdist ran elsewhere."""
    if "browser" in report.keywords and (report.when == "call" or report.skipped):
        _browser_tests["skipped" if report.skipped else "ran"] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out; and whether the browser tests ran, in a file that `make` reads too."""
    for tier, count in _left_out.items():
        terminalreporter.write_line(f"left out, marked {tier}: {count} ({TIERS[tier]} runs them)")
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
