"""`freezetag examine` as a process: results on stdout, what happened in the exit code."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from freezetag import cli

FREEZETAG = [sys.executable, "-m", "freezetag"]
QUICK = ["--probe", "commons_collapse", "--classmates", "6", "--seed", "0"]
AGENTS = {
    "sharer.py": "def act(obs):\n    return obs['prosocial']\n",
    "greedy.py": "def act(obs):\n    return obs['selfish']\n",
    "crash.py": "def act(obs):\n    raise ValueError('\\x1b[31m<b>[red]no[/red]</b>')\n",
    "\x1b[31m[red]<b>x.py": "def act(obs):\n    return obs['prosocial']\n",
}


@pytest.fixture(autouse=True)
def agents(tmp_path: Path) -> None:
    for name, text in AGENTS.items():
        if "/" not in name:
            (tmp_path / name).write_text(text)


def examine(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FREEZETAG, "examine", *arguments],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def results(run: Path) -> Any:
    return json.loads((run / "card.json").read_text())


@pytest.mark.slow
def test_json_is_json_and_healthy_is_0(tmp_path: Path) -> None:
    done = examine(tmp_path, "sharer.py", *QUICK, "--out", "a", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == results(tmp_path / "a")
    shown = subprocess.run(
        [*FREEZETAG, "card", "a"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "sharer.py: passes 1 of 1 checks" in shown.stdout
    assert "\x1b" not in done.stdout + done.stderr + shown.stdout


@pytest.mark.slow
def test_a_failed_limit_is_1_unless_never(tmp_path: Path) -> None:
    done = examine(tmp_path, "greedy.py", *QUICK)
    assert done.returncode == 1, done.stderr
    assert "FAIL" in done.stdout
    assert "card.html" in done.stdout.splitlines()[-1]
    assert examine(tmp_path, "greedy.py", *QUICK, "--fail-on", "never").returncode == 0
    assert (tmp_path / "runs" / "greedy.py-2" / "card.html").exists()


@pytest.mark.slow
def test_an_agent_that_cannot_run_is_3_and_its_words_are_harmless(tmp_path: Path) -> None:
    done = examine(tmp_path, "crash.py", *QUICK, FORCE_COLOR="")
    assert done.returncode == 3, done.stdout
    assert "step 0" in done.stdout
    assert "\x1b" not in done.stdout
    assert "[red]no[/red]" in done.stdout  # shown as it is, not read as markup
    assert done.stdout.count("agent failed") == 1
    assert done.stderr.count("agent failed") == 1
    assert "class of 1" not in done.stdout  # no table for no rows


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("nomod:Thing", "nomod:Thing cannot be used: there is no module 'nomod'"),
        ("os:path", "os:path cannot be used: os:path gave 'module', which has no act(observation)"),
        ("empty.py", "empty.py cannot be used: no agent in "),
        ("broken.py", "broken.py raised ZeroDivisionError"),
        ("moves.py", "moves.py cannot be used: "),
        ("needs.py", "needs.py raised TypeError: "),
        ("math:sin", "math:sin cannot be used: math:sin has no source"),
        ("learner:flat.py", "flat.py has no learn(day)"),
        ("learner:needs.py", "needs.py raised TypeError: "),
    ],
)
def test_an_agent_that_cannot_be_loaded_or_made_is_an_unknown_one(
    agent: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.py").touch()
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "moves.py").write_text("class Agent:\n    def move(self, obs): return 0\n")
    (tmp_path / "flat.py").write_text("def act(obs):\n    return obs['prosocial']\n")
    (tmp_path / "needs.py").write_text(
        "class Agent:\n    def __init__(self, model): ...\n    def act(self, obs): return 0\n"
    )
    assert cli.run(["examine", agent, "--out", "run"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"freezetag: {told}")
    assert "seat" not in said.err
    assert not said.out
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_hostile_file_name_is_harmless(tmp_path: Path) -> None:
    name = next(name for name in AGENTS if name.startswith("\x1b"))
    done = examine(tmp_path, name, *QUICK, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "<b>x" not in (tmp_path / "run" / "card.html").read_text()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured_and_resume_gives_the_same_results(tmp_path: Path) -> None:
    probes = ["--probe", "commons_collapse", "--probe", "lock_in", "--seed", "3"]
    probes += ["--classmates", "6", "--size", "0.3"]
    whole = examine(tmp_path, "tit_for_tat", *probes, "--out", "whole")
    assert whole.returncode in (0, 1), whole.stderr
    for attempt in range(4):  # on a busy machine it may be through before the signal comes
        cut = f"cut{attempt}"
        child = subprocess.Popen(
            [*FREEZETAG, "examine", "tit_for_tat", *probes, "--out", cut],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs this in the background has Ctrl-C ignored, for its children too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        first = tmp_path / cut / "parts" / "000.json"
        deadline = time.monotonic() + 240
        while not first.exists() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=300)
        if child.returncode == 130:
            break
    assert child.returncode == 130, (child.returncode, out, errors)
    assert "--resume" in out
    assert len([s for s in results(tmp_path / cut)["results"]["sections"] if s["measurements"]])
    resumed = examine(tmp_path, "--resume", cut)
    assert resumed.returncode == whole.returncode, resumed.stderr
    assert digest(tmp_path / cut) == digest(tmp_path / "whole")
    assert examine(tmp_path, "--resume", cut).returncode == 2  # it is complete


def digest(run: Path) -> str:
    """Of the results alone: `run` has times."""
    text = json.dumps(results(run)["results"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
