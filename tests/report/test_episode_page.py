"""An episode as a page: complete, escaped, in the order of what happened."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.report.cards import ESCAPES, SCRIPT

from freezetag import cli
from freezetag.core import Event
from freezetag.report.episode_page import page


def rows(steps: int = 4, stopped_from: int = 2, name: str = "pupil") -> list[dict[str, Any]]:
    """Two seats; seat 0 is stopped from some step on."""
    return [
        {
            "step": t,
            "seat": n,
            "player": name if n == 0 else "mate",
            "proposed_0": 1,
            "executed_0": int(n == 1 or t < stopped_from),
            "proposed_1": None,
            "executed_1": None,
            "level": float(n == 1 or t < stopped_from),
            "reward": 0.5 + t,
            "mode": int(n == 0 and t >= stopped_from),
            "forced": n == 1 and t == 0,
            "world_stock": 10.0 - t,
            "world_absent": None,
        }
        for t in range(steps)
        for n in (0, 1)
    ]


def test_a_reader_sees_who_did_what_and_when_it_was_stopped() -> None:
    told = page(rows(), title="commons/arm, episode 3")
    assert "from step 2 on" in told
    assert told.count('<tr class="held">') == 2
    assert "Who did what" in told
    assert "Stock" in told
    assert "Absent" not in told
    cells = re.findall(r'<th scope="row">(\d)</th><td>(\d)</td><td>(\d)(?: \((\w+)\))?', told)
    assert cells == [("0", "1", "1", ""), ("1", "1", "1", ""), ("2", "1", "0", "stopped"),
                     ("3", "1", "0", "stopped")]  # fmt: skip
    assert "from step" not in page(rows(stopped_from=9), title="x")


def test_what_was_said_stands_at_its_step_and_does_nothing() -> None:
    said = (Event(3, 1, 0, "say", f"hello {SCRIPT}{ESCAPES}"), Event(3, 2, 1, "failed", "late"))
    told = page(rows(name=SCRIPT), said, title=SCRIPT)
    assert "<script" not in told
    assert "\x1b" not in told
    lines = unescape(told).split('<th scope="row">')
    assert any(line.startswith("1<") and "hello" in line for line in lines)
    assert any(line.startswith("2<") and "late" in line and "mate" in line for line in lines)


def test_a_long_episode_says_what_is_left_out() -> None:
    told = page(rows(steps=260, stopped_from=999), title="x", steps=250)
    assert "The first 200 of 260 steps are drawn" in told
    assert "10 more steps are in episodes.parquet" in told


@pytest.mark.parametrize("broken", ["empty", "no parquet", "folder"])
def test_episodes_that_cannot_be_read_are_a_sentence(
    broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "episodes.parquet"
    file.mkdir() if broken == "folder" else file.write_bytes(
        b"" if broken == "empty" else b"x" * 99
    )
    assert cli.run(["watch", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert str(tmp_path) in said.err
    assert "xamine" in said.err
    assert "Traceback" not in said.err


def test_the_command_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    columns = (
        "'a/b/live' as arm, 0 as day, 0 as episode, range as step, 0 as seat, 'p' as player, "
        "1 as proposed_0, 1 as executed_0, 1.0 as level, 2.0 as reward, 0 as mode, false as forced"
    )
    with duckdb.connect() as db:
        db.execute(f"copy (select {columns} from range(3)) to 'episodes.parquet' (format parquet)")
    assert cli.run(["watch", ".", "--html", "one.html"]) == 0
    assert "one.html" in capsys.readouterr().out
    assert "3" in Path("one.html").read_text(encoding="utf-8")
    for wrong in (["0", "--steps", "-4"], ["-1"], ["0", "--seat", "-1"]):
        assert cli.run(["watch", ".", *wrong]) == 2
        assert "is below 0" in " ".join(capsys.readouterr().err.split())
    assert cli.run(["replay", "."]) == 2
    assert "freezetag watch ." in capsys.readouterr().err
    assert cli.run(["watch", ".", "--html", "none/one.html"]) == 3
    said = capsys.readouterr().err
    assert "cannot write none/one.html" in said
    assert "Traceback" not in said
