"""Tokens: issued with a name, and taken back by two people, never a scope's last one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import ADA, BOB, EVE, enrolled, serving
from tests.live.conftest import Run

from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.revocation import Revocation, RevocationError


def listed(remote: Remote) -> dict[str, dict[str, Any]]:
    told = remote.get("/api/tokens", right="admin")["tokens"]
    return {f"{each['right']} {each['holder']}": each for each in told}


def test_a_pest_loses_its_token_by_two_people_and_over_a_restart(
    made: Home, run: Run, tmp_path: Path
) -> None:
    with serving(made) as remote:
        code, out, err = run(
            "token", "--issue", "press", "--scope", "group:team", "--holder", "wall", "--out", "w"
        )
        assert (code, "token " in out) == (0, True), err
        assert (tmp_path / "w").stat().st_mode & 0o77 == 0
        enrolled(remote, tmp_path, groups=["team"])
        assert run("press", "group:team", "--token", "w")[0] == 0
        assert remote.get("/api/status")["presses"][0]["who"] == "wall"
        id = listed(remote)["press wall"]["id"]
        assert id in run("token")[1]
        code, out, _ = run("token", "--revoke", id, "--key", "ada.key")
        assert (code, "1 of 2" in out) == (0, True), out
        assert listed(remote)["press wall"]  # one person is not enough
        code, out, _ = run("token", "--draft", f"revoke-{id}.json", "--key", "bob.key")
        assert (code, "taken back, signed by ada and bob" in out) == (0, True), out
        assert "press wall" not in listed(remote)
        assert run("press", "group:team", "--token", "w")[0] == 3
        assert len(remote.get("/api/status")["presses"]) == 1  # and its presses stand
    with serving(Home.open(made.path)) as remote:
        assert "press wall" not in listed(remote)
    code, out, _ = run("verify", "oversight")
    assert (code, "verified" in out) == (0, True), out


def test_a_token_that_was_issued_is_in_force_after_a_restart(made: Home, run: Run) -> None:
    with serving(made):
        assert run("token", "--issue", "press", "--holder", "wall", "--out", "w")[0] == 0
    with serving(Home.open(made.path)) as remote:
        assert "press wall" in listed(remote)
        assert run("press", "--dry-run", "--token", "w")[0] == 0


def signed(remote: Remote, digest: str, *keys: tuple[bytes, bytes], **changes: Any) -> Any:
    told = remote.get("/api/tokens", right="admin")
    fields = {"authority": told["authority"], "at": told["at"], "nonce": "1", **changes}
    made = Revocation.draft(digest=digest, **fields)
    for key in keys:
        made = made.signed(*key)
    return remote.post("/api/revoke", made.to_json())


def test_what_is_refused(made: Home, run: Run) -> None:
    with serving(made) as remote:
        last = next(iter(t for t in listed(remote).values() if t["right"] == "press"))["digest"]
        with pytest.raises(UserError, match="the last token with the right press"):
            signed(remote, last, ADA, BOB)
        assert run("token", "--issue", "press", "--holder", "wall", "--out", "w")[0] == 0
        wall = listed(remote)["press wall"]["digest"]
        with pytest.raises(UserError, match="no signature of anybody"):
            signed(remote, wall, EVE)
        assert signed(remote, wall, ADA, EVE)["revoked"] is False
        with pytest.raises(UserError, match="no signature of anybody"):
            signed(remote, wall, ADA, BOB, authority="other")
        with pytest.raises(UserError, match="within the last 24 hours"):
            signed(remote, wall, ADA, BOB, at=0)
        with pytest.raises(UserError, match="no such token"):
            signed(remote, "0" * 64, ADA, BOB)
        assert signed(remote, wall, ADA, BOB)["revoked"] is True
        with pytest.raises(UserError, match="taken back before"):
            signed(remote, wall, ADA, BOB)
        for body, said in (
            ({"right": "admin", "holder": "x"}, "not for 'admin'"),
            ({"right": "press", "holder": ""}, "names its holder"),
            ({"right": "press", "holder": "x", "scope": "all"}, "scope is fleet"),
            ({"right": "press", "holder": "x", "scope": "foo:bar"}, "scope is fleet"),
        ):
            with pytest.raises(UserError, match=said):
                remote.post("/api/token", body, "admin")
        with pytest.raises(UserError, match="right 'admin'"):
            remote.get("/api/tokens", right="status")


@pytest.mark.parametrize(
    "data", [{}, [], {"text": 1, "signatures": {}}, {"text": "{}", "signatures": {}},
             {"text": '{"at":1,"authority":"a","digest":"x"}', "signatures": {}},
             {"text": "\ud800", "signatures": {}}]
)  # fmt: skip
def test_what_is_no_revocation(data: Any) -> None:
    with pytest.raises(RevocationError, match="not a revocation"):
        Revocation.from_json(data)


def test_a_ledger_with_too_few_signatures_under_a_revocation_is_not_verified(
    made: Home, run: Run
) -> None:
    with serving(made):
        assert run("token", "--issue", "press", "--holder", "wall", "--out", "w")[0] == 0
    from freezetag.live.server.service import Service

    service = Service(made)
    service.open()
    digest = next(t.digest for t in made.tokens.all() if t.holder == "wall")
    alone = Revocation.draft("lab", digest, service.milliseconds(), "1").signed(*ADA)
    service.writer.submit("revoke", alone.to_json()).result(5)
    service.close()
    code, out, _ = run("verify", "oversight")
    assert (code, "taken back with 1 good signatures of 2" in out) == (1, True), out


@pytest.mark.parametrize("command", ["token", "reset", "sign"])
@pytest.mark.parametrize("held", ["", "[]", '{"text": "x", "signatures": {}}', '{"text": "{}"}'])
def test_a_draft_that_is_none_is_named_and_not_shown(
    made: Home, run: Run, tmp_path: Path, command: str, held: str
) -> None:
    """By a slip it is the private key itself."""
    file = tmp_path / "draft.json"
    file.write_text(held or (tmp_path / "ada.key").read_text())
    with serving(made):
        code, out, err = run(command, "--draft", "draft.json", "--key", "ada.key")
    assert (code, out) == (2, "")
    assert "draft.json is not a" in err
    for shown in ("{", "private", json.loads((tmp_path / "ada.key").read_text())["private"][:20]):
        assert shown not in err
