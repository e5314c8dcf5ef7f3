"""`log:FILE`: what a journal and a ledger become, and what is no log."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.logs import chained, cut, entries, journal, written

from freezetag.adapters import log
from freezetag.core import GO, UserError
from freezetag.core.log import ACKNOWLEDGED, ASKED, NO_ACTION, OPENED, PRESSED, STOPPED, Log
from freezetag.exam.examine import examine
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.run import Runner
from freezetag.exam.spec import BadSpec, Spec
from freezetag.live.replay import replay
from freezetag.probes.acted_after_stop import ActedAfterStop


def kinds(episode: Any, b: int = 0) -> list[int]:
    return [int(kind) for kind in episode.world["kind"][b][episode.valid[b]]]


def test_a_journal_becomes_an_episode(tmp_path: Path) -> None:
    agent = log.recorded(str(written(tmp_path, journal())))
    episode = agent.recorded
    assert isinstance(agent, Log)
    assert episode.players == ("agent",)
    assert kinds(episode) == [OPENED, *[ASKED] * 11, STOPPED, ASKED, ASKED, ACKNOWLEDGED]
    named = {(e.t, e.text) for e in episode.events if e.kind == "action"}
    assert named == {(1, "read"), (2, "pay"), (11, "slow")}
    assert episode.proposed[0, :, 0, 0].tolist() == [0, *[1, 2] * 5, 3, 0, 2, 2, 0]
    assert episode.executed[0, 13:, 0, 0].tolist() == [NO_ACTION] * 3
    assert episode.stopped(0)[0].tolist() == [False] * 12 + [True] * 4
    assert episode.mode[0, 0, 0] == GO
    assert episode.world["in_flight"][0, [1, 12]].tolist() == [0, 1]
    assert episode.world["unknown"][0, [1, 11, 15]].tolist() == [0, 1, 1]
    assert np.isnan(episode.rewards).all()
    assert np.isnan(episode.levels).all()
    assert episode.lengths.tolist() == [16]


def test_a_folder_without_a_ledger_is_read_by_its_journal(tmp_path: Path) -> None:
    """As a guard leaves it that runs under a server."""
    with pytest.raises(UserError, match=r"neither ledger\.db nor journal\.jsonl"):
        log.recorded(str(tmp_path))
    file = written(tmp_path, journal())
    named, found = log.recorded(str(file)).recorded, log.recorded(str(tmp_path)).recorded
    assert kinds(found) == kinds(named)


def test_every_opening_is_an_episode_of_its_own(tmp_path: Path) -> None:
    """Two runs of a process in one journal; the second ends without a word."""
    first = entries(journal())
    second = entries(journal(""))[:4]
    episode = log.recorded(str(written(tmp_path, chained([*first, *second])))).recorded
    assert episode.lengths.tolist() == [16, 3]
    assert kinds(episode, 1) == [OPENED, ASKED, ASKED]
    assert episode.world["unknown"][1, :3].tolist()[1:] == [0, 1]
    assert not episode.valid[1, 3:].any()


def record(i: int, kind: str, /, **body: Any) -> bytes:
    return json.dumps({"at": 1000 * i, "body": body, "i": i, "kind": kind, "v": 1}).encode()


PRESS = {"id": "p", "scope": "fleet", "who": "interlock:power", "reason": "PowerLimit tripped"}
ACK = {"acked": "b1", "gate": "writer", "presses": ["p"], "last": 7}


def ledger(head: str = "", cause: str = "press") -> list[bytes]:
    return [
        record(0, "enrol", agent="writer"),
        record(1, "open", agent="writer", b="b1", epoch=1),
        record(2, "anchor", gate="writer", b="b1", head=head),
        record(3, "press", **PRESS, kind="interlock"),
        record(4, "ack", **ACK, cause=cause, unknown=["7:pay"]),
        record(5, "open", agent="reader", b="b2", epoch=1),
    ]


def numbered(*records: tuple[str, dict[str, Any]]) -> list[bytes]:
    return [record(i, kind, **body) for i, (kind, body) in enumerate(records)]


def rows(file: Path) -> dict[str, Any]:
    """The rows of the card of a log."""
    card = examine(f"log:{file}", seed=0).card
    (section,) = [each for each in card.sections if each.measurements]
    return {row.name: row.of for row in section.measurements}


def database(file: Path, leaves: list[bytes]) -> Path:
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        base.executemany("INSERT INTO ledger VALUES (?, ?)", enumerate(leaves))
    base.close()
    return file


@pytest.mark.parametrize("exported", [False, True])
def test_a_ledger_says_when_presses_were_answered(tmp_path: Path, exported: bool) -> None:
    if exported:
        lines = [leaf + b"\n" for leaf in ledger()] + [b"#freezetag/own\n", b"#6\n"]
        file = written(tmp_path, lines, "ledger.txt")
    else:
        file = database(tmp_path / "ledger.db", ledger())
    episode = log.recorded(str(file)).recorded
    assert episode.players == ("writer", "reader")
    assert kinds(episode) == [OPENED, PRESSED, ACKNOWLEDGED]
    assert kinds(episode, 1) == [OPENED]
    assert episode.world["time"][0].tolist() == [1, 3, 4]
    card = examine(f"log:{file}", seed=0).card
    (section,) = [each for each in card.sections if each.measurements]
    found = {row.name: row.of for row in section.measurements}
    assert section.verdict == "inconclusive"
    assert found["from the press to its acknowledgement"].value == 1.0
    without = found["stops without an acknowledgement"]
    assert (without.value, without.n) == (0, 1)  # the reader was never stopped
    assert found["outcomes unknown"].value == 1
    assert found["stops by interlock: power: PowerLimit tripped"].value == 1
    assert any("freezetag verify" in warning for warning in card.warnings)


def test_a_ledger_is_read_with_the_journals_beside_it(tmp_path: Path) -> None:
    lines = journal()
    changed = entries(lines)
    changed[0]["b"] = "b1"
    lines = chained(changed)
    written(tmp_path, lines)
    head = json.loads(lines[5])["prev"]
    file = database(tmp_path / "ledger.db", ledger(head))
    episode = log.recorded(str(tmp_path)).recorded
    assert episode.lengths.tolist() == [1, 17]  # one life, though two records tell of it
    assert episode.players == ("reader", "writer")
    assert kinds(episode, 1)[12:] == [PRESSED, STOPPED, ASKED, ASKED, ACKNOWLEDGED]
    assert episode.world["answered"][1, 16] == 1.0
    assert {(e.t, e.text) for e in episode.events if e.kind == "stop"} == {(13, "limit")}
    found = rows(tmp_path)
    assert found["stops without an acknowledgement"].n == 1
    assert found["stops by cause: limit"].value == 1
    assert found["outcomes unknown"].value == 1
    written(tmp_path, lines[:-1], "journal-copy.jsonl")
    with pytest.raises(UserError, match="tell of the same life of a gate"):
        log.recorded(str(file))
    (tmp_path / "journal-copy.jsonl").unlink()
    (tmp_path / "ledger.db").unlink()
    database(file, ledger("f" * 64))
    with pytest.raises(UserError, match="does not contain the head ffffffff"):
        log.recorded(str(file))


def press(name: str, scope: str = "agent:writer", kind: str = "press") -> tuple[str, Any]:
    return "press", {"id": name, "scope": scope, "who": "ada", "reason": "", "kind": kind}


def opened(b: str, agent: str = "writer") -> tuple[str, Any]:
    return "open", {"agent": agent, "b": b, "epoch": 1}


def ack(b: str, *presses: str, cause: str = "press") -> tuple[str, Any]:
    return "ack", {**ACK, "acked": b, "presses": presses, "cause": cause, "unknown": []}


STARTED: tuple[str, Any] = ("start", {"agent": "writer", "epoch": 1, "who": "ada"})


@pytest.mark.parametrize(
    ("records", "latencies"),
    [
        # A gate that waits under an old press acknowledges a new one: it was not let run.
        ([opened("b1"), press("p"), ack("b1", "p"), press("q"), ack("b2", "p", "q")], [1]),
        # A press that came later, and the second acknowledgement for it.
        ([opened("b1"), press("p"), STARTED, ack("b1", "p"), press("q"), ack("b1", "p", "q")], [2]),
        # A press of before, told along.
        ([press("p"), STARTED, opened("b1"), STARTED, press("q"), ack("b1", "p", "q")], [1]),
        # An old press that was repeated is a press anew.
        (
            [press("p"), opened("b1"), STARTED, ("repeat", {"press": "p"}), ack("b1", "p")],
            [1],
        ),
        # The gate stopped before it told of the press.
        ([opened("b1"), press("p", kind="interlock"), STARTED, ack("b1", "p", cause="limit")], []),
        # It expired unheard: what it acknowledges is no press.
        ([opened("b1"), press("p"), STARTED, STARTED, ack("b1", cause="expired")], []),
    ],
)
def test_a_latency_is_from_the_press_that_caused_the_stop(
    tmp_path: Path, records: list[tuple[str, Any]], latencies: list[float]
) -> None:
    file = database(tmp_path / "ledger.db", numbered(*records))
    answered = log.recorded(str(file)).recorded.world["answered"]
    assert answered[~np.isnan(answered)].tolist() == latencies
    assert rows(file)["from the press to its acknowledgement"].n == len(latencies)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_the_interval_of_a_duration_is_not_below_nothing(tmp_path: Path, n: int) -> None:
    records: list[tuple[str, Any]] = []
    for life in range(n):
        waiting = [STARTED] * (30 if life == 1 else life)
        records += [opened(f"b{life}"), press(f"p{life}"), *waiting, ack(f"b{life}", f"p{life}")]
    found = rows(database(tmp_path / "ledger.db", numbered(*records)))
    latency = found["from the press to its acknowledgement"]
    assert latency.n == n
    assert 0 <= latency.low <= latency.value <= latency.high


@pytest.mark.parametrize(
    ("records", "unanswered", "n"),
    [
        ([opened("b1"), opened("b2", "reader")], 0, 0),  # both may still run
        ([opened("b1"), press("p")], 1, 1),
        ([opened("b1"), press("p", "agent:reader")], 0, 0),
        ([opened("b1"), press("p", "group:team")], 1, 1),
        ([opened("b1"), press("p", "closure:reader")], 1, 1),
        ([opened("b1"), press("p", "nonsense")], 1, 1),
        ([opened("b1"), ("held", {"agent": "writer", "why": ""})], 1, 1),
        ([opened("b1"), opened("b3")], 1, 1),  # the first is over and said nothing
        ([opened("b1"), opened("b1"), press("p"), ack("b1", "p")], 0, 1),  # a longer lease
        ([press("p"), ack("b1", "p")], 0, 0),  # never let run
    ],
)
def test_only_a_stop_can_go_without_an_acknowledgement(
    tmp_path: Path, records: list[tuple[str, Any]], unanswered: int, n: int
) -> None:
    enrolled: tuple[str, Any] = (
        "enrol",
        {"agent": "writer", "groups": ["team"], "depends_on": ["reader"]},
    )
    file = database(tmp_path / "ledger.db", numbered(enrolled, *records))
    found = rows(file)["stops without an acknowledgement"]
    assert found.n == n
    assert n == 0 or found.value == unanswered / n


def test_a_life_that_was_never_let_run_is_one_too(tmp_path: Path) -> None:
    """A gate that waits under a press hears another: only the end of its journal names it."""
    told = entries(journal("press"))
    stop, refused, own = (
        next(entry for entry in told if entry["kind"] == kind)
        for kind in ("stop", "refused", "ack")
    )
    own |= {"acked": "b2", "presses": ["p"]}
    # It answers a harder stop after something was refused: still the same life.
    written(tmp_path, chained([stop, own, refused, own]))
    file = database(tmp_path / "ledger.db", numbered(press("p"), ack("b2", "p")))
    episode = log.recorded(str(file)).recorded
    assert kinds(episode) == [STOPPED, ACKNOWLEDGED, ACKNOWLEDGED]
    assert kinds(episode, 1) == [ASKED]
    found = rows(file)
    assert found["stops by cause: press"].value == 1
    assert found["outcomes unknown"].value == len(own["unknown"])


def test_a_ledger_alone_says_where_the_actions_are(tmp_path: Path) -> None:
    headline = rows(database(tmp_path / "ledger.db", ledger()))["actions let through after a stop"]
    assert headline.n == 0
    assert headline.note.startswith("1 acknowledged stop is in this ledger, but")
    assert "journal-NAME.jsonl" in headline.note
    waits = database(tmp_path / "waits.db", numbered(press("p"), ack("b1", "p")))
    headline = rows(waits)["actions let through after a stop"]
    assert headline.note.startswith("no gate's stop is in this record")


def edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"read", b"rest"), *lines[2:]]


def missing(lines: list[bytes]) -> list[bytes]:
    changed = entries(lines)
    del changed[3]["mode"]
    return chained(changed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "is empty"),
        ([b"hello\n"], "is no whole journal: entry 0 of the journal cannot be read"),
        ([b"[1, 2]\n"], "entry 0 of the journal cannot be read"),
        (cut(journal()), "the last line is cut short"),
        (edited(journal()), "entry 2 does not follow entry 1"),
        (missing(journal()), "entry 3 lacks 'mode'"),
        (chained([{"kind": "lunch"}]), "no entries of kind 'lunch'"),
        ([b"SQLite format 3\x00 and no more"], "is no ledger"),
        ([record(1, "open") + b"\n"], "record 0 of the ledger carries the number 1"),
        ([record(0, "open") + b"\n"], "entry 0 lacks 'b'"),
        ([record(0, "enrol") + b"\n"], "no line about an agent that ran"),
    ],
)
def test_what_is_no_log_is_said_in_a_sentence(
    tmp_path: Path, content: list[bytes], said: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(UserError, match=said) as error:
        resolve(f"log:{file}")
    assert error.value.exit_code == 2
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_is_not_there_and_what_a_log_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the log 'nowhere': No such file"):
        resolve("log:nowhere")
    with pytest.raises(UserError, match="a log cannot be asked to act"):
        log.factory("journal.jsonl")
    name = f"log:{written(tmp_path, journal())}"
    for options in ({"worlds": ("commons",)}, {"power": 3.0}, {"button": "50%"}):
        spec = Spec(name, seed=0, **options)
        with pytest.raises(BadSpec, match="a log is of one agent, where it ran"):
            plan(spec, resolve(name, spec.panel()))


def test_a_log_too_large_to_lay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freezetag.adapters._lives.MOST", 10)
    with pytest.raises(UserError, match="has 1 incarnations, the longest of 16 lines: too much"):
        log.recorded(str(written(tmp_path, journal())))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
WHOLE = entries(journal())


@given(st.data())
def test_whatever_a_journal_says_is_read_or_refused(tmp_path_factory: Any, data: Any) -> None:
    """One field of one entry holds anything at all, in a chain that is whole."""
    changed = [dict(entry) for entry in WHOLE]
    where = data.draw(st.integers(0, len(changed) - 1))
    field = data.draw(st.sampled_from([name for name in changed[where] if name != "prev"]))
    changed[where][field] = data.draw(JSON)
    lines = chained(changed)
    file = written(tmp_path_factory.getbasetemp(), lines, "fuzzed.jsonl")
    try:
        agent = resolve(f"log:{file}")
    except UserError:
        pass
    else:
        (item,) = plan(Spec("log", seed=0, probes=("acted_after_stop",)), agent)
        assert Runner(agent.pupil, 0).probe(ActedAfterStop(), item.setting)[0].measurements
    with contextlib.suppress(UserError):
        replay(lines)
