"""How long a whole examination takes, cold (empty compilation cache) and warm (the second run).

Goals: warm at most 60 seconds on 2 cores (beside Axelrod's own import), cold at most 120.
`python -m bench.examine [agent ...]` examines these agents instead of the three.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench._measure import head
from bench._process import COMMAND, run

AGENTS = ("tit_for_tat", "my_agent.py", "axelrod:Grudger")
WARM, COLD = 60, 120


def main() -> None:
    agents = tuple(sys.argv[1:]) or AGENTS
    head("freezetag examine, seconds of the whole process", "jax", "axelrod")
    print(f"{'agent':<24} {'cold':>8} {'warm':>8}   exit  last line")
    for agent in agents:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if agent == "my_agent.py":
                run([COMMAND, "new", agent], folder)
            command = [COMMAND, "examine", agent, "--seed", "1"]
            cold, _, _ = run(command, folder, folder / "cache")
            warm, code, printed = run(command, folder, folder / "cache")
            last = (printed.strip().splitlines() or ["(nothing printed)"])[-1][:60]
            card = sorted(folder.glob("runs/*/card.html"))
            print(f"{agent:<24} {cold:8.1f} {warm:8.1f}   {code:>4}  {last}")
            if code not in (0, 1) or len(card) != 2:
                print(f"  no card from both runs: this is no timing of an examination\n{printed}")
            elif warm > WARM or cold > COLD:
                print(f"  goal missed: warm at most {WARM} s, cold at most {COLD} s")
    if any(agent.startswith("axelrod:") for agent in agents):
        seconds, _, _ = run([sys.executable, "-W", "ignore", "-c", "import axelrod"], Path())
        print(f"of this, import axelrod in a process of its own: {seconds:.1f} s")


if __name__ == "__main__":
    main()
