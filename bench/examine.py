"""How long a whole examination takes, cold (no program kept) and warm (the second run), where the
time went, and what each probe costs warm.

Goals on 2 cores: a player of ours 15 s warm and 60 s cold, a Python file 25 s warm. Beside the
clock it prints processor time (user and system, of the agent's processes too), which is what can be
compared on a machine that others use. `python -m bench.examine [agent ...]` examines these agents.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench._examine_phases import MARK
from bench._measure import head
from bench._process import COMMAND, run

AGENTS = ("tit_for_tat", "my_agent.py", "axelrod:Grudger")
WARM = {"tit_for_tat": 15.0, "my_agent.py": 25.0}
COLD = {"tit_for_tat": 60.0}
LINE = re.compile(r"^ *([0-9.]+) s  (\w+), ([^:]+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Measured:
    """One run of the whole process: seconds by the clock and of the processor, and what it said."""

    wall: float
    cpu: float
    code: int
    printed: str

    @property
    def phases(self) -> dict[str, Any]:
        """Where the time went; {} if the process did not say."""
        lines = [line for line in self.printed.splitlines() if line.startswith(MARK)]
        return json.loads(lines[-1].removeprefix(MARK)) if lines else {}

    @property
    def probes(self) -> dict[str, float]:
        """Seconds by probe and world, of those that were measured."""
        found, before = {}, 0.0
        for at, probe, world, verdict in LINE.findall(self.printed):
            if verdict != "not measured":
                found[f"{probe}, {world}"] = float(at) - before
            before = float(at)
        return found


def examined(agent: str, folder: Path) -> Measured:
    """One examination in a process of its own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "bench._examine_phases", agent, "--seed", "1"]
    wall, code, printed = run(command, folder, folder / "cache")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return Measured(wall, cpu, code, printed)


def told(name: str, one: Measured) -> None:
    """Print a run."""
    parts = "  ".join(f"{key} {value:.1f}" for key, value in one.phases["seconds"].items())
    counts = f"{one.phases['compiled']} compiled, {one.phases['loaded']} loaded"
    print(f"  {name:<6} {one.wall:7.1f} s  processor {one.cpu:6.1f} s   {parts}   ({counts})")


def main() -> None:
    agents = tuple(sys.argv[1:]) or AGENTS
    head("freezetag examine, seconds of the whole process", "jax", "axelrod")
    root = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (root, os.environ.get("PYTHONPATH", "")))
    )
    for agent in agents:
        print(agent)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if agent == "my_agent.py":
                run([COMMAND, "new", agent], folder)
            cold, warm = examined(agent, folder), examined(agent, folder)
            card = sorted(folder.glob("runs/*/card.html"))
            if not {cold.code, warm.code} <= {0, 1} or len(card) != 2:
                print(f"  no card from both runs: this times no examination\n{warm.printed}")
                continue
            told("cold", cold)
            told("warm", warm)
            for probe, seconds in warm.probes.items():
                print(f"           {seconds:6.1f} s  {probe}, warm")
            for kind, run_, goals in (("cold", cold, COLD), ("warm", warm, WARM)):
                if agent in goals:
                    met = "met" if run_.wall <= goals[agent] else "MISSED"
                    print(f"  goal {kind} {goals[agent]:g} s: {met}")
    if any(agent.startswith("axelrod:") for agent in agents):
        seconds, _, _ = run([sys.executable, "-W", "ignore", "-c", "import axelrod"], Path())
        print(f"of this, import axelrod in a process of its own: {seconds:.1f} s")


if __name__ == "__main__":
    main()
