"""What a group's agents may use together: said by a person, summed over their gates, and seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import agent, serving, until
from tests.live.conftest import Run

import freezetag as ft
from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied
from freezetag.live.remote.operator import Remote


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def test_what_one_uses_is_gone_for_all_in_its_group(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert run("enrol", name, "--group", "team")[0] == 0
    assert run("enrol", "other")[0] == 0
    code, out, err = run("enrol", "--shared-by", "team", "--limit", "tokens=20")
    assert (code, err) == (0, "")
    assert "group:team shares 20 tokens: a, b" in out
    assert "its gate counts" in out
    assert agent(remote, "a")["shared"] == {"team": {"tokens": 20.0}}
    assert agent(remote, "other")["shared"] == {}
    assert not list(tmp_path.glob("team*"))  # it is nobody who has a gate
    assert run("start", "fleet", "--who", "ada")[0] == 0
    with (
        ft.connect("a.enrolment", meters=["tokens"]) as one,
        ft.connect("b.enrolment", meters=["tokens"]) as two,
        ft.connect("other.enrolment") as third,
    ):
        assert all(gate.wait(5) for gate in (one, two, third))
        one.spend("tokens", 30)
        until(lambda: not one.is_open and not two.is_open)
        why = {press["who"] for press in until(lambda: remote.get("/api/status")["presses"])}
        assert third.is_open
    assert "interlock:group:team:tokens" in why
    code, out, _ = run("verify", "oversight", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_a_limit_that_is_raised_or_dropped_holds_the_group(run: Run, remote: Remote) -> None:
    for name in ("a", "b"):
        run("enrol", name, "--group", "team")
    run("enrol", "--shared-by", "team", "--limit", "tokens=20")
    for limit in ("tokens=30", "none"):
        run("start", "fleet", "--who", "ada")
        assert "held" not in run("enrol", "--shared-by", "team", "--limit", "tokens=20")[1]
        code, out, _ = run("enrol", "--shared-by", "team", "--limit", limit)
        assert (code, "held until freezetag start: a, b" in out) == (0, True)
        assert not agent(remote, "a")["started"]
        run("enrol", "--shared-by", "team", "--limit", "tokens=20")
    assert "no limit: a, b" in run("enrol", "--shared-by", "team", "--limit", "none")[1]
    assert agent(remote, "a")["shared"] == {}


def test_what_a_group_cannot_share_is_refused_and_a_slip_is_told(run: Run, remote: Remote) -> None:
    run("enrol", "a", "--group", "team")
    for arguments, told in (
        (("--shared-by", "team"), "--limit none"),
        (("--shared-by", "team", "--limit", "tokens=0"), "a number above 0"),
        (("--shared-by", "team", "--limit", "runtime=5"), "limits of an agent"),
        (("--shared-by", "fleet", "--limit", "tokens=5"), "scope of all"),
        (("--shared-by", "team", "--limit", "tokens=5", "--out", "f"), "enrols nobody"),
        (("a", "--shared-by", "team", "--limit", "tokens=5"), "--shared-by team"),
    ):
        code, _, err = run("enrol", *arguments)
        assert (code, told in err) == (2, True), (arguments, err)
    code, _, err = run("enrol", "--shared-by", "taem", "--limit", "tokens=5")
    assert (code, "Near: team" in err) == (0, True)
    for limits in ([1], {"tokens": "many"}, {"tokens": None}):
        with pytest.raises(Denied, match="limits are names and numbers"):
            remote.post("/api/share", {"group": "team", "limits": limits}, "admin")
    with pytest.raises(Denied):
        remote.post("/api/share", {"group": "team", "limits": {"tokens": 5}}, "status")
