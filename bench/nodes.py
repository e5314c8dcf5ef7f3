"""A press at one node, until the gates of another node are closed: Debian's PostgreSQL with its
synchronous standby, two nodes of one authority, all on this machine.

The press is stored and told in one transaction, the other node is woken by its NOTIFY, looks, and
pushes. Goal (design/0012-many-nodes.md): far below the lease, so that a press at any node stops by
message and not by silence. Each press is followed by a clearance of two and a start of every agent.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.live.nodes.cluster import Cluster, programs

from bench._live_gates import address, child, end, hold, now, serve
from bench._measure import checked, head
from bench.live import press, told
from freezetag.live.authority.home import Home, Settings
from freezetag.live.gate.address import Denied, request
from freezetag.live.server.service import DURABLE
from freezetag.live.signed.keys import Person, generate
from freezetag.live.signed.presses import Clearance

GATES, PRESSES = 20, 10
LENGTH, LEASE = 15.0, 2.0
GOAL = 200.0


def asked(home: Home, method: str, path: str, right: str, **body: Any) -> Any:
    token = (home.path / "tokens" / right).read_text().strip()
    return request(address(home.path, "main"), method, path, body or None, token=token)


def until(what: str, holds: Any, within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {within:g} s: {what}")
        time.sleep(0.05)


def start(home: Home) -> None:
    def started() -> bool:
        for row in asked(home, "GET", "/api/status", "status")["agents"]:
            if not row["started"]:
                with contextlib.suppress(Denied):
                    asked(home, "POST", "/api/start", "start", agent=row["agent"])
        rows = asked(home, "GET", "/api/status", "status")["agents"]
        return len(rows) == GATES and all(row["started"] for row in rows)

    until("every agent is started", started)


def main() -> None:
    head("several nodes: a press at one, the gates of another", "asyncpg", "websockets")
    if programs() is None:
        raise SystemExit("needs Debian's PostgreSQL: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder, Cluster() as cluster:
        _measure(Path(folder), cluster)


def _measure(folder: Path, cluster: Cluster) -> None:
    keys = {name: generate() for name in ("ann", "bob")}
    people = [Person(name, public) for name, (_, public) in keys.items()]
    ports = {"port": 0, "press_port": 0, "gate_port": 0}
    url = cluster.url(cluster.ports["one"])
    settings = Settings("bench", length=LENGTH, store=url, node="a", node_lease=LEASE, **ports)
    one = Home.create(folder / "a", settings, people, solo=False)
    two = Home.join(folder / "b", one, Settings(**{**vars(settings), "node": "b"}))
    running = [child(serve, home.path) for home in (one, two)]
    closed: list[float] = []
    lasts: list[float] = []
    stored: list[float] = []
    try:
        for home in (one, two):
            address(home.path, "main")
            until("a node grants", lambda h=home: not _locked(h))
        for n in range(GATES):
            asked(one, "POST", "/api/enrol", "admin", agent=f"g{n}")
        for number in range(PRESSES):
            start(one)
            until("the other node knows", lambda: _started(two))
            here, there = multiprocessing.Pipe()
            gates = child(hold, two.path, GATES, there, False)
            if not here.poll(60) or here.recv() != "open":
                raise SystemExit("the gates did not open")
            begin = now()
            answer = press(one.path)
            stored.append((now() - begin) * 1e3)
            checked(f"press {number} is {answer['state']}", answer["state"] == DURABLE)
            times = [(at - begin) * 1e3 for at, _, _ in here.recv()]
            closed += times
            lasts.append(max(times))
            end(gates)
            _clear(one, keys)
    finally:
        for pid in running:
            end(pid)
    told(f"press at a node to each of {GATES} gates of another closed", closed, GOAL, "ms", "p99")
    told("the last of them", lasts, GOAL, "ms", "p50")
    told("press to its answer: durable, on the standby too", stored, GOAL, "ms", "p50")


def _locked(home: Home) -> list[str]:
    locked: list[str] = asked(home, "GET", "/api/status", "status")["locked"]
    return locked


def _started(home: Home) -> bool:
    rows = asked(home, "GET", "/api/status", "status")["agents"]
    return len(rows) == GATES and all(row["started"] for row in rows)


def _clear(home: Home, keys: dict[str, tuple[bytes, bytes]]) -> None:
    drafted = Clearance(asked(home, "GET", "/api/draft?fresh", "status")["text"])
    for private, public in keys.values():
        drafted = drafted.signed(private, public)
    done = asked(home, "POST", "/api/clear", "status", **drafted.to_json())
    checked("two people cleared it", bool(done["cleared"]))


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
