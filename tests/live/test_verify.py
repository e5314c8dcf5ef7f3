"""The offline verifier: it passes what is whole and finds every tampering, from one file."""

from __future__ import annotations

import ast
import base64
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.live.worlds import PEOPLE, press, signed

from freezetag.core.journal import Journal, JournalError, read
from freezetag.live.gate.journal_file import verify_journal
from freezetag.live.signed import verify, verify_parts
from freezetag.live.signed.merkle import Checkpoint, Tree, record, sign_note
from freezetag.live.signed.presses import Clearance, draft
from freezetag.live.signed.verify import verify_file

PRIVATE, PUBLIC = PEOPLE["eve"]
WHO = {name: PEOPLE[name][1] for name in ("ann", "bob")}
EVERY = 20  # records under each checkpoint


def clearance(number: int) -> Clearance:
    text = draft("own", {f"{number:032x}": {}}, {"root": "", "size": 0}, f"n{number}")
    return signed(text, "ann", "bob")


READY = [clearance(number) for number in range(4)]


def records() -> list[bytes]:
    bodies: list[tuple[str, dict[str, Any]]] = []
    for number in range(4):
        bodies += [("anchor", {"gate": f"g{n}", "b": "0" * 32, "last": n}) for n in range(8)]
        bodies.append(("press", press(number).to_json()))
        bodies.append(("clear", READY[number].to_json()))
    return [record(i, kind, body, 1000 + i) for i, (kind, body) in enumerate(bodies)]


def notes(leaves: list[bytes]) -> list[str]:
    tree = Tree(leaves)
    ends = [*range(EVERY, len(leaves), EVERY), len(leaves)]
    return [sign_note(Checkpoint("own", size, tree.root(size)), PRIVATE) for size in ends]


LEAVES = records()
NOTES = notes(LEAVES)


def as_text(path: Path, leaves: list[bytes] = LEAVES, signed_notes: list[str] = NOTES) -> Path:
    lines = [f"#{line}\n" for note in signed_notes for line in note.splitlines()]
    path.write_bytes(b"".join(leaf + b"\n" for leaf in leaves) + "".join(lines).encode())
    return path


def as_sqlite(path: Path, leaves: list[bytes] = LEAVES, signed_notes: list[str] = NOTES) -> Path:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)")
    base.execute("CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL)")
    base.executemany("INSERT INTO ledger VALUES(?,?)", enumerate(leaves))
    sized = [(int(note.split("\n")[1]), note) for note in signed_notes]
    base.executemany("INSERT INTO checkpoint VALUES(?,?)", sized)
    base.commit()
    base.close()
    return path


def check(path: Path, **more: Any) -> verify.Report:
    return verify_file(path, authority="own", public=PUBLIC, **{"people": WHO, **more})


def found(path: Path, **more: Any) -> bool:
    """Whether hashes and checkpoints alone tell that something is wrong."""
    return not check(path, people=None, **more).ok


@pytest.mark.parametrize("write", [as_text, as_sqlite])
def test_a_whole_ledger_verifies(write: Callable[[Path], Path], tmp_path: Path) -> None:
    report = check(write(tmp_path / "ledger"), checkpoint=NOTES[0])
    assert report.problems == []
    assert (report.records, report.covered) == (40, 40)
    assert report.checkpoints == len(NOTES) + 1
    assert report.root == Tree(LEAVES).root().hex()


def test_every_changed_byte_of_the_text_is_found(tmp_path: Path) -> None:
    """Positions all over the file, each with a random other byte."""
    path = as_text(tmp_path / "ledger")
    whole = path.read_bytes()
    dice = random.Random(1)
    for at in dice.sample(range(len(whole)), 500):
        changed = bytearray(whole)
        changed[at] ^= dice.randrange(1, 256)
        path.write_bytes(changed)
        assert found(path), (at, whole[at : at + 20])


@pytest.mark.parametrize(
    "mark", ["\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_what_python_takes_for_a_line_break_is_none(tmp_path: Path, mark: str) -> None:
    """One flipped bit makes a vertical tab of a line's end."""
    path = as_text(tmp_path / "ledger")
    whole = path.read_bytes()
    ends = [at for at in range(len(whole) - 1) if whole[at : at + 1] == b"\n"]
    for at in ends[-8:]:
        path.write_bytes(whole[:at] + mark.encode() + whole[at + 1 :])
        assert found(path), (at, whole[at : at + 20])


@pytest.mark.long
def test_ten_thousand_random_tamperings_are_found(tmp_path: Path) -> None:
    path, dice = tmp_path / "ledger", random.Random(2)
    missed = 0
    for _ in range(10_000):
        leaves, heads = tampered(dice)
        missed += not found(as_text(path, leaves, heads), checkpoint=NOTES[-1])
    assert missed == 0


@pytest.mark.parametrize(("write", "times"), [(as_text, 200), (as_sqlite, 20)])
def test_random_tamperings_are_found(
    write: Callable[..., Path], times: int, tmp_path: Path
) -> None:
    dice = random.Random(3)
    for number in range(times):
        leaves, heads = tampered(dice)
        assert found(write(tmp_path / f"{number}", leaves, heads), checkpoint=NOTES[-1])


def tampered(dice: random.Random) -> tuple[list[bytes], list[str]]:
    """Edits, removals, insertions, exchanges, truncation; notes changed, lost or re-signed."""
    leaves, heads = list(LEAVES), list(NOTES)
    at, to = dice.sample(range(len(leaves)), 2)
    kind = dice.randrange(8)
    if kind == 0:
        leaf = bytearray(leaves[at])
        leaf[dice.randrange(len(leaf))] ^= 1 << dice.randrange(7)
        leaves[at] = bytes(leaf).replace(b"\n", b" ")
        if leaves == LEAVES:
            leaves[at] += b" "
    elif kind == 1:
        del leaves[at]
    elif kind == 2:
        leaves.insert(at, leaves[to])
    elif kind == 3:
        leaves[at], leaves[to] = leaves[to], leaves[at]
    elif kind == 4:  # cut off, the checkpoints too: a kept one tells
        del leaves[dice.randrange(len(leaves)) :]
        heads = [note for note in heads if int(note.split("\n")[1]) <= len(leaves)]
    elif kind == 5:  # cut and renumbered, as its writer would have written it
        del leaves[at]
        leaves = [
            leaf.replace(b',"i":%d,"kind"' % (i + 1), b',"i":%d,"kind"' % i) if i >= at else leaf
            for i, leaf in enumerate(leaves)
        ]
    elif kind == 6:  # rewritten whole, and signed by another key
        leaves[at] = record(at, "anchor", {"rewritten": dice.randrange(100)}, 0)
        tree = Tree(leaves)
        heads = [sign_note(Checkpoint("own", 40, tree.root()), PEOPLE["bob"][0])]
    else:
        n, m = dice.sample(range(len(heads)), 2)
        body, stamp = heads[n].split("\n\n")[0], heads[m].split("\n\n")[1]
        heads[n] = f"{body}\n\n{stamp}"
    return leaves, heads


def test_a_signature_moved_to_another_clearance_is_found(tmp_path: Path) -> None:
    """By who holds the signing key: the hashes fit, the people's signatures do not."""
    swapped = Clearance(READY[1].text, READY[0].signatures)
    leaves = list(LEAVES)
    at = leaves.index(record(19, "clear", READY[1].to_json(), 1019))
    leaves[at] = record(at, "clear", swapped.to_json(), 1000 + at)
    report = check(as_text(tmp_path / "ledger", leaves, notes(leaves)))
    assert [problem for problem in report.problems if "good signatures of 2" in problem]


def test_a_clearance_signed_once_is_found(tmp_path: Path) -> None:
    once = Clearance(READY[0].text, READY[0].signatures[:1])
    leaves = [
        record(0, "press", press(0).to_json(), 0),
        record(1, "clear", once.to_json(), 0),
    ]
    assert not check(as_text(tmp_path / "one", leaves, notes(leaves))).ok
    assert check(as_text(tmp_path / "solo", leaves, notes(leaves)), quorum=1).ok
    leaves[0] = record(0, "press", press(0, kind="drill").to_json(), 0)
    assert check(as_text(tmp_path / "drill", leaves, notes(leaves))).ok


@pytest.mark.parametrize(
    ("leaves", "heads", "says"),
    [
        (LEAVES, [], "nothing vouches"),
        (LEAVES, NOTES[:-1], "under no signed checkpoint"),
        (LEAVES[:-1], NOTES, "cut off"),
        ([], [], "nothing vouches"),
    ],
)
def test_what_no_checkpoint_covers_is_said(
    leaves: list[bytes], heads: list[str], says: str, tmp_path: Path
) -> None:
    report = check(as_text(tmp_path / "ledger", leaves, heads))
    assert any(says in problem for problem in report.problems)


def test_an_older_copy_is_found_by_a_kept_checkpoint(tmp_path: Path) -> None:
    older = as_text(tmp_path / "ledger", LEAVES[:20], notes(LEAVES[:20]))
    assert check(older).ok  # by itself it is a good ledger
    assert "cut off" in check(older, checkpoint=NOTES[-1]).problems[0]


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"SQLite format 3\x00" + b"x" * 100, b"#"])
def test_any_file_gives_a_report(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(content)
    assert not check(tmp_path / "ledger").ok
    assert not check(tmp_path / "missing").ok


def test_the_verifier_stands_alone(tmp_path: Path) -> None:
    """Copied away, it needs Python and `cryptography`: nothing of freezetag."""
    source = Path(str(verify.__file__))
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        str(node.module).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert names - set(sys.stdlib_module_names) == {"cryptography"}
    alone = tmp_path / "verify.py"
    alone.write_bytes(source.read_bytes())
    public = base64.b64encode(PUBLIC).decode()
    command = [sys.executable, "-I", str(alone), "--authority", "own", "--public", public]
    good = subprocess.run([*command, str(as_text(tmp_path / "l"))], capture_output=True, text=True)
    assert (good.returncode, good.stdout.split(":")[0]) == (0, "verified")
    bad = subprocess.run(
        [*command, str(as_text(tmp_path / "m", LEAVES[1:]))], capture_output=True, text=True
    )
    assert (bad.returncode, "NOT verified" in bad.stdout) == (1, True)


@pytest.mark.parametrize("kind", ["anchor", "press", "repeat", "clear", "enrol"])
@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_that_no_double_holds_is_a_problem(kind: str, digits: int, tmp_path: Path) -> None:
    """It has no spelling to be signed in; who holds the key could still write it."""
    leaves = list(LEAVES)
    leaf = b'{"at":1,"body":{"last":1%s},"i":39,"kind":"%s","v":1}'
    leaves[39] = leaf % (b"0" * digits, kind.encode())
    for write in (as_text, as_sqlite):
        path = write(tmp_path / write.__name__, leaves, notes(leaves))
        assert [each for each in check(path).problems if "record 39: it cannot be read" in each]


# Journals.


def test_a_journal_is_a_chain(tmp_path: Path) -> None:
    lines: list[bytes] = []
    journal = Journal(lines.append)
    for number in range(20):
        journal.append("begin", n=number, t=float("nan"), reading={"a": float("inf")})
    assert [entry["n"] for entry in read(lines, journal.head)] == list(range(20))
    assert next(read(lines))["t"] is None
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    assert verify_journal(path, head=journal.head).ok
    dice = random.Random(4)
    for at in range(20):
        removed, edited = [*lines[:at], *lines[at + 1 :]], list(lines)
        edited[at] = lines[at].replace(b'"n":', b'"n":1')
        moved = list(lines)
        other = dice.choice([n for n in range(20) if n != at])
        moved[at], moved[other] = moved[other], moved[at]
        for changed in (removed, edited, moved):
            path.write_bytes(b"".join(changed))
            assert not verify_journal(path, head=journal.head).ok
            with pytest.raises(JournalError):
                list(read(changed, journal.head))
    path.write_bytes(b"".join(lines)[:-1])
    assert not verify_journal(path).ok


SPOILT: list[Callable[[sqlite3.Connection], Any]] = [
    lambda db: db.execute("UPDATE ledger SET record = replace(record, 'g3', 'g4') WHERE i = 13"),
    lambda db: db.execute("DELETE FROM ledger WHERE i = 17"),
    lambda db: db.execute("DELETE FROM ledger WHERE i >= 33"),
    lambda db: db.execute(
        "UPDATE checkpoint SET note = replace(note, substr(note, -9, 4), '0000') WHERE size = 20"
    ),
    lambda db: db.execute("DELETE FROM checkpoint WHERE size = 40"),
    lambda db: db.execute("INSERT INTO ledger VALUES (-1, x'7b7d')"),
    lambda db: db.execute("CREATE TRIGGER odd AFTER INSERT ON ledger BEGIN SELECT 1; END"),
]


@pytest.mark.parametrize("way", [None, *range(len(SPOILT))])
def test_parts_find_what_the_whole_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: int | None
) -> None:
    """A good ledger needs no other look; of any other the report is the one of `verify_file`."""
    for name, value in {"FEW": 0, "PART": 8, "CHUNK": 4}.items():
        monkeypatch.setattr(verify_parts, name, value)
    path = as_sqlite(tmp_path / "ledger.db")
    if way is not None:
        with closing(sqlite3.connect(path)) as db, db:
            SPOILT[way](db)
    rule: dict[str, Any] = {"authority": "own", "public": PUBLIC, "people": WHO}
    whole = verify_file(path, checkpoint=NOTES[0], **rule)
    assert whole.ok is (way is None)
    if way is None:
        monkeypatch.setattr(verify_parts, "verify_file", None)
    assert verify_parts.verify_on(2, path, checkpoint=NOTES[0], **rule) == whole


def test_parts_judge_what_records_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FEW": 0, "PART": 8, "CHUNK": 4}.items():
        monkeypatch.setattr(verify_parts, name, value)
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("enrol", {"agent": "a", "groups": [], "depends_on": []}),
        *[("anchor", {"gate": "a", "b": "0" * 32, "last": n}) for n in range(10)],
        ("press", press(1).to_json()),
        *[("anchor", {"gate": "a", "b": "0" * 32, "last": n}) for n in range(10, 20)],
        ("start", {"agent": "a", "epoch": 1, "who": "ann"}),
    ]
    leaves = [record(i, kind, body, 1000 + i) for i, (kind, body) in enumerate(bodies)]
    path = as_sqlite(tmp_path / "ledger.db", leaves, notes(leaves))
    report = verify_parts.verify_on(2, path, authority="own", public=PUBLIC, people=WHO)
    assert any("while presses stand" in problem for problem in report.problems)
