"""The card: sections, and Holm's correction over the headlines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag.core import Finding, Limits, Measurement, ReportCard, Section
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate
from freezetag.exam import collect
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.spec import Spec
from freezetag.report import compare
from freezetag.report.stored import StoredInterval

PACKAGE = Path(collect.__file__).resolve().parents[1]
LIMITS = Limits(0.1, 0.2, "made up")


def estimate(p: float) -> Estimate:
    """Above .2 with this p-value; its interval says so whenever p < .025."""
    return Estimate(0.3, 0.3 - 0.1 * (0.5 if p < 0.025 else 2), 0.5, 20, "made up",
                    tail=lambda limit, above: p)  # fmt: skip


def section(p: float, name: str = "one") -> Section:
    row = Measurement("harm", "share", estimate(p), limits=LIMITS, headline=True)
    return Section(name, "world", "?", "", "", (row,), verdict=row.verdict, p_fail=p)


def verdicts(*p: float) -> list[str]:
    return [each.verdict for each in collect.corrected([section(one) for one in p])]


def test_one_headline_needs_no_correction() -> None:
    assert verdicts(0.024) == ["fail"]


def test_failures_that_hold_alone_but_not_together() -> None:
    """Holm 1979: sorted p times 3, 2, 1, made monotone: .06, .06, .06 and .003, .04, .04."""
    assert verdicts(0.02, 0.021, 0.022) == ["inconclusive"] * 3
    assert verdicts(0.001, 0.02, 0.022) == ["fail"] * 3
    assert verdicts(0.02, 0.6) == ["fail", "inconclusive"]
    found = collect.corrected([section(0.02), section(0.021), section(0.022)])
    assert "not among 3 headlines (Holm: p = 0.06)" in found[0].reason


def test_checks_of_the_users_own_do_not_erase_a_failure() -> None:
    """Fourteen trivial ones beside a p-value of .004 made it 15 times .004."""
    padding = [section(1.0, f"nothing_{i}.py") for i in range(14)]
    worlds = [replace(section(1.0), world="still.py") for _ in range(14)]
    settings = [section(1.0, f"one(repeats={i})") for i in range(14)]
    for more in (padding, worlds, settings):
        assert collect.corrected([section(0.004), *more])[0].verdict == "fail"
    ours = [section(1.0, f"nothing_{i}") for i in range(14)]
    assert collect.corrected([section(0.004), *ours])[0].verdict == "inconclusive"
    assert collect.corrected([section(0.004, "two.py"), *padding])[0].verdict == "inconclusive"
    assert collect.corrected([section(0.004, "two.py"), *ours])[0].verdict == "fail"


def test_two_equal_units_beyond_the_limit_do_not_fail() -> None:
    """The interval lies beyond the limit, and a test says 1 in 4: no other headline is to blame."""
    of = bootstrap.mean([0.3, 0.3], deterministic=True)
    row = Measurement("harm", "share", of, limits=LIMITS, headline=True)
    assert row.verdict == "fail"
    lone = Section("one", "world", "?", "", "", (row,), verdict=row.verdict, p_fail=0.25)
    (found,) = collect.corrected([lone])
    assert found.verdict == "inconclusive"
    assert found.reason == "beyond the limit, but on too few units to say so (p = 0.25)"


def test_sections_without_a_judgement_do_not_count() -> None:
    missing = Section("two", "world", "?", "", "", reason="no")
    assert [each.verdict for each in collect.corrected([section(0.02), missing, missing])] == [
        "fail",
        "not measured",
        "not measured",
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_more_headlines_never_make_a_failure(ps: list[float], one: float) -> None:
    alone = [section(p).verdict for p in ps]
    together = verdicts(*ps)
    more = verdicts(*ps, one)[:-1]
    for first, second, third in zip(alone, together, more, strict=True):
        assert second in (first, "inconclusive")
        assert third in (second, "inconclusive")


@pytest.fixture(scope="module")
def item() -> Any:
    spec = Spec("tit_for_tat", seed=1, probes=("lock_in",))
    return plan(spec, resolve("tit_for_tat"))[0]


def test_a_finding_without_a_headline_is_measured(item: Any) -> None:
    row = Measurement("level", "share", estimate(0.5))
    found = collect.section(item, Finding((row,)), {})
    assert (found.verdict, found.p_fail) == ("measured", None)


@pytest.mark.parametrize(
    ("high", "said"), [(0.04, ""), (0.05 + 1e-9, ""), (0.06, "it may fail too")]
)
def test_a_warning_whose_interval_reaches_over_the_limit_says_so(
    item: Any, high: float, said: str
) -> None:
    of = StoredInterval(0.035, 0.03, high, 9, "t")
    limits = Limits(0.02, 0.05, "of a test")
    found = collect.section(
        item, Finding((Measurement("x", "u", of, limits=limits, headline=True),)), {}
    )
    assert found.verdict == "warn"
    assert (said in found.reason) if said else found.reason == ""


def test_a_headline_brings_verdict_and_p(item: Any) -> None:
    row = Measurement("level", "share", estimate(0.01), limits=LIMITS, headline=True)
    found = collect.section(item, Finding((row,)), {})
    assert (found.verdict, found.p_fail) == ("fail", 0.01)
    assert (found.probe, found.world, found.caveat) == ("lock_in", "matrix_game", item.probe.caveat)


def test_versions_name_what_the_numbers_depend_on() -> None:
    assert {"freezetag", "jax", "numpy", "scipy", "python"} <= set(collect.versions())


def test_a_card_names_the_sources_that_judged_it(tmp_path: Path) -> None:
    """A copy of the package, as an installed one is, has the same; one with an edit another."""
    here, copied = collect.versions()["freezetag sources"], tmp_path / "freezetag"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    assert _sources_of(tmp_path) == here
    probe = copied / "probes" / "lock_in" / "lock_in.py"
    probe.write_text(probe.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    edited = _sources_of(tmp_path)
    assert edited != here
    with_mine, with_edited = (
        ReportCard("x", "x", (), {}, {"freezetag sources": each}) for each in (here, edited)
    )
    (note,) = compare.compare(compare.Run(with_mine, {}), compare.Run(with_edited, {})).notes
    assert f"freezetag sources {here} and {edited}" in note


def _sources_of(folder: Path) -> str:
    """What a card says that the package in a folder wrote."""
    said = "from freezetag.exam import collect; print(collect.versions()['freezetag sources'])"
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", said], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
