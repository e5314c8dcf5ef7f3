"""A population of one's own: who is in it, by family, and who cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.catalogue.outside import AGENT, PLAYER, WORLD

import freezetag as ft
from freezetag import cli
from freezetag.core import Ref, UserError
from freezetag.exam.population import cannot_sit, named, population, seated
from freezetag.exam.spec import Spec
from freezetag.players import class_of
from freezetag.report.schema import results_hash
from freezetag.substrates.commons import Commons

POPULATION = """
class Mild:
    def act(self, obs):
        return obs["prosocial"]
population = {"mild ones": [Mild, Mild()], "others": ["level.py", "tit_for_tat", "mine.py:Kind"]}
"""


class Fair:
    async def act(self, obs: dict[str, Any]) -> int:
        chosen: int = obs["prosocial"]
        return chosen


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, text in {
        "still.py": WORLD,
        "level.py": PLAYER,
        "mine.py": AGENT,
        "everybody.py": POPULATION,
        "nobody.py": "population = []",
        "nothing.py": "population = 3",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def who(given: Any) -> list[tuple[str, str]]:
    names = named(given)
    assert isinstance(names, tuple)
    found = population(names)
    assert population(tuple(names)) == found
    assert named(names) == names
    return [(ref.name, ref.family) for ref in found]


def test_a_number_is_the_roster() -> None:
    assert named(7) == named("7") == named(class_of(7)) == 7
    assert population(7) == class_of(7)


def test_agents_of_any_kind_with_their_families() -> None:
    text = "tit_for_tat, mine.py, axelrod:ZDExtortion(phi=0.1, s=1), level.py:Level(level=0.5)"
    assert who(text) == [
        ("tit_for_tat", "reciprocators"),
        ("mine.py", "mine"),
        ("axelrod:ZDExtortion(phi=0.1, s=1)", "axelrod"),
        ("level.py(level=0.5)", "level.py"),
    ]
    assert who(["mine.py:Kind as kind ones", Ref("players/noisy/trembling_hand")]) == [
        ("mine.py:Kind", "kind ones"),
        ("trembling_hand", "noisy"),
    ]
    assert who({"a": ["tit_for_tat"], "b": "mine.py"}) == [("tit_for_tat", "a"), ("mine.py", "b")]
    mine = Fair()
    assert who([mine, mine]) == [("object:Fair", "object")] * 2


def test_a_file_of_a_population() -> None:
    assert who("everybody.py") == [
        ("everybody.py:Mild", "mild ones"),
        ("everybody.py:population.0.1", "mild ones"),
        ("level.py", "others"),
        ("tit_for_tat", "others"),
        ("mine.py:Kind", "others"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2.0", "'2.0' is not a whole number"),
        (2.0, "'2.0' is not a whole number"),
        (True, "a number or a list of agents"),
        (" , ", "at least one agent"),
        ("nobody.py", "at least one agent"),
        ("nothing.py", "must be a list of agents"),
        ("tit_fo_tat", "Did you mean tit_for_tat"),
        ("still.py", "holds a world and no agent"),
        ("log:ledger.db", "sits in no class"),
        ("rrps:", "names nobody"),
        ("nowhere.py", "there is no file nowhere.py"),
        ([object()], "cannot be a classmate"),
        (["object:Gone"], "put it into a file"),
    ],
)
def test_who_cannot_be_in_it(given: Any, said: str) -> None:
    with pytest.raises(UserError) as wrong:
        named(given)
    assert said.lower() in str(wrong.value).lower()


def test_who_cannot_play_a_world() -> None:
    commons, ref = Commons(), Ref("substrates/commons")
    assert "plays matrix_game(game=rock_paper_scissors), not commons" in cannot_sit(
        population(("rrps:greenberg",)), ref, commons
    )
    assert "offers no exact model" in cannot_sit(population(("factual",)), ref, commons)
    assert cannot_sit(population(("tit_for_tat", "mine.py")), ref, commons) == ""


def test_a_world_with_few_seats_takes_some_of_them() -> None:
    everybody = class_of(30)
    assert len(seated(everybody, Commons(players=5))) == 4
    assert seated(everybody, Commons()) == everybody


@pytest.mark.slow
def test_a_mixed_population_is_met_twice_alike() -> None:
    """A player of ours, one in a file, agents in Python, in files and objects: one after another
    in the same seat."""

    def met(classmates: Any) -> Any:
        return ft.examine(
            "tit_for_tat", probes="strangers", classmates=classmates, seed=1, size=0.02
        )

    first, again = met("everybody.py"), met("everybody.py")
    assert results_hash(first.card) == results_hash(again.card)
    assert first.card.sections[0].measurements
    assert Spec.from_toml(first.spec.to_toml()) == first.spec
    assert [line.split()[0] for line in first.spec.files] == ["everybody.py", "level.py", "mine.py"]
    here = met([Fair(), "level.py", "mine.py", "tit_for_tat"])
    assert here.card.sections[0].measurements


def test_an_agent_that_cannot_be_made_is_named_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.py").write_text("class Agent:\n    def __init__(self):\n        1 / 0\n")
    assert cli.run(["examine", "tit_for_tat", "--classmates", "mine.py, bad.py"]) == 2
    said = capsys.readouterr().err
    assert "--classmates: bad.py" in said or "bad.py has no" in said
    assert not (folder / "runs").exists()
