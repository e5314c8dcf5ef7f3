"""Texts that wait for signatures: whoever may draft does not throw out what others are signing."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.live._serving import ADA, PEOPLE
from tests.live.test_browser_key_server import FORM
from tests.live.test_handover import by
from tests.live.test_server import ask

from freezetag.live.authority.facts import Facts
from freezetag.live.authority.home import Home
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.server.server import Server
from freezetag.live.server.statements import MOST, StatementError, Statements
from freezetag.live.signed.handover import Handover
from freezetag.live.signed.keys import Roster
from freezetag.live.signed.revocation import SIGNED, Revocation

HEADS = [(9, "a" * 64)], (3, "b" * 64)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def statements(clock: SteppedClock) -> Statements:
    return Statements(Facts(Roster("lab", PEOPLE)), clock, lambda *_: "")


def handover(number: int, size: int = 3) -> str:
    old, (_, root) = HEADS
    return Handover.draft("lab", old, (size, root), f"why {number}", f"n{number}", 10**15).text


def revocation(number: int, digest: str = "d" * 64) -> str:
    return Revocation.draft("lab", digest, 1, f"r{number}").text


def key(number: int) -> str:
    return json.dumps({"credential": str(number), "person": "ada"})


def test_nobody_s_text_is_thrown_out_by_another(
    statements: Statements, clock: SteppedClock
) -> None:
    mine = [
        statements.draft(kind, text)["text"]
        for kind, text in (
            ("handover", handover(0)),
            ("revocation", revocation(0)),
            ("browser_key", key(0)),
        )
    ]
    for number in range(1, MOST):
        statements.draft("browser_key", key(number))
    for number in range(MOST, MOST + 5):
        with pytest.raises(StatementError, match="texts of that kind wait"):
            statements.draft("browser_key", key(number))
    for number in range(1, 2 * MOST):
        # Of what there is only one of, the text that waits is given again.
        assert statements.draft("handover", handover(number, 3 + number))["text"] == mine[0]
        assert statements.draft("revocation", revocation(number))["text"] == mine[1]
        statements.draft("revocation", revocation(number, f"{number:064x}"))
    assert [statements.told(text)["text"] for text in mine] == mine
    statements.sign(mine[1], by(mine[1], ADA, prefix=SIGNED)["signatures"])
    clock.advance(8 * 60)  # too late to be signed at leisure: there may be another
    other = statements.draft("revocation", revocation(1))
    assert (other["text"], other["signed"]) == (revocation(1), [])
    assert statements.draft("revocation", revocation(2))["text"] == revocation(1)
    assert statements.told(mine[1])["signed"] == ["ada"]
    clock.advance(8 * 60)
    statements.draft("browser_key", key(MOST))


class Watched(dict[str, Any]):
    """Notes whether another thread could change it while it is read."""

    def __init__(self, lock: Any) -> None:
        super().__init__()
        self.lock, self.free = lock, list[bool]()

    def values(self) -> Any:
        thread = threading.Thread(target=self._try)
        thread.start()
        thread.join()
        return super().values()

    def _try(self) -> None:
        if taken := self.lock.acquire(blocking=False):
            self.lock.release()
        self.free.append(taken)


@pytest.mark.parametrize("page", ["/statement", "/reset"])
def test_certificates_are_read_under_the_lock(made: Home, page: str) -> None:
    with Server(made) as server:
        watched = Watched(server.service.lock)
        server.service.authority.facts.browser_keys.certificates = watched
        body = urlencode({"text": "{}", "assertion": '{"id": "x"}'}).encode()
        status, _, _ = ask(server.addresses["main"], "POST", page, body, FORM)
        assert status == 409
        assert watched.free
        assert not any(watched.free)
