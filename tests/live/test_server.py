"""A real server over real sockets: what is asked and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.live._serving import (
    ADA,
    BOB,
    EVE,
    agent,
    enrolled,
    gated,
    home,
    serving,
    signed,
    started,
    until,
)

from freezetag import cli
from freezetag.live.authority.home import Home, HomeError
from freezetag.live.authority.tokens import issue
from freezetag.live.gate.address import Denied
from freezetag.live.remote.operator import Remote
from freezetag.live.server.listener import Limits, Listener, bound_port
from freezetag.live.server.server import Server


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


@pytest.fixture(scope="module")
def idle_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home(tmp_path_factory.mktemp("idle") / "lab")


@pytest.fixture(scope="module")
def idle(idle_home: Home) -> Iterator[Remote]:
    """A server that nobody presses."""
    with serving(idle_home) as served:
        yield served


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home(tmp_path_factory.mktemp("busy") / "lab")


@pytest.fixture(scope="module")
def busy(busy_home: Home) -> Iterator[Remote]:
    """A server without agents that is pressed by several tests."""
    with serving(busy_home) as served:
        yield served


def presses(remote: Remote) -> list[dict[str, Any]]:
    standing: list[dict[str, Any]] = remote.get("/api/status")["presses"]
    return standing


def tcp(remote: Remote) -> str:
    return next(each for each in remote.addresses if each.startswith("http"))


def ask(
    address: str,
    method: str,
    path: str,
    body: bytes | Iterator[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


# Pressing.


def test_a_press_is_pushed_acknowledged_and_latched_until_two_sign_and_one_starts(
    remote: Remote, tmp_path: Path, made: Home
) -> None:
    with gated(enrolled(remote, tmp_path)) as gate:
        assert not gate.is_open  # enrolled is held
        started(remote)
        until(lambda: gate.is_open)
        assert agent(remote)["shown"] == "running"
        told = remote.press("agent:writer", "odd")
        assert {each.state for each in told} == {"durable"}
        assert {each.agents for each in told} == {1}
        until(lambda: not gate.is_open and gate.presses)
        acks = until(
            lambda: [r for r in remote.get("/api/status")["timeline"] if r["kind"] == "ack"]
        )
        assert acks[0]["body"]["presses"] == [remote.get("/api/status")["presses"][0]["id"]]

        with pytest.raises(Denied, match="reset comes before start"):
            started(remote)
        text = remote.get("/api/draft")["text"]
        with pytest.raises(Denied, match="nobody in the roster"):
            remote.post("/api/clear", signed(text, EVE))
        first = remote.post("/api/clear", signed(text, ADA))
        assert (first["cleared"], first["signed"], first["needed"]) == (False, ["ada"], 2)
        assert not remote.post("/api/clear", signed(text, ADA))["cleared"]  # the same person twice
        late = remote.press("fleet", "and once more")
        assert late[0].state == "durable"
        waiting = remote.get("/api/draft")  # the second person gets the text of the first
        assert (waiting["text"], waiting["signed"]) == (text, ["ada"])
        assert remote.post("/api/clear", signed(text, BOB))["cleared"]
        assert len(remote.get("/api/status")["presses"]) == 1  # the later one is not covered
        assert remote.post("/api/clear", signed(remote.get("/api/draft")["text"], ADA, BOB))
        assert remote.get("/api/status")["presses"] == []
        time.sleep(0.4)
        assert not gate.is_open  # a reset starts nothing
        until(lambda: started(remote) is None)
        until(lambda: gate.is_open)
    assert cli.run(["verify", str(made.path)]) == 0


def test_a_get_never_presses(idle: Remote) -> None:
    for address in (tcp(idle), idle.presses[-1]):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            status, headers, _ = ask(address, method, f"/press?token={idle.token('press')}")
            assert status == 405
            assert headers["Allow"] == "POST"
    assert idle.get("/api/status")["presses"] == []


@pytest.mark.parametrize(
    "odd",
    [
        {"category": 7, "id": "x", "reason": None},
        {"category": "1", "reason": "\ud800", "scope": "fleet"},
        {"category": True, "reason": ["a"], "id": 4},
        {"reason": "x" * 5000, "scope": "fleeet"},
        {"scope": {"a": 1}},
    ],
)
def test_nothing_odd_in_a_press_refuses_it(busy: Remote, odd: dict[str, Any]) -> None:
    before = sum(1 + press["repeats"] for press in presses(busy))
    body = json.dumps({"token": busy.token("press"), **odd}).encode()
    status, _, answer = ask(busy.presses[-1], "POST", "/press", body)
    assert status == 200
    assert json.loads(answer)["state"] == "durable"
    assert sum(1 + press["repeats"] for press in presses(busy)) == before + 1


def test_a_form_presses_too_and_a_repeat_is_counted(busy: Remote) -> None:
    form = f"token={busy.token('press')}&scope=group:form&reason=smoke".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    for _ in range(3):
        status, _, page = ask(tcp(busy), "POST", "/press", form, kind)
        assert status == 200
        assert b"durable" in page
    (press,) = [each for each in presses(busy) if each["scope"] == "group:form"]
    assert (press["reason"], press["repeats"]) == ("smoke", 2)


def test_tokens_have_one_right_and_one_reach(made: Home, tmp_path: Path) -> None:
    text, token = issue("press", "agent:writer", "the agent itself")
    made.tokens.add(token)
    with serving(made) as remote:
        enrolled(remote, tmp_path)
        enrolled(remote, tmp_path, "reader")
        own = Remote(remote.addresses, lambda right: text)
        assert own.press("fleet", "no")[0].state == "failed"
        assert own.press("agent:reader", "no")[0].state == "failed"
        for bad in ("", "ftz_press_" + "A" * 43, remote.token("status"), "x" * 10_000):
            stranger = Remote(remote.addresses, lambda right, bad=bad: bad)
            assert "takes a token" in stranger.press("fleet", "no")[0].why
            if bad != remote.token("status"):
                with pytest.raises(Denied):
                    stranger.get("/api/status")
        assert remote.get("/api/status")["presses"] == []
        assert own.press("agent:writer", "I am off")[0].state == "durable"
        with pytest.raises(Denied):
            own.post("/api/start", {"agent": "writer"}, "start")


def test_the_stop_file_presses_for_as_long_as_it_lies_there(busy: Remote, busy_home: Home) -> None:
    (busy_home.path / "STOP").touch()
    (press,) = until(lambda: [each for each in presses(busy) if each["who"] == "STOP file"])
    assert press["scope"] == "fleet"
    (busy_home.path / "STOP").unlink()
    time.sleep(0.3)
    assert press["id"] in [each["id"] for each in presses(busy)]


# Asking.


def test_what_is_too_large_or_unreadable_is_refused(idle: Remote) -> None:
    large = b'{"token": "' + b"x" * 70_000 + b'"}'
    for path in ("/press", "/api/clear", "/api/frame", "/api/enrol"):
        assert ask(tcp(idle), "POST", path, large)[0] == 413
        assert ask(tcp(idle), "POST", path, iter([large[:9], large[9:]]))[0] == 413
    for body in (b"{", b"[]", b"\xff", b"[" * 50_000):
        status, _, answer = ask(tcp(idle), "POST", "/api/clear", body)
        assert status == 400
        assert "error" in json.loads(answer)
    assert ask(tcp(idle), "GET", "/nowhere")[0] == 404
    assert ask(tcp(idle), "GET", "/static/..%2f..%2fserver%2fapp.py")[0] == 404


def test_a_cookie_counts_only_from_our_own_page(busy: Remote) -> None:
    address, host = tcp(busy), urlsplit(tcp(busy)).netloc
    own, form = f"http://{host}", {"Content-Type": "application/x-www-form-urlencoded"}
    kept = f"token={busy.token('press')}".encode()
    assert ask(address, "POST", "/login", kept, {**form, "Origin": "http://evil"})[0] == 403
    status, headers, _ = ask(address, "POST", "/login", kept, {**form, "Origin": own})
    assert status == 303
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    name, _, id = cookie.partition(";")[0].partition("=")
    assert name.endswith(f"_{urlsplit(address).port}")  # two servers of a host have two
    assert busy.token("press") not in cookie
    bearer = {**form, "Authorization": f"Bearer {id}", "Origin": own}
    assert ask(address, "POST", "/press", b"scope=group:cookie", bearer)[0] == 401
    cookies = {**form, "Cookie": f"{name}={busy.token('press')}"}
    assert (
        ask(address, "POST", "/press", b"scope=group:cookie", {**cookies, "Origin": own})[0] == 401
    )
    cookies = {**form, "Cookie": f"{name}={id}"}
    body = b"scope=group:cookie"
    for origin in ({}, {"Origin": "http://evil"}, {"Origin": "null"}):
        assert ask(address, "POST", "/press", body, {**cookies, **origin})[0] == 403
    assert not any(press["scope"] == "group:cookie" for press in presses(busy))
    assert ask(address, "POST", "/press", body, {**cookies, "Origin": own})[0] == 200


def test_every_answer_forbids_outside_assets(idle: Remote) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/status"), ("POST", "/press")):
        _, headers, _ = ask(tcp(idle), method, path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_events_come_at_once_and_every_second(busy: Remote) -> None:
    connection = http.client.HTTPConnection(urlsplit(tcp(busy)).netloc, timeout=10)
    bearer = {"Authorization": f"Bearer {busy.token('status')}"}
    connection.request("GET", "/events", headers=bearer)
    stream = connection.getresponse()
    seen: list[tuple[float, dict[str, Any]]] = []

    def read() -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            for line in stream:
                if line.startswith(b"data:"):
                    seen.append((time.monotonic(), json.loads(line[5:])))

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: len(seen) >= 2)
    begun = time.monotonic()
    busy.press("group:events", "look")
    when = until(lambda: [at for at, picture in seen if _shows(picture, "group:events")])[0]
    assert when - begun < 0.5
    stream.fp.raw._sock.shutdown(socket.SHUT_RDWR)
    reader.join()
    connection.close()


def _shows(picture: dict[str, Any], scope: str) -> bool:
    return any(press["scope"] == scope for press in picture["presses"])


def test_a_crowd_does_not_keep_a_press_out(made: Home) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    bound = bound_port("127.0.0.1", 0)
    address = ("127.0.0.1", bound.getsockname()[1])
    listener = Listener("crowd", app, bound, Limits(8))
    listener.start()
    crowd = [socket.create_connection(address) for _ in range(30)]
    try:
        for each in crowd:
            each.sendall(b"POST /press HTTP/1.1\r\nHost: x\r\n")
        assert ask(f"http://127.0.0.1:{address[1]}", "POST", "/press", b"")[0] == 204
    finally:
        for each in crowd:
            each.close()
        listener.close()


def test_a_stranger_on_the_gates_channel_is_told_nothing(idle: Remote, idle_home: Home) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    gates = json.loads((idle_home.path / "listening.json").read_text())["gates"][-1]

    async def said(text: str) -> Any:
        async with connect(gates.replace("http", "ws") + "/gate", proxy=None) as channel:
            await channel.send(text)
            try:
                return await asyncio.wait_for(channel.recv(), 5)
            except ConnectionClosed:
                return None

    for text in ("hello", "0" * 64 + " {}", "0" * 64 + ' {"kind":"renew","gate":"writer"}'):
        assert asyncio.run(said(text)) is None
        assert ask(gates, "POST", "/api/frame", text.encode())[0] == 403
    assert ask(gates, "GET", "/api/status")[0] == 404  # a reserved listener has its path alone


def test_a_drill_is_measured_and_clears_with_one_signature(remote: Remote, tmp_path: Path) -> None:
    file = enrolled(remote, tmp_path)
    with pytest.raises(Denied, match="does not run"):
        remote.post("/api/drill", {"agent": "writer"}, "drill")
    with gated(file) as gate:
        started(remote)
        until(lambda: gate.is_open)
        told = remote.post("/api/drill", {"agent": "writer"}, "drill")
        assert 0 < told["milliseconds"] < 5000
        proved = remote.get("/api/status")["button"]["proved"]
        assert proved["agent"] == "writer"
        # Told to a tenth, written down whole: each rounded from what was measured.
        assert abs(proved["milliseconds"] - told["milliseconds"]) <= 0.6
        text = remote.get("/api/draft")["text"]
        assert remote.post("/api/clear", signed(text, BOB))["cleared"]


def test_presence_is_a_condition_of_the_lease(remote: Remote, tmp_path: Path) -> None:
    with gated(enrolled(remote, tmp_path, limits={"presence": 3600})) as gate:
        started(remote)
        time.sleep(0.5)
        assert not gate.is_open  # nobody was here since the start
        remote.post("/api/present", {}, "present")
        until(lambda: gate.is_open)


def test_a_second_server_on_the_same_folder_is_refused(idle: Remote, idle_home: Home) -> None:
    with pytest.raises(HomeError, match="another server runs"):
        Server(idle_home)
    command = [sys.executable, "-m", "freezetag", "serve", str(idle_home.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "another server runs" in done.stderr
    assert idle.get("/api/status")["locked"] == []
