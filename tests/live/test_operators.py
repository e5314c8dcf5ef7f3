"""What operators watch a server with: metrics, webhooks, spans; none is in a press's way."""

from __future__ import annotations

import json
import math
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import enrolled, gated, home, serving, started, until
from tests.live.conftest import Run
from tests.live.ledgers import asked
from tests.live.test_store import Disk

from freezetag.core import Panel
from freezetag.live.authority.home import Home, HomeError, Settings
from freezetag.live.gate.address import request as ask
from freezetag.live.gate.clock import boot_clock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.remote.operator import Remote
from freezetag.live.server.notices import TYPES
from freezetag.live.server.webhooks import Letter, Queue, Webhooks, post, signature


@dataclass
class Receiver:
    """Who gets webhooks, and how it answers: a status, with headers and a body."""

    status: int = 200
    location: str = ""
    body: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@contextmanager
def receiving(receiver: Receiver, port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((dict(self.headers), body))
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", str(receiver.body))
            self.end_headers()
            sent = 0
            while sent < receiver.body:
                try:
                    sent += self.wfile.write(b"x" * min(1 << 16, receiver.body - sent))
                except OSError:
                    return

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """Takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield f"http://127.0.0.1:{made.getsockname()[1]}/hook"


def told_of(made: Home, remote: Remote) -> Any:
    client = pytest.importorskip("prometheus_client.parser")
    token = (made.path / "tokens" / "status").read_text().strip()
    text = ask(remote.addresses[0], "GET", "/metrics", token=token)
    families = list(client.text_string_to_metric_families(text))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_are_read_by_the_client_librarys_parser(tmp_path: Path) -> None:
    made = home(tmp_path / "oversight")
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        enrolled(remote, tmp_path, "reader")
        with gated(file) as gate:
            started(remote)
            until(lambda: gate.is_open)
            before = told_of(made, remote)
            assert before["freezetag_agents", "running"] == 1
            assert before["freezetag_agents", "held"] == 1
            assert before["freezetag_gates_connected",] == 1
            assert before["freezetag_presses_standing", "press"] == 0
            assert (before["freezetag_locked",], before["freezetag_storage_durable",]) == (0, 1)
            remote.press("fleet", "enough")
            until(lambda: not gate.is_open)
            until(lambda: told_of(made, remote)["freezetag_agents", "stopped_acknowledged"])
            after = told_of(made, remote)
    assert after["freezetag_agents", "running"] == 0
    assert after["freezetag_presses_standing", "press"] == 1
    assert after["freezetag_presses_total", "press"] == 1
    assert after["freezetag_ledger_records_total",] > before["freezetag_ledger_records_total",]
    assert math.isclose(after["freezetag_bound_seconds",], 0.9 / 0.999)


def test_metrics_take_a_token(tmp_path: Path) -> None:
    made = home(tmp_path / "oversight")
    with serving(made) as remote, pytest.raises(Exception, match="right 'status'"):
        ask(remote.addresses[0], "GET", "/metrics")


def presses_told(receiver: Receiver) -> list[dict[str, Any]]:
    return [each for each in receiver.told if each["type"] == "freezetag.press"]


def test_a_press_and_an_expiry_are_told_and_signed(tmp_path: Path) -> None:
    receiver = Receiver()
    with receiving(receiver) as url:
        made = home(tmp_path / "oversight")
        made.set(webhooks=url)
        with serving(made) as remote:
            file = enrolled(remote, tmp_path)
            with gated(file) as gate:
                started(remote)
                until(lambda: gate.is_open)
            # Closed in order, its agent is pressed all the same.
            remote.press("agent:writer", "enough")
            remote.press("agnet:writer", "a slip")
            until(lambda: len(presses_told(receiver)) > 1)
    notice, slip = presses_told(receiver)
    assert notice["data"]["understood"] is True
    assert slip["data"]["press"]["scope"] == "agnet:writer"
    assert (slip["data"]["understood"], slip["data"]["agents"]) == (False, 1)
    assert notice["authority"] == "lab"
    assert notice["data"]["press"]["reason"] == "enough"
    assert notice["id"] == notice["data"]["press"]["id"]
    secret = (made.path / "webhook.secret").read_text().strip()
    for headers, body in receiver.got:
        signed = signature(secret, headers["webhook-id"], headers["webhook-timestamp"], body)
        assert signed == headers["webhook-signature"]
        assert json.loads(body)["id"] == headers["webhook-id"]


def test_a_receiver_killed_during_a_press_loses_nothing_and_delays_nothing(tmp_path: Path) -> None:
    """Away while ten presses come, over a restart of the server; each is told once it is back."""
    receiver, took = Receiver(), []
    with receiving(receiver) as url:
        port = int(url.split(":")[2].split("/")[0])
        made = home(tmp_path / "oversight")
        made.set(webhooks=url)
        made.keep()
        with serving(made) as remote:
            remote.press("fleet", "first")
            until(lambda: len(receiver.got) == 1)
    with serving(Home.open(made.path)) as remote:
        for number in range(10):
            begun = time.monotonic()
            (told, *_) = remote.press(f"agent:{number}", "while nobody listens")
            took.append(time.monotonic() - begun)
            assert told.state == "durable"
    assert statistics.median(took) < 0.5
    receiver.got.clear()
    with receiving(receiver, port), serving(Home.open(made.path)):
        ids = until(lambda: len({e["id"] for e in receiver.told}) == 10 and receiver.told, 20)
    reasons = {each["data"]["press"]["reason"] for each in ids}
    assert reasons == {"while nobody listens"}


@pytest.mark.parametrize("kind", ["301", "never", "gigabyte", "500", "nobody"])
def test_a_bad_receiver_is_survived(tmp_path: Path, kind: str) -> None:
    """It fails, in a bounded time and memory, and the next one gets its notice."""
    bad = Receiver(
        {"301": 301, "500": 500}.get(kind, 200),
        "http://127.0.0.1:1/elsewhere" if kind == "301" else "",
        1 << 30 if kind == "gigabyte" else 0,
    )
    good = Receiver()
    with receiving(bad) as there, receiving(good) as other, silent() as nothing:
        url = {"never": nothing, "nobody": "http://127.0.0.1:1/"}.get(kind, there)
        queue = Queue(tmp_path / "notices.db")
        hooks = Webhooks([url, other], "whsec_c2VjcmV0", queue, first=0.05, within=0.3)
        hooks.start()
        begun = time.monotonic()
        hooks.put([{"id": "a" * 32, "type": "freezetag.press"}], {})
        assert time.monotonic() - begun < 0.2
        until(lambda: good.got)
        if kind == "gigabyte":  # taken: of the answer only the beginning is read
            until(lambda: not queue.waiting())
        else:
            expected = {"301": "answers 301", "500": "answers 500", "nobody": "refused"}
            why = expected.get(kind, "no answer within 0.3 s")
            until(lambda: why in hooks.failures.get(url, ""))
            until(lambda: queue.waiting() == {url: 1})  # the good one's is taken off a moment later
        hooks.close()
        queue.close()
    again = Queue(tmp_path / "notices.db")
    waits = again.next(url, time.time() + 3600)
    assert isinstance(waits, Letter) == (kind != "gigabyte")
    again.close()


def test_a_byte_now_and_then_does_not_keep_us(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as made:

        def drip() -> None:
            peer, _ = made.accept()
            with peer:
                for byte in b"HTTP/1.1 200 OK\r\nA: " + b"x" * 1000:
                    try:
                        peer.send(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        begun = time.monotonic()
        url = f"http://127.0.0.1:{made.getsockname()[1]}/"
        assert "no answer within" in post(url, "id", "{}", "whsec_c2VjcmV0", 0.3, 0.0)
        assert time.monotonic() - begun < 2
        thread.join(2)


def test_a_queue_that_cannot_be_written_still_sends(tmp_path: Path) -> None:
    (tmp_path / "notices.db").mkdir()
    receiver = Receiver()
    with receiving(receiver) as url:
        queue = Queue(tmp_path / "notices.db")
        assert "notices.db" in queue.trouble
        hooks = Webhooks([url], "whsec_c2VjcmV0", queue)
        hooks.start()
        hooks.put([{"id": "b" * 32}], {})
        until(lambda: receiver.got)
        hooks.close()


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freezetag.live.server.webhooks.MOST", 3)
    queue = Queue(tmp_path / "notices.db")
    lost = queue.put([(str(n), "http://a/", "{}") for n in range(5)], {"record": "5"})
    assert len(lost) == 2
    assert queue.waiting() == {"http://a/": 3}
    first = queue.next("http://a/", time.time())
    assert isinstance(first, Letter)
    assert first.id == "2"  # the oldest were given up
    queue.close()


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "http://me:pw@a/", "http://a/#x", "x"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(HomeError, match="--webhook is an address"):
        Settings(webhooks=url)


# Each type of notice.


@dataclass
class Place:
    """A server that has a writer, and how it may be hurt."""

    made: Home
    remote: Remote
    file: Path
    disk: Disk


def a_press(place: Place) -> None:
    place.remote.press("agent:writer", "enough")


def an_end_with_something_in_flight(place: Place) -> None:
    with gated(place.file) as gate:
        started(place.remote)
        until(lambda: gate.is_open)
        gate.begin("work")


def a_lease_that_runs_out(place: Place) -> None:
    """It is granted, and of its gate nothing is heard any more."""
    gate = Gate(Panel(), clock=boot_clock(), enrolments=[Enrolment.load(place.file)], name="writer")
    started(place.remote)
    answer = ask(place.remote.addresses[0], "POST", "/api/frame", asked(gate))
    gate.receive("lab", answer)
    assert gate.is_open


def time_without_a_drill(place: Place) -> None:
    """Nobody drills: the server was told to ask for one in a fifth of a second."""


def a_disk_that_takes_nothing(place: Place) -> None:
    place.disk.failures = 10**6
    place.remote.press("fleet", "now")


def nothing_more(place: Place) -> None:
    """A second journal that cannot be read was there from the start."""


HAPPENS: dict[str, Callable[[Place], None]] = {
    "freezetag.press": a_press,
    "freezetag.unknown": an_end_with_something_in_flight,
    "freezetag.expiry": a_lease_that_runs_out,
    "freezetag.drill_overdue": time_without_a_drill,
    "freezetag.disk": a_disk_that_takes_nothing,
    "freezetag.locked": nothing_more,
}
SAYS = {
    "freezetag.press": {"agents": 1, "understood": True},
    "freezetag.unknown": {"agent": "writer", "shown": "unknown_in_flight"},
    "freezetag.expiry": {"agent": "writer", "shown": "stopped_by_expiry"},
}
WHY = {"freezetag.drill_overdue": "a drill is overdue: none was acknowledged in the "}


@pytest.mark.parametrize("type", TYPES)
def test_each_type_is_told_when_it_happens(type: str, tmp_path: Path) -> None:
    receiver, disk = Receiver(), Disk()
    with receiving(receiver) as url:
        made = home(tmp_path / "oversight")
        made.set(webhooks=url, drill_within=0.2 * (type == "freezetag.drill_overdue"))
        if type == "freezetag.locked":
            (made.path / "second.jsonl").mkdir()
        with serving(made, disk.connect) as remote:
            file = enrolled(remote, tmp_path)
            HAPPENS[type](Place(made, remote, file, disk))
            found = until(lambda: [e["data"] for e in receiver.told if e["type"] == type], 20)
            disk.failures = 0
    assert found[0].items() >= SAYS.get(type, {}).items()
    assert found[0].get("why", "").startswith(WHY.get(type, ""))
    if type == "freezetag.locked":
        assert "second.jsonl" in found[0]["why"]


def test_the_page_has_the_types_of_notice_and_no_other() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
    rows = re.findall(r"^\| `(freezetag\.\w+)` \| (.*) \|$", page.read_text("utf-8"), re.M)
    assert dict(rows) == TYPES


def test_a_bad_disk_is_told_with_the_presses_it_could_not_take(tmp_path: Path) -> None:
    receiver, disk = Receiver(), Disk()
    with receiving(receiver) as url:
        made = home(tmp_path / "oversight")
        made.set(webhooks=url)
        with serving(made, disk.connect) as remote:
            disk.failures = 10**6
            (told, *_) = remote.press("fleet", "now")
            assert told.state == "stopping, NOT durable"
            found = until(lambda: [e for e in receiver.told if e["type"] == "freezetag.disk"])
            assert len(found[0]["data"]["not_durable"]) == 1
            disk.failures = 0
            pressed = until(lambda: presses_told(receiver))
            assert [pressed[0]["id"]] == found[0]["data"]["not_durable"]


def test_spans_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter, provider = memory.InMemorySpanExporter(), trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    with serving(home(tmp_path / "oversight")) as remote:
        remote.press("fleet", "enough")
        found = until(lambda: [s for s in exporter.get_finished_spans() if "press" in s.name])
    assert found[0].attributes["freezetag.press.reason"] == "enough"
    assert found[0].status.status_code.name == "UNSET"


def test_serve_keeps_webhooks_and_drops_them(
    run: Run, made: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("serve", "oversight", "--webhook", "ftp://x/")
    assert (code, "--webhook is an address" in err) == (2, True)
    kept = []

    def refuse(home: Home) -> None:
        kept.append(home.settings.webhooks)
        raise HomeError("enough")

    monkeypatch.setattr("freezetag.live.server.server.Server", refuse)
    run("serve", "oversight", "--webhook", "http://a/", "--webhook", "http://b/")
    run("serve", "oversight", "--webhook", "none")
    assert kept == ["http://a/ http://b/", ""]
