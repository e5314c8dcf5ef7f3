"""An archive of a ledger: added to while a server runs, verified alone and against the ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.live._serving import enrolled, serving
from tests.live.conftest import Run

from freezetag.live.authority.home import Home


@pytest.fixture
def archived(made: Home, run: Run, tmp_path: Path) -> Path:
    """Two segments, the second made by a server that ran on."""
    with serving(made) as remote:
        enrolled(remote, tmp_path)
        assert run("archive", "kept")[0] == 0
        remote.press("fleet", "later")
        code, out, _ = run("archive", "kept")
        assert (code, "1 records to kept/ledger-" in out) == (0, True), out
        assert "nothing is new" in run("archive", "kept")[1]
    return tmp_path / "kept"


def test_it_verifies_by_itself_and_the_ledger_continues_it(archived: Path, run: Run) -> None:
    assert len(list(archived.iterdir())) == 2
    assert not any(file.stat().st_mode & 0o222 for file in archived.iterdir())
    code, out, _ = run("verify", "kept", "--public", "oversight/public.json")
    assert (code, "verified: 2 records" in out) == (0, True), out
    assert run("verify", "oversight", "--archive", "kept")[0] == 0


def changed(file: Path, old: bytes, new: bytes) -> None:
    file.chmod(0o600)
    text = file.read_bytes()
    assert old in text
    file.write_bytes(text.replace(old, new, 1))


@pytest.mark.parametrize("segment", [0, 1])
def test_a_changed_segment_is_found(archived: Path, run: Run, segment: int) -> None:
    file = sorted(archived.iterdir())[segment]
    changed(file, b'"writer"' if segment == 0 else b'"later"', b'"others"'[: 8 - segment])
    code, out, _ = run("verify", "kept", "--public", "oversight/public.json")
    assert (code, "NOT verified" in out) == (1, True), out
    assert run("verify", "oversight", "--archive", "kept")[0] == 1


def test_a_missing_segment_is_found(archived: Path, run: Run) -> None:
    first, _ = sorted(archived.iterdir())
    first.unlink()
    code, out, _ = run("verify", "kept", "--public", "oversight/public.json")
    assert (code, "are in no segment" in out) == (1, True), out
    code, _, err = run("archive", "kept")
    assert (code, "are missing" in err) == (2, True), err


def test_a_segment_without_its_checkpoint_is_found(archived: Path, run: Run) -> None:
    first, _ = sorted(archived.iterdir())
    first.chmod(0o600)
    kept = [line for line in first.read_bytes().splitlines(True) if not line.startswith(b"#")]
    first.write_bytes(b"".join(kept))
    code, out, _ = run("verify", "kept", "--public", "oversight/public.json")
    assert (code, "has no checkpoint over its end" in out) == (1, True), out


def test_a_ledger_that_was_changed_or_cut_ends_the_archive(
    archived: Path, made: Home, run: Run
) -> None:
    before = sorted(archived.iterdir())
    with sqlite3.connect(made.ledger) as db:
        db.execute("UPDATE ledger SET record = replace(record, 'writer', 'others') WHERE i = 0")
    db.close()
    code, _, err = run("archive", "kept")
    assert (code, "does not continue the archive" in err) == (2, True), err
    with sqlite3.connect(made.ledger) as db:
        db.execute("DELETE FROM ledger WHERE i = 1")
        db.execute("DELETE FROM checkpoint WHERE size = 2")
    db.close()
    code, _, err = run("archive", "kept")
    assert (code, "does not continue the archive" in err) == (2, True), err
    assert sorted(archived.iterdir()) == before


def test_another_authoritys_archive_is_refused(archived: Path, run: Run, tmp_path: Path) -> None:
    from tests.live._serving import home

    other = home(tmp_path / "other")
    with serving(other) as remote:
        for name in ("a", "b", "c"):
            enrolled(remote, tmp_path, name)
    code, _, err = run("archive", "kept", "--home", "other")
    assert (code, "does not continue the archive" in err) == (2, True), err
    code, _, err = run("verify", "oversight", "--archive", "nowhere")
    assert (code, "there is no archive" in err) == (2, True), err
    assert run("archive", "kept", "--home", "nowhere")[0] == 2


def test_an_archive_in_the_ledgers_own_folder_is_refused(made: Home, run: Run) -> None:
    """It would be lost with the ledger."""
    with serving(made):
        pass
    before = sorted(made.path.iterdir())
    made.path.with_name("link").symlink_to(made.path)
    for where in ("oversight", "oversight/archive", "kept/../oversight", "link"):
        code, _, err = run("archive", where)
        assert (code, "would be lost with it" in err) == (2, True), where
    assert sorted(made.path.iterdir()) == before
    assert run("archive", "oversight-archive")[0] == 0
