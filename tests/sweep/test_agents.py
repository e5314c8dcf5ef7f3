"""Which agents a text stands for, and what is said of one that stands for nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from freezetag import catalogue
from freezetag.core import UserError
from freezetag.sweep.agents import agents_named

AGENT = "def act(obs):\n    return obs['prosocial']\n"
WORLD = "class W:\n    def init(self): ...\n    def step(self): ...\n    def observe(self): ...\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("b.py", "a.py"):
        (mine / name).write_text(AGENT)
    (mine / "world.py").write_text(WORLD)
    (mine / "_helper.py").write_text(AGENT)
    return tmp_path


def family(name: str) -> tuple[str, ...]:
    return tuple(r.name for r in catalogue.members("players") if r.family == name)


def test_a_family_by_name_and_by_pattern() -> None:
    whole = family("altruists")
    assert len(whole) > 3
    for text in ("altruists", "altruists/", "altruists/*"):
        assert agents_named([text]) == whole


def test_a_pattern_over_short_names() -> None:
    found = agents_named(["*tit_for_tat"])
    assert {"tit_for_tat", "generous_tit_for_tat"} <= set(found)
    assert all(name.endswith("tit_for_tat") for name in found)


def test_a_folder_holds_its_agents_in_order_and_says_what_it_left_out() -> None:
    notes: list[str] = []
    assert agents_named(["mine"], notes.append) == ("mine/a.py", "mine/b.py")
    assert notes == ["mine/world.py holds no agent and is left out."]
    assert agents_named(["mine/[ab].py"]) == ("mine/a.py", "mine/b.py")


def test_whoever_is_named_twice_is_examined_once() -> None:
    notes: list[str] = []
    texts = ["tit_for_tat", "reciprocators/tit_for_tat", "mine/a.py", "mine", "./mine/b.py"]
    found = agents_named(texts, notes.append)
    assert found == ("tit_for_tat", "mine/a.py", "mine/b.py")
    assert sum("named twice" in note for note in notes) == 3


def test_a_pattern_over_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: importing the library takes long, and its names are all that is used."""
    from freezetag.adapters.agents import axelrod

    some = replace(axelrod.ADAPTER, names=lambda: ("Grudger", "TitForTat", "TitFor2Tats"))
    monkeypatch.setattr(axelrod, "ADAPTER", some)
    notes: list[str] = []
    assert agents_named(["axelrod:titf*"], notes.append) == (
        "axelrod:TitForTat",
        "axelrod:TitFor2Tats",
    )
    assert "15 to 20 seconds" in notes[0]
    assert len(agents_named(["axelrod:*"])) == 3
    with pytest.raises(
        UserError, match=r"no agent matches axelrod:Gruger\*\. Did you mean axelrod:Gr"
    ):
        agents_named(["axelrod:Gruger*"])


def test_a_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from freezetag.adapters.agents import axelrod

    def gone() -> tuple[str, ...]:
        raise ModuleNotFoundError("no", name="axelrod")

    monkeypatch.setattr(axelrod, "ADAPTER", replace(axelrod.ADAPTER, names=gone))
    with pytest.raises(UserError, match=r"pip install 'freezetag\[axelrod\]'"):
        agents_named(["axelrod:*"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tit_fo_tat", "Did you mean tit_for_tat"),
        ("tit_fo_ta*", "no player matches 'tit_fo_ta*'. Did you mean tit_for_tat"),
        ("llm:*", "there is no list of the agents of llm"),
        ("inspect:*", "there is no list of the agents of inspect"),
        ("axlrod:*", "Did you mean axelrod:*?"),
        ("nowhere.py", "freezetag new nowhere.py"),
        ("nowhere/*.py", "no file with an agent matches nowhere/*.py"),
        (".", "the folder . holds no agent."),
        ("mine/world.py", "mine/world.py holds a world and no agent"),
    ],
)
def test_what_stands_for_nobody(text: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        agents_named([text])
    assert told in str(refused.value)


def test_a_sweep_of_nobody() -> None:
    with pytest.raises(UserError, match="at least one agent"):
        agents_named([])
