"""After a rollback nothing runs until two people sign what is given up; and verify tells of it."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live._serving import ADA, BOB, EVE, PEOPLE, enrolled, gated, serving, started, until
from tests.live.conftest import Run

from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home
from freezetag.live.gate.enrolment import Enrolment, Link
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.handover import SIGNED, Handover, HandoverError
from freezetag.live.signed.keys import Roster, generate, key_id, sign
from freezetag.live.signed.merkle import Checkpoint, Tree, sign_note
from freezetag.live.signed.verify import verify_file

ROSTER = Roster("lab", PEOPLE)
PRIVATE, PUBLIC = generate()


def by(text: str, *keys: tuple[bytes, bytes], prefix: bytes = SIGNED) -> dict[str, Any]:
    made = {
        key_id(public): base64.b64encode(sign(private, prefix + text.encode())).decode()
        for private, public in keys
    }
    return {"text": text, "signatures": made}


def rolled_back(made: Home, tmp_path: Path, latch: MemoryLatch, lost: int = 1) -> Path:
    """The folder has an older copy of its ledger; a gate saw `lost` agents and a press more."""
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        started(remote)
        older = tmp_path / "older.db"
        with closing(sqlite3.connect(made.ledger)) as db, closing(sqlite3.connect(older)) as copy:
            db.backup(copy)
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            for n in range(lost):
                enrolled(remote, tmp_path, f"reader{n}")
            remote.press("agent:reader0", "forgotten by the older copy")
            seen = remote.get("/api/status")["size"]
            until(lambda: gate._links["lab"].seen_size >= seen)
    size, root = (latch.load() or {})["links"]["lab"]["seen"]
    note = sign_note(Checkpoint("lab", size, bytes.fromhex(root)), made.signing)
    (tmp_path / "kept.note").write_text(note, "utf-8")
    for leftover in made.path.glob("ledger.db*"):
        leftover.unlink()
    shutil.copy(older, made.ledger)
    return file


def renamed(file: Path, remote: Remote) -> None:
    """The gate's enrolment names the server's present addresses."""
    told = json.loads(file.read_text())
    fresh = remote.post("/api/enrol", {"agent": "writer"}, "admin")
    file.write_text(json.dumps({**told, **fresh}))


def test_two_people_take_up_an_older_ledger_and_every_agent_is_held(
    made: Home, tmp_path: Path, run: Run
) -> None:
    latch = MemoryLatch()
    file = rolled_back(made, tmp_path, latch)
    with serving(Home.open(made.path)) as remote:
        renamed(file, remote)
        code, _, err = run("sign", "--key", "ada.key", "--handover", "why", "--yes")
        assert (code, "no gate has shown" in err) == (2, True), err
        with gated(file, latch=latch) as gate:
            until(lambda: remote.get("/api/status")["locked"])
            code, out, err = run("sign", "--key", "ada.key", "--handover", "disk died", "--yes")
            assert (code, "1 of 2 signed (ada)" in out) == (0, True), err
            assert "writer saw" in err
            text = remote.get("/api/statements")["pending"][0]["text"]
            draft = tmp_path / "draft.json"
            draft.write_text(json.dumps({"kind": "handover", "text": text}))
            code, out, err = run("sign", "--key", "bob.key", "--draft", str(draft))
            assert (code, json.loads(out)["text"], "disk died" in err) == (0, text, True)
            empty = '{"old":[],"new":[0,"x"]}'
            for kind, words in (("handover", empty), ("revocation", text), ("browser_key", text)):
                draft.write_text(json.dumps({"kind": kind, "text": words}))
                code, out, err = run("sign", "--key", "bob.key", "--draft", str(draft))
                assert (code, out) == (2, ""), (kind, err)
            # Not by one person, twice, by a stranger, for another action, in other words.
            for body, said in (
                (by(text, ADA), ""),
                (by(text, EVE), "nobody in the roster"),
                (by(text, BOB, prefix=b"freezetag clearance\n"), "nobody in the roster"),
                (by(text.replace("disk died", "all is well"), ADA, BOB), "not drafted here"),
            ):
                if said:
                    with pytest.raises(UserError, match=said):
                        remote.post("/api/statement", body)
                else:
                    assert remote.post("/api/statement", body)["done"] is False
            time.sleep(0.4)
            assert remote.get("/api/status")["locked"]
            assert not gate.is_open
            code, out, err = run("sign", "--key", "bob.key", "--yes")
            assert (code, "entered, signed by ada and bob" in out) == (0, True), err
            until(lambda: not remote.get("/api/status")["locked"])
            time.sleep(0.4)
            assert not gate.is_open  # held until somebody starts it
            with pytest.raises(UserError, match="not drafted here"):
                remote.post("/api/statement", by(text, ADA, BOB))
            until(lambda: _started(remote))
            until(lambda: gate.is_open)
    # The same over a restart; the gate has gone over to the new line.
    with serving(Home.open(made.path)) as remote:
        renamed(file, remote)
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            assert remote.get("/api/status")["locked"] == []
    code, out, _ = run("verify", "oversight")
    assert code == 0, out
    assert "BREAK at record" in out
    assert "Records of that line are lost" in out
    assert "disk died" in out
    # A checkpoint of the lost line that people gave up by name is told, and one that they did not
    # give up fails.
    code, out, _ = run("verify", "oversight", "--checkpoint", "kept.note")
    assert (code, "BREAK" in out) == (0, True), out
    tree = Tree([b"x"] * 3)
    forged = sign_note(Checkpoint("lab", 3, tree.root()), made.signing)
    (tmp_path / "forged.note").write_text(forged, "utf-8")
    code, out, _ = run("verify", "oversight", "--checkpoint", "forged.note")
    assert (code, "changed" in out) == (1, True), out


def _started(remote: Remote) -> bool:
    try:
        started(remote)
    except UserError as error:
        if "earlier lease" not in str(error):
            raise
        return False
    return True


def test_a_ledger_that_was_lost_is_begun_anew_by_two_people(
    made: Home, tmp_path: Path, run: Run
) -> None:
    latch = MemoryLatch()
    file = rolled_back(made, tmp_path, latch)
    with pytest.raises(UserError, match="nothing is overwritten"):
        made.begin_ledger()
    made.ledger.unlink()
    made.begin_ledger()
    with serving(Home.open(made.path)) as remote:
        renamed(file, remote)
        started(remote)  # nobody can know yet
        with gated(file, latch=latch) as gate:
            until(lambda: remote.get("/api/status")["locked"])
            assert not gate.is_open
            for key in ("ada", "bob"):
                code, _, err = run(
                    "sign", "--key", f"{key}.key", "--handover", "the disk is gone", "--yes"
                )
                assert code == 0, err
            until(lambda: not remote.get("/api/status")["locked"])
            (agent,) = remote.get("/api/status")["agents"]
            assert agent["started"] is False
            until(lambda: _started(remote))
            until(lambda: gate.is_open)
    assert run("verify", "oversight")[0] == 0


def test_what_a_ledger_says_of_a_handover_is_checked_offline(tmp_path: Path) -> None:
    """Whoever holds the server's key alone cannot write one."""
    first = [_leaf(0, "press", {**PRESS}), _leaf(1, "held", {"agent": "a", "why": "x"})]
    tree = Tree(first)
    new = 2, tree.root().hex()
    good = Handover.draft("lab", [(9, "a" * 64)], new, "why", "n", 10_000)
    other = Handover.draft("lab", [(9, "a" * 64)], (2, "b" * 64), "why", "n", 10_000)
    late = Handover.draft("lab", [(9, "a" * 64)], new, "why", "n", -100_000)
    early = Handover.draft("lab", [(9, "a" * 64)], (7, "b" * 64), "why", "n", 10_000)
    foreign = Handover.draft("else", [(9, "a" * 64)], new, "why", "n", 10_000)
    for made, keys, said in (
        (good, (ADA, BOB), ""),
        (good, (ADA,), "a handover with 1 good signatures of 2"),
        (good, (ADA, EVE), "a handover with 1 good signatures of 2"),
        (other, (ADA, BOB), "took up other records"),
        (early, (ADA, BOB), "of which only 2 were there"),
        (late, (ADA, BOB), "after the last moment"),
        (foreign, (ADA, BOB), "at another authority"),
    ):
        leaves = [*first, _leaf(2, "handover", by(made.text, *keys))]
        whole = Tree(leaves)
        note = sign_note(Checkpoint("lab", 3, whole.root()), PRIVATE)
        file = tmp_path / "ledger.txt"
        lines = b"".join(leaf + b"\n" for leaf in leaves)
        file.write_bytes(lines + b"".join(b"#%s\n" % x for x in note.encode().splitlines()))
        report = verify_file(file, authority="lab", public=PUBLIC, people=ROSTER.keys)
        told = " ".join(report.problems)
        assert (not said and report.ok) or (said and said in told), (said, told)
        assert bool(report.breaks) is not bool(said) or "other records" in told
        if not said:
            assert "are lost, at least 7:" in report.breaks[0]


def test_a_handover_excuses_the_kept_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    """Texts of records stand in problems: one that names the checkpoint is a problem still. Two
    handovers over one size have both to fit."""
    old = Tree([b"%d" % n for n in range(9)])
    first = [_leaf(0, "press", {**PRESS}), _leaf(1, "held", {"agent": "a", "why": "x"})]
    heads = [(9, old.root().hex())]
    good = Handover.draft("lab", heads, (2, Tree(first).root().hex()), "why", "n", 10_000)
    false = Handover.draft("lab", heads, (2, "b" * 64), "why", "m", 10_000)
    kept = sign_note(Checkpoint("lab", 9, old.root()), PRIVATE)
    certificate = {
        "authority": "lab",
        "person": "the kept checkpoint",
        "credential": "c",
        "alg": -8,
        "public": _base64(bytes(32)),
        "origin": "http://localhost",
        "rp": "localhost",
    }
    client = {"type": "webauthn.get", "challenge": "", "origin": "http://localhost"}
    named = json.dumps(
        {
            "certificate": {"text": json.dumps(certificate), "signatures": {}},
            "authenticator": _base64(bytes(37)),
            "client": _base64(json.dumps(client).encode()),
            "signature": _base64(bytes(64)),
        }
    )
    text = json.dumps({"at": 1, "authority": "lab", "digest": "c" * 64})
    forged = {"text": text, "signatures": {"the kept checkpoint": "webauthn:" + named}}
    by_two = by(good.text, ADA, BOB)
    for more, said in (
        ([_leaf(2, "handover", by_two)], ""),
        ([_leaf(2, "handover", by_two), _leaf(3, "revoke", forged)], "'the kept checkpoint' did"),
        (
            [_leaf(2, "handover", by(false.text, ADA, BOB)), _leaf(3, "handover", by_two)],
            "took up other records",
        ),
    ):
        leaves = [*first, *more]
        note = sign_note(Checkpoint("lab", len(leaves), Tree(leaves).root()), PRIVATE)
        file = tmp_path / "ledger.txt"
        lines = b"".join(leaf + b"\n" for leaf in leaves)
        file.write_bytes(lines + b"".join(b"#%s\n" % x for x in note.encode().splitlines()))
        rule: dict[str, Any] = {"authority": "lab", "public": PUBLIC, "people": ROSTER.keys}
        report = verify_file(file, checkpoint=kept, **rule)
        told = " ".join(report.problems)
        assert (not said and report.ok) or (said and said in told), (said, told)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


PRESS = {"id": "a" * 32, "scope": "fleet", "who": "w", "when": 1, "reason": "", "category": 0,
         "kind": "press"}  # fmt: skip


def _leaf(i: int, kind: str, body: dict[str, Any]) -> bytes:
    from freezetag.live.signed.merkle import record

    return record(i, kind, body, 1)


@settings(max_examples=150, deadline=None)
@given(
    signers=st.lists(st.sampled_from(["ada", "bob", "eve", "ada again"]), max_size=4),
    seen=st.sampled_from(["named", "longer", "shorter", "forked", "none named"]),
    taken=st.sampled_from(["true", "another", "older", "beyond"]),
    altered=st.sampled_from(["", "text", "authority", "signature", "prefix", "not there"]),
)
def test_no_handover_frees_a_gate_that_two_people_did_not_sign_for_its_own_head(
    signers: list[str], seen: str, taken: str, altered: str
) -> None:
    """A gate with a head goes on with another line by just one way, whatever is shown to it."""
    keys = {"ada": ADA, "bob": BOB, "eve": EVE, "ada again": ADA}
    old, line = Tree([b"%d" % n for n in range(9)]), Tree([b"n%d" % n for n in range(6)])
    head = {
        "named": (9, old.root().hex()),
        "longer": (10, Tree([b"%d" % n for n in range(10)]).root().hex()),
        "shorter": (8, old.root(8).hex()),
        "forked": (9, Tree([b"f%d" % n for n in range(9)]).root().hex()),
        "none named": (9, old.root().hex()),
    }[seen]
    named = [(9, old.root().hex())] if seen != "none named" else [(3, "c" * 64)]
    new = {
        "true": (4, line.root(4).hex()),
        "another": (4, "d" * 64),
        "older": (3, line.root(4).hex()),
        "beyond": (7, "e" * 64),
    }[taken]
    authority = "else" if altered == "authority" else "lab"
    text = Handover.draft(authority, named, new, "why", "n", 1).text
    prefix = b"freezetag revocation\n" if altered == "prefix" else SIGNED
    shown: Any = by(text, *(keys[each] for each in signers), prefix=prefix)
    if altered == "text":
        shown["text"] = text.replace("why", "who")
    if altered == "signature":
        shown["signatures"] = {n: s[::-1] for n, s in shown["signatures"].items()}
    link = Link(Enrolment("lab", b"k" * 32, ROSTER, 5.0, PUBLIC), "writer")
    link.seen_size, link.seen_root = head
    link.ask("writer", 0.0, {"ack": None})
    grant = {
        "n": 1, "epoch": 10, "length": 5.0, "slice": {}, "runtime": 0.0,
        "checkpoint": sign_note(Checkpoint("lab", 6, line.root()), PRIVATE),
        "proof": line.consistency(min(new[0], 6), 6),
    }  # fmt: skip
    if altered != "not there":
        grant["handover"] = shown
    people = {each.split()[0] for each in signers} & {"ada", "bob"}
    fair = seen == "named" and taken == "true" and not altered and len(people) == 2
    assert link.granted(grant) is fair
    assert (link.seen_size == 6) is fair
    assert (link.expiry > 0) is fair


@pytest.mark.parametrize(
    "changes",
    [{"old": []}, {"old": [[1, "x"]]}, {"old": [["1", "a" * 64]]}, {"new": [2**60, "a" * 64]},
     {"why": " "}, {"why": "x" * 1001}, {"until": "now"}, {"new": None}, {"authority": 1},
     {"old": [[1, "a" * 64]] * 101}],
)  # fmt: skip
def test_what_is_no_handover(changes: dict[str, Any]) -> None:
    fields = {"authority": "lab", "new": [1, "a" * 64], "nonce": "n", "old": [[2, "b" * 64]],
              "until": 1, "why": "w"}  # fmt: skip
    text = json.dumps(fields)
    assert Handover.from_json({"text": text, "signatures": {}}).lost == 2
    with pytest.raises(HandoverError, match="not a handover"):
        Handover.from_json({"text": json.dumps(fields | changes), "signatures": {}})


def test_three_files_carried_away_tell_of_a_break_without_us(tmp_path: Path) -> None:
    """`verify.py`, `judge.py` and `browser_key.py`, the standard library and cryptography."""
    from freezetag.live.signed import verify

    folder = Path(str(verify.__file__)).parent
    for name in ("verify", "judge", "browser_key"):
        (tmp_path / f"{name}.py").write_bytes((folder / f"{name}.py").read_bytes())
    first = [_leaf(0, "press", {**PRESS})]
    made = Handover.draft("lab", [(9, "a" * 64)], (1, Tree(first).root().hex()), "why", "n", 9)
    leaves = [*first, _leaf(1, "handover", by(made.text, ADA, BOB))]
    note = sign_note(Checkpoint("lab", 2, Tree(leaves).root()), PRIVATE)
    lines = b"".join(leaf + b"\n" for leaf in leaves)
    file = tmp_path / "ledger.txt"
    file.write_bytes(lines + b"".join(b"#%s\n" % x for x in note.encode().splitlines()))
    people = {person.name: person.key for person in PEOPLE}
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import verify\n"
        f"told = verify.verify_file({str(file)!r}, authority='lab', public={PUBLIC!r}, "
        f"people={people!r})\n"
        "assert not [name for name in sys.modules if name.startswith('freezetag')]\n"
        "print(told.problems, told.breaks)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith('[] ["BREAK at record 1: gates saw up to 9 records'), done
