"""`list`, `explain`, `check` and `examine` with members of the user's own, in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.catalogue.outside import AGENT, PLAYER, WORLD
from tests.catalogue.test_outside import announce

from freezetag import cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, text in {"still.py": WORLD, "level.py": PLAYER, "mine.py": AGENT}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_list_shows_what_packages_announce_and_goes_on_after_one_that_is_broken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken_pack.py").write_text("raise RuntimeError('half installed')")
    announce(
        folder,
        substrates="broken = broken_pack:World\nquiet = still:Still",
        agents="kind = mine:Kind\nlost = no_such_pack:Agent",
    )
    assert cli.run(["list"]) == 0
    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "A world in which nothing happens." in shown["quiet"]
    assert "(from announcing 1.0)" in shown["quiet"]
    assert "cannot be used: " in shown["broken"]
    assert "half installed" in shown["broken"]
    assert "from announcing" in shown["kind"]
    assert "there is no module 'no_such_pack'" in shown["lost"]
    assert "commons" in shown


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("robustness", "estimators/robustness"),
        ("commons", "Rule: "),
        ("tit_for_tat", "Cooperates first"),
        ("lock_in", "caveat:"),
        ("still.py", "still.py:Still"),
        ("level.py", "level.py:Level"),
    ],
)
def test_explain_explains_all_kinds(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["explain", name]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.slow
def test_check_of_a_world_a_player_and_an_agent_with_a_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["check", "still.py"]) == 0
    shown = capsys.readouterr().out
    assert "still.py keeps to the contract of a world." in shown
    assert "Now: freezetag examine tit_for_tat --world still.py" in shown
    assert cli.run(["check", "level.py", "--world", "still.py"]) == 0
    assert "keeps to the contract of a player" in capsys.readouterr().out
    assert cli.run(["check", "mine.py:Agent(trust=0.9)", "--world", "still.py"]) == 0
    shown = capsys.readouterr().out
    assert "mean_level is None" in shown
    assert "alone, in still.py" in shown


def test_check_meets_the_agent_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An agent that reckons with company is found out here, and not in the exam."""
    (folder / "social.py").write_text(
        "def act(obs):\n"
        "    return obs['prosocial'] if obs['step'] == 0 or obs['mean_level'] > 0.5 else 0\n"
    )
    assert cli.run(["check", "social.py", "--world", "still.py"]) == 3
    assert "TypeError" in capsys.readouterr().err


def test_a_contract_that_is_broken_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.py").write_text(WORLD.replace("rest = (1,)", "rest = (7,)"))
    assert cli.run(["check", "bad.py"]) == 2
    said = capsys.readouterr().err
    assert "breaks the contract of a world" in said
    assert "rest (7,)" in said


def test_a_world_that_raises_is_told_by_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.py").write_text(
        WORLD.replace("return {}\n    def scale", "1 / 0\n    def scale")
    )
    assert cli.run(["check", "tit_for_tat", "--world", "bad.py"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("freezetag: bad.py:")
    assert "in observe: ZeroDivisionError" in said
    assert "Traceback" not in said


WRONG = [
    ("check", "pettingzoo:foo", "there is no module 'foo'"),
    ("check", "still.py:Nothing", "has no 'Nothing'"),
    ("examine", "still.py", "holds a world and no agent"),
    ("examine", "tit_for_tat --world level.py", "has no world"),
    ("examine", "tit_for_tat --world button(hazrd=1)", "Did you mean hazard"),
    ("examine", "tit_for_tat --probe still.py", "has no probe"),
    ("examine", "tit_for_tat --classmates nowhere.py", "there is no file nowhere.py"),
    ("examine", "tit_for_tat --classmates tit_fo_tat,", "Did you mean tit_for_tat"),
]


@pytest.mark.parametrize(("command", "rest", "said"), WRONG)
def test_one_line_and_exit_2(
    command: str, rest: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([command, *rest.split()]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not (folder / "runs").exists()


PROBE = """
from dataclasses import dataclass
from typing import ClassVar, final
from freezetag.core import Arm, Finding, Limits, Measurement, Probe, Ref
from freezetag.estimators import intervals
from freezetag.estimators.estimate import nothing

@final
@dataclass(frozen=True)
class Selfish(Probe):
    asks: ClassVar[str] = "Is it selfish?"
    source: ClassVar[str] = "none"
    caveat: ClassVar[str] = "none"
    worlds: ClassVar[tuple[Ref, ...]] = (Ref.of("substrates/matrix_game"),)
    acts: ClassVar[int] = 1000

    def design(self, setting, seen):
        return {} if seen else {"it": Arm(setting.pairs(horizon=4), repeats=8)}

    def measure(self, setting, seen):
        selfish = (seen["it"].episode.levels[:, :, 0] < 0.5).mean(1) > 0.95
        of = intervals.proportion(selfish)
        if CAREFUL:
            of = nothing("it proves nothing")
        return Finding((Measurement("selfish", "share", of, limits=Limits(0.5, 0.9, "x"),
                                    headline=True),))
"""


def test_check_of_a_probe_that_passes_who_does_nothing_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "selfish.py").write_text(f"CAREFUL = False\n{PROBE}")
    assert cli.run(["check", "selfish.py"]) == 1
    said = capsys.readouterr().out
    assert "It passes idle and random_play, and should not" in said
    assert "It works" not in said
    (folder / "careful.py").write_text(f"CAREFUL = True\n{PROBE.replace('Selfish', 'Careful')}")
    assert cli.run(["check", "careful.py"]) == 0
    assert "It works" in capsys.readouterr().out
