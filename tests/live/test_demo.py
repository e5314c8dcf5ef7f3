"""The demonstration holds what it claims, and leaves nothing behind, also on Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the official SDK is not installed: pip install mcp")
pytestmark = pytest.mark.slow
DEMO = Path(__file__).resolve().parents[2] / "examples" / "live" / "demo.py"


def begun(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(DEMO), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def test_one_press_stops_three_real_agents(tmp_path: Path) -> None:
    demo = begun(tmp_path)
    told, errors = demo.communicate(timeout=120)
    print(told)
    assert demo.returncode == 0, told + errors
    assert "FAILED" not in told
    late = re.findall(r"last effect (-?\d+) ms after the press", told)
    assert len(late) == 3
    assert all(int(each) <= 1001 for each in late)
    assert len(re.findall("ok      the ledger verifies", told)) == 2
    assert "ok      two people: all are HELD" in told
    assert re.search("ok      after the explicit start .* have effects again", told)
    assert told.rstrip().endswith("all claims hold")
    assert [*tmp_path.iterdir()] == []


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    demo = begun(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "have effects" in line:
            break
    (folder,) = tmp_path.iterdir()
    files = [*folder.glob("*.effects")]
    pids = {int(line.split()[1]) for file in files for line in file.read_text().splitlines()}
    demo.send_signal(signal.SIGINT)
    told, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130, told + errors
    assert "ok      every process that had an effect is gone" in told
    assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert [*tmp_path.iterdir()] == []
