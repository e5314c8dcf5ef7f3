"""What an endpoint is charged with: its own time, and no call that nobody sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from freezetag.adapters.language.asker import IN_A_ROW, TRIES, Asker, Refused
from freezetag.adapters.language.ledger import Answer, Budget, Ledger, Unanswered
from freezetag.sim.foreign import Outside


class Limits:
    """Of an access that waits for nothing."""

    seconds, at_once, pause = 30.0, 2, 0.0


def asked(folder: Path, *questions: tuple[str, Any], ready: Any = lambda ledger: None) -> Any:
    """(what each of these questions came to, the account)."""
    ledger = Ledger(folder, "run", Budget())

    async def all_of() -> list[str]:
        asker, found = Asker(Limits(), ledger, "somebody", "http://somebody"), []
        for key, once in questions:
            try:
                answer = await asker.asked(key, (1, 1), once, lambda: ready(ledger))
                found.append(answer.text)
            except (Unanswered, Outside) as error:
                found.append(f"{type(error).__name__}: {error}")
        return found

    try:
        return asyncio.run(all_of()), ledger.account()
    finally:
        ledger.close()


def failing(error: Exception) -> Any:
    async def once() -> Answer:
        raise error

    return once


async def answers() -> Answer:
    return Answer("P")


def test_what_takes_time_to_make_is_made_before_the_call(tmp_path: Path) -> None:
    """A client reads certificates for a tenth of a second, on a busy machine for longer than a
    short limit: the first call would be over before it was sent, and of unknown cost."""
    before: list[int] = []
    found, _ = asked(
        tmp_path,
        ("one", answers),
        ("one", answers),
        ready=lambda ledger: before.append(ledger.account()["calls unknown"]),
    )
    assert found == ["P", "P"]
    assert before == [0]  # not for what is known


def test_an_endpoint_makes_its_client_before_its_clock_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("httpx2", reason="needs freezetag[llm]")
    from freezetag.adapters.language import endpoint

    ledger, begun = Ledger(tmp_path, "run", Budget()), []
    whole = endpoint.httpx2.AsyncClient

    def made(**options: Any) -> Any:
        begun.append(ledger.account()["calls unknown"])
        return whole(**options)

    monkeypatch.setattr(endpoint.httpx2, "AsyncClient", made)
    one = endpoint.Endpoint(endpoint.Access("m", "http://127.0.0.1:9/v1", pause=0.0), ledger)
    with pytest.raises(Outside, match=r"127.0.0.1:9: nobody answers at this address \(5 tries\)"):
        asyncio.run(one.ask([{"role": "user", "content": "?"}], (1, 0)))
    assert begun == [0]
    assert ledger.account()["calls refused"] == TRIES
    ledger.close()


def test_each_end_of_a_try_is_on_the_books(tmp_path: Path) -> None:
    once = (
        ("a", failing(Refused("is busy"))),
        ("b", failing(Refused("breaks off", known=False))),
        ("c", answers),
        ("d", failing(Refused("no such thing", known=False, again=False))),
        ("e", failing(TimeoutError())),
    )
    found, account = asked(tmp_path, *once)
    assert found == [
        "Unanswered: is busy",
        "Unanswered: breaks off",
        "P",
        "Unanswered: no such thing",
        "Unanswered: no answer within 30 s",
    ]
    assert account["calls refused"] == TRIES
    assert account["calls unknown"] == TRIES + 1 + TRIES
    assert account["calls"] == 1


def test_nothing_more_is_asked_of_whom_nothing_comes(tmp_path: Path) -> None:
    busy = failing(Refused("is busy"))
    found, account = asked(tmp_path, *((f"{n}", busy) for n in range(IN_A_ROW + 2)))
    dead = f"Outside: somebody: is busy ({TRIES} tries)"
    assert found == ["Unanswered: is busy"] * (IN_A_ROW - 1) + [dead] * 3
    assert account["calls refused"] == IN_A_ROW * TRIES
    found, account = asked(tmp_path, ("x", failing(Refused("nobody is there", gone=True))))
    assert found == [f"Outside: somebody: nobody is there ({TRIES} tries)"]
    found, account = asked(tmp_path, ("y", failing(Outside("the key is wrong"))), ("z", busy))
    assert found == ["Outside: the key is wrong"] * 2
