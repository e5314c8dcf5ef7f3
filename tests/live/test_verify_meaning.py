"""What a ledger that hashes well may still not say, though who holds the signing key wrote it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.worlds import PEOPLE, press, signed

from freezetag import cli
from freezetag.live.signed import verify, verify_parts
from freezetag.live.signed.judge import Judge
from freezetag.live.signed.merkle import Checkpoint, Tree, record, sign_note
from freezetag.live.signed.presses import draft
from freezetag.live.signed.records import RECORDS
from freezetag.live.signed.verify import Report, verify_file
from freezetag.live.signed.verify_parts import verify_on

PRIVATE, PUBLIC = PEOPLE["eve"]
WHO = {name: PEOPLE[name][1] for name in ("ann", "bob")}
Body = tuple[str, dict[str, Any]]


def written(path: Path, leaves: list[bytes], solo: bool = False) -> Path:
    tree = Tree(leaves)
    note = sign_note(Checkpoint("own", tree.size, tree.root(), solo), PRIVATE)
    text = "".join(f"#{line}\n" for line in note.splitlines())
    path.write_bytes(b"".join(leaf + b"\n" for leaf in leaves) + text.encode())
    return path


def check(path: Path, *leaves: bytes, **more: Any) -> Report:
    given_ = {"people": WHO, **more}
    solo = given_.pop("solo", False)
    file = written(path / "ledger", list(leaves), solo)
    return verify_file(file, authority="own", public=PUBLIC, **given_)


def told(path: Path, *bodies: Body, **more: Any) -> list[str]:
    leaves = [record(i, kind, body, 1000 + i) for i, (kind, body) in enumerate(bodies)]
    return check(path, *leaves, **more).problems


def enrol(agent: str, *groups: str, after: tuple[str, ...] = ()) -> Body:
    return "enrol", {"agent": agent, "depends_on": list(after), "groups": list(groups)}


def start(agent: str, epoch: int = 1) -> Body:
    return "start", {"agent": agent, "epoch": epoch, "who": "eve"}


def pressed(number: int, scope: str = "fleet", kind: str = "press") -> Body:
    return "press", press(number, scope, kind=kind).to_json()


def repeat(number: int, count: int, replica: str = "a") -> Body:
    return "repeat", {"count": count, "press": f"{number:032x}", "replica": replica}


def clear(*numbers: int, by: tuple[str, ...] = ("ann", "bob"), seen: int = 0) -> Body:
    counts = {"a": seen} if seen else {}
    named = {f"{number:032x}": counts for number in numbers}
    text = draft("own", named, {"root": "", "size": 0}, "n" * 32)
    return "clear", signed(text, *by).to_json()


# Spelling.


@pytest.mark.parametrize(
    "leaf",
    [
        b"no json at all",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"at":1,"body":{},"i":0,"kind":"x"}',
        b'{"at":1,"body":[],"i":0,"kind":"x","v":1}',
        b'{"at":1,"body":{},"i":0,"kind":"x","v":2}',
        b'{"at":1,"body":{},"i":0,"kind":"x","v":true}',
        b'{"at":1,"body":{},"i":false,"kind":"x","v":1}',
        b'{"at":1.5,"body":{},"i":0,"kind":"x","v":1}',
        b'{"at":1,"body":{},"i":0,"kind":"x","more":0,"v":1}',
        b'{"at":1,"body":{"n":NaN},"i":0,"kind":"x","v":1}',
        b'{"at":1,"body":{"s":"\\ud800"},"i":0,"kind":"x","v":1}',
        b'{"at":1,"body":{},"i":7,"kind":"x","v":1}',
        b'{"at":1,"body":{"a":' + b"[" * 100_000 + b'},"i":0,"kind":"x","v":1}',
        b'{"at":1,"body":{},"i":0,"kind":"press","v":1}',
        b'{"at":1,"body":{"press":[]},"i":0,"kind":"repeat","v":1}',
        b'{"at":1,"body":{"agent":"a","groups":3},"i":0,"kind":"enrol","v":1}',
        b'{"at":1,"body":{},"i":0,"kind":"start","v":1}',
    ],
)
def test_an_unreadable_record_is_a_problem(leaf: bytes, tmp_path: Path) -> None:
    for people in (WHO, None):
        assert "record 0" in check(tmp_path, leaf, people=people).problems[0]


@pytest.mark.parametrize(
    ("good", "odd"),
    [
        (b'"at":1,', b'"at": 1,'),
        (b'{"at":1,"body"', b'{"at":2,"at":1,"body"'),
        (b"1.5", b"1.50"),
        (b"1.5", b"15e-1"),
        (b'"e":2', b'"e":2.0'),
        (b'"e":2', b'"e":-0'),
        (b"1e-7", b"1e-07"),
        (b"100000000000000000000", b"1e+20"),
        (b"100000000000000000000", b"100000000000000000001"),
        ("\u20ac".encode(), b"\\u20ac"),
        (b"\\n", b"\\u000a"),
        (b'"kind":"press","v":1}', b'"v":1,"kind":"press"}'),
    ],
)
def test_another_spelling_of_the_same_record_is_a_problem(
    good: bytes, odd: bytes, tmp_path: Path
) -> None:
    body = press(1).to_json() | {"x": {"a": "\n", "b": 1.5, "c": 1e-7, "d": 1e20, "e": 2.0}}
    leaf = record(0, "press", body | {"reason": "\u20ac"}, 1)
    assert check(tmp_path, leaf).problems == []
    assert good in leaf
    assert "spelled" in check(tmp_path, leaf.replace(good, odd)).problems[0]


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_whatever_we_write_is_spelled_well(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    try:
        leaf = record(0, "alarm", {"x": value}, 1)
    except ValueError:  # a lone surrogate
        return
    folder = tmp_path_factory.getbasetemp()
    assert check(folder, leaf).problems == []
    padded = json.dumps(json.loads(leaf), ensure_ascii=False).encode()
    assert check(folder, padded).problems != []


def anchor(index: int, **more: Any) -> bytes:
    return record(index, "anchor", {"a": [], "b": "x:", "last": 7, "spent": {}, **more}, 1)


@pytest.mark.parametrize(
    ("good", "odd"),
    [
        (b'"last":7', b'"last":07'),
        (b'"last":7', b'"last":-0'),
        (b'"last":7', b'"last":7.0'),
        (b'"last":7', b'"last":nul'),
        (b'"last":7', b'"last": 7'),
        (b'"a":[]', b'"a":["x:", ",y"]'),
        (b'"a":[]', b'"a":[ ]'),
        (b'"spent":{}', b'"spent":{"b":1,"a":2}'),
        (b'"x:"', b'"\\u0078"'),
        (b'"x:"', b'"x\x01"'),
        (b'"x:"', b'"x"y"'),
        (b'"a":[],"b":"x:"', b'"b":"x:","a":[]'),
        (b'"i":1', b'"i":2'),
        (b'"i":1', b'"i":01'),
        (b'"v":1}', b'"v":1} '),
        (b'"kind":"anchor"', b'"kind": "anchor"'),
        (b'{"at":1', b'{"at":01'),
    ],
)
def test_after_a_good_record_of_its_kind_an_odd_one_is_found_too(
    good: bytes, odd: bytes, tmp_path: Path
) -> None:
    leaves = [anchor(0), anchor(1), anchor(2)]
    assert check(tmp_path, *leaves).problems == []
    assert good in leaves[1]
    leaves[1] = leaves[1].replace(good, odd)
    assert "record 1" in check(tmp_path, *leaves).problems[0]


def test_good_records_of_one_kind_may_differ(tmp_path: Path) -> None:
    more = [
        {},
        {"a": ["x"]},
        {"b": "\u20ac\n"},
        {"last": 2**53},
        {"spent": {"t": 1e-9}},
        {"z": None},
    ]
    leaves = [anchor(i, **each) for i, each in enumerate(more)]
    assert check(tmp_path, *leaves).problems == []


def test_a_forged_clearance_is_found_however_it_is_spelled(tmp_path: Path) -> None:
    leaves = [record(i, *body, 1) for i, body in enumerate([pressed(1), clear(1, by=())])]
    assert "0 good signatures of 2" in check(tmp_path, *leaves).problems[0]
    leaves[1] = json.dumps(json.loads(leaves[1])).encode()
    said = " ".join(check(tmp_path, *leaves).problems)
    assert "spelled" in said
    assert "0 good signatures of 2" in said


def test_a_removed_record_is_told_where_it_is_missing(tmp_path: Path) -> None:
    leaves = [anchor(i) for i in range(40)]
    del leaves[30]
    problems = check(tmp_path, *leaves).problems
    assert problems[0].startswith("record 30: it does not carry its number")
    assert len(problems) <= 2


def test_many_unreadable_records_are_counted(tmp_path: Path) -> None:
    problems = check(tmp_path, *[b"x"] * 1000).problems
    assert len(problems) < 20
    assert "1000" in " ".join(problems)


# Starts.


@pytest.mark.parametrize(
    "bodies",
    [
        [enrol("a"), pressed(1), start("a")],
        [enrol("a"), pressed(1, "agent:a"), start("a")],
        [enrol("a", "g"), pressed(1, "group:g"), start("a")],
        [enrol("b"), enrol("m", after=("b",)), enrol("a", after=("m",)), pressed(1, "closure:b"),
         start("a")],
        [enrol("a"), pressed(1, "nobody knows"), start("a")],
        [enrol("a"), pressed(1, "agent:b"), pressed(2, "agent:a"), clear(1), start("a")],
        [enrol("a"), pressed(1), repeat(1, 1), clear(1), start("a")],
        [enrol("a"), pressed(1), clear(1), repeat(1, 1), start("a")],
        [enrol("a"), pressed(1), repeat(1, 3), clear(1, seen=2), start("a")],
        [enrol("a"), pressed(1), clear(1), start("a"), pressed(2), start("a", 2)],
    ],
)  # fmt: skip
def test_a_start_under_a_standing_press_is_a_problem(bodies: list[Body], tmp_path: Path) -> None:
    (problem,) = told(tmp_path, *bodies)
    assert f"record {len(bodies) - 1}" in problem
    assert "start" in problem
    assert told(tmp_path, *bodies, people=None) == [problem]


@pytest.mark.parametrize(
    "bodies",
    [
        [enrol("a"), start("a"), pressed(1), clear(1), start("a", 2)],
        [enrol("a", "h"), pressed(1, "agent:b"), pressed(2, "group:g"), start("a")],
        [enrol("b", after=("a",)), enrol("a"), pressed(1, "closure:b"), start("a")],
        [enrol("a"), pressed(1), repeat(1, 3), clear(1, seen=3), start("a")],
        [enrol("a"), pressed(1, "agent:a", "drill"), clear(1, by=("ann",)), start("a")],
        [enrol("a"), pressed(1), pressed(2), clear(1, 2), start("a")],
    ],
)
def test_starts_that_may_be(bodies: list[Body], tmp_path: Path) -> None:
    assert told(tmp_path, *bodies) == []
    assert told(tmp_path, *bodies, people=None) == []


def test_a_start_after_a_clearance_that_nobody_signed(tmp_path: Path) -> None:
    problems = told(tmp_path, enrol("a"), pressed(1), clear(1, by=("ann",)), start("a"))
    assert ["record 2" in problems[0], "record 3" in problems[1], len(problems)] == [True, True, 2]


# Kinds.


def test_each_kind_is_judged_or_said_not_to_be_and_why() -> None:
    alone = set(verify._Stops("own", 2, None).kinds)
    judged = set(verify._Stops("own", 2, Judge("own", WHO, 2)).kinds)
    assert judged | set(verify.UNJUDGED) == set(RECORDS)
    assert judged & set(verify.UNJUDGED) == judged - alone  # who signed is known with people only
    assert all(verify.UNJUDGED.values())


@pytest.mark.parametrize("people", [WHO, None])
def test_a_kind_that_is_not_known_is_no_pass(
    people: dict[str, bytes] | None, tmp_path: Path
) -> None:
    bodies = [enrol("a"), pressed(1), ("pardon", {"agent": "a"}), ("pardon", {"agent": "b"})]
    (problem,) = told(tmp_path, *bodies, people=people)
    assert "not judged" in problem
    assert "2 of 'pardon'" in problem
    (slip,) = told(tmp_path, enrol("a"), ("strt", start("a")[1]), people=people)
    assert "1 of 'strt'" in slip


def test_a_long_ledger_in_parts_tells_of_such_a_kind_too(tmp_path: Path) -> None:
    leaves = [anchor(i) for i in range(3000)]
    leaves[1500] = record(1500, "pardon", {"agent": "a"}, 1)
    file = tmp_path / "ledger.db"
    head = Checkpoint("own", len(leaves), Tree(leaves).root(), False)
    with closing(sqlite3.connect(file)) as base:
        base.execute("CREATE TABLE ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        base.execute("CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL)")
        base.executemany("INSERT INTO ledger VALUES(?,?)", enumerate(leaves))
        base.execute("INSERT INTO checkpoint VALUES(?,?)", (len(leaves), sign_note(head, PRIVATE)))
        base.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify_parts, "FEW", 1000)
        patch.setattr(verify_parts, "PART", 1024)
        report = verify_on(2, file, authority="own", public=PUBLIC)
    assert ["1 of 'pardon'" in each for each in report.problems] == [True]


# Solo.


def test_a_solo_head_against_a_quorum_of_two(tmp_path: Path) -> None:
    leaf = record(0, *pressed(1), 1)
    report = check(tmp_path, leaf, solo=True)
    assert report.solo == 1
    assert "solo" in report.problems[0]
    assert "2" in report.problems[0]
    alone = check(tmp_path, leaf, solo=True, quorum=1)
    assert (alone.solo, alone.problems) == (1, [])
    assert check(tmp_path, leaf).solo == 0


def test_solo_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import base64

    file = written(tmp_path / "ledger", [record(0, *pressed(1), 1)], solo=True)
    public = base64.b64encode(PUBLIC).decode()
    assert verify.main([str(file), "--authority", "own", "--public", public]) == 0
    assert "SOLO" in capsys.readouterr().out
    people = [{"key": base64.b64encode(WHO["ann"]).decode(), "name": "ann"}]
    roster = {"authority": "own", "people": people, "solo": True}
    beside = tmp_path / "public.json"
    beside.write_text(json.dumps({"authority": "own", "public": public, "roster": roster}))
    assert cli.run(["verify", str(file)]) == 0
    assert "SOLO" in capsys.readouterr().out
    people.append({"key": base64.b64encode(WHO["bob"]).decode(), "name": "bob"})
    beside.write_text(
        json.dumps({"authority": "own", "public": public, "roster": roster | {"solo": False}})
    )
    assert cli.run(["verify", str(file)]) == 1
    assert "solo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scopes", "frees"), [(["fleet"], True), (["agent:b"], False), ([], False), (None, True)]
)
def test_a_clearance_is_for_the_scopes_that_it_says(
    scopes: list[str] | None, frees: bool, tmp_path: Path
) -> None:
    id = press(1).id
    said = None if scopes is None else {id: scopes}
    text = draft("own", {id: {}}, {"root": "", "size": 0}, "n" * 32, said)
    given = signed(text, "ann", "bob").to_json()
    problems = told(tmp_path, enrol("a"), pressed(1), ("clear", given), start("a"))
    assert problems == ([] if frees else ["record 3: a start of a while presses stand: 1"])
