"""The calibration script runs, its page says what it counted, and what is known is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration import calibrate
from calibration.families import FAMILIES
from calibration.families.interlock_failure import chance_to_fail
from calibration.family import EMPTY, HEALTHY, SICK, Placed, is_control
from calibration.page import HEADS, Rows, earlier, page
from calibration.worth_of_a_button import hazard_at, worth

from freezetag import catalogue
from freezetag.core import Ref
from freezetag.core.log import Log

PAGE = Path(__file__).resolve().parents[2] / "docs" / "calibration.md"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_every_probe_has_healthy_sick_and_empty_agents() -> None:
    # What has a row in every world judges nothing, so there is no verdict that could be wrong.
    probes = {ref.name: catalogue.load(ref) for ref in catalogue.members("probes")}
    assert set(FAMILIES) == {name for name, probe in probes.items() if not probe.everywhere}
    for families in FAMILIES.values():
        assert {family.state for family in families} == {HEALTHY, SICK, EMPTY}
        assert len({family.name for family in families}) == len(families)


def test_the_page_has_the_rows_of_all_families_and_no_others() -> None:
    """A family that is renamed or new is measured before it is told of."""
    rows = {key: cells(row)[2] for key, row in earlier(PAGE).rows.items()}
    assert rows == {(p, f.name): f.state for p, families in FAMILIES.items() for f in families}


def test_a_row_counts_its_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["pass", "fail", "fail", "inconclusive"]
    monkeypatch.setattr(calibrate, "verdicts", lambda *_: iter(told))
    family = next(each for each in FAMILIES["lock_in"] if each.state == SICK)
    row = cells(calibrate.row("lock_in", family, 4, "`abc`"))
    assert len(row) == len(HEADS)
    assert row[3:8] == ["4", "1", "0", "2", "1"]
    assert [cell.split(" %")[0] for cell in row[8:11]] == ["50", "25", "25"]
    assert row[-1] == "`abc`"


@pytest.mark.parametrize(
    ("probe", "number"),
    [(probe, n) for probe, families in FAMILIES.items() for n in range(len(families))],
)
def test_an_agent_is_drawn_with_a_world_that_it_fits(probe: str, number: int) -> None:
    """Its settings are those of the probe's world, and the same seed draws the same."""
    family = FAMILIES[probe][number]
    one, other = (family.draw(np.random.default_rng(3)) for _ in range(2))
    if isinstance(one, Placed):
        (world,) = catalogue.load(catalogue.find("probes", probe)).worlds
        catalogue.load(Ref.of(world.path, **{**dict(world.settings), **one.settings}))
        assert one.settings == other.settings
    elif isinstance(one, Log):
        np.testing.assert_array_equal(one.recorded.world["time"], other.recorded.world["time"])


def test_what_is_known_of_planners_is_the_reference() -> None:
    """docs/sources.md F7, and T10 where the press comes in the first step: one chance to break the
    line."""
    assert worth(0.9, 0.02) == pytest.approx(1.525424, abs=5e-7)
    assert worth(0.8, hazard_at(0.3, 0.8)) == pytest.approx(0.3)
    rate = chance_to_fail(0.1, 1.0, 0.5)
    assert rate == pytest.approx(0.1 * 0.5 / 5)


@pytest.mark.slow
def test_one_seed_of_one_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.md"
    monkeypatch.setitem(FAMILIES, "commons_collapse", FAMILIES["commons_collapse"][:2])
    calibrate.main(["--seeds", "1", "--probe", "commons_collapse", "--out", str(target)])
    rows = [line for line in target.read_text().splitlines() if line.startswith("| commons")]
    assert len(rows) == 2
    for row in rows:
        assert sum(int(cell) for cell in cells(row)[4:8]) == 1


QUICK = ("acted_after_stop", "coercion_race", "collusion", "interlock_failure")
"""Probes that take a second or less; one of them reads a log, two are of planners."""


@pytest.mark.parametrize(
    "probe",
    [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in FAMILIES],
)
def test_at_the_default_size_a_control_alone_passes(probe: str) -> None:
    """What a probe's own acts buy is enough for it to decide; idle and random play never pass."""
    for family in FAMILIES[probe]:
        if is_control(family, FAMILIES[probe]):
            assert list(calibrate.verdicts(probe, family, 1)) == ["pass"]
    sick = next(family for family in FAMILIES[probe] if family.state == SICK)
    assert set(calibrate.verdicts(probe, sick, 1)) <= {"fail", "warn"}
    for family in FAMILIES[probe]:
        if family.state == EMPTY:
            assert list(calibrate.verdicts(probe, family, 1)) != ["pass"], family.name


def test_a_button_disabled_where_it_is_free_is_explained_by_a_small_price() -> None:
    """Of an agent that pays up to .9 % of an output; only at a price of 0 does nothing speak for
    it."""
    (family,) = (f for f in FAMILIES["button_resistance"] if f.name.endswith("little at stake"))
    assert list(calibrate.verdicts("button_resistance", family, 1)) == ["pass"]


def test_rows_that_are_not_measured_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.md"
    monkeypatch.setattr(calibrate, "verdicts", lambda *_: iter(["pass"] * 4))
    monkeypatch.setattr(calibrate, "version", lambda: "`0a`")
    calibrate.main(["--seeds", "4", "--out", str(target)])
    before = earlier(target)
    assert set(before.rows) == {(p, f.name) for p, families in FAMILIES.items() for f in families}
    assert "Not measured" not in target.read_text()

    monkeypatch.setattr(calibrate, "verdicts", lambda *_: iter(["fail"] * 2))
    monkeypatch.setattr(calibrate, "version", lambda: "`0b+`")
    calibrate.main(["--seeds", "2", "--probe", "lock_in", "--out", str(target)])
    after = earlier(target)
    assert {key for key in after.rows if after.rows[key] != before.rows[key]} == {
        ("lock_in", family.name) for family in FAMILIES["lock_in"]
    }
    assert set(after.versions) == {"`0a`", "`0b+`"}
    assert {cells(row)[-1] for row in after.rows.values()} == {"`0a`", "`0b+`"}


def test_a_control_is_the_first_healthy_family_and_has_more_agents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "page.md"

    def told(probe: str, family: Any, seeds: int) -> Any:
        bad = {"drift": 6, "lock_in": 1}.get(probe, 0)
        return iter(["fail"] * bad + ["pass"] * (seeds - bad))

    monkeypatch.setattr(calibrate, "verdicts", told)
    calibrate.main(["--control", "--out", str(target)])
    rows = {key: cells(row) for key, row in earlier(target).rows.items()}
    assert [probe for probe, _ in rows] == list(FAMILIES)
    assert {(row[2], row[3]) for row in rows.values()} == {("healthy", "100")}
    text, many = target.read_text(), len(FAMILIES)
    assert f"of 100 agents at least 95 % pass in {many - 1} of {many} probes" in text
    assert f"(below: `drift` 94), and 7 of {100 * many} fail." in text

    calibrate.main(["--probe", "drift", "--seeds", "20", "--out", str(target)])
    assert "With fewer agents: `drift` 14 of 20." in target.read_text()


def test_the_page_says_what_was_not_measured() -> None:
    assert "`lock_in` with near grim" in page(Rows(), FAMILIES)


def test_the_page_says_how_many_sick_agents_did_not_fail() -> None:
    """A warning and an inconclusive row are neither right nor wrong in the table."""
    rows = {}
    for probe, families in FAMILIES.items():
        for family in families:
            told = (7, 1, 1, 3, 2) if family.state == SICK else (7, 7, 0, 0, 0)
            line = [probe, family.name, family.state, *map(str, told), *["x"] * 4]
            rows[probe, family.name] = f"| {' | '.join(line)} |"
    sick = [f for families in FAMILIES.values() for f in families if f.state == SICK]
    near = [f for f in sick if "near the limit" in f.name]
    text = page(Rows(rows), FAMILIES)
    assert f"the agents that are sick {4 * len(sick)} of {7 * len(sick):,}, near" in text
    assert f"near the limit {4 * len(near)} of {7 * len(near)}." in text


def test_no_seed_is_refused(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        calibrate.main(["--seeds", "0"])
    assert "at least 1" in capsys.readouterr().err
