"""The models in `tla/` under TLC. `make model` runs all of them; here the quick ones."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

CHECK = Path(__file__).resolve().parents[2] / "tla" / "check.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("tla_check", CHECK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tla_check"] = module
    spec.loader.exec_module(module)
    return module


check = load()
COUNTS = "9 states generated, 5 distinct states found, "
GOOD = f"Model checking completed. No error has been found.\n{COUNTS}0 states left on queue."
BAD = f"Error: Invariant Safe is violated.\n{COUNTS}3 states left on queue."


def test_a_verdict_is_judged() -> None:
    safe, mutant = check.Model("M", "c", states=5), check.Model("M", "c", violates="Safe")
    assert check.judge(safe, GOOD) == ""
    assert check.judge(mutant, BAD) == ""
    assert "not 6" in check.judge(check.Model("M", "c", states=6), GOOD)
    assert check.judge(safe, BAD)
    assert check.judge(mutant, GOOD)
    assert check.judge(safe, "")
    assert check.judge(mutant, "Error: Invariant Other is violated.")


def test_every_configuration_is_judged() -> None:
    assert {model.config for model in check.MODELS} == {p.stem for p in CHECK.parent.glob("*.cfg")}


@pytest.mark.slow
@pytest.mark.skipif(check.jar() is None or shutil.which("java") is None, reason="needs Java")
def test_the_quick_models(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["g1s", "mutant_m1", "reset_m2", "replica_m5"]
    assert check.main(quick) == 0
    told = capsys.readouterr().out
    assert "141,697 states" in told
    assert told.count("violates Safe") == 3


def test_an_unknown_configuration_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["g1s", "g9"]) == 2
    assert "g9" in capsys.readouterr().err
