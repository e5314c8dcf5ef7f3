"""Real exams on real processes: killed, resumed, on Ray, with agents that fail in every way."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from freezetag.report import schema
from freezetag.sweep.local import how_it_ended

FREEZETAG = [sys.executable, "-m", "freezetag"]
AGENTS = {
    "broken.py": "def act(obs: return\n",
    "crash.py": "def act(obs):\n    return 1 / 0\n",
    "greedy.py": "def act(obs):\n    return obs['selfish']\n",
    # What the kernel does to a process that takes too much memory: it is the exam's own.
    "kills.py": "import os\ndef act(obs):\n    os.kill(os.getppid(), 9)\n",
    "sharer.py": "COUNT = [0]\n"
    "def act(obs):\n"
    "    COUNT[0] += 1  # of one exam, if each begins anew\n"
    "    return obs['prosocial'] if COUNT[0] < 50 else obs['selfish']\n",
}
CHEAP = ["--seeds", "2", "--probe", "commons_collapse", "--classmates", "1", "--size", "0.02"]
SWEEP = ["sweep", "mine", *CHEAP]


def freezetag(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FREEZETAG, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sweeps")
    (home / "mine").mkdir()
    for name, text in AGENTS.items():
        (home / "mine" / name).write_text(text)
    return home


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[Path, str]:
    """An uninterrupted sweep on two processes, and what it printed."""
    done = freezetag(folder, *SWEEP, "--jobs", "2", "--out", "whole", "--json")
    assert done.returncode == 1, done.stderr  # some have no card
    return folder / "whole", done.stdout


def hashed(sweep: Path) -> dict[str, str]:
    """All that is a function of the request: the store's bytes, and the results of each card."""
    cards = sorted((sweep / "cells").glob("*/card.json"))
    found = {card.parent.name: schema.results_hash(schema.read_json(card)) for card in cards}
    store = (sweep / "results.parquet").read_bytes()
    return {**found, "store": hashlib.sha256(store).hexdigest()}


@pytest.mark.slow
def test_whoever_fails_is_a_row_and_the_others_go_on(whole: tuple[Path, str]) -> None:
    path, printed = whole
    found: dict[str, Any] = {a["agent"]: a for a in json.loads(printed)["agents"]}
    worst = {name.removeprefix("mine/"): each["worst"] for name, each in found.items()}
    assert {worst.pop("broken.py"), worst.pop("kills.py")} == {"no card"}
    assert worst.pop("crash.py") == "fail"
    assert set(worst) == {"greedy.py", "sharer.py"}
    assert len(found["mine/sharer.py"]["checks"][0]["values"]) == 2
    reasons = dict(
        duckdb.execute(
            "select agent, reason from read_parquet(?) where verdict = 'no card' and seed = 1",
            [str(path / "results.parquet")],
        ).fetchall()
    )
    assert "was killed (SIGKILL). That is what the kernel does" in reasons["mine/kills.py"]
    assert "mine/broken.py:1 is not valid Python" in reasons["mine/broken.py"]
    assert str(path.parent) not in "".join(reasons.values())
    html = (path / "index.html").read_text()
    for card in path.glob("cells/*/card.html"):
        assert f'href="cells/{card.parent.name}/card.html' in html
    assert not list(path.glob("cells/*/parts/*.json"))


@pytest.mark.slow
def test_a_cell_is_the_run_that_examine_makes(folder: Path, whole: tuple[Path, str]) -> None:
    (cell,) = whole[0].glob("cells/*sharer.py-seed1-*")
    done = freezetag(folder, "examine", "--spec", str(cell / "spec.toml"), "--out", "alone")
    assert done.returncode in (0, 1), done.stderr
    mine, alone = (schema.results_hash(schema.read_json(f)) for f in (cell, folder / "alone"))
    assert mine == alone


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_to_the_byte(folder: Path, whole: tuple[Path, str]) -> None:
    cut = folder / "cut"
    child = subprocess.Popen(
        [*FREEZETAG, *SWEEP, "--jobs", "1", "--out", "cut"], cwd=folder, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while not list(cut.glob("cells/*/card.html")) and child.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    before = len(list(cut.glob("cells/*/card.html")))
    assert not (cut / "results.parquet").exists()
    done = freezetag(folder, "sweep", "--resume", "cut")
    assert done.returncode == 1, done.stderr
    assert f"{before} of them are there already" in done.stderr
    assert hashed(cut) == hashed(whole[0])


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured_and_says_how_to_go_on(folder: Path) -> None:
    child = subprocess.Popen(
        [*FREEZETAG, *SWEEP, "--jobs", "1", "--out", "stopped"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "2/10" in line:
            break
    child.send_signal(signal.SIGINT)
    out, errors = child.communicate(timeout=180)
    assert child.returncode == 130, (out, errors)
    assert "go on with: freezetag sweep --resume stopped" in errors
    assert "Traceback" not in errors
    assert "are missing" in (folder / "stopped" / "index.html").read_text()
    assert (folder / "stopped" / "results.parquet").exists()


@pytest.mark.slow
def test_on_ray_it_is_the_same_to_the_byte(folder: Path, whole: tuple[Path, str]) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: make .venv/.stamps/cluster")
    done = freezetag(folder, *SWEEP, "--jobs", "2", "--out", "ray", "--on", "ray")
    assert done.returncode == 1, done.stderr
    ours, theirs = hashed(whole[0]), hashed(folder / "ray")
    # How a process was lost is said in the words of whoever lost it.
    assert {k: v for k, v in theirs.items() if k != "store"} == {
        k: v for k, v in ours.items() if k != "store"
    }
    assert _measured(folder / "ray") == _measured(whole[0])
    assert "Ray lost its process" in done.stderr


def _measured(sweep: Path) -> list[Any]:
    """The store without the rows of lost processes."""
    return duckdb.execute(
        "select * from read_parquet(?) where agent != 'mine/kills.py'",
        [str(sweep / "results.parquet")],
    ).fetchall()


@pytest.mark.slow
def test_a_ray_that_is_not_there(folder: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: make .venv/.stamps/cluster")
    nowhere = ["--on", "ray", "--ray-address", "127.0.0.1:1"]
    done = freezetag(folder, *SWEEP, *nowhere, "--out", "nowhere")
    assert done.returncode == 2, done.stderr
    assert "no Ray answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_how_a_process_ended_in_words() -> None:
    assert "memory" in how_it_ended(-signal.SIGKILL)
    assert "SIGSEGV" in how_it_ended(-signal.SIGSEGV)
    assert "another program" in how_it_ended(130)
    assert how_it_ended(3) == "ended by itself with code 3."
