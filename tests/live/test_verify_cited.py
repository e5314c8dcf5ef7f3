"""What a verification says of itself, and the checkpoint that a gate keeps as a witness."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.live._serving import enrolled, serving, started, until
from tests.live.conftest import Run

import freezetag as ft
from freezetag.live.authority.home import Home
from freezetag.live.signed.merkle import Checkpoint, Tree, record, sign_note


@pytest.fixture
def latch(made: Home, tmp_path: Path) -> Path:
    """Of a gate that worked under this authority, told it of its journal, and was stopped."""
    with serving(made) as remote, ft.connect(enrolled(remote, tmp_path)) as gate:
        started(remote)
        assert gate.wait(5)
        with gate.action("work"):
            pass
        until(lambda: any(b'"anchor"' in leaf for leaf in ledger(made)))
        remote.press("fleet", "enough")
        until(lambda: not gate.is_open)
    return tmp_path / "writer.state" / "latch.json"


def ledger(made: Home) -> list[bytes]:
    with closing(sqlite3.connect(made.ledger)) as base:
        return [leaf for (leaf,) in base.execute("SELECT record FROM ledger ORDER BY i")]


def test_a_verdict_says_of_what_it_is(run: Run, made: Home, latch: Path, tmp_path: Path) -> None:
    code, out, err = run("verify", "oversight")
    assert (code, err) == (0, "")
    fingerprint = hashlib.sha256(made.public).hexdigest()
    assert f"authority lab; SHA-256 of its public key {fingerprint}, from oversight/public" in out
    assert "CAUTION: the key came with the ledger." in out
    assert "people: ada, bob; 2 signatures clear a press" in out
    assert "no checkpoint kept elsewhere was given" in out
    assert f"freezetag {ft.__version__}" in out
    assert "of what they let through nothing was verified: writer" in out
    shutil.copy("oversight/public.json", tmp_path / "trusted.json")
    code, out, _ = run("verify", "oversight", "--public", "trusted.json", "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["untold"]) == (0, True, ["writer"])
    cited = told["cited"]
    assert (cited["key_beside"], cited["key_from"]) == (False, "trusted.json")
    times = [json.loads(leaf)["at"] for leaf in ledger(made)]
    assert (cited["first"], cited["last"]) == (times[0], times[-1])
    code, out, _ = run("verify", "oversight", "--public", "trusted.json")
    assert (code, "CAUTION" in out) == (0, False)


def test_a_gates_latch_is_a_checkpoint_kept_elsewhere(
    run: Run, made: Home, latch: Path, tmp_path: Path
) -> None:
    code, out, _ = run("verify", "oversight", "--checkpoint", str(latch))
    size, _ = json.loads(latch.read_text())["links"]["lab"]["seen"]
    assert (code, f"checkpoint kept elsewhere: over {size} records, {latch}" in out) == (0, True)
    # Who holds the key makes another past of the same length, which verifies by itself.
    other = tmp_path / "other.txt"
    tree = Tree()
    leaves = [record(i, "alarm", {"agent": "", "what": "x"}, 1) for i in range(size + 3)]
    for leaf in leaves:
        tree.append(leaf)
    note = sign_note(Checkpoint("lab", tree.size, tree.root(), False), made.signing)
    marked = [f"#{line}\n".encode() for line in note.removesuffix("\n").split("\n")]
    other.write_bytes(b"".join(leaf + b"\n" for leaf in leaves) + b"".join(marked))
    shutil.copy("oversight/public.json", tmp_path / "trusted.json")
    forged = ("verify", "other.txt", "--public", "trusted.json")
    assert run(*forged)[0] == 0
    code, out, _ = run(*forged, "--checkpoint", str(latch))
    assert (code, f"the first {size} records do not give the root of the kept" in out) == (1, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"links": {}}, "knows no authority 'lab'"),
        ({"links": {"lab": {"seen": [3, "00"]}}}, "keeps no signed checkpoint of 'lab'"),
        ({"links": 3}, "neither a checkpoint nor the latch of a gate"),
        ({}, "neither a checkpoint nor the latch of a gate"),
    ],
)
def test_a_latch_without_one_is_refused(
    run: Run, made: Home, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    (tmp_path / "latch.json").write_text(json.dumps(change))
    with serving(made):
        pass
    code, _, err = run("verify", "oversight", "--checkpoint", "latch.json")
    assert (code, why in err, "Traceback" in err) == (2, True, False), err


def test_a_changed_note_in_a_latch_is_none(run: Run, made: Home, latch: Path) -> None:
    memory = json.loads(latch.read_text())
    note = memory["links"]["lab"]["note"]
    memory["links"]["lab"]["note"] = note.replace("—", "-", 1)
    latch.write_text(json.dumps(memory))
    code, out, _ = run("verify", "oversight", "--checkpoint", str(latch))
    assert (code, "the kept checkpoint is not signed by lab" in out) == (1, True), out
