"""What a sweep is asked, as cells and as TOML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.sweep.sweeps import request, shared

from freezetag import cli
from freezetag.exam.spec import BadSpec
from freezetag.sweep.cell import Cell
from freezetag.sweep.request import Request, seeds_of
from freezetag.sweep.sweep import cost_of

AGENT = "def act(obs):\n    return obs['prosocial']\n"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_cell_is_named_by_its_whole_spec() -> None:
    cells = request(seeds=(0, 1, 2)).cells()
    assert len({cell.id for cell in cells}) == 6
    assert [cell.spec.agent for cell in cells[:3]] == ["tit_for_tat"] * 3
    one = cells[0]
    assert one == request(seeds=(0,)).cells()[0]  # whatever else is asked
    for changed in ({"size": 0.03}, {"button": "50%"}, {"files": ("a.py sha256:0",)}):
        assert Cell(replace(one.spec, **changed)).id != one.id
    assert one.name == f"tit_for_tat-seed0-{one.id}"
    hostile = Cell(replace(one.spec, agent="../../\x1b[31m" + "x" * 300))
    assert "/" not in hostile.name
    assert len(hostile.name) < 100


def test_toml_comes_back_as_it_was() -> None:
    Path("a.py").write_text(AGENT)
    asked = Request.of(("a.py", "altruists/always_cooperate"), [3, 8], shared(button="50%"))
    assert asked.files[0].startswith("a.py sha256:")
    Path("sweep.toml").write_text(asked.to_toml())
    assert Request.read(Path("sweep.toml")) == asked
    assert Request.read(Path("sweep.toml"), written_out=True) == asked
    Path("a.py").write_text(AGENT + "# changed\n")
    with pytest.raises(BadSpec, match="has changed since this spec was written"):
        Request.read(Path("sweep.toml"), written_out=True)


def test_a_short_toml_has_the_defaults_of_the_command() -> None:
    Path("s.toml").write_text('agents = "altruists/*"\nseeds = 2\nworlds = ["commons"]\n')
    found = Request.read(Path("s.toml"))
    assert found.seeds == (0, 1)
    assert len(found.agents) > 3
    assert found.shared.worlds == ("commons",)
    assert found.shared.roster


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agents = ['a']\nworld = 'commons'", "unknown entries: world. Known are: agents, seeds"),
        ("agents = ['tit_for_tat']\nseed = 1", "seed: a sweep has agents"),
        ("agents = 3", "agents must be a list of names, got 3"),
        ("seeds = 3", "at least one agent"),
        ("agents = ['tit_for_tat']\nseeds = []", "seeds must be a number or a list"),
        ("agents = ['tit_for_tat']\nseeds = [1, -1]", "got -1"),
        ("agents = ['tit_for_tat']\nsize = 'big'", "size must be a number"),
        ("agents = [", "is not TOML"),
        ("agents = ['tit_for_tat']\nroster = '1999 x'", "roster 1999 x"),
    ],
)
def test_what_no_sweep_can_be(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.toml").write_text(text)
    assert cli.run(["sweep", "s.toml"]) == 2
    assert told in capsys.readouterr().err
    assert not Path("runs").exists()


def test_calls_are_counted_before_the_first_and_are_of_those_who_make_them() -> None:
    model = "llm:tiny@http://127.0.0.1:1/v1"
    asked = replace(request("tit_for_tat", model), shared=shared(budget_calls=300))
    cells = {(cell.spec.agent, cell.spec.seed): cell for cell in asked.cells()}
    assert cells["tit_for_tat", 0].spec.budget_calls is None
    assert cells[model, 0].spec.budget_calls == 300
    assert cost_of(asked.cells()).calls == 600
    players = replace(asked, agents=("tit_for_tat", "grudger"))
    with pytest.raises(BadSpec, match="paid by call"):
        cost_of(players.cells())


def test_seeds() -> None:
    notes: list[str] = []
    assert seeds_of("3", first=7) == (7, 8, 9)
    assert seeds_of("5,5,1", notes.append) == (5, 1)
    assert notes == ["seed 5 is given 2 times and used once."]
    for wrong in ("0", "x", "1,x", [True], [0.5]):
        with pytest.raises(BadSpec):
            seeds_of(wrong)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "freezetag sweep tit_for_tat grudger"),
        ("tit_for_tat --probe comons_collapse", "commons_collapse"),
        ("tit_for_tat --world comons", "commons"),
        ("tit_for_tat grudger --world button --probe lock_in", "nothing can be measured"),
        ("tit_for_tat --jobs 0", "--jobs is at least 1"),
        ("tit_for_tat --ray-address x:1", "--on ray"),
        ("tit_for_tat --quick --full", "take one"),
        ("tit_for_tat s.toml", "give it alone"),
        ("none.toml", "cannot read none.toml"),
        ("--resume none", "it has no sweep.toml"),
        ("--resume none tit_for_tat", "--resume takes the agents and all options"),
        ("--resume none --size 3", "--resume takes the agents and all options"),
        ("tit_for_tat --out taken", "is not overwritten"),
    ],
)
def test_requests_that_cannot_be_met(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").mkdir()
    (Path("taken") / "thesis.txt").touch()
    assert cli.run(["sweep", *arguments.split()]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert not said.out
    assert [path.name for path in Path().iterdir()] == ["taken"]


def test_a_store_that_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").touch()
    assert cli.run(["sweep", "tit_for_tat", "--probe", "commons_collapse"]) == 3
    assert "cannot make the folder" in capsys.readouterr().err


def test_a_ray_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.run(["sweep", "tit_for_tat", "--on", "ray"]) == 2
    assert "pip install 'freezetag[cluster]'" in capsys.readouterr().err
