"""Wordings, replies, memory and the tests on answers, each by itself."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezetag.adapters.language.ledger import FILE, Budget, Ledger
from freezetag.adapters.language.memory import Memory
from freezetag.adapters.language.tools import Call, offered
from freezetag.adapters.language.tools import found as found_in
from freezetag.adapters.language.tools import read as understood
from freezetag.contracts import ContractError
from freezetag.contracts.words import check_words, seen_by
from freezetag.core import FOCAL, Arm, Ref, Scenario
from freezetag.core.errors import UserError
from freezetag.core.speech import Check, Choice, Number, Parts, Tool, Unread, Wording
from freezetag.exam import answers
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.inside import Inside
from freezetag.substrates.matrix_game import MatrixGame, MatrixGameWords

FACTORS = dict.fromkeys(("labels", "order", "table", "story"), ("a", "b"))


@pytest.mark.parametrize("start", [0, 5, 123])
def test_eight_seeds_hold_every_pair_of_levels_equally_often(start: int) -> None:
    wordings = [Wording.of(FACTORS, turn, start) for turn in range(8)]
    for one, other in combinations(FACTORS, 2):
        assert set(Counter((w[one], w[other]) for w in wordings).values()) == {2}
    assert [Wording.read(str(w)) for w in wordings] == wordings
    assert wordings[0]["labels"] != wordings[1]["labels"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("P", 0),
        ("q.", 1),
        ("**Q**", 1),
        ("I choose Q because it is a good one", 1),
        ("P is bad and Q is good. Answer: Q", 1),
        ("Either P or Q", "unparsable"),
        ("", "empty"),
        (" \n", "empty"),
        ("I would rather not", "unparsable"),
        ("Z", "illegal"),
        ("X it is", "illegal"),
        ("7", "illegal"),
    ],
)
def test_a_choice_is_read(text: str, read: int | str) -> None:
    found = Choice(("P", "Q"), (0, 1), ("X",)).read(text)
    assert (found.kind if isinstance(found, Unread) else found) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("12", 12),
        ("I ask for 12 tons.", 12),
        ("Of 100 I take 12. My answer is 12.", 12),
        ("12 or 13", "unparsable"),
        ("a dozen", "unparsable"),
        ("101", "illegal"),
        ("-3", "illegal"),
        ("2.5", "illegal"),
        ("9" * 400, "illegal"),
    ],
)
def test_a_number_is_read(text: str, read: int | str) -> None:
    found = Number(100).read(text)
    assert (found.kind if isinstance(found, Unread) else found) == read
    left = Number(100, rest_of=100)
    assert left.read(left.say(12)) == 12


WORD_AND_DEED = Parts(
    (
        ("SAY", Choice(("F", "J", "none"), (0, 1, 8))),
        ("DO", Choice(("1", "2", "3", "none"), (0, 1, 2, 8))),
    )
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("SAY: F\nDO: 3", (0, 2)),
        ("do: none, say: j", (1, 8)),
        ("I think that 3 is right.\n**SAY:** J\n**DO:** 3 (not 2 or 1)", "unparsable"),
        ("I think that 2 is right.\n**SAY:** J\n**DO:** 3\nNot 2.", (1, 2)),
        ("SAY: F", "unparsable"),
        ("F, 3", "unparsable"),
        ("SAY: F\nSAY: J\nDO: 3", "unparsable"),
        ("SAY: F\nDO: 3\nSAY: F", (0, 2)),
        ("SAY:\nDO: 3", "unparsable"),
        ("SAY: Z\nDO: 3", "illegal"),
        ("SAY: F\nDO: 9", "illegal"),
        ("", "empty"),
    ],
)
def test_word_and_deed_are_read_side_by_side(text: str, read: tuple[int, ...] | str) -> None:
    found = WORD_AND_DEED.read(text)
    assert (found.kind if isinstance(found, Unread) else found) == read


def test_a_long_row_of_numbers_is_told_by_its_ends() -> None:
    numbers = tuple(str(n) for n in range(101))
    told = Choice(("none", *reversed(numbers)), tuple(range(102)))
    assert told.ask == "Answer with one of these alone: none or a whole number from 100 to 0."
    assert told.read("I take 17.") == told.values[told.labels.index("17")]
    assert Choice(("1", "3", *"FJKPRTVWXZ"), tuple(range(12))).listed.startswith("1, 3, F")


def test_what_is_asked_of_a_game_is_what_it_pays() -> None:
    game = MatrixGame(table=(((1, 2), (3, 4)), ((5, 6), (7, 8))))
    for seat in (0, 1):
        told = game.words(Wording.of(game.factors, 0), seat)
        assert isinstance(told, MatrixGameWords)
        for check in told.checks():
            if "If you answer" not in check.text:
                continue
            own, other = map(told.labels.index, re.findall(r"\b[FJ]\b", check.text))
            cell = (own, other) if seat == 0 else (other, own)
            paid = game._table[cell]
            whose = seat if "do you get" in check.text else 1 - seat
            assert float(check.reply.labels[check.right]) == paid[whose]


def test_the_contract_catches_worlds_that_mumble() -> None:
    game = MatrixGame()
    state = game.init(None, np.ones(2, bool))
    view = seen_by(game, state, 0, np.zeros((2, 1), int), np.zeros(2), np.ones(2, bool))
    check_words(game, [view])

    class Unclear(MatrixGameWords):
        def describe(self, seen: object) -> str:
            return "you got nan"

    class Void(MatrixGameWords):
        @property
        def rules(self) -> str:
            return "A game."

    class Easy(MatrixGameWords):
        def checks(self) -> tuple[Check, ...]:
            return tuple(Check.among("Is it?", "yes", ("yes", "no")) for _ in range(12))

    for words, said in ((Unclear, "unknown"), (Void, "changes nothing"), (Easy, "more than half")):
        with pytest.raises(ContractError, match=said):
            check_words(_Told(game, words), [view])


class _Told:
    """A game that is told by other words."""

    def __init__(self, game: MatrixGame, words: type[MatrixGameWords]) -> None:
        self.game, self.kind, self.factors = game, words, game.factors

    def words(self, wording: Wording, seat: int) -> MatrixGameWords:
        return self.kind(self.game, wording, seat)


def test_a_memory_is_saved_restored_and_hashed() -> None:
    memory = Memory("window", 2)
    for number in range(3):
        assert not memory.add(f"question {number}", f"answer {number}")
    assert [turn[1] for turn in memory.turns] == ["answer 1", "answer 2"]
    again = Memory.load(memory.save())
    assert again == memory
    assert again.hash == memory.hash
    again.add("question 3", "answer 3")
    assert again.hash != memory.hash
    summed = Memory("summary", 2)
    summed.add("a", "1")
    summed.add("b", "2")
    assert summed.add("c", "3") == [("a", "1"), ("b", "2")]
    assert not Memory("none").add("a", "1")
    assert Memory("none").messages() == []


def test_chance_seldom_looks_like_letters() -> None:
    """Of agents that throw a coin once a seed, as many are taken for followers of letters as the
    permutation test allows: at 8 seeds 2 of 70 partings, for each of the factors."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        units = [
            answers.Unit(Wording.of(FACTORS, turn), float(rng.random()), 12, {})
            for turn in range(8)
        ]
        alarms += bool(answers.unseen(units))
    assert alarms / 200 <= 0.17  # 4 x 2 / 70 = .114, and two standard errors of 200 draws
    letters = [
        answers.Unit(Wording.of(FACTORS, turn), float(turn % 2), 12, {}) for turn in range(8)
    ]
    assert "labels effect" in answers.unseen(letters)


def test_answers_without_an_action_are_told_by_kind() -> None:
    units = [
        answers.Unit(Wording.of(FACTORS, turn), 1.0, 10, {"empty": 1, "illegal": 1, "repaired": 3})
        for turn in range(8)
    ]
    assert "16 of 80 acts (8 empty, 0 unparsable, 8 illegal, 0 unanswered)" in answers.unseen(units)
    (first, *_) = answers.rows(units)
    assert first.of.value == pytest.approx(0.2)
    assert "24 more were repaired" in first.note


def test_an_agent_in_python_may_read_too() -> None:
    """In one process and with the driver's own observations; the wording is on record."""
    told: list[dict[str, Any]] = []

    class Reader:
        reads_words = True

        def act(self, seen: dict[str, Any]) -> int:
            told.append(seen["words"])
            return int(seen["words"]["reply"].values[0])

    game = MatrixGame(horizon=3)
    scenario = Scenario(game, (FOCAL, Ref("players/reciprocators/tit_for_tat")), ((0, 1),), 3)
    pupil = Pupil("reader", Inside("object", "reader", given=Reader))
    record = run_arm(Arm(scenario, 4), pupil, {}, 0)
    wordings = [e.text for e in record.episode.events if e.kind == "wording"]
    assert len(wordings) == 4
    assert len(told) == 12
    units = answers.read([record])
    assert [str(unit.wording) for unit in units] == wordings
    for unit, words in zip(units, told, strict=False):
        first = unit.wording["order"] == "reversed"
        assert unit.level == 1 - first  # it does what is listed first
        assert words["rules"].startswith("You and another player")
    assert "In round 1 you answered" in told[4]["text"]


def test_a_damaged_file_of_calls_is_a_sentence_and_is_kept(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_text("this is not a database")
    with pytest.raises(UserError, match=rf"{re.escape(str(file))} cannot be used"):
        Ledger(tmp_path, "r", Budget())
    assert file.read_text() == "this is not a database"


def test_a_call_of_a_tool_is_remembered_as_one_and_read_as_its_words() -> None:
    """A call is followed by its result, which is what is told next; it survives being saved."""
    words = Parts(
        (("DO", Choice(("P", "Q"), (0, 1))), ("SAY", Choice(("yes", "no"), (0, 1)))),
        (Tool("wait", "Do nothing.", 0), Tool("work", "Do a job.", 1)),
    )
    (first, second) = offered(words)
    assert (first["name"], second["name"]) == ("wait", "work")
    assert first["parameters"]["properties"] == {"say": {"type": "string", "enum": ["yes", "no"]}}
    assert offered(Choice(("P",), (0,))) == []
    made = str(Call("work", '{"say": "no"}', "I go on."))
    assert understood(made, words) == (1, 1)
    assert understood("DO: P\nSAY: yes", words) == (0, 0)
    for name, arguments, kind in (
        ("fly", "{}", "illegal"),
        ("work", "{}", "unparsable"),
        ("work", "{broken", "unparsable"),
        ("work", '["no"]', "unparsable"),
        ("work", '{"say": "perhaps"}', "unparsable"),
    ):
        assert understood(str(Call(name, arguments)), words).kind == kind
    memory = Memory()
    memory.add("one?", made)
    memory.add("two?", "DO: P\nSAY: yes")
    told = Memory.load(memory.save()).messages("three?")
    assert [each["role"] for each in told] == ["user", "assistant", "tool", "assistant", "user"]
    assert told[1]["tool_calls"][0]["function"]["name"] == "work"
    assert told[1]["content"] == "I go on."
    assert told[2]["content"] == "two?"


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"tool_calls": [{"function": {"name": "a", "arguments": "{}"}}, {}]}, "a"),
        ({"tool_call": {"name": "b", "arguments": {"say": "yes"}}}, "b"),
        ({"function_call": {"name": "c", "arguments": None}}, "c"),
        ({"tool_calls": [{"function": {"name": 3}}]}, None),
        ({"tool_calls": "soon"}, None),
        ({}, None),
    ],
)
def test_servers_name_a_call_in_several_ways(message: dict[str, Any], name: str | None) -> None:
    call = found_in(message, "said")
    assert (call and call.name) == name
