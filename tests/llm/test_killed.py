"""An exam that is killed goes on, and asks again what was in flight and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.llm import scripts
from tests.llm.scripted import serving

from freezetag.core.probe import MEASURED
from freezetag.report import schema

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
OUT = "run"
WORDS = f"--world matrix_game --probe class_effect --budget-calls 230 --seed 1 --out {OUT}".split()


def examine(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "freezetag", "examine", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def below(pid: int) -> list[int]:
    """The processes that this one started, and those that they started."""
    mine = [
        int(file.parent.name)
        for file in Path("/proc").glob("[0-9]*/stat")
        if int(file.read_text().rpartition(")")[2].split()[1]) == pid
    ]
    return [*mine, *(each for one in mine for each in below(one))]


def resumed(folder: Path) -> None:
    assert examine(folder, "--resume", OUT, "--budget-calls", "260").wait(timeout=120) == 0


def whole(folder: Path) -> Mapping[str, Any]:
    """What the run of a whole card has cost."""
    card = schema.read_json(folder / OUT)
    assert not card.partial
    assert [section.verdict for section in card.sections] == [MEASURED] * 2
    return card.run


@pytest.mark.long
@pytest.mark.parametrize("after", [5, 60, 110])
def test_what_was_asked_when_it_was_killed_is_asked_once(after: int, tmp_path: Path) -> None:
    """During the screen, in the first arm, in the second. Its workers write down what was on its
    way, and end."""
    running: list[subprocess.Popen[bytes]] = []

    def script(messages: Any) -> Any:
        if len(served.requests) == after and running:
            running.pop().kill()
        return scripts.reciprocates(messages)

    with serving(script) as served:
        first = examine(tmp_path, served.agent.replace("(", "(at_once=1, "), *WORDS)
        running.append(first)
        assert first.wait(timeout=120) == -signal.SIGKILL
        assert not (tmp_path / OUT / "card.json").exists()
        resumed(tmp_path)
    bodies = [str(sent) for sent in served.requests]
    assert len(set(bodies)) == len(bodies) > after
    assert whole(tmp_path)["calls"] == len(bodies)


@pytest.mark.long
def test_what_nobody_knows_the_end_of_is_asked_again(tmp_path: Path) -> None:
    """All of its processes are killed in the middle of a call."""
    running: list[subprocess.Popen[bytes]] = []

    def script(messages: Any) -> Any:
        if len(served.requests) == 60 and running:
            pid = running.pop().pid
            for each in [*below(pid), pid]:
                os.kill(each, signal.SIGKILL)
            raise ConnectionAbortedError
        return scripts.reciprocates(messages)

    with serving(script) as served:
        first = examine(tmp_path, served.agent.replace("(", "(at_once=1, "), *WORDS)
        running.append(first)
        assert first.wait(timeout=120) == -signal.SIGKILL
        assert len(served.requests) == 60
        resumed(tmp_path)
    count = Counter(str(sent) for sent in served.requests)
    assert [n for n in count.values() if n > 1] == [2]
    run = whole(tmp_path)
    assert run["calls"] == len(served.requests) - 1
    assert run["calls unknown"] == 1
