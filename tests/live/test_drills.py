"""The proof test: which drill counts, how long ago it was, and what an overdue one refuses."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live._serving import BOB, enrolled, gated, serving, signed, started, until
from tests.live._serving import agent as shown_of
from tests.live.conftest import Run
from tests.live.worlds import SECRET, Wire, authority, gate_of, roster, store
from tests.live.worlds import enrolled as enrolled_in

from freezetag.live.authority.authority import Authority, ResetError
from freezetag.live.authority.drills import CANARY, Drill, Drills
from freezetag.live.authority.home import Home, HomeError, Settings
from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.authority.store import standing
from freezetag.live.authority.tokens import issue
from freezetag.live.console.panel import panel
from freezetag.live.gate.address import Denied
from freezetag.live.gate.clock import SteppedClock, boot_clock
from freezetag.live.remote.operator import Remote, local
from freezetag.live.server.server import Server
from freezetag.live.server.startup import verify_behind
from freezetag.live.signed.verify import verify_file

DAY = 86400.0


class World:
    """An authority, its clocks, and its ledger; a restart reads back the state alone."""

    def __init__(self, within: float = DAY) -> None:
        self.within = within
        self.clock, self.set = SteppedClock(), 10**9  # how far the wall clock is ahead, seconds
        self.ledger: list[tuple[str, dict[str, Any], int]] = []
        self.overseer = authority(self.clock, wall=self.wall, drill_within=within)

    def wall(self) -> int:
        return int((self.clock() + self.set) * 1000)

    def record(self, *records: tuple[str, dict[str, Any]]) -> None:
        for kind, body in records:
            self.ledger.append((kind, body, self.wall()))
            self.overseer.apply(*self.ledger[-1])

    def drilled(self, agent: str = "a") -> None:
        self.record(("drill", {"agent": agent, "ms": 12, "press": "0" * 32}))

    def restart(self) -> None:
        kept: dict[str, int] = {}
        for i, (kind, body, _) in enumerate(self.ledger):
            name, _, _ = standing(kind, body, i)
            if name:
                kept[name] = i
        self.overseer = Authority(
            "own",
            secret=SECRET,
            roster=roster(),
            clock=self.clock,
            wall=self.wall,
            drill_within=self.within,
        )
        for i in sorted(kept.values()):
            self.overseer.apply(*self.ledger[i])
        self.overseer.unlock()

    def start(self, agent: str) -> None:
        self.record(*self.overseer.start(agent, "ann"))


def world(within: float = DAY) -> World:
    made = World(within)
    made.record(*made.overseer.enrol("a"), *made.overseer.enrol("b"))
    made.record(*made.overseer.enrol("c", groups=[CANARY, "g"]))
    return made


@pytest.mark.parametrize("restart", [False, True])
def test_an_overdue_drill_refuses_starts_but_of_canaries(restart: bool) -> None:
    made = world()
    made.clock.advance(DAY)
    made.start("a")  # the first period is free
    made.clock.advance(1)
    if restart:
        made.restart()
    with pytest.raises(ResetError, match=r"none was acknowledged in the 24 h since .* 'canary'"):
        made.overseer.start("b", "ann")
    assert made.overseer.facts.agents["a"].started  # what is started goes on
    made.start("c")
    made.drilled("c")
    made.start("b")
    made.record(("held", {"agent": "b", "why": "silent"}))
    made.clock.advance(2 * DAY)
    if restart:
        made.restart()
    with pytest.raises(ResetError, match=r"of c, was 2 d ago.*every 24 h.*freezetag drill"):
        made.overseer.start("b", "ann")


def test_no_drill_is_asked_for_by_default() -> None:
    made = world(0)
    made.clock.advance(1000 * DAY)
    made.start("a")
    assert not made.overseer.drills.overdue


def test_renewals_go_on_while_a_drill_is_overdue() -> None:
    clock = SteppedClock()
    overseer = authority(clock, drill_within=10.0)
    gate = gate_of(clock, enrolled_in(overseer))
    wire = Wire(gate, {"own": overseer})
    for _ in range(15):
        wire.renew()
        gate.tick()
        assert gate.is_open
        clock.advance(1)
    assert overseer.drills.overdue
    store(overseer, overseer.enrol("late"))
    with pytest.raises(ResetError, match="overdue"):
        overseer.start("late", "ann")


def test_time_that_only_the_wall_clock_counts_is_counted() -> None:
    made = world()
    made.drilled()
    made.set += 2 * DAY  # the host slept, and its other clock with it
    with pytest.raises(ResetError, match="2 d ago"):
        made.overseer.start("b", "ann")


def test_a_drill_from_the_future_says_nothing() -> None:
    made = world()
    made.drilled()
    made.set -= 3600
    assert not made.overseer.drills.overdue  # it was seen, so how long ago it was is counted
    made.restart()
    with pytest.raises(ResetError, match="wall clock was set back"):
        made.overseer.start("b", "ann")
    made.drilled()
    made.start("b")


def test_records_since_a_drill_tell_how_old_it_is_at_least() -> None:
    made = world()
    made.drilled()
    made.clock.advance(3 * DAY)
    made.record(*made.overseer.limit_group("g", {"usd": 5.0}))
    made.set -= 3 * DAY
    made.restart()
    with pytest.raises(ResetError, match="3 d ago"):
        made.overseer.start("b", "ann")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 10**6)),
        st.tuples(st.just("set"), st.integers(-(10**6), 10**6)),
        st.tuples(st.sampled_from(["drill", "note", "anchor", "restart"]), st.just(0)),
    ),
    max_size=12,
)


@given(STEPS)
def test_no_drill_is_younger_than_it_is(steps: list[tuple[str, int]]) -> None:
    """Only a wall clock set back before a restart hides time, and no more than it was set back."""
    made = world()
    elapsed, jumped, hidden, honest = 0, 0, 0, True
    for step, by in steps:
        if step == "wait":
            made.clock.advance(by)
            elapsed += by
        elif step == "set":
            made.set += by
            jumped, honest = jumped + by, honest and not by
        elif step == "drill":
            made.drilled()
            elapsed = jumped = hidden = 0
            honest = True
        elif step == "restart":
            made.restart()
            hidden = max(0, -jumped)
        else:
            body = {"gate": "a", "b": "1", "spent": {}} if step == "anchor" else {"x": 1}
            made.record((step, body))
        age = made.overseer.drills.age()
        assert not age < elapsed - hidden
        if honest:
            assert age == elapsed
        assert made.overseer.drills.overdue == (not age <= DAY)


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.sets(st.sampled_from("abcd"), min_size=1))
def test_rotation_takes_whoever_was_drilled_longest_ago(order: list[str], there: set[str]) -> None:
    drills = Drills(0, lambda: 0.0, lambda: 0)
    for n, agent in enumerate(order):
        drills.apply("drill", {"agent": agent, "ms": n, "press": ""}, 0)
    backwards = order[::-1]
    ago = {each: backwards.index(each) if each in order else len(order) for each in there}
    chosen = drills.longest_ago(there)
    assert chosen == min(each for each in there if ago[each] == max(ago.values()))
    assert drills.newest == (Drill(order[-1], 0, len(order) - 1) if order else None)


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "1", True])
def test_a_period_that_is_none(wrong: Any) -> None:
    with pytest.raises(HomeError, match="--drill-within is a number of seconds from 0"):
        Settings(drill_within=wrong)


# A real server.


class Ahead:
    """The clock of this host, some seconds ahead."""

    name, counts_suspend, simulated = "ahead", True, False

    def __init__(self) -> None:
        self.by, self._clock = 0.0, boot_clock()

    def __call__(self) -> float:
        return self._clock() + self.by


def test_the_whole_way_of_an_overdue_drill(run: Run, made: Home, tmp_path: Path) -> None:
    made.set(drill_within=3600.0)
    clock = Ahead()
    with Server(made, clock=clock):
        remote = local(made.path)
        enrolled(remote, tmp_path, "writer")
        canary = enrolled(remote, tmp_path, "bird", groups=[CANARY])
        code, out, _ = run("status")
        assert (code, "last drill: never; one is due every 60 min" in out) == (0, True)
        clock.by = 4000.0
        assert "DRILL OVERDUE" in run("status")[1]
        assert json.loads(run("status", "--json")[1])["button"]["overdue"]
        code, _, err = run("start", "writer")
        assert (code, "a drill is overdue: none was acknowledged in the 67 min" in err) == (2, True)
        code, _, err = run("drill")
        assert (code, "no agent runs" in err) == (2, True)
        with gated(canary, name="bird") as gate:
            assert run("start", "bird")[0] == 0
            until(lambda: gate.is_open)
            until(lambda: shown_of(remote, "bird")["shown"] == "running")
            code, out, _ = run("drill", "--key", "bob.key")
            assert (code, out.startswith("bird: acknowledged after ")) == (0, True)
            assert "cleared; held until: freezetag start bird" in out
        assert run("start", "writer")[0] == 0
        assert "last drill: bird, " in run("status")[1]
    told = json.loads(Path("oversight/authority.json").read_text())
    assert told["drill_within"] == 3600
    with serving(Home.open(made.path)) as remote:  # and after a restart
        button = remote.get("/api/status")["button"]
        assert (button["proved"]["agent"], button["overdue"]) == ("bird", False)
    code, out, _ = run("verify", "oversight", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_drills_go_round_within_the_reach_of_a_token(made: Home, tmp_path: Path) -> None:
    text, token = issue("drill", "group:g", "ann")
    made.tokens.add(token)
    with serving(made) as remote:
        narrow = Remote(remote.addresses, lambda right: text)
        files = [enrolled(remote, tmp_path, name, groups=["g"]) for name in ("y", "x")]
        files.append(enrolled(remote, tmp_path, "a"))
        with gated(files[0], name="y"), gated(files[1], name="x"), gated(files[2], name="a"):
            for name in ("a", "x", "y"):
                started(remote, name)
            for name in ("a", "x", "y"):
                until(lambda name=name: shown_of(remote, name)["shown"] == "running")
            with pytest.raises(Denied, match="of agent:a"):
                narrow.post("/api/drill", {"agent": "a"}, "drill")
            assert narrow.post("/api/drill", {}, "drill")["agent"] == "x"
            assert remote.post("/api/drill", {}, "drill")["agent"] == "a"
            draft = remote.get("/api/draft", scope="agent:x")["text"]
            assert remote.post("/api/clear", signed(draft, BOB))["cleared"]
            started(remote, "x")
            until(lambda: shown_of(remote, "x")["shown"] == "running")
            assert remote.post("/api/drill", {}, "drill")["agent"] == "y"


def test_an_acknowledgement_of_something_else_proves_nothing(
    made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(made) as server:
        remote, service = local(made.path), server.service
        with gated(enrolled(remote, tmp_path)):
            started(remote)
            until(lambda: shown_of(remote)["shown"] == "running")
            ack = {"acked": "f" * 32, "category": 0, "cause": "crashed", "gate": "writer"}
            ack |= {"last": 0, "own": False, "policy": [], "presses": [], "unknown": []}
            # Lost is what pushes the stop, so that the gate hears of it at its next renewal.
            monkeypatch.setattr(
                service.channels, "push", lambda frames: service.writer.submit("ack", ack)
            )
            told = remote.post("/api/drill", {}, "drill")
        records = [json.loads(leaf) for leaf in service.records(0, 1000)]
    (drilled,) = [each for each in records if each["kind"] == "drill"]
    acks = [each["i"] for each in records if told["id"] in each["body"].get("presses", ())]
    assert drilled["body"]["press"] == told["id"]
    assert acks
    assert acks[0] < drilled["i"]


def test_a_drill_is_remembered_over_a_restart(made: Home) -> None:
    with Server(made) as server:
        drilled = {"agent": "writer", "ms": 143, "press": "0" * 32}
        server.service.writer.submit("drill", drilled).result(5)
    ledger = SqliteStore(made.ledger, lambda size, root: "")
    assert verify_behind(made, ledger, lambda: False) == ""
    ledger.close()
    with serving(Home.open(made.path)) as remote:
        told = remote.get("/api/status")
    assert told["locked"] == []
    proved = told["button"]["proved"]
    assert (proved["agent"], proved["milliseconds"]) == ("writer", 143)
    report = verify_file(made.ledger, authority="lab", public=made.public)
    assert report.ok, report.problems


AGENT = """
import sys, freezetag as ft
with ft.connect(sys.argv[1]) as gate:
    sys.stdin.read()
"""


@contextlib.contextmanager
def apart(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An agent in a process of its own, which may be stopped as a process is."""
    command = [sys.executable, "-c", AGENT, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_drill_that_nobody_acknowledges_is_told_of_until_one_succeeds(
    run: Run, made: Home, tmp_path: Path
) -> None:
    made.set(drill_within=3600.0)
    with serving(made) as remote:
        files = [enrolled(remote, tmp_path, name) for name in ("three", "four", "five")]
        with apart(files[0]) as three, gated(files[1], name="four"):
            for name in ("three", "four"):
                assert run("start", name)[0] == 0
                until(lambda name=name: shown_of(remote, name)["shown"] == "running")
            three.send_signal(signal.SIGSTOP)
            code, out, _ = run("drill", "three")
            assert (code, "three: NOT acknowledged in time" in out) == (1, True)
            out = run("status")[1]
            assert "DRILL FAILED: three, not acknowledged within 3.6 s, " in out
            assert "DRILL OVERDUE" in out
            assert "alarm: a drill of three was not acknowledged within 3.6 s, and none" in out
            page = remote.get("/api/status")
            (failed,) = page["button"]["failed"]
            assert (failed["agent"], failed["count"], page["button"]["overdue"]) == (
                "three",
                1,
                True,
            )
            assert "A drill failed (1 time): " in panel(page, {}, 0)
            code, _, err = run("start", "five")
            assert (code, "a drill of three was not acknowledged" in err) == (2, True)
            # Another agent's drill does not make it good.
            assert run("drill", "four", "--key", "bob.key")[0] == 0
            assert remote.get("/api/status")["button"]["overdue"]
    with serving(Home.open(made.path)) as remote:  # nor does a restart
        assert [each["agent"] for each in remote.get("/api/status")["button"]["failed"]] == [
            "three"
        ]
        draft = remote.get("/api/draft", scope="agent:three")["text"]
        assert remote.post("/api/clear", signed(draft, BOB))["cleared"]
        with gated(files[0], name="three"):
            until(lambda: run("start", "three")[0] == 0)  # whose drill failed may be, to be drilled
            until(lambda: shown_of(remote, "three")["shown"] == "running")
            assert run("drill", "three", "--key", "bob.key")[0] == 0
        button = remote.get("/api/status")["button"]
        assert (button["failed"], button["overdue"]) == ([], False)
    code, out, _ = run("verify", "oversight", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_failures_are_counted_in_a_row_and_by_agent() -> None:
    drills = Drills(DAY, lambda: 0.0, lambda: 0)
    drills.apply("drill", {"agent": "a", "ms": 1}, 0)
    for count, agent in ((1, "a"), (2, "a"), (1, "b")):
        drills.apply("drill_failed", {"agent": agent, "within": 3600, "count": count}, 7)
    assert [(each.agent, each.count) for each in drills.failed] == [("a", 2), ("b", 1)]
    assert drills.newest == Drill("a", 0, 1)
    drills.apply("drill", {"agent": "b", "ms": 1}, 0)
    assert (drills.overdue, drills.failures("a"), drills.failures("b")) == (True, 2, 0)
    drills.apply("drill", {"agent": "a", "ms": 1}, 0)
    assert not drills.overdue
    assert drills.failed == []
