"""A database that was rolled back: all nodes are locked until two people sign what is given up."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import ADA, BOB, PEOPLE, enrolled, gated, serving, started, until
from tests.live.nodes.cluster import Cluster, programs
from tests.live.test_handover import by

from freezetag import cli
from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home, Settings
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.remote.operator import Remote

pytestmark = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made


def locked(remote: Remote) -> str:
    return " ".join(remote.get("/api/status")["locked"])


def test_a_rolled_back_database_is_taken_up_by_two_people_at_one_node(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.sql("one", "CREATE DATABASE newest")
    url = cluster.url(cluster.ports["one"], "newest")
    ports = {"port": 0, "press_port": 0, "gate_port": 0}
    settings = Settings("lab", length=0.9, store=url, node="a", node_lease=0.8, **ports)
    made = Home.create(tmp_path / "a", settings, PEOPLE, solo=False)
    latch = MemoryLatch()
    with serving(made) as remote:
        until(lambda: not locked(remote))
        file = enrolled(remote, tmp_path)
        started(remote)
    cluster.sql("one", "CREATE DATABASE older TEMPLATE newest")
    with serving(Home.open(made.path)) as remote:
        until(lambda: not locked(remote))
        file = enrolled(remote, tmp_path)
        with gated(file, latch=latch) as gate:
            until(lambda: gate.is_open)
            enrolled(remote, tmp_path, "reader")
            seen = remote.get("/api/status")["size"]
            until(lambda: gate._links["lab"].seen_size >= seen)
        witness = made.path / "witness.json"  # written once a second
        until(lambda: json.loads(witness.read_text())["size"] >= seen)
    older = cluster.url(cluster.ports["one"], "older")
    one = Home.open(made.path)
    one.set(store=older)
    one.keep()
    two = Home.join(tmp_path / "b", one, dataclasses.replace(one.settings, node="b"))
    with serving(one) as a, serving(two) as b:
        # The node remembers what it saw itself, before any gate asks.
        until(lambda: "this node saw" in locked(a))
        (own,) = a.get("/api/statements")["lost"]
        assert own["gate"] == "this server itself"
        file = enrolled(b, tmp_path)
        with gated(file, latch=latch) as gate:
            until(lambda: "older copy" in locked(b))
            assert not gate.is_open
            until(lambda: b.get("/api/statements")["lost"])
            # Each node knows of other heads; people sign for those of each.
            for node in (b, a):
                until(lambda: _root(a) == _root(b))
                _taken_up(node)
            until(lambda: not locked(a) and not locked(b))
            assert not gate.is_open
            until(lambda: _started(a))
            until(lambda: gate.is_open)
    assert cli.run(["verify", str(two.path)]) == 0
    assert "BREAK at record" in capsys.readouterr().out


def _taken_up(node: Remote) -> None:
    asked = {"kind": "handover", "why": "restored"}
    text = node.post("/api/draft", asked, "status")["text"]
    assert node.post("/api/statement", by(text, ADA))["done"] is False
    assert locked(node)
    assert node.post("/api/statement", by(text, BOB))["done"] is True
    until(lambda: not _open(node))


def _root(remote: Remote) -> str:
    return str(remote.get("/api/statements")["root"])


def _open(remote: Remote) -> bool:
    return bool(remote.get("/api/statements")["lost"])


def _started(remote: Remote) -> bool:
    try:
        started(remote)
    except UserError:
        return False
    return True
