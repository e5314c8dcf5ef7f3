"""A command runs every tier of the tests, and what another one leaves out is said with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import TIERS

ROOT = Path(__file__).resolve().parents[2]
SOME = """
import pytest

def test_short(): pass

@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_slow(n): pass

@pytest.mark.long
def test_long(): pass

@pytest.mark.slow
@pytest.mark.long
def test_long_too(): pass
"""


@pytest.mark.parametrize(
    ("options", "passed", "said"),
    [
        (["-n", "2"], 1, {"slow": 2, "long": 2}),  # workers collect, another process tells
        (["-m", "not long"], 3, {"long": 2}),
        (["-k", "slow or short"], 1, {"slow": 2, "long": 1}),
        pytest.param(["-m", "", "-k", "short"], 1, {}, marks=pytest.mark.slow),
    ],
    ids=["make test", "make test-all", "by name in short", "by name"],
)
def test_a_tier_runs_and_what_is_left_out_is_said(
    options: list[str], passed: int, said: dict[str, int], tmp_path: Path
) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(SOME)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), str(file)]
    for plugin in ("tests.conftest", "no:cacheprovider", "xdist.plugin", "pytest_timeout"):
        command += ["-p", plugin]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the others take seconds
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), *options],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"= {passed} passed" in done.stdout, done.stdout + done.stderr
    told = dict(re.findall(r"^left out, marked (\w+): (\d+ \(.*\))$", done.stdout, re.M))
    assert told == {tier: f"{n} ({TIERS[tier]} runs them)" for tier, n in said.items()}


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("test-all", "-m 'not long'"),
        ("long", "-m long"),
        ("test TESTS=tests/x.py::test_slow", "-m '' tests/x.py::test_slow"),
        ("test-all TESTS=tests/x.py::test_long", "-m '' tests/x.py::test_long"),
    ],
)
def test_make_runs_them(target: str, runs: str) -> None:
    command = ["make", "-n", "-o", ".venv-frameworks/.ready", *target.split()]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"-m pytest .*{runs}", shown.replace("\\\n", " ")), shown


def test_a_submission_passes_the_slow_tier_too() -> None:
    assert re.search(r"^make test-all$", (ROOT / ".ci" / "run").read_text(), re.M)
