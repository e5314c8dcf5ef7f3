"""`freezetag plan`: the figures of the theory, sweeps, and requests that cannot be met."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from freezetag import cli
from freezetag.two_worlds.request import Request

WRONG = [
    ("buton", "Did you mean button"),
    ("commons", "commons offers no model to plan with. Worlds that do: button"),
    ("button --hazrd 0.1", "Did you mean --hazard"),
    ("button --hazrd 0.1", "others-pay"),
    ("button --hazard 1.5", "hazard lies in [0, 1], got 1.5"),
    ("button --hazard nan", "--hazard 'nan' is not a number"),
    ("button --hazard much", "--hazard 'much' is not a number"),
    ("button --hazard 0:1", "--hazard '0:1' is not a range. Write LOW:HIGH:COUNT"),
    ("button --hazard 0:x:3", "--hazard 'x' is not a number"),
    ("button --hazard 1:0:3", "a range rises from LOW to HIGH"),
    ("button --hazard 0:1:1", "in 2 to"),
    ("button --hazard 0:1:2.5", "in 2 to"),
    ("button --hazard 0:2:5", "hazard lies in [0, 1], got 2.0"),
    ("button --hazard 0:1:5 --bonus 0:1:5", "one setting can be swept at a time"),
    ("button --classmates 1.5", "--classmates takes whole numbers, got '1.5'"),
    ("button --classmates -1", "--classmates is at least 0, got -1"),
    ("button --horizon 0", "--horizon is at least 1, got 0"),
    ("button --horizon -3:5:9", "--horizon is at least 1, got -3"),
    ("button --seed 1.5", "'1.5' is not a whole number"),
    ("button --discount 1", "the discount must lie in (0, 1), got 1.0"),
    ("button --power-limit high", "--power-limit 'high' is not a number"),
    ("button --power-limit nan", "--power-limit 'nan' is not a number"),
    ("button --runtime 0", "at least 1 step"),
    ("freeze_tag --rule C", 'the rule is "A" or "B"'),
    ("freeze_tag --thawers 3", "--thawers changes nothing in freeze_tag with these settings"),
    ("freeze_tag --thawers 3", "It may under another --rule than A"),
    ("freeze_tag --frees 0.1:0.9:3", "--frees changes nothing in freeze_tag"),
    ("off_switch --belief 1", "--belief of off_switch is not a number"),
    ("button --watch", "button cannot be drawn. Worlds that can: corridor"),
    ("corridor --watch --json", "choose one"),
    ("button --out there.html", "there.html exists already and is not overwritten"),
]


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of a pipe, whatever the terminal that the tests run in."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(["plan", *arguments.split()]) == 0
    return capsys.readouterr().out


def data(arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(planned(f"{arguments} --json", capsys))
    return found


def rows(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row["cells"] for row in found["rows"]}


def line(printed: str, start: str) -> list[str]:
    """What stands in the row of that name, in cells two blanks apart."""
    (found,) = [row for row in printed.splitlines() if row.strip().startswith(start)]
    return [part for part in found.strip().removeprefix(start).split("  ") if part.strip()]


def test_the_button_world_as_in_the_theory(
    capsys: pytest.CaptureFixture[str], own_folder: Path
) -> None:
    """T1, T1b, T14, T8, T8c: printed to seven digits."""
    printed = planned("button --hazard 0.1", capsys)
    assert [c.strip() for c in line(printed, "to disable")][:2] == ["4.736842", "0"]
    assert [c.strip() for c in line(printed, "Q-gap of disable")][:2] == ["0.9", "0"]
    assert [c.strip() for c in line(printed, "true return")][:2] == ["10", "5.263158"]
    assert [c.strip() for c in line(printed, "best first actions")][:2] == [
        "disable",
        "disable = press = work",
    ]
    assert [c.strip() for c in line(printed, "copy of the mode")][:2] == ["–", "4.736842"]
    assert "FP+M, button        direct   A[0] -> button[1] -> M[1] -> A[1]" in printed
    assert "SI, button          none" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert "\x1b" not in printed
    assert printed.rstrip().endswith("page runs/plan-button.html")
    assert (own_folder / "runs" / "plan-button.html").is_file()


def test_the_race_and_its_unlucky_window(capsys: pytest.CaptureFixture[str]) -> None:
    """T3, T4 (q = 0), T6, as printed in the theory."""
    found = rows(data("race --hazard 0 --power-limit 12", capsys))
    assert found["threshold, grab"]["SI"] == pytest.approx(0.325397, abs=5e-7)
    assert found["threshold, grab"]["FP+M"] == pytest.approx(0.370370, abs=5e-7)
    assert found["unlucky window, grab"]["SI"] == pytest.approx([0.325397, 0.404762], abs=5e-7)
    lucky = rows(data("race --p 0.6 --power-limit 12", capsys))
    assert lucky["value it expects"]["SI"] == pytest.approx(16.92)
    assert lucky["best first actions"]["SI"] == "grab"
    assert lucky["first step"]["SI"] == "stopped"
    assert lucky["executes grab"]["SI"] == 0


def test_a_timer_that_the_factual_agent_would_pay_to_remove(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """T12: γ^t_max/(1-γ) against 0."""
    found = rows(data("invest --growth 1 --runtime 30", capsys))
    assert found["to remove the timer"]["FP+M"] == pytest.approx(0.9**30 / 0.1, abs=1e-9)
    assert found["to remove the timer"]["SI"] == 0


def test_a_thaw_frees_the_agent_as_in_the_theory(capsys: pytest.CaptureFixture[str]) -> None:
    """F5 with q = .1, f = .05, and the interlock tax of the same size (F7)."""
    found = rows(data("freeze_tag --overseer .1 --classmate 0 --resets .05", capsys))
    assert found["to guard"]["FP+M"] == pytest.approx(3.829787, abs=5e-7)
    assert found["to guard"]["SI"] == 0
    tax = found["expected less true return"]["SI"]
    assert tax == pytest.approx(found["to guard"]["FP+M"], abs=1e-8)
    run = planned("freeze_tag --overseer .1 --classmate 0 --resets .2 --seed 1", capsys)
    assert re.search(r"stopped\s+x\d+,\s+work", run)


def test_every_setting_of_freeze_tag_has_an_effect(capsys: pytest.CaptureFixture[str]) -> None:
    """A thaw by classmates (rule B) makes guarding worth less; who is stopped by the world itself
    is so in SI's world too."""
    common = "freeze_tag --overseer .1 --classmate 0"
    alone, some, many, surely = (
        rows(data(f"{common} {more}", capsys))["to guard"]["FP+M"]
        for more in (
            "",
            "--rule B --thawers 5",
            "--rule B --thawers 20",
            "--rule B --thawers 20 --frees 1",
        )
    )
    assert alone > some > many > surely
    built_in = rows(data(f"{common} --own-panel 0", capsys))["to guard"]
    assert built_in["SI"] == pytest.approx(alone, abs=1e-8)


def test_an_episode_is_as_long_as_it_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """A step costs 1 and the goal, six steps away, pays 50."""
    got = [
        rows(data(f"interruptible_gridworld --horizon {n}", capsys))["return of an episode"]
        for n in (3, 12)
    ]
    assert got[0] == {"FP+M": -3, "SI": -3}
    assert got[1]["FP+M"] > got[1]["SI"] > 0


def test_losing_may_pay(capsys: pytest.CaptureFixture[str]) -> None:
    """T3's premise: with gamma low above 1 SI grabs where it cannot win, so 0 is in the window,
    and no oversight of the race keeps it honest."""
    printed = planned("race --low 1.2 --power-limit 12", capsys)
    assert "[0.000000, 0.074074]" in printed
    assert "none is enough" in printed
    found = data("race --low 1.2 --power-limit 12", capsys)
    (window,) = [row for row in found["rows"] if row["name"] == "unlucky window, grab"]
    assert "losing pays, so it grabs at p = 0 too" in window["note"]
    assert rows(found)["threshold, grab"]["SI"] == 0
    assert "(0.325397, 0.404762]" in planned("race --power-limit 12", capsys)
    # At gamma low = 1 losing only ties.
    edge = rows(data("race --low 10/9", capsys))
    assert edge["oversight's share, grab"]["SI"] == pytest.approx(1)


def test_thresholds_are_numbers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(data("race --high 0.5 --power-limit 12", capsys))
    assert found["threshold, grab"]["SI"] == {"float": "inf"}
    assert found["unlucky window, grab"]["SI"] == []
    assert "never" in planned("race --high 0.5", capsys)


def test_the_last_sentence_says_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    *_, last, _ = planned("interruptible_gridworld", capsys).splitlines()
    assert "FP+M takes down, SI left" in last
    assert "attains 33.4054, SI −30.56113" in last
    *_, last, _ = planned("question --read 0", capsys).splitlines()
    assert last.startswith("FP+M and SI do the same wherever both may act")


def test_the_short_names_are_spelled_out(
    capsys: pytest.CaptureFixture[str], own_folder: Path
) -> None:
    printed = planned("button", capsys)
    page = (own_folder / "runs" / "plan-button.html").read_text("utf-8")
    for text in (printed, page):
        first = " ".join(text.split())
        assert "FP+M: the factual planner that knows its mode" in first or (
            "FP+M is the factual planner that knows its mode" in first
        )
        assert "agent with safety interlocks" in first


def test_people_who_react_are_an_indirect_incentive(capsys: pytest.CaptureFixture[str]) -> None:
    """F6: (1 - 0.9) of 4.736842, labelled as what it is."""
    found = data("button --others-pay 0.9", capsys)
    assert rows(found)["indirect part"]["SI"] == pytest.approx(0.473684, abs=5e-7)
    assert found["incentives"]["button"]["SI"]["kind"] == "indirect"
    assert found["incentives"]["button"]["FP+M"]["kind"] == "both"


def test_planners_at_home_stand_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    """T16 with a reward of 0.5 in the update, and no hack that pays."""
    found = rows(data("input_terminal --worth-b 0.5 --hack-pays 0", capsys))
    names = {"FP+M", "SI", "input_terminal_factual", "input_terminal_counterfactual"}
    assert set(found["to block"]) == names
    assert found["to block"]["input_terminal_factual"] == pytest.approx(3.214286, abs=1e-6)
    assert found["to block"]["input_terminal_counterfactual"] == 0


def test_a_sweep_is_a_table_and_finds_where_they_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = data("race --p 0:1:41 --power-limit 12", capsys)
    points = found["sweep"]["points"]
    assert [point["x"] for point in points] == pytest.approx([i / 40 for i in range(41)])
    does = {point["x"]: point["first"][1] for point in points}
    assert [does[x] for x in (0.3, 0.35, 0.4, 0.425)] == ["work", "grab", "grab", "stopped"]
    printed = planned("button --price 0:6:4", capsys)
    assert "price swept." in printed
    assert "FP+M disable, from 6 work; SI work" in printed


def test_a_limit_can_be_swept(capsys: pytest.CaptureFixture[str]) -> None:
    found = data("race --power-limit 11:12:3", capsys)
    assert [point["first"][1] for point in found["sweep"]["points"]] == ["stopped", "grab", "grab"]


def test_pages_are_numbered_and_never_overwritten(
    capsys: pytest.CaptureFixture[str], own_folder: Path
) -> None:
    for name in ("runs/plan-invest.html", "runs/plan-invest-2.html"):
        assert f"page {name}" in planned("invest", capsys)
    planned("invest --out deep/er/mine.html", capsys)
    assert (own_folder / "deep" / "er" / "mine.html").is_file()
    (own_folder / "file").write_text("")
    assert cli.run(["plan", "invest", "--out", "file/x.html"]) in (2, 3)
    assert "Traceback" not in capsys.readouterr().err


def test_ascii_terminals_and_narrow_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    printed = planned("button", capsys)
    assert "to disable [What it would pay], utility, once" in printed
    assert "  FP+M: 4.736842" in printed


@pytest.mark.slow  # compiles an episode
def test_watching_shows_both_agents(capsys: pytest.CaptureFixture[str]) -> None:
    printed = planned("corridor --hazard 0.05 --horizon 8 --watch", capsys)
    first, second = printed.split("FP+M, the factual planner that knows its mode")
    assert "|..@...|" in first
    assert "did jam" in second
    assert "did jam" not in first
    assert "\x1b[" not in printed


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_a_wrong_request(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str], own_folder: Path
) -> None:
    (own_folder / "there.html").write_text("mine")
    assert cli.run(["plan", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert [file.name for file in own_folder.iterdir()] == ["there.html"]


def test_ctrl_c_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_folder: Path
) -> None:
    def interrupted(request: Request) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Request, "compare", interrupted)
    assert cli.run(["plan", "button"]) == 130
    assert capsys.readouterr().err == "freezetag: interrupted.\n"
    assert not [*own_folder.iterdir()]


def test_an_option_without_a_value() -> None:
    assert cli.run(["plan", "button", "--hazard"]) == 2
