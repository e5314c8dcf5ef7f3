"""Which names a press, a reset and an enrolment take, and what is said of those nobody has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import enrolled, gated, serving, started, until
from tests.live.conftest import Run

from freezetag.core.gate import Refused
from freezetag.live.authority.home import Home
from freezetag.live.remote.operator import Remote, local
from freezetag.live.server.server import Server


@pytest.fixture
def remote(made: Home, tmp_path: Path) -> Iterator[Remote]:
    with serving(made) as served:
        for name, group in (("p1", "team"), ("p2", "team"), ("p3", "crew")):
            enrolled(served, tmp_path, name, groups=[group])
        yield served


def scopes(remote: Remote) -> list[str]:
    return sorted(press["scope"] for press in remote.get("/api/status")["presses"])


def test_all_the_names_are_pressed_and_told_one_by_one(run: Run, remote: Remote) -> None:
    code, out, err = run("press", "p1", "agent:p1", "group:crew", "--reason", "x", "p2")
    assert (code, err) == (0, "")
    told = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [line for line in told if line.endswith(":")] == [
        "agent:p1:",
        "group:crew:",
        "agent:p2:",
    ]
    assert scopes(remote) == ["agent:p1", "agent:p2", "group:crew"]
    code, out, _ = run("press", "p1", "p3", "--json")
    assert code == 0
    assert {each["scope"] for each in json.loads(out)} == {"agent:p1", "agent:p3"}
    code, out, _ = run("press", "p1", "p3", "--dry-run")
    assert (code, out) == (0, "agent:p1 would stop 1: p1\nagent:p3 would stop 1: p3\n")


def test_a_name_that_nobody_has_stops_none_of_the_other_presses(run: Run, remote: Remote) -> None:
    code, out, err = run("press", "p9", "p2", "group:teem")
    assert (code, out.startswith("agent:p2:\ndurable"), err.count("NOT PRESSED")) == (2, True, 2)
    assert "'p9'" in err
    assert "Near: team." in err
    assert scopes(remote) == ["agent:p2"]
    dead = ("--server", "http://127.0.0.1:9")
    code, out, _ = run("press", "p1", "p2", *dead)
    assert (code, out.count("NOT PRESSED")) == (3, 2)


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_group_that_nobody_is_in_is_not_pressed(
    run: Run, remote: Remote, option: tuple[str, ...]
) -> None:
    code, _, err = run("press", "group:tea", *option)
    assert (code, "nobody here is in a group 'tea'. Near: team." in err) == (2, True)
    assert ("NOT PRESSED" in err) == (not option)
    assert "There is: crew, team." in run("press", "group:x", *option)[2]
    assert scopes(remote) == []
    # By hand it is pressed as it is: whoever joins the group later is covered.
    assert remote.press("group:tea", "by hand")[0].state == "durable"


def test_a_dry_run_with_the_right_to_look_knows_the_groups_as_well(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    (tmp_path / "oversight" / "tokens" / "press").unlink()
    code, _, err = run("press", "group:tea", "--dry-run")
    assert (code, "Near: team." in err) == (2, True)
    assert run("press", "group:team", "--dry-run")[1] == "group:team would stop 2: p1, p2\n"


def test_a_group_is_pressed_while_it_is_not_known_who_there_is(run: Run, made: Home) -> None:
    with Server(made) as server:
        server.service.doubt("test", "it is not known which agents there are")
        assert local(made.path).press("group:x", "", known=True)[0].state == "durable"


def test_what_others_depend_on_is_pressed_though_it_is_not_enrolled(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    enrolled(remote, tmp_path, "q", depends_on=["ghost"])
    assert run("press", "closure:ghost", "--dry-run")[1] == "closure:ghost would stop 1: q\n"
    assert run("press", "closure:ghost")[0] == 0


def test_a_press_with_a_bad_request_says_that_nothing_is_pressed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("no token")
    for words in (("--home", "none"), ("--token", "mine")):
        code, _, err = run("press", "p1", *words)
        assert (code, "NOT PRESSED: " in err) == (2, True)


def test_a_reset_takes_an_agents_name_as_a_press_does(run: Run, remote: Remote) -> None:
    assert run("press", "p1", "group:team")[0] == 0
    code, out, err = run("reset", "p1", "--key", "ada.key", "--yes")
    assert (code, out.startswith("1 of 2 signed (ada)")) == (0, True)
    assert "leaves" in err
    said = run("status")[1]
    assert "reset: 1 of 2 signed (ada), which clears 1 of 2 presses; the next person" in said
    assert run("reset", "p1", "--key", "bob.key", "--yes")[0] == 0
    assert scopes(remote) == ["group:team"]
    assert "reset: " not in run("status")[1]


def test_a_reset_tells_an_unknown_name_from_one_that_was_not_pressed(
    run: Run, remote: Remote
) -> None:
    assert run("press", "group:team")[0] == 0

    def said(scope: str) -> str:
        code, _, err = run("reset", scope, "--key", "ada.key", "--yes")
        assert code == 2
        return err

    for unknown in ("p9", "closure:p9"):
        assert "no agent 'p9' is enrolled here. Near: " in said(unknown)
    assert "nobody here is in a group 'tea'. Near: team." in said("group:tea")
    assert "no press of agent:p1 stands" in said("p1")
    assert "What stops it now: group:team." in said("p1")
    assert said("p3").endswith("so there is nothing to clear.\n")
    assert "What stops agents now: group:team." in said("fleet")
    # A press by hand of a name that nobody has is there to be cleared.
    remote.press("agent:p9", "by hand")
    assert run("reset", "p9", "--key", "ada.key", "--yes")[0] == 0


def test_a_dependency_that_is_not_enrolled_is_told(
    run: Run, remote: Remote, tmp_path: Path
) -> None:
    code, out, err = run("enrol", "q", "--depends-on", "p1", "--depends-on", "ghost")
    assert (code, "q: enrolled" in out) == (0, True)
    assert err.count("q depends on") == 1
    assert "q depends on ghost, but no agent 'ghost' is enrolled here." in err
    assert "absent" not in json.loads((tmp_path / "q.enrolment").read_text())
    code, _, err = run("enrol", "r", "--depends-on", "q")
    assert (code, err) == (0, "")


def test_a_press_without_a_reason_is_told_without_one(remote: Remote, tmp_path: Path) -> None:
    with gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        remote.press("agent:writer", "")
        until(lambda: not gate.is_open)
        with pytest.raises(Refused, match=r"stopped by the folder's own token$"), gate.action("x"):
            pass
