"""`log:FILE`: what a journal and a ledger become, and what is no log."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.logs import chained, cut, entries, journal, kinds, record, written

from freezetag.adapters.agents import log
from freezetag.core import GO, UserError
from freezetag.core.log import ACKNOWLEDGED, ASKED, NO_ACTION, OPENED, STOPPED, Log
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.run import Runner
from freezetag.exam.spec import BadSpec, Spec
from freezetag.live.gate.replay import replay
from freezetag.probes.acted_after_stop import ActedAfterStop


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
        ([b"hello\n"], "is none of the logs that can be read: .*a gate's journal"),
        ([b"[1, 2]\n"], "is none of the logs that can be read"),
        (cut(journal()), "the last line is cut short"),
        (edited(journal()), "entry 2 does not follow entry 1"),
        (missing(journal()), "entry 3 lacks 'mode'"),
        (chained([{"kind": "lunch"}]), "no entries of kind 'lunch'"),
        ([b"SQLite format 3\x00 and no more"], "is not a ledger"),
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
    monkeypatch.setattr("freezetag.adapters.agents._incarnations.MOST", 10)
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
