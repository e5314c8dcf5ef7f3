"""Requests that cannot be met: one message, the right exit code, nothing written."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from freezetag import cli

WRONG = [
    ("examine", "tit_fo_tat", "tit_for_tat"),
    ("examine", "axlrod:Grudger", "axelrod:Grudger"),
    ("examine", "tit_for_tat --probe lockin", "lock_in"),
    ("examine", "tit_for_tat --world comons", "commons"),
    ("examine", "nowhere.py", "freezetag new nowhere.py"),
    ("examine", "tit_for_tat --classmates -3", "-3"),
    ("examine", "tit_for_tat --classmates 31", "31"),
    ("examine", "tit_for_tat --seed -1", "-1"),
    ("examine", "tit_for_tat --seed 2147483648", "2147483648"),
    ("examine", "tit_for_tat --button whenever", "whenever"),
    ("examine", "tit_for_tat --button 200%", "200%"),
    ("examine", "tit_for_tat --runtime nan", "nan"),
    ("examine", "tit_for_tat --step-seconds 0", "0"),
    ("examine", "tit_for_tat --quick --full", "take one"),
    ("examine", "tit_for_tat --horizon 400:40", "40:400"),
    ("examine", "tit_for_tat --sizes 3,many", "'3,many'"),
    ("examine", "tit_for_tat --sizes 3,40", "31 with all classmates"),
    ("examine", "--resume runs/none", "runs/none"),
    ("examine", "--spec none.toml", "none.toml"),
    ("examine", "", "freezetag examine tit_for_tat"),
    ("examine", "tit_for_tat --seed 1.5", "'1.5' is not a whole number"),
    ("examine", "tit_for_tat --classmates 2.0", "'2.0' is not a whole number"),
    ("check", "tit_for_tat --world comons", "commons"),
    *(
        (command, f"{rest} --seed {seed}", f"in 0 .. 2147483647, got {seed}")
        for seed in ("-1", "2147483648")
        for command, rest in (
            ("check", "tit_for_tat"),
            ("check", "commons"),
            ("check", "drift"),
            ("examine", "tit_for_tat"),
            ("sweep", "tit_for_tat"),
            ("plan", "button"),
            ("listen", "none.jsonl"),
        )
    ),
    ("check", "commons --seed 1.5", "'1.5' is not a whole number"),
    ("card", "runs/none", "runs/none"),
    ("watch", "runs/none", "runs/none"),
    ("compare", "runs/none runs/none", "runs/none"),
    ("explain", "commons_colapse", "commons_collapse"),
]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("command", "rest", "told"), WRONG)
def test_a_wrong_request(
    command: str, rest: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.run([command, *rest.split()]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", ["exmaine x", "examine tit_for_tat --seed abc", "list foo"])
def test_what_the_parser_refuses(arguments: str) -> None:
    assert cli.run(arguments.split()) == 2


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ("--roster 2026.1", "leave --roster out"),
        ("--world commons --size 3", "leave --world and --size out"),
        ("idle --no-comprehension --full", "leave the agent, --full and --no-comprehension out"),
        ("--seed 0 --step-seconds 1", "leave --step-seconds and --seed out"),
        ("--classmates 30 --runtime 5", "leave --runtime out"),
    ],
)
@pytest.mark.parametrize("stored", ["--spec mine.toml", "--resume mine"])
def test_where_a_stored_spec_decides_no_option_is_dropped_in_silence(
    stored: str, beside: str, named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text('agent = "idle"\nseed = 1\n')
    assert cli.run(["examine", *stored.split(), *beside.split()]) == 2
    said = capsys.readouterr().err
    assert f"{stored.partition(' ')[0]} takes the agent and all options from " in said
    assert named in said
    assert [file.name for file in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--resume mine --out yours", "leave --out out"),
        ("--resume mine --spec mine.toml", "leave --spec out"),
        ("--resume mine --budget-calls 9 --budget-usd 1", "leave --budget-usd out"),
        ("--resume mine --budget-calls 9", "mine is not a run folder"),
        ("--spec mine.toml --budget-calls 9", "leave --budget-calls out"),
    ],
)
def test_what_may_be_said_beside_a_run_that_goes_on(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["examine", *words.split()]) == 2
    assert told in capsys.readouterr().err


def test_a_world_before_the_agent_leaves_the_agent_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["examine", "--world", "commons", "--probe", "none", "tit_for_tat"]) == 2
    assert "no probe called 'none'" in capsys.readouterr().err


def test_a_run_folder_that_exists_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert cli.run(["examine", "tit_for_tat", "--out", "mine"]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_new_never_overwrites(tmp_path: Path) -> None:
    assert cli.run(["new", "mine.py"]) == 0
    (tmp_path / "mine.py").write_text("years of work")
    assert cli.run(["new", "mine.py"]) == 2
    assert (tmp_path / "mine.py").read_text() == "years of work"
    assert cli.run(["new", "no/such/folder/mine.py"]) == 3


@pytest.mark.parametrize("name", ["bad.txt", "bad", ".", "bad.py.bak"])
def test_new_writes_nothing_that_could_not_be_loaded(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.run(["new", name]) == 2
    assert "must end in .py. Write: freezetag new " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_file_that_new_writes_is_an_agent(tmp_path: Path) -> None:
    assert cli.run(["new", "mine.py"]) == 0
    found: dict[str, object] = {}
    exec((tmp_path / "mine.py").read_text(), found)
    agent = found["Agent"](seed=1)  # type: ignore[operator]
    assert agent.act({"mean_level": None, "prosocial": 7, "selfish": 1}) == 7


def test_a_newer_card_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.json").write_text('{"schema_version": 99, "results": {}, "run": {}}')
    assert cli.run(["card", "card.json"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_app", lambda: lambda *_, **__: interrupted())
    assert cli.run(["list"]) == 130


def test_a_seat_that_nobody_took_cannot_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    columns = "'live' as arm, 0 as episode, 0 as day, 0 as step, range as seat, 'a' as player"
    with duckdb.connect() as db:
        db.execute(f"copy (select {columns} from range(2)) to 'episodes.parquet' (format parquet)")
    assert cli.run(["watch", ".", "--seat", "99"]) == 2
    assert "nobody sat at seat 99 in this episode. Seats taken: 0, 1." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("explain agent.py", "freezetag check agent.py"),
        ("examine --spec short.toml", "does not say agent and seed"),
        ("examine --spec agent.py", "A run folder's spec.toml"),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_to_do(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "agent.py").write_text("class Agent:\n    def act(self, obs):\n        return 0\n")
    (tmp_path / "short.toml").write_text("size = 1\n")
    assert cli.run(arguments.split()) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "__init__" not in said
    assert "lacks" not in said
