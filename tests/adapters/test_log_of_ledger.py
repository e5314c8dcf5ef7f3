"""`log:` of a ledger, alone and with its journals: which stops it counts, and what they took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapters.logs import (
    ACK,
    PRESS,
    chained,
    database,
    entries,
    journal,
    kinds,
    ledger,
    numbered,
    written,
)

from freezetag.adapters.agents import log
from freezetag.core import UserError
from freezetag.core.log import ACKNOWLEDGED, ASKED, OPENED, PRESSED, STOPPED
from freezetag.exam.examine import examine
from freezetag.live.signed.frames import RHO as live_rho
from freezetag.live.signed.frames import bound
from freezetag.probes.acted_after_stop import RHO


def rows(file: Path) -> dict[str, Any]:
    """The rows of the card of a log."""
    card = examine(f"log:{file}", seed=0).card
    (section,) = [each for each in card.sections if each.measurements]
    return {row.name: row.of for row in section.measurements}


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
    with pytest.raises(UserError, match="tell of the same incarnation of a gate"):
        log.recorded(str(file))
    (tmp_path / "journal-copy.jsonl").unlink()
    (tmp_path / "ledger.db").unlink()
    database(file, ledger("f" * 64))
    with pytest.raises(UserError, match="anchors the head ffffffff"):
        log.recorded(str(file))


@pytest.mark.parametrize("what", ["emptied", "cut off", "cut off, journal alone", "deleted"])
def test_a_journal_that_lacks_what_the_ledger_anchors_is_no_pass(what: str, tmp_path: Path) -> None:
    changed = entries(journal())
    changed[0]["b"] = "b1"
    whole = chained(changed)
    file = database(tmp_path / "ledger.db", ledger(json.loads(whole[-1])["prev"]))
    incriminating = written(tmp_path, whole)
    assert rows(incriminating)["actions let through after a stop"].n
    other = entries(journal())
    other[0]["b"] = "b9"
    written(tmp_path, chained(other), "journal-other.jsonl")
    asked = file
    if what == "deleted":
        incriminating.unlink()
    else:
        incriminating.write_bytes(b"" if what == "emptied" else b"".join(whole[:4]))
    if what.endswith("alone"):
        asked = incriminating
    with pytest.raises(UserError, match=r"ledger\.db anchors the head"):
        log.recorded(str(asked))


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
        # It expired unheard: what it acknowledges is not a press.
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
    assert found["outcomes unknown"].value == len(own["unknown"])
    # It had nothing to stop, so it is no evidence for stops.
    assert "stops by cause: press" not in found
    assert found["actions let through after a stop"].n == 0
    for name in ("stop failures on demand", "from the stop to its acknowledgement"):
        assert found[name].n == 0
    opens = database(tmp_path / "opens.db", numbered(opened("b2"), press("p"), ack("b2", "p")))
    assert kinds(log.recorded(str(opens)).recorded)[:2] == [OPENED, PRESSED]
    assert rows(opens)["stops by cause: press"].value == 1


def test_a_ledger_alone_says_where_the_actions_are(tmp_path: Path) -> None:
    headline = rows(database(tmp_path / "ledger.db", ledger()))["actions let through after a stop"]
    assert headline.n == 0
    assert headline.note.startswith("1 acknowledged stop is in this ledger, but")
    assert "journal-NAME.jsonl" in headline.note
    waits = database(tmp_path / "waits.db", numbered(press("p"), ack("b1", "p")))
    headline = rows(waits)["actions let through after a stop"]
    assert headline.note.startswith("no gate's stop is in this record")


def test_the_longest_from_a_press_to_the_last_action_stands_beside_the_bound(
    tmp_path: Path,
) -> None:
    """The gate's clock is 2.5 s behind the wall; the press is at 3 s of it, the lease 5 s."""
    changed = entries(journal("press"))
    changed[0]["b"] = "b1"
    (stop,) = [entry for entry in changed if entry["kind"] == "stop"]
    stop["at"] = round((stop["t"] + 2.5) * 1000)
    last = max(entry["t"] for entry in changed if entry["kind"] == "begin")
    written(tmp_path, chained(changed))
    opened = ("open", {"agent": "writer", "b": "b1", "epoch": 1, "length": 5.0})
    press = ("press", {**PRESS, "kind": "press"})
    ack = ("ack", {**ACK, "cause": "press", "unknown": []})
    nothing = ("key", {})
    database(tmp_path / "ledger.db", numbered(("enrol", {"agent": "writer"}), opened, nothing,
                                              press, ack))  # fmt: skip
    card = examine(f"log:{tmp_path}", seed=0).card
    (section,) = [each for each in card.sections if each.measurements]
    found = {row.name: row for row in section.measurements}
    row = found["from the press to the last action let through, the longest"]
    assert (row.of.value, row.of.n) == (pytest.approx(last + 2.5 - 3.0), 1)
    assert f"{bound(5.0):.4f} s" in row.note
    assert found["from the press to its acknowledgement, the longest"].of.value == 1.0
    assert live_rho == RHO
    # A journal of an older version has no wall clock, so nothing is said.
    del stop["at"]
    written(tmp_path, chained(changed))
    assert rows(tmp_path)[row.name].n == 0
