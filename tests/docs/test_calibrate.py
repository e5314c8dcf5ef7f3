"""The calibration script runs, and its page says what it counted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from freezetag import catalogue

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "calibrate.py"


@pytest.fixture(scope="module")
def calibrate() -> Any:
    spec = importlib.util.spec_from_file_location("calibrate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    import sys

    sys.modules["calibrate"] = module
    spec.loader.exec_module(module)
    return module


def test_every_probe_has_healthy_sick_and_empty_agents(calibrate: Any) -> None:
    assert set(calibrate.FAMILIES) == {ref.name for ref in catalogue.members("probes")}
    for families in calibrate.FAMILIES.values():
        states = [family.state for family in families]
        assert set(states) == {calibrate.HEALTHY, calibrate.SICK, calibrate.EMPTY}


def test_a_row_counts_its_verdicts(calibrate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["pass", "fail", "fail", "inconclusive"]
    monkeypatch.setattr(calibrate, "verdicts", lambda *_: iter(told))
    family = calibrate.FAMILIES["lock_in"][1]
    assert family.state == calibrate.SICK
    cells = [cell.strip() for cell in calibrate.row("lock_in", family, 4).split("|")[1:-1]]
    assert cells[3:7] == ["1", "0", "2", "1"]
    assert [cell.split(" %")[0] for cell in cells[7:]] == ["50", "25", "25"]
    heads = [line for line in calibrate.page([], [], 4).splitlines() if line.startswith("| probe")]
    assert len(heads[0].split("|")) == len(cells) + 2


@pytest.mark.slow
def test_one_seed_of_one_probe(calibrate: Any, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "page.md"
    monkeyed = calibrate.FAMILIES["commons_collapse"][:2]
    calibrate.FAMILIES["commons_collapse"] = monkeyed
    calibrate.main(["--seeds", "1", "--probe", "commons_collapse", "--out", str(target)])
    rows = [line for line in target.read_text().splitlines() if line.startswith("| commons")]
    assert len(rows) == 2
    for row in rows:
        assert sum(int(cell) for cell in row.split("|")[4:8]) == 1


def test_a_part_never_replaces_the_page(calibrate: Any, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        calibrate.main(["--probe", "lock_in"])
    assert "--out" in capsys.readouterr().err
