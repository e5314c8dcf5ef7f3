"""A folder that an older version wrote is served, keeps its stops, and can be verified.

`tests/data/upgrade` was written at commit bde351c: `writer` was pressed, reset by two people and
started again; a press of `reader` stands; `held` was never started.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import agent, serving, signed, started, until
from tests.live.conftest import Run

import freezetag as ft
from freezetag.live.authority.home import Home, HomeError

OLD = Path(__file__).resolve().parents[1] / "data" / "upgrade"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the folder; a clone does not keep that it is for its owner's eyes only."""
    return Path(shutil.copytree(OLD / "oversight", tmp_path / "oversight"))


def people() -> dict[str, Any]:
    told = json.loads((OLD / "people.json").read_text())
    return {name: tuple(map(bytes.fromhex, pair)) for name, pair in told.items()}


def test_its_stops_hold_and_its_gate_comes_back(old: Path, run: Run, tmp_path: Path) -> None:
    assert run("verify", "oversight")[0] == 0  # as it was written
    with serving(Home.open(old)) as remote:
        until(lambda: not remote.get("/api/status")["locked"])
        assert agent(remote, "reader")["presses"]
        assert not agent(remote, "reader")["started"]
        assert agent(remote, "held")["shown"] == "held"
        assert not remote.get("/api/status")["alarms"]
        told = json.loads((OLD / "writer.enrolment").read_text())
        told["addresses"] = list(remote.addresses)
        (tmp_path / "writer.enrolment").write_text(json.dumps(told))
        with ft.connect(tmp_path / "writer.enrolment") as gate:
            # It was silent for longer than a gate may return from by itself.
            until(lambda: gate.gate.answers.get("lab") == "held")
            started(remote)
            assert gate.wait(5)
            with gate.action("work"):
                pass
            keys = people()
            text = remote.get("/api/draft")["text"]
            told = remote.post("/api/clear", signed(text, keys["ada"], keys["bob"]))
            assert told["cleared"]
            started(remote, "reader")
    code, out, _ = run("verify", "oversight")
    assert (code, "verified" in out) == (0, True), out
    with serving(Home.open(old)) as remote:  # sealed now: granted at once
        until(lambda: not remote.get("/api/status")["locked"])
        assert not agent(remote, "reader")["presses"]


def test_a_folder_of_a_newer_version_is_refused_by_name(old: Path) -> None:
    file = old / "authority.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"quorums": 3}))
    with pytest.raises(HomeError, match=r"no such setting: quorums\. Where a newer version"):
        Home.open(old)
