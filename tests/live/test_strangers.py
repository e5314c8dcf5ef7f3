"""What somebody without a token brings, on whatever route, is not kept: memory stays flat."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.live._serving import home

from freezetag.live.server.app import ROUTES, application
from freezetag.live.server.service import Service

PLACES = sorted({(method, path) for method, path, _ in ROUTES})
BROUGHT = 20_000
"""Bytes of a body, about; all differ."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(home(tmp_path / "lab"))
    made.open()
    yield made
    made.close()


async def bring(app: Any, dice: random.Random, method: str, path: str) -> int:
    """One request with a token that nobody has, or none, and a body full of names; its status."""
    names = {f"{dice.getrandbits(64):x}": {} for _ in range(BROUGHT // 22)}
    token = dice.choice(("", f"{dice.getrandbits(256):x}"))
    text = json.dumps({"presses": names})
    fields = {"token": token, "text": text, "signatures": {}, "agent": text[:200], "scope": text}
    form = dice.random() < 0.3
    body = (urlencode(fields) if form else json.dumps(fields)).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    cookie = f"freezetag_press_80={dice.getrandbits(128):x}"
    headers = {"host": "lab", "content-type": kind, "cookie": cookie, "origin": "http://lab"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    told: list[int] = []
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(parts, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    scope = {"type": "http", "http_version": "1.1", "method": method, "path": path}
    scope |= {"scheme": "http", "raw_path": path.encode(), "query_string": body[:200]}
    scope |= {"headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    scope |= {"client": (f"10.0.{dice.randrange(256)}.7", 1), "server": ("lab", 80)}
    await app(scope, receive, send)
    (status,) = told
    return status


def kept(service: Service, requests: int) -> tuple[int, Counter[int]]:
    """Bytes that are there after so many requests on every route, and not before."""

    async def work() -> tuple[int, Counter[int]]:
        app, dice, found = application(service), random.Random(1), Counter[int]()
        for place in PLACES:  # what is loaded or made once
            await bring(app, dice, *place)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(requests):
            for place in PLACES:
                found[await bring(app, dice, *place)] += 1
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, found

    tracemalloc.start()
    try:
        return asyncio.run(work())
    finally:
        tracemalloc.stop()


def judge(service: Service, requests: int) -> None:
    records = service.authority.facts.presses.presses
    more, found = kept(service, requests)
    assert more < 20 * BROUGHT, f"{more} bytes after {found.total()} requests: {found}"
    assert max(found) < 500, found
    assert not records
    assert sum(found[status] for status in (400, 401, 403, 409)) > found.total() / 3, found


def test_nothing_of_it_is_kept_on_any_route(service: Service) -> None:
    judge(service, 3)


@pytest.mark.long
def test_nothing_is_kept_of_ten_thousand_requests_on_every_route(service: Service) -> None:
    judge(service, 10_000)


def test_a_route_that_keeps_what_it_is_brought_is_seen(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    hoard: list[str] = []
    monkeypatch.setattr(json, "loads", _hoarding(json.loads, hoard))
    more, _ = kept(service, 3)
    assert hoard
    assert more > 20 * BROUGHT


def _hoarding(real: Any, hoard: list[str]) -> Any:
    def loads(text: Any, *args: Any, **options: Any) -> Any:
        hoard.append(str(text))
        return real(text, *args, **options)

    return loads
