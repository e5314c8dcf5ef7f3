"""A crowd without a token at every address, and a person who wants to press all the same.

The crowd is a process of its own: it opens more connections than a listener has places, keeps each
waiting in one of the ways below, and opens it again as soon as it is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import PEOPLE, home, serving, until
from tests.live.test_server_tls import certificate

from freezetag.live.authority.home import Home, Settings
from freezetag.live.remote.operator import Remote
from freezetag.live.server.listener import Limits, Listener, bound_port
from freezetag.live.server.places import LOCAL, Place, Places, source_of

CROWD = """
import asyncio, json, ssl, sys
addresses, way, many = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
HEAD = "POST /press HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
WAYS = {
    "slow body": (HEAD + "Content-Length: 60000\\r\\n\\r\\n{", b" "),
    "slow head": (HEAD, b"X: y\\r\\n"),
    "silent": ("", b""),
    "channel": (
        "GET /gate HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        "Sec-WebSocket-Version: 13\\r\\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n", b"",
    ),
}
first, then = WAYS[way]
there = 0
async def one(address):
    global there
    while True:
        writer = None
        try:
            if address.startswith("unix:"):
                reader, writer = await asyncio.open_unix_connection(address[5:])
            else:
                host, _, port = address.rpartition("//")[2].rpartition(":")
                reader, writer = await asyncio.open_connection(host, int(port), limit=1)
            writer.write(first.encode())
            there += 1
            if there == many * len(addresses):
                print("there", flush=True)
            while not writer.is_closing():
                await asyncio.sleep(1)
                if then:
                    writer.write(then)
                    await writer.drain()
                elif reader.at_eof():
                    break
        except OSError:
            pass
        finally:
            if writer is not None:
                writer.transport.abort()
        await asyncio.sleep(0.05)
async def main():
    await asyncio.gather(*(one(address) for address in addresses for _ in range(many)))
asyncio.run(main())
"""
WAYS = ("slow body", "slow head", "silent", "channel")
SIZE = 8_000_000
FEW = {"main": Limits(24), "gates": Limits(24), "press": Limits(24, patience=2.0)}


@contextlib.contextmanager
def crowd(addresses: list[str], way: str, many: int) -> Iterator[None]:
    command = [sys.executable, "-c", CROWD, json.dumps(addresses), way, str(many)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"there\n"
            yield
        finally:
            running.kill()


def presses_get_through(made: Home, remote: Remote, way: str, many: int) -> None:
    """With a crowd at all six addresses, at each of the four that take a press."""
    told = json.loads((made.path / "listening.json").read_text())
    addresses = [address for each in told.values() for address in each]
    assert len(addresses) == 6
    pem = made.settings.certificate
    with crowd(addresses, way, many):
        for address in 2 * [*told["main"], *told["press"]]:
            (answer,) = Remote((address,), remote.token, certificates=pem).press("fleet", "fire")
            assert answer.state == "durable", answer


def test_a_crowd_of_slow_bodies_does_not_keep_a_press_out(tmp_path: Path) -> None:
    made = home(tmp_path / "home")
    with serving(made) as remote:
        presses_get_through(made, remote, "slow body", 300)


@pytest.mark.parametrize("way", WAYS)
def test_no_crowd_keeps_a_press_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("freezetag.live.server.server.LIMITS", FEW)
    made = home(tmp_path / "home")
    with serving(made) as remote:
        presses_get_through(made, remote, way, 60)


@pytest.mark.parametrize("way", ["silent", "slow body"])
def test_no_crowd_in_a_handshake_keeps_a_press_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What the crowd sends is no TLS; `silent` stays in the handshake."""
    monkeypatch.setattr("freezetag.live.server.server.LIMITS", FEW)
    pem, key = certificate(tmp_path, 30)
    settings = Settings("lab", "127.0.0.1", 0, 0, 0, 0.9, 60.0, pem, key)
    made = Home.create(tmp_path / "lab", settings, PEOPLE, solo=False)
    with serving(made) as remote:
        presses_get_through(made, remote, way, 60)


def test_who_does_not_read_an_answer_gives_way() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b" " * SIZE, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    bound = bound_port("127.0.0.1", 0)
    address = ("127.0.0.1", bound.getsockname()[1])
    listener = Listener("unread", app, bound, Limits(4))
    listener.start()
    crowd = [socket.create_connection(address) for _ in range(4)]
    try:
        for each in crowd:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: len(listener.places) == 4)
        with socket.create_connection(address) as mine:
            mine.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert mine.recv(12) == b"HTTP/1.1 200"
        # One went for it, and no more.
        assert sum(_was_dropped(each) for each in crowd) == 1
    finally:
        for each in crowd:
            each.close()
        listener.close()


def _was_dropped(connection: socket.socket) -> bool:
    """Whether the answer ends before its end."""
    connection.settimeout(10)
    left = SIZE
    with contextlib.suppress(ConnectionResetError):
        while left > 0 and (data := connection.recv(1 << 20)):
            left -= len(data)
    return left > 0


def test_while_all_are_being_answered_a_newcomer_waits_and_is_not_turned_away() -> None:
    go_on, asked = threading.Event(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(1)
        await asyncio.to_thread(go_on.wait, 10)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    bound = bound_port("127.0.0.1", 0)
    address = ("127.0.0.1", bound.getsockname()[1])
    listener = Listener("busy", app, bound, Limits(2))
    listener.start()
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    three = []
    try:
        for number in (1, 2, 2):
            three.append(socket.create_connection(address, timeout=10))
            three[-1].sendall(request)
            until(lambda number=number: len(asked) == number)
        go_on.set()
        assert [each.recv(12) for each in three] == 3 * [b"HTTP/1.1 204"]
    finally:
        for each in three:
            each.close()
        listener.close()


def test_the_largest_source_pays_and_of_it_who_waited_longest() -> None:
    dropped: list[str] = []
    there = Places(4)

    def come(name: str, source: str, since: float, waits: bool = True) -> None:
        assert there.room()
        there.take(Place(source, since, lambda: dropped.append(name), lambda: waits))

    come("lone", "10.0.0.1", 0.0)
    come("busy", "10.0.0.2", 1.0, waits=False)
    come("late", "10.0.0.2", 3.0)
    come("old", "10.0.0.2", 2.0)
    come("new", "10.0.0.3", 4.0)
    assert dropped == ["old"]
    come("newer", "10.0.0.3", 5.0)
    assert dropped == ["old", "late"]


def test_where_nobody_waits_there_is_no_room() -> None:
    there = Places(1)
    there.take(Place("10.0.0.1", 0.0, lambda: None, lambda: False))
    assert not there.room()
    assert not there.evict()


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("", LOCAL),
        (None, LOCAL),
        (("10.1.2.3", 5), "10.1.2.3"),
        (("::ffff:10.1.2.3", 5, 0, 0), "10.1.2.3"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::"),
        (("odd", 5), "odd"),
    ],
)
def test_a_source_is_an_address_or_the_network_of_one(peer: Any, source: str) -> None:
    assert source_of(peer) == source
