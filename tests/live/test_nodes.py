"""Several nodes on a real PostgreSQL with a synchronous standby: one chain, one stop, no wait.

The long mode is `python -m tests.live.nodes --runs 500 --seed 0`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import (
    ADA,
    BOB,
    PEOPLE,
    agent,
    enrolled,
    gated,
    serving,
    signed,
    started,
    until,
)
from tests.live.nodes.cluster import Cluster, programs

from freezetag import cli
from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home, HomeError, Settings
from freezetag.live.authority.postgres_database import masked
from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.store import StoreError
from freezetag.live.gate.journal_file import open_journal
from freezetag.live.server.writer import Writer
from freezetag.live.signed.frames import bound
from freezetag.live.signed.keys import generate
from freezetag.live.signed.merkle import Checkpoint, record, sign_note

ROOT = Path(__file__).resolve().parents[2]
LEASE, LENGTH = 0.8, 0.9
PRIVATE, PUBLIC = generate()
numbers = itertools.count(1)
installed = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made


@pytest.fixture
def url(cluster: Cluster) -> str:
    name = f"test{next(numbers)}"
    cluster.sql("one", f"CREATE DATABASE {name}")
    return cluster.url(cluster.ports["one"], name)


def first(folder: Path, url: str, node: str = "a") -> Home:
    ports = {"port": 0, "press_port": 0, "gate_port": 0}
    settings = Settings("lab", length=LENGTH, store=url, node=node, node_lease=LEASE, **ports)
    return Home.create(folder / node, settings, PEOPLE, solo=False)


def joined(folder: Path, other: Home, node: str = "b") -> Home:
    return Home.join(folder / node, other, dataclasses.replace(other.settings, node=node))


def locked(remote: Any) -> str:
    return " ".join(remote.get("/api/status")["locked"])


def store(url: str, node: str, public: bytes = PUBLIC, private: bytes = PRIVATE) -> PostgresStore:
    return PostgresStore(
        url,
        authority="lab",
        public=public,
        node=node,
        lease=LEASE,
        sign=lambda size, root: sign_note(Checkpoint("lab", size, root), private),
    )


def opened(url: str, node: str, public: bytes = PUBLIC, private: bytes = PRIVATE) -> PostgresStore:
    made = store(url, node, public, private)
    assert made.come_up(), made.shut
    made.serve()
    return made


@installed
def test_two_nodes_are_one_authority(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = first(tmp_path, url)
    two = joined(tmp_path, one)
    with serving(one) as a, serving(two) as b:
        until(lambda: not locked(a) and not locked(b))
        file = enrolled(a, tmp_path)
        told = json.loads(file.read_text())["addresses"]
        assert len([each for each in told if each.startswith("http")]) >= 3  # the other node's too
        until(lambda: b.get("/api/status")["agents"])
        started(a)
        with gated(file) as gate:
            until(lambda: gate.is_open)
            until(lambda: agent(b)["shown"] == "running")  # which it heard of from the other node
            begun = time.monotonic()
            answers = b.press("fleet", "because")
            assert {each.state for each in answers} == {"durable"}
            until(lambda: not gate.is_open)
            assert time.monotonic() - begun < LENGTH / 2  # pushed: it did not expire
            until(lambda: agent(b)["shown"] == "stopped_acknowledged")
            text = a.get("/api/draft")["text"]
            assert a.post("/api/clear", signed(text, ADA, BOB), "status")["cleared"]
            until(lambda: not b.get("/api/status")["presses"])
            until(lambda: not _refused(lambda: started(b)))
            until(lambda: gate.is_open)
        for remote in (a, b):
            told = remote.get("/api/status")
            assert told["bound"] == pytest.approx(bound(LENGTH + LEASE))
            assert told["nodes"]["synchronous"]
        assert cli.run(["status", "--home", str(two.path)]) == 0
        assert "node b; others: a 0." in capsys.readouterr().out
        until(lambda: a.get("/api/status")["root"] == b.get("/api/status")["root"])
    assert cli.run(["verify", str(two.path)]) == 0
    kept, public = str(tmp_path / "kept.txt"), str(one.path / "public.json")
    assert cli.run(["verify", url, "--public", public, "--export", kept]) == 0
    assert cli.run(["verify", kept, "--public", public]) == 0
    out = capsys.readouterr().out.splitlines()
    lines = [line for line in out if line.startswith("verified: ")]
    assert (len(lines), len(set(lines))) == (3, 1)
    _archived(two, kept, tmp_path, capsys)
    assert cli.run(["verify", url]) == UserError.exit_code
    assert "--public" in capsys.readouterr().err


def _archived(made: Home, kept: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database has an archive as a file has, and is verified against it."""
    to = folder / "archive"
    assert cli.run(["archive", str(to), "--home", str(made.path)]) == 0
    assert cli.run(["archive", str(to), "--home", str(made.path)]) == 0
    assert "nothing is new" in capsys.readouterr().out
    assert cli.run(["verify", str(made.path), "--archive", str(to)]) == 0
    segment = next(to.glob("ledger-*.jsonl"))
    assert segment.read_text() == Path(kept).read_text()[: segment.stat().st_size]
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes().replace(b'"fleet"', b'"fleat"', 1))
    capsys.readouterr()
    assert cli.run(["verify", str(made.path), "--archive", str(to)]) == 1
    assert "archive: " in capsys.readouterr().out


def _refused(call: Any) -> bool:
    try:
        call()
    except UserError:
        return True
    return False


@installed
def test_what_two_nodes_write_at_once_is_one_chain(tmp_path: Path, url: str) -> None:
    PostgresStore.create(url, "lab", PUBLIC)
    stores = [opened(url, node) for node in "ab"]
    learned: list[list[bytes]] = [[], []]
    writers = []
    for store, seen in zip(stores, learned, strict=True):

        def take(leaves: Sequence[bytes], note: str, seen: Any = seen) -> None:
            seen += leaves

        writers.append(Writer(store, take))
    for writer in writers:
        writer.start()
    done = []
    for n in range(200):
        done.append(writers[n % 2].submit("held", {"agent": f"{n}", "why": ""}))
        if n % 20 == 0:
            time.sleep(0.005)
    places = [each.result(20) for each in done]
    assert sorted(places) == list(range(200))
    until(lambda: len(learned[0]) == len(learned[1]) == 200)
    assert learned[0] == learned[1]
    assert stores[0].head == stores[1].head
    for writer in writers:
        writer.close()
    from freezetag.live.authority.export import exported, rows_problem
    from freezetag.live.signed.verify import verify_file

    file = tmp_path / "ledger.txt"
    rows, seal = exported(url, "lab", PUBLIC, file)
    report = verify_file(file, authority="lab", public=PUBLIC)
    assert report.ok, report.problems
    assert report.records == 200
    assert not rows_problem(file, rows, seal, PUBLIC, report.root)
    assert "changed" in rows_problem(file, rows[1:], seal, PUBLIC, report.root)


@installed
def test_the_journals_hold_what_a_database_anchors(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They lie beside the public.json by which the database is verified."""
    made = first(tmp_path, url)
    journal = open_journal(tmp_path / "journal.jsonl")
    journal.append("open", b="b0")
    node = opened(url, "a", made.public, made.signing)
    news = node.begin()
    body = {"b": "b0", "gate": "writer", "head": journal.head, "last": 0, "spent": {}}
    node.insert([record(news.end, "anchor", body, 1000)], [("anchor", body)])
    node.close()
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    shutil.copy(made.path / "public.json", evidence)
    asked = ["verify", url, "--public", str(evidence / "public.json")]
    assert cli.run(asked) == 0
    assert cli.run([*asked, "--every-journal"]) == 1
    assert "no journal here tells of writer: deleted" in capsys.readouterr().out
    kept = shutil.copy(tmp_path / "journal.jsonl", evidence)
    assert cli.run([*asked, "--every-journal"]) == 0
    Path(kept).write_text("")
    assert cli.run(asked) == 1
    assert "no journal here contains it" in capsys.readouterr().out


@installed
def test_a_node_that_is_cut_off_takes_a_press_and_says_so(tmp_path: Path, url: str) -> None:
    one = first(tmp_path, url)
    with serving(one) as remote:
        until(lambda: not locked(remote))
    with hanging() as port:  # takes connections, and never answers
        one.set(store=f"postgresql://freezetag:geheim@127.0.0.1:{port}/postgres")
        with serving(one) as remote:
            begun = time.monotonic()
            (told, *_) = remote.press("fleet", "because")
            assert time.monotonic() - begun < 3
            assert told.state == "stopping, NOT durable"
            assert "the other nodes are not told" in told.why
            shown = json.dumps(remote.get("/api/status"))
            assert "did not answer" in shown
            assert "geheim" not in shown
            (held,) = remote.get("/api/status")["presses"]
            assert not held["durable"]
    assert held["id"] in (one.path / "second.jsonl").read_text()
    one.set(store=url)
    with serving(one) as remote:
        until(lambda: [p["durable"] for p in remote.get("/api/status")["presses"]] == [True])


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as made:
        yield made.getsockname()[1]


@installed
def test_a_node_whose_database_comes_later_comes_up_by_itself(tmp_path: Path, url: str) -> None:
    one = first(tmp_path, url)
    with hanging() as port:
        one.set(store=url.replace(f":{url.rpartition(':')[2].partition('/')[0]}/", f":{port}/"))
        with serving(one) as remote:
            assert "cannot be read" in locked(remote)
            made = PostgresStore.to_read(url, "lab", one.public)
            made.close()
    one.set(store=url)
    with serving(one) as remote:
        until(lambda: not locked(remote))


def _problem(url: str, public: bytes = PUBLIC) -> str:
    with pytest.raises(StoreError) as found:
        PostgresStore.check(url, "lab", public, within=5.0)
    return str(found.value)


@installed
def test_databases_that_are_not_ours(cluster: Cluster, url: str) -> None:
    name = url.rpartition("/")[2]
    assert "holds no ledger of ours" in _problem(url)
    PostgresStore.create(url, "lab", PUBLIC)
    PostgresStore.check(url, "lab", PUBLIC)
    with pytest.raises(StoreError, match="an authority already, and nothing is overwritten"):
        PostgresStore.create(url, "lab", PUBLIC)
    assert "another authority, lab: its key is not" in _problem(url, generate()[1])
    standby = cluster.url(cluster.ports["two"], name)
    assert "is a read-only replica" in _problem(standby)
    with pytest.raises(StoreError, match="read-only replica"):
        PostgresStore.create(standby, "lab", PUBLIC)
    cluster.sql("one", "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    said = _problem(cluster.url(cluster.ports["one"], name, "guarded:wr0ng"))
    assert "password authentication failed" in said
    assert "wr0ng" not in said
    assert "guarded:***@" in said
    assert "Connect call failed" in _problem(cluster.url(1, name))
    for change, text in (
        ("UPDATE freezetag.meta SET system = '1'", "holds a copy"),
        ("UPDATE freezetag.meta SET version = 2", "has the schema version 2"),
    ):
        _sql(cluster, name, change)
        assert text in _problem(url)


def _sql(cluster: Cluster, database: str, text: str) -> str:
    return cluster.sql("one", text, database)


@installed
def test_two_servers_of_one_name(url: str) -> None:
    PostgresStore.create(url, "lab", PUBLIC)
    one = opened(url, "a")
    writer = Writer(one, lambda *_: None)  # it beats
    writer.start()
    again = store(url, "a")
    assert not again.come_up()
    assert "another server runs as the node a" in again.shut
    with pytest.raises(StoreError, match="another server runs"):
        again.look()
    writer.close()
    assert again.come_up()  # the other one said that it ended
    again.serve()
    assert again.look().doubt == ""
    again.close()


@installed
def test_one_that_took_a_name_over_ends_the_other(url: str) -> None:
    PostgresStore.create(url, "lab", PUBLIC)
    one = opened(url, "a")
    other = opened(url, "a")  # the first one never beat: it may be dead
    assert other.look().doubt == ""
    with pytest.raises(StoreError, match="took over"):
        one.look()
    one.close()
    other.close()


@installed
def test_a_database_that_was_cut_back_is_locked(tmp_path: Path, cluster: Cluster, url: str) -> None:
    one, name = first(tmp_path, url), url.rpartition("/")[2]
    with serving(one) as remote:
        until(lambda: not locked(remote))
        enrolled(remote, tmp_path)
        until(lambda: (one.path / "witness.json").exists())
        seen = json.loads((one.path / "witness.json").read_text())
        assert seen["size"] in (0, 1)
        until(lambda: json.loads((one.path / "witness.json").read_text())["size"] == 1, 5)
        _sql(cluster, name, "CREATE TABLE kept AS SELECT * FROM freezetag.head")
        remote.press("fleet", "because")
        _sql(
            cluster,
            name,
            "DELETE FROM freezetag.ledger; UPDATE freezetag.head SET size = 0, note = ''; "
            "DELETE FROM freezetag.state; DELETE FROM freezetag.checkpoint",
        )
        until(lambda: "fewer records than this node saw" in locked(remote))
    with serving(one) as remote:  # and what it saw before outlives it
        assert "this node saw" in locked(remote)
        (told, *_) = remote.press("fleet", "again")
        assert told.state in ("durable", "stopping, NOT durable")


@installed
def test_records_that_nobody_signed_for_lock_a_node(
    tmp_path: Path, cluster: Cluster, url: str
) -> None:
    one, name = first(tmp_path, url), url.rpartition("/")[2]
    leaf = record(0, "clear", {"signatures": {}, "text": '{"presses":{}}'}, 0).decode()
    with serving(one) as remote:
        until(lambda: not locked(remote))
        _sql(
            cluster,
            name,
            f"INSERT INTO freezetag.ledger VALUES (0, convert_to('{leaf}', 'UTF8')); "
            "UPDATE freezetag.head SET size = 1, note = 'mine'",
        )
        until(lambda: "no node of ours signed for" in locked(remote))
        assert "no node of ours signed for" in locked(remote)


def test_settings_of_nodes(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="several nodes take both"):
        Settings(store="postgresql://h/d")
    with pytest.raises(HomeError, match="several nodes take both"):
        Settings(node="a")
    with pytest.raises(HomeError, match=r"--store is postgresql://USER@HOST/DATABASE, got 'x://"):
        Settings(store="x://u:secret@h/d", node="a")
    with pytest.raises(HomeError, match="--node: a node's name"):
        Settings(store="postgresql://h/d", node="a b")
    with pytest.raises(HomeError, match="--node-lease is a number of seconds above 0"):
        Settings(node_lease=0)
    with pytest.raises(HomeError, match=r"--node-lease is at least 0.1 s, got 0.05 s"):
        Settings(node_lease=0.05)
    alone = Home.create(tmp_path / "alone", Settings("lab"), PEOPLE, solo=False)
    with pytest.raises(HomeError, match="a database is for a new authority"):
        alone.set(store="postgresql://h/d", node="a")
    with pytest.raises(HomeError, match="which is for one server"):
        Home.join(tmp_path / "b", alone, Settings("lab", store="postgresql://h/d", node="b"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://u:secret@h:1/d", "postgresql://u:***@h:1/d"),
        ("postgresql://u@h,i/d?password=secret&x=1", "postgresql://u@h,i/d?password=***&x=1"),
        ("postgresql://u:se:c/r@et@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:@h/d", "postgresql://u:***@h/d"),
    ],
)
def test_no_password_is_shown(given: str, shown: str) -> None:
    assert masked(given) == shown


@installed
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps and CLOCK_BOOTTIME")
def test_the_bound_holds_on_two_nodes(tmp_path: Path) -> None:
    classes = ("link hangs", "standby killed", "failover")
    results = _chaos(tmp_path, "", classes, runs=19)
    assert [r for r in results if r["violations"]] == []
    assert {r["class"] for r in results if not r["broken"]} == set(classes), results
    assert sum(r["effects"] for r in results) > 100


@installed
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps and CLOCK_BOOTTIME")
def test_a_node_without_a_lease_of_its_own_is_caught(tmp_path: Path) -> None:
    """Nodes that go on granting without the database: the judge has to see it."""
    plant = "from freezetag.live.server.nodes import Nodes\nNodes.holds = True\n"
    results = _chaos(tmp_path, plant, ("link hangs",), runs=38)
    assert any("after the press" in each for r in results for each in r["violations"])


def _chaos(
    folder: Path, plant: str, classes: Sequence[str], runs: int, seed: int = 7
) -> list[dict[str, Any]]:
    """Results of the runs of these classes; a fault is planted in what all are forked from."""
    out = folder / "nodes.jsonl"
    arguments = ["--runs", str(runs), "--seed", str(seed), "--jobs", "1", "--out", str(out)]
    code = f"import sys\n{plant}from tests.live.nodes.__main__ import main\nsys.exit(main())"
    subprocess.run(
        [sys.executable, "-c", code, *arguments, "--only", ",".join(classes)],
        cwd=ROOT,
        capture_output=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    return [json.loads(line) for line in out.read_text().splitlines()]
