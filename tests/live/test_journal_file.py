"""A journal in a file goes on where it ended, and is read without being held in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from tests.live.conftest import Run

from freezetag.core.journal import GENESIS, JournalError, read
from freezetag.live.gate.journal_file import open_journal


def test_it_goes_on_after_what_a_crash_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    assert open_journal(file).head == GENESIS
    first = open_journal(file)
    first.append("begin", n=1)
    head = first.append("end", n=1)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"kind":"beg')
    again = open_journal(file)
    assert (again.head, file.read_bytes()) == (head, whole)
    again.append("begin", n=2)
    lines = file.read_bytes().splitlines()
    assert [entry["n"] for entry in read(lines, again.head)] == [1, 1, 2]
    file.write_bytes(whole.replace(b'"n":1', b'"n":7', 1))
    with pytest.raises(JournalError):
        open_journal(file)


def test_a_long_one_is_not_held_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = open_journal(file)
    for n in range(4000):
        journal.append("begin", n=n, detail="x" * 200)
    tracemalloc.start()
    try:
        assert open_journal(file).head == journal.head
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < file.stat().st_size / 5


def test_one_without_an_entry_is_no_evidence(tmp_path: Path, run: Run) -> None:
    """Nothing tells the journal of a gate that never opened from any other empty file."""
    file = tmp_path / "journal.jsonl"
    open_journal(file)
    panel = tmp_path / "panel.toml"
    panel.write_text("[limits]\ntokens = 5\n")
    asked = (
        ("verify", "--journal", str(file)),
        ("verify", "--journal", str(tmp_path), "--json"),
        ("replay", str(file)),
        ("replay", str(tmp_path), "--json"),
        ("replay", str(file), "--panel", str(panel)),
    )
    for words in asked:
        code, out, err = run(*words)
        assert (code, out) == (2, ""), words
        assert f"{file} holds nothing" in err
    kept = "1" * 64
    code, out, _ = run("verify", "--journal", str(file), "--head", kept)
    assert (code, kept in out) == (1, True)  # emptied: somebody knows better
    assert run("replay", str(file), "--head", kept)[0] == 2
