"""`freezetag verify` of copies that are not whole: it says what is missing, and who may have it."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.adapters.logs import cut, journal, written
from tests.live._serving import enrolled, serving, started, until
from tests.live.conftest import Run
from tests.live.test_verify import LEAVES, NOTES, PUBLIC, as_text
from tests.live.worlds import roster

import freezetag as ft
from freezetag.live.authority.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the public.json of the authority that signed `NOTES`."""
    public = base64.b64encode(PUBLIC).decode()
    told = {"authority": "own", "public": public, "roster": roster("own").to_json()}
    (tmp_path / "public.json").write_text(json.dumps(told))
    return tmp_path


def running(file: Path) -> sqlite3.Connection:
    """A ledger as a running server holds it: all that was written is still in the -wal file."""
    base = sqlite3.connect(file)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    base.execute("CREATE TABLE ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)")
    base.execute("CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL)")
    base.executemany("INSERT INTO ledger VALUES (?, ?)", enumerate(LEAVES))
    sizes = [int(note.split("\n")[1]) for note in NOTES]
    base.executemany("INSERT INTO checkpoint VALUES (?, ?)", zip(sizes, NOTES, strict=True))
    base.commit()
    return base


def test_a_copy_without_its_wal_file(home: Path, run: Run) -> None:
    (home / "server").mkdir()
    with closing(running(home / "server" / "ledger.db")):
        shutil.copy(home / "server" / "ledger.db", home / "ledger.db")
        code, out, _ = run("verify", "ledger.db")
        assert code == 1
        assert "copy from a running server? Its newest records are in ledger.db-wal" in out
        assert "NOT verified: 0 records, no root" in out
        for file in home.glob("ledger.db*"):
            file.unlink()
        for file in (home / "server").glob("ledger.db*"):
            shutil.copy(file, home)
        code, out, _ = run("verify", "ledger.db")
        assert "ledger.db-wal" not in out
        assert f"{len(LEAVES)} records, root" in out


def test_a_ledger_that_was_cut(home: Path, run: Run) -> None:
    with closing(running(home / "ledger.db")):
        pass  # the last to close writes it all into the one file
    data = (home / "ledger.db").read_bytes()
    (home / "ledger.db").write_bytes(data[: len(data) // 2])
    code, out, _ = run("verify", "ledger.db")
    assert code == 1
    assert "A part of the file is missing or damaged" in out
    as_text(home / "export.txt", LEAVES[:-1])
    code, out, _ = run("verify", "export.txt")
    assert code == 1
    assert "running server" not in out


def test_a_journal_that_was_cut(tmp_path: Path, run: Run) -> None:
    lines = journal()
    written(tmp_path, cut(lines))
    code, out, _ = run("verify", "--journal", "journal.jsonl")
    assert code == 1
    assert f"the last line, entry {len(lines) - 1}, is cut short, as by a crash" in out


def test_a_journal_whose_beginning_was_edited_is_one(tmp_path: Path, run: Run) -> None:
    written(tmp_path, [b"not an entry\n", *journal()[1:]])
    code, out, _ = run("verify", "--journal", "journal.jsonl")
    assert code == 1
    assert "entry 0 is not an entry of a gate's journal" in out


def test_what_is_no_journal(home: Path, run: Run) -> None:
    as_text(home / "export.txt")
    for name, told in (
        ("export.txt", "is a ledger, no gate's"),
        ("public.json", "is not a journal"),
    ):
        code, _, err = run("verify", "--journal", name)
        assert code == 2
        assert told in err


@pytest.mark.parametrize("what", ["whole", "emptied", "cut", "another", "deleted"])
def test_what_a_ledger_anchors_has_to_be_in_its_journal(
    what: str, run: Run, tmp_path: Path
) -> None:
    """Each of these is a whole chain by itself, and the guard's folder verifies as one."""
    # In a process of its own: all that hangs below a guard's counts as the command's.
    guard = [sys.executable, "-m", "freezetag", "guard", "--state", "state", "--", "true"]
    subprocess.run(guard, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    file = tmp_path / "state" / "journal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    if what == "deleted":
        file.unlink()
    elif what != "whole":
        file.write_bytes({"emptied": b"", "cut": lines[0], "another": b"".join(journal())}[what])
    asked = [("verify", "state")]
    if what != "deleted":
        asked.append(("verify", "--journal", "state"))
    for each in asked:
        code, said, _ = run(*each)
        assert (code, "ledger.db anchors the head" in said) == (
            (0, False) if what == "whole" else (1, True)
        ), said


def test_a_journal_that_nobody_copied_is_named(made: Home, run: Run, tmp_path: Path) -> None:
    """Of two gates one journal is here: that may be meant, and is not passed over in silence."""
    with serving(made) as remote:
        files = [enrolled(remote, tmp_path, name) for name in ("writer", "reader")]
        with ft.connect(files[0]) as writer, ft.connect(files[1]) as reader:
            for gate, name in ((writer, "writer"), (reader, "reader")):
                started(remote, name)
                assert gate.wait(5)
                with gate.action("work"):
                    pass
            until(lambda: made.ledger.exists() and _anchored(made.ledger) == {"writer", "reader"})
    for name in ("writer", "reader"):
        text = (tmp_path / f"{name}.state" / "journal.jsonl").read_bytes()
        (made.path / f"journal-{name}.jsonl").write_bytes(text)
    assert run("verify", "oversight", "--every-journal")[0] == 0
    (made.path / "journal-reader.jsonl").unlink()
    code, out, _ = run("verify", "oversight")
    assert (code, "so of what they let through nothing was verified: reader" in out) == (0, True), (
        out
    )
    code, out, _ = run("verify", "oversight", "--every-journal")
    assert (code, "no journal here tells of reader: deleted" in out) == (1, True), out


def _anchored(ledger: Path) -> set[str]:
    with sqlite3.connect(ledger) as db:
        leaves = [json.loads(leaf) for (leaf,) in db.execute("SELECT record FROM ledger")]
    db.close()
    return {e["body"]["gate"] for e in leaves if e["kind"] == "anchor" and e["body"]["head"]}
