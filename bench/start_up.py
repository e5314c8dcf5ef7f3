"""How soon a command answers: whole processes, beside Python itself and what we import.

Goals: `freezetag --help` at most 0.5 s, the first line of progress of `examine` at most 3 s.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench._measure import checked, head
from bench._process import COMMAND, run

REPEATS, FEW = 7, 3
PROGRESS = "freezetag:"
"""What a line of progress starts with, where the output is no terminal."""


def main() -> None:
    head("start-up, seconds of whole processes", "jax", "numpy", "cyclopts")
    works = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import jax": [sys.executable, "-c", "import jax"],
        "import freezetag.core": [sys.executable, "-c", "import freezetag.core"],
        "freezetag --help": [COMMAND, "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(REPEATS + 1):
        for name, command in works.items():
            seconds, code, printed = run(command, Path())
            if code:
                raise SystemExit(f"{name} left with {code}:\n{printed}")
            if repeat:  # the first writes byte code
                times[name].append(seconds)
    _, _, text = run([COMMAND, "--help"], Path())
    checked("--help names examine, check and card", all(w in text for w in WORDS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [COMMAND, "examine", "tit_for_tat", "--seed", "1", "--out"]
        times["examine, to the first line"] = [
            run([*command, f"run-{n}"], folder, until="")[0] for n in range(FEW)
        ]
    print(f"{'seconds':<30} {'min':>8} {'median':>8} {'max':>8}")
    for name, found in times.items():
        print(f"{name:<30} {min(found):8.3f} {statistics.median(found):8.3f} {max(found):8.3f}")
    base = statistics.median(times["python -c pass"])
    for name, goal in (("freezetag --help", 0.5), ("examine, to the first line", 3.0)):
        found = statistics.median(times[name])
        said = "met" if found <= goal else "MISSED"
        print(f"{name}: {found:.2f} s, {found / base:.0f} times python itself  goal {goal}: {said}")


WORDS = ("examine", "check", "card")

if __name__ == "__main__":
    main()
