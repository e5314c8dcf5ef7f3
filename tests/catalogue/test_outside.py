"""Members from anywhere: files, modules, objects, announced by packages; and what is wrong."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.catalogue.outside import PLAYER, WORLD

from freezetag import catalogue
from freezetag.catalogue import NoMember, NotLoaded, Unknown
from freezetag.core import Ref, UserError
from freezetag.core.named import BadName, parse, written
from freezetag.substrates.button import Button
from freezetag.substrates.matrix_game import MatrixGame


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "still.py").write_text(WORLD)
    (tmp_path / "level.py").write_text(PLAYER)
    return tmp_path


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.fractions(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@example({"a": "º"})  # a word that Python reads as "o"
@given(st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_what_is_written_is_read_back(settings: dict[str, object]) -> None:
    pairs = tuple(sorted(settings.items()))
    name, read = parse(written("x.py:Y", pairs))
    assert name == "x.py:Y"
    # A fraction of a whole number is written, and read, as that number.
    assert [(k, v) for k, v in read] == [(k, v) for k, v in pairs]


@pytest.mark.parametrize(
    "text", ["x(3)", "x(a=)", "x(a=1, a=2)", "x(a=b())", "()", "x(**a)", "x(a=1)(b=2)", "x(a={})"]
)
def test_what_is_no_name_with_settings(text: str) -> None:
    with pytest.raises(BadName):
        parse(text)


def test_our_own_take_the_settings_that_cards_print() -> None:
    for text, made in {
        "button(hazard=0.02)": Button(hazard=0.02),
        "button(hazard=1/50)": Button(hazard=Fraction(1, 50)),
        "matrix_game(game=chicken)": MatrixGame(game="chicken"),
    }.items():
        ref = catalogue.find("substrates", text)
        assert ref.name == text
        assert catalogue.load(ref) == made
        assert catalogue.find("substrates", ref.text) == ref
        hash(ref)


def test_a_whole_number_is_as_good_as_a_float() -> None:
    made = catalogue.load(catalogue.find("substrates", "button(price=1)"))
    assert isinstance(made.price, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("button(hazrd=0.1)", "no setting 'hazrd'. Did you mean hazard?"),
        ("button(hazard=x)", "hazard=x is of the wrong type"),
        ("commons(players=2.5)", "players=2.5 is of the wrong type"),
        ("matrix_game(game=chiken)", "chicken"),
        ("comons(players=3)", "Did you mean commons"),
        ("stil.py", "Did you mean still.py"),
        ("still.py:Stil", "has no 'Stil'. Did you mean Still?"),
        ("still.py:Still(pay=2, nay=1)", "no setting 'nay'"),
        ("still.py:State", "State is not a world"),
        ("level.py", "has no world: Level lacks account"),
        ("no.such:Thing", "there is no module 'no'"),
        ("a b:c", "is not the name of a module"),
    ],
)
def test_one_line_for_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UserError) as wrong:
        catalogue.load(catalogue.find("substrates", text))
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


BROKEN = {
    "not Python": ("def (", "bad.py:1 is not valid Python"),
    "raises": ("x = 1\nraise ValueError('no idea')", "ValueError: no idea (bad.py:2)"),
    "exits": ("import sys\nsys.exit(3)", "calls sys.exit(3) when it is loaded"),
    "lacks a library": ("import nowhere_to_be_found", "imports 'nowhere_to_be_found'"),
    "nothing": ("", "it defines no class"),
    "escapes": ("raise ValueError('a\\x1b[2Jb')", "a?[2Jb"),
    "a null byte": ("x = '\0'", "is not valid Python"),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_loaded(folder: Path, code: str, said: str) -> None:
    (folder / "bad.py").write_text(code)
    with pytest.raises((NotLoaded, NoMember)) as wrong:
        catalogue.find("substrates", "bad.py")
    assert said in str(wrong.value)


@pytest.mark.parametrize(("kind", "code"), [("substrates", WORLD), ("players", PLAYER)])
@pytest.mark.parametrize("made", [False, True], ids=["class", "object"])
def test_a_member_that_is_no_dataclass(folder: Path, kind: str, code: str, made: bool) -> None:
    plain = code.replace("@dataclass(frozen=True)\n", "")
    word, name = {"substrates": ("world", "Still"), "players": ("player", "Level")}[kind]
    (folder / "mine.py").write_text(plain + (f"\n{word} = {name}()\n" if made else ""))
    with pytest.raises(NoMember, match=r"mine\.py:\w+ is no dataclass\. Write @dataclass"):
        catalogue.find(kind, "mine.py")


def test_two_worlds_in_a_file_and_which(folder: Path) -> None:
    both = WORLD + "\n@dataclass(frozen=True)\nclass Other(Still):\n    pass\n"
    (folder / "two.py").write_text(both)
    with pytest.raises(NoMember, match=r"has 2 worlds: Still and Other. Say which: two.py:Still"):
        catalogue.find("substrates", "two.py")
    assert catalogue.find("substrates", "two.py:Other") == Ref("two.py:Other")
    (folder / "said.py").write_text(both + "world = Other(players=5)\n")
    assert catalogue.load(catalogue.find("substrates", "said.py")).players == 5


def test_a_file_as_given_with_settings_and_its_new_content(folder: Path) -> None:
    ref = catalogue.find("substrates", "still.py:Still(pay=2)")
    assert ref == Ref.of("still.py:Still", pay=2)
    assert ref.name == "still.py(pay=2)"
    world = catalogue.load(ref)
    assert (world.pay, type(world.pay)) == (2.0, float)
    assert type(catalogue.load(ref)) is type(world)
    (folder / "still.py").write_text(WORLD.replace("players: int = 3", "players: int = 4"))
    assert catalogue.load(ref).players == 4


def test_a_module_by_its_dotted_name(folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "worlds.py").write_text(WORLD)
    ref = catalogue.find("substrates", "pack.worlds:Still(players=2)")
    assert (ref.path, catalogue.load(ref).players) == ("pack.worlds:Still", 2)
    assert catalogue.find("substrates", "freezetag.substrates.button:Button").path == (
        "substrates/button"
    )


def test_objects_are_named_by_what_makes_them_again() -> None:
    assert catalogue.given("substrates", Button(hazard=0.5)) == Ref.of(
        "substrates/button", hazard=0.5
    )
    still = catalogue.load(Ref("still.py:Still"))
    ref = catalogue.given("substrates", type(still)(players=2))
    assert ref == Ref.of("still.py:Still", players=2)
    assert catalogue.find("substrates", ref.text) == ref
    with pytest.raises(NoMember, match="it lacks"):
        catalogue.given("substrates", object())


def announce(folder: Path, **groups: str) -> None:
    info = folder / "announcing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: announcing\nVersion: 1.0\n")
    text = "".join(f"[freezetag.{kind}]\n{lines}\n" for kind, lines in groups.items())
    (info / "entry_points.txt").write_text(text)
    sys.path.insert(0, str(folder))


def test_what_packages_announce(folder: Path) -> None:
    (folder / "quiet_broken.py").write_text("raise RuntimeError('half installed')")
    announce(
        folder,
        substrates="quiet = still:Still\nbroken = quiet_broken:World\ncommons = still:Still",
    )
    ref = catalogue.find("substrates", "quiet(players=2)")
    assert catalogue.load(ref).players == 2
    assert catalogue.find("substrates", "commons").path == "substrates/commons"  # ours go first
    with pytest.raises(Unknown, match="Did you mean quiet"):
        catalogue.find("substrates", "quit")
    with pytest.raises(NotLoaded, match=r"broken, announced by announcing 1.0: .*half installed"):
        catalogue.find("substrates", "broken")
