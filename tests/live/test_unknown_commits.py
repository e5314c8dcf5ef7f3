"""What is decided while another node's records, or the end of a commit, are not known yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from freezetag.live.authority.store import Body, Head, News, StoreError
from freezetag.live.server.writer import Writer
from freezetag.live.signed.browser_key import PREFIX
from freezetag.live.signed.merkle import read_record, record


class Shared:
    """A store into which another node writes just before we do."""

    def __init__(self, *news: bytes) -> None:
        self.head, self.shut, self.period = Head(), "", 60.0
        self.vouched = self.doubted = False
        self.news, self.written = list(news), list[tuple[str, Body]]()

    def look(self) -> News:
        return News(self.head.size)

    def begin(self) -> News:
        news, self.news = tuple(self.news), []
        return News(self.head.size, news)

    def insert(self, leaves: Sequence[bytes], records: Sequence[tuple[str, Body]]) -> str:
        self.written += records
        self.head = Head(read_record(leaves[-1])["i"] + 1)
        return ""

    def close(self) -> None: ...


class Unsure(Shared):
    """A store whose first commit is answered by nobody, and which is away for a while then."""

    def __init__(self, arrived: bool) -> None:
        super().__init__()
        self.arrived, self.away, self.kept = arrived, threading.Event(), list[bytes]()
        self.back = threading.Event()

    def insert(self, leaves: Sequence[bytes], records: Sequence[tuple[str, Body]]) -> str:
        if not self.away.is_set():
            self.kept = list(leaves) if self.arrived else []
            self.away.set()
            raise StoreError("no answer")
        return super().insert(leaves, records)

    def settle(self, leaves: Sequence[bytes]) -> News:
        if not self.back.is_set():
            raise StoreError("away")
        news = News(self.head.size, tuple(self.kept))
        self.head = Head(news.end)
        return news


@pytest.mark.parametrize("arrived", [True, False])
def test_what_comes_while_a_commit_is_not_known_is_written_too(arrived: bool) -> None:
    store = Unsure(arrived)
    writer = Writer(store, lambda *_: None)  # type: ignore[arg-type]
    writer.start()
    before = writer.submit("press", {"id": "p"}), writer.submit("start", {"agent": "a"})
    assert store.away.wait(5)
    after = writer.submit("press", {"id": "q"}), writer.submit("start", {"agent": "b"})
    time.sleep(0.25)  # it is gathered meanwhile
    assert not any(each.done() for each in (*before, *after))
    store.back.set()
    assert before[0].result(5) == 0
    if arrived:
        assert before[1].result(5) == 1
    else:
        with pytest.raises(StoreError, match="no answer"):
            before[1].result(5)
    assert after[0].result(5) == (2 if arrived else 1)
    assert after[1].result(5) == (3 if arrived else 2)
    writer.close()
    written = [body.get("id") or body.get("agent") for _, body in store.written]
    assert written == (["q", "b"] if arrived else ["p", "q", "b"])


@pytest.mark.parametrize("theirs", ["press", "repeat", "start", "enrol", "revoke"])
def test_what_was_decided_without_the_other_nodes_records_fails(theirs: str) -> None:
    shared, learned = Shared(record(0, theirs, {}, 0)), []
    writer = Writer(shared, lambda *_: None, learned=learned.append)  # type: ignore[arg-type]
    start, press = writer.submit("start", {"agent": "a"}), writer.submit("press", {"id": "p"})
    clear = writer.submit("clear", {"text": ""})
    writer.start()
    with pytest.raises(StoreError, match="another node wrote meanwhile: look again"):
        start.result(5)
    assert press.result(5) == 1
    clear.result(5)  # what it names is fixed by what its signers saw
    assert [news.end for news in learned][-1] == 1
    assert writer.submit("start", {"agent": "a"}).result(5) == 3  # decided with it
    writer.close()
    assert [kind for kind, _ in shared.written] == ["press", "clear", "start"]


BY_BROWSER = {"text": "", "signatures": {"0" * 16: PREFIX + "{}"}}


@pytest.mark.parametrize("theirs", ["revoke", "clear", "press", "ack"])
def test_a_clearance_by_a_browsers_key_is_decided_again(theirs: str) -> None:
    """The key may have been taken back at the other node, or its counter be passed there."""
    shared = Shared(record(0, theirs, BY_BROWSER, 0))
    writer = Writer(shared, lambda *_: None)  # type: ignore[arg-type]
    clear = writer.submit("clear", BY_BROWSER)
    by_files = writer.submit("clear", {"text": "", "signatures": {"0" * 16: "x"}})
    writer.start()
    if theirs == "ack":
        assert clear.result(5) == 1
    else:
        with pytest.raises(StoreError, match="another node wrote meanwhile: look again"):
            clear.result(5)
    assert by_files.result(5) == 1 + (theirs == "ack")
    assert writer.submit("clear", BY_BROWSER).result(5) == 2 + (theirs == "ack")
    writer.close()


def test_a_slice_of_a_budget_is_handed_out_once() -> None:
    shared = Shared(record(0, "open", {}, 0))
    writer = Writer(shared, lambda *_: None)  # type: ignore[arg-type]
    sliced = writer.submit("open", {"allowed": {"cost": 5.0}})
    bare = writer.submit("open", {"allowed": {}})
    writer.start()
    with pytest.raises(StoreError, match="a part of the budget"):
        sliced.result(5)
    assert bare.result(5) == 1
    writer.close()
