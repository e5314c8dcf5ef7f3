"""What was decided and is not in the ledger yet: nothing is decided as if it were not coming."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from tests.live._serving import ADA, BOB, until
from tests.live.conftest import Run
from tests.live.test_browser_key_server import AtOrigin
from tests.live.test_handover import by
from tests.live.test_taken_back import listed, signed

from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home
from freezetag.live.authority.store import StoreError
from freezetag.live.remote.operator import local
from freezetag.live.server.server import Server
from freezetag.live.signed.browser_key import CERTIFIES
from freezetag.live.signed.registration import Registration
from freezetag.live.signed.revocation import SIGNED


class Held:
    """A ledger that takes its time: records wait here until they are let go, or fail."""

    def __init__(self, server: Server) -> None:
        self.writer = server.service.writer
        self.real, self.waiting = self.writer.submit, list[tuple[Any, Any, Future[int]]]()

    def submit(self, kind: str, body: Any) -> Future[int]:
        self.waiting.append((kind, body, Future()))
        return self.waiting[-1][2]

    def fail(self) -> None:
        for _, _, done in self.waiting:
            done.set_exception(StoreError("not written: no room."))
        self.waiting.clear()

    def go(self) -> None:
        for kind, body, done in self.waiting:
            self.real(kind, body).add_done_callback(
                lambda made, done=done: done.set_result(made.result())  # type: ignore[misc]
            )
        self.waiting.clear()


@contextlib.contextmanager
def holding(server: Server, call: Any) -> Iterator[Held]:
    """`call` was decided, and waits for the ledger."""
    held = Held(server)
    held.writer.submit = held.submit  # type: ignore[method-assign]

    def run() -> None:
        with contextlib.suppress(UserError, StoreError):
            call()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: held.waiting)
        yield held
    finally:
        held.writer.submit = held.real  # type: ignore[method-assign]
        held.go()
        thread.join(5)


def test_the_last_two_tokens_of_a_scope_do_not_go_in_one_breath(made: Home, run: Run) -> None:
    with Server(made) as server:
        remote = local(made.path)
        remote.post("/api/token", {"right": "press", "holder": "wall"}, "admin")
        told = [each for each in listed(remote).values() if each["right"] == "press"]
        one, two = (each["digest"] for each in told)
        with holding(server, lambda: signed(remote, one, ADA, BOB)) as held:
            with pytest.raises(UserError, match="the last token with the right press"):
                signed(remote, two, ADA, BOB)
            with pytest.raises(UserError, match="no such token"):
                signed(remote, one, ADA, BOB)
            held.fail()
            until(lambda: not server.service.authority.facts.browser_keys.leaving)
        assert signed(remote, one, ADA, BOB)["revoked"] is True
    assert run("verify", "oversight")[0] == 0


def test_a_key_that_is_being_taken_back_signs_nothing_more(made: Home, run: Run) -> None:
    with Server(made) as server:
        remote = local(made.path)
        device = AtOrigin(server.service.origin)
        mine = device.enrolled(server, remote)
        digest = server.service.authority.facts.browser_keys.known()[0].digest
        remote.press("fleet", "smoke")
        text = remote.get("/api/draft")["text"]
        assert remote.post("/api/clear", by(text, BOB, prefix=b"freezetag clearance\n"))["signed"]
        lost = remote.post("/api/draft", {"kind": "revocation", "digest": digest}, "status")["text"]
        remote.post("/api/statement", by(lost, ADA, prefix=SIGNED))
        done = by(lost, BOB, prefix=SIGNED)
        with holding(server, lambda: remote.post("/api/statement", done)):
            with pytest.raises(UserError, match="being taken back"):
                remote.post("/api/clear", device.clears(text, mine))
            with pytest.raises(UserError, match="no such token"):
                remote.post("/api/draft", {"kind": "revocation", "digest": digest}, "status")
        assert remote.get("/api/status")["presses"]
    code, out, _ = run("verify", "oversight")
    assert (code, "verified" in out) == (0, True), out


def test_a_clearance_that_could_not_be_written_is_not_offered_again(made: Home) -> None:
    with Server(made) as server:
        remote = local(made.path)
        remote.press("fleet", "smoke")
        text = remote.get("/api/draft")["text"]
        clears = b"freezetag clearance\n"
        remote.post("/api/clear", by(text, ADA, prefix=clears))
        assert remote.get("/api/draft")["text"] == text
        with holding(server, lambda: remote.post("/api/clear", by(text, BOB, prefix=clears))) as it:
            it.fail()
        told = remote.get("/api/draft")
        assert told["text"] != text
        assert remote.post("/api/clear", by(told["text"], ADA, BOB, prefix=clears))["cleared"]


def test_one_key_is_certified_once(made: Home, run: Run) -> None:
    with Server(made) as server:
        remote, statements = local(made.path), server.service.statements
        device = AtOrigin(server.service.origin)

        def drafted(credential: str) -> str:
            key = Registration(credential, device.alg, device.public, device.origin, "localhost")
            text = key.certificate("lab", "ada", 1, f"n{len(statements.pending())}")
            with server.service.lock:
                statements.draft("browser_key", text)
            return text

        one, two = drafted("Y3JlZGVudGlhbA"), drafted("Y3JlZGVudGlhbA")
        for text in (one, two):
            remote.post("/api/statement", by(text, ADA, prefix=CERTIFIES))
        first = by(one, BOB, prefix=CERTIFIES)
        with (
            holding(server, lambda: remote.post("/api/statement", first)),
            pytest.raises(UserError, match="enrolled already"),
        ):
            remote.post("/api/statement", by(two, BOB, prefix=CERTIFIES))
        until(server.service.authority.facts.browser_keys.known)
        with pytest.raises(UserError, match="enrolled before"):
            drafted("YW5vdGhlcg")
    assert run("verify", "oversight")[0] == 0


def test_a_revocation_of_what_no_text_can_say_is_refused(made: Home) -> None:
    with Server(made):
        remote = local(made.path)
        with pytest.raises(UserError, match="a revocation cannot say that"):
            remote.post("/api/draft", {"kind": "revocation", "digest": "\ud800"}, "status")
