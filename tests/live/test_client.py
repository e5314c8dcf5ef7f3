"""A gate's host: it moves frames over whatever there is, and a gate without frames expires."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import LENGTH, agent, enrolled, gated, home, serving, started, until

from freezetag.core import Panel
from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home
from freezetag.live.gate import remote_host as client
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.clock import SteppedClock, boot_clock
from freezetag.live.gate.drain import Order
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.remote_host import GateHost, Line
from freezetag.live.remote.operator import Remote, local


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def test_a_gate_expires_when_its_server_is_gone(made: Home, tmp_path: Path) -> None:
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        started(remote)
        context = gated(file)
        gate = context.__enter__()
        until(lambda: gate.is_open)
    ended = time.monotonic()
    until(lambda: not gate.is_open)
    assert time.monotonic() - ended < LENGTH + 0.5
    context.__exit__(None, None, None)


def test_without_a_websocket_frames_are_posted(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_websocket", _broken)
    with gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        assert not agent(remote)["incarnations"][-1]["connected"]
        remote.press("fleet", "x")
        until(lambda: not gate.is_open and gate.presses, LENGTH)  # told at the next renewal


@pytest.mark.parametrize("posted", [False, True])
def test_who_is_closed_in_order_has_acknowledged_its_stop(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, posted: bool
) -> None:
    if posted:
        monkeypatch.setattr(client, "_websocket", _broken)
    names = [f"agent{n}" for n in range(5)]
    for name in names:
        started(remote, enrolled(remote, tmp_path, name).stem)
    for name in names:
        with gated(tmp_path / f"{name}.enrolment", name=name) as gate:
            until(lambda: gate.is_open)
    for name in names:
        until(lambda: agent(remote, name)["shown"] == "stopped_acknowledged")  # noqa: B023


def _broken(*_: Any) -> Any:
    raise OSError("no websocket here")


def test_a_silent_address_is_left_for_the_next(remote: Remote, tmp_path: Path) -> None:
    """Half-open: something accepts the WebSocket, and nothing ever comes."""
    from websockets.sync.server import serve

    with serve(lambda channel: [None for _ in channel] and None, "127.0.0.1", 0) as silent:
        thread = threading.Thread(target=silent.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{silent.socket.getsockname()[1]}"
        file = enrolled(remote, tmp_path)
        started(remote)
        gate = Gate(Panel(), clock=boot_clock(), enrolments=[Enrolment.load(file)], name="writer")
        line = Line.load(file)
        both = Line(line.authority, (address, *line.addresses))
        host = GateHost(gate, [both], length=LENGTH)
        host.start()
        until(lambda: gate.is_open)
        host.close(2)
        silent.shutdown()
        thread.join()


def test_every_authority_must_lease_and_any_one_stops(tmp_path: Path) -> None:
    one, two = home(tmp_path / "one", name="owner"), home(tmp_path / "two", name="regulator")
    with serving(one) as owner, serving(two) as regulator:
        (tmp_path / "a").mkdir()
        files = enrolled(owner, tmp_path), enrolled(regulator, tmp_path / "a")
        with gated(*files) as gate:
            started(owner)
            time.sleep(0.5)
            assert not gate.is_open
            started(regulator)
            until(lambda: gate.is_open)
            regulator.press("fleet", "theirs")
            until(lambda: gate.presses)
            assert not gate.is_open
            assert owner.get("/api/status")["presses"] == []


def test_an_authority_that_vanishes_stops_the_agent(tmp_path: Path) -> None:
    one, two = home(tmp_path / "one", name="owner"), home(tmp_path / "two", name="regulator")
    (tmp_path / "a").mkdir()
    with serving(one) as owner:
        with serving(two) as regulator:
            files = enrolled(owner, tmp_path), enrolled(regulator, tmp_path / "a")
            started(owner)
            started(regulator)
            context = gated(*files)
            gate = context.__enter__()
            until(lambda: gate.is_open)
        until(lambda: not gate.is_open, LENGTH + 0.5)
        context.__exit__(None, None, None)


class Orders:
    """What a host was told to do; the first kill fails."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.kinds = gate, []

    def obey(self, order: Order) -> None:
        self.kinds.append(order.kind)
        if order.kind == "kill" and self.kinds.count("kill") == 1:
            raise OSError("the process table is full")
        if order.kind == "kill":
            self.gate.killed()

    async def obey_later(self, order: Order) -> None:
        await asyncio.sleep(0)
        self.obey(order)


@pytest.mark.parametrize("later", [False, True])
def test_a_kill_that_fails_is_ordered_again(later: bool) -> None:
    clock = SteppedClock()
    gate = Gate(Panel(), clock=clock, enrolments=(), kills=True)
    orders = Orders(gate)
    handler = orders.obey_later if later else orders.obey
    host = GateHost(gate, [], on_order=handler, reopen=False)
    host.start()
    gate.begin("act")
    gate.press("enough")
    until(lambda: gate.phase == "stopped")
    until(lambda: sorted(orders.kinds) == ["cancel", "kill", "kill"])
    assert "process table" in host.alarms[0]
    host.close(1)


def test_a_newer_renewal_replaces_one_not_sent_and_acks_all_stay() -> None:
    frames = ["0" * 64 + f' {{"kind":"{kind}","n":{n}}}' for n, kind in enumerate(("ack", "renew"))]

    async def waiting() -> list[str]:
        state = client._State(Line("lab", ()))
        for _ in range(3):
            for frame in frames:
                client._enqueue(state, frame)
        return list(state.waiting)

    kept = asyncio.run(waiting())
    assert [client._kind(frame) for frame in kept] == ["ack", "ack", "ack", "renew"]


# Asking from afar.


def test_a_press_goes_to_every_address_at_once(remote: Remote) -> None:
    dead = ("http://127.0.0.1:9", "unix:/nowhere.sock")
    both = Remote((*dead, *remote.addresses), remote.token, timeout=2.0)
    told = both.press("fleet", "x")
    assert [each.state for each in told] == ["failed", "failed", "durable", "durable"]
    assert "does not answer" in told[0].why
    assert both.get("/api/status")["presses"]
    with pytest.raises(Unreachable, match="nowhere"):
        Remote(dead, remote.token).get("/api/status")


def test_what_answers_otherwise_is_no_authority() -> None:
    class Odd(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"[1]" if "press" in self.path else b"{")

        def log_message(self, *_: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        (told,) = Remote((address,), lambda right: "").press("fleet", "x")
        assert (told.state, told.heard) == ("failed", False)
        with pytest.raises(Unreachable):
            request(address, "POST", "/api/start", {})
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("address", ["lab", "ftp://lab", "http://", "http://lab:x", "//lab"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UserError, match="not an address"):
        request(address, "GET", "/")


def test_a_refusal_has_a_status(remote: Remote) -> None:
    with pytest.raises(Denied, match="token") as denied:
        Remote(remote.addresses, lambda right: "").get("/api/status")
    assert denied.value.status == 401


def test_a_folder_without_a_server(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no server has run"):
        local(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"authority": "lab"}', '{"addresses": 3}'])
def test_a_file_that_names_no_addresses(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UserError, match="freezetag enrol"):
        Line.load(tmp_path / "x")


def test_certificates_that_are_not_here_are_named_before_anything_runs(tmp_path: Path) -> None:
    """Else all that is ever said is that there is no lease."""
    file = tmp_path / "x"
    gone = tmp_path / "lab.pem"
    told = {"authority": "lab", "addresses": ["https://a:1"], "certificates": str(gone)}
    file.write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"lab\.pem alone, and that cannot be read"):
        Line.load(file)
    gone.touch()
    assert Line.load(file).certificates == str(gone)
