"""Who has sent a request and closes that way alone, as a shell does with `nc -N`, is answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.live._serving import home, serving

from freezetag.live.authority.home import Home
from freezetag.live.remote.operator import Remote


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return home(tmp_path_factory.mktemp("half") / "lab")


@pytest.fixture(scope="module")
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def said(address: str, data: bytes) -> bytes:
    """What is answered to one who says this and then nothing more, until the other side closes."""
    parts = urlsplit(address)
    local = address.startswith("unix:")
    with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as made:
        made.settimeout(5)
        where = (str(parts.hostname), parts.port or 0)
        made.connect(address.removeprefix("unix:") if local else where)
        made.sendall(data)
        made.shutdown(socket.SHUT_WR)
        answer = b""
        while part := made.recv(65536):
            answer += part
    return answer


def press(remote: Remote, scope: str) -> bytes:
    body = json.dumps({"token": remote.token("press"), "scope": scope}).encode()
    head = b"POST /press HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_a_press_is_answered_at_each_address(made: Home, remote: Remote) -> None:
    told = json.loads((made.path / "listening.json").read_bytes())
    for address in (*told["main"], *told["press"]):
        _, _, body = said(address, press(remote, f"agent:{len(address)}")).partition(b"\r\n\r\n")
        assert json.loads(body)["state"] == "durable", address


def test_each_of_several_requests_is_answered(remote: Remote) -> None:
    data = press(remote, "agent:a") + press(remote, "agent:b")
    assert said(remote.presses[0], data).count(b'"durable"') == 2
    scopes = {each["scope"] for each in remote.get("/api/status")["presses"]}
    assert {"agent:a", "agent:b"} <= scopes


def test_a_part_of_a_request_is_not_waited_for(remote: Remote) -> None:
    assert said(remote.presses[0], press(remote, "agent:part")[:-3]) == b""
    scopes = {each["scope"] for each in remote.get("/api/status")["presses"]}
    assert "agent:part" not in scopes
