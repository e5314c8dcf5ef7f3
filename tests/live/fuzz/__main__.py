"""`python -m tests.live.fuzz --runs 100000`: fuzzed input of seven kinds; none crashes, none opens.

Inputs are valid ones changed a little (bytes, or JSON fields; frames also sealed again with the
right key), and bytes at random. The seven share the runs by weight. Bounded and resumable: the runs
are done in parts, each with dice of its own, and parts that are in `--out` are not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.chaos.shared import die_with_parent
from tests.live.fuzz.channels import Http, Mcp
from tests.live.fuzz.decisions import Certificates, Frames, Latches, Tokens

WEIGHTS = {
    "frames at a gate": 25,
    "frames at the authority": 20,
    "certificates and states": 15,
    "tokens": 10,
    "latches": 5,
    "JSON-RPC through the MCP proxy": 20,
    "HTTP requests": 5,
}
BATCH = 500
PART = 10_000
"""Inputs of a part."""


@contextmanager
def targets(seed: int | str) -> Iterator[dict[str, Callable[[int], list[str]]]]:
    """Each takes a number of inputs and gives the problems found."""
    dice = random.Random(seed)
    frames, latches, tokens = Frames(dice), Latches(dice), Tokens(dice)
    certificates, mcp = Certificates(dice), Mcp(dice)

    def each(work: Callable[[], str]) -> Callable[[int], list[str]]:
        return lambda count: [wrong for _ in range(count) if (wrong := _safely(work))]

    with tempfile.TemporaryDirectory(prefix="ftz") as folder:
        http = Http(dice, Path(folder))
        try:
            yield {
                "frames at a gate": each(frames.at_gate),
                "frames at the authority": each(frames.at_authority),
                "certificates and states": each(certificates.one),
                "tokens": each(tokens.one),
                "latches": each(latches.one),
                "JSON-RPC through the MCP proxy": lambda count: [
                    wrong
                    for first in range(0, count, BATCH)
                    for wrong in mcp.batch(min(BATCH, count - first))
                ],
                "HTTP requests": lambda count: [*each(http.one)(count), *http.close()],
            }
        finally:
            http.server.close()


def _safely(work: Callable[[], str]) -> str:
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def run(runs: int, seed: int | str) -> dict[str, tuple[int, list[str]]]:
    """By target: how many inputs, and what went wrong."""
    found = {}
    with targets(seed) as works:
        for name, work in works.items():
            count = runs * WEIGHTS[name] // sum(WEIGHTS.values()) or 1
            found[name] = (count, work(count))
    return found


def work(parts: list[tuple[int, int]], seed: int, out: Path) -> None:
    for number, runs in parts:
        begun, used = time.monotonic(), time.process_time()
        found = run(runs, f"{seed} {number}")
        result = {"part": number, "seed": seed, "runs": runs, "found": found}
        result |= {"seconds": time.monotonic() - begun, "processor": time.process_time() - used}
        with out.open("a") as file:
            file.write(json.dumps(result) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.fuzz")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("fuzz.jsonl"))
    options = parser.parse_args()
    wanted = [(n, min(PART, options.runs - n * PART)) for n in range(-(-options.runs // PART))]
    done = {(each["part"], each["runs"]) for each in _read(options.out, options.seed)}
    left = [part for part in wanted if part not in done]
    children = []
    for job in range(options.jobs):
        pid = os.fork()
        if not pid:
            die_with_parent()
            work(left[job :: options.jobs], options.seed, options.out)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    results = [r for r in _read(options.out, options.seed) if (r["part"], r["runs"]) in wanted]
    inputs: Counter[str] = Counter()
    problems: dict[str, list[str]] = {name: [] for name in WEIGHTS}
    for result in results:
        for name, (count, wrong) in result["found"].items():
            inputs[name] += count
            problems[name] += wrong
    for name, wrong in problems.items():
        print(f"{name:<34}{inputs[name]:>9} inputs {len(wrong):>6} problems")
        for problem in wrong[:5]:
            print(f"    {problem[:1000]}")
    print(f"{len(results)} of {len(wanted)} parts, {sum(inputs.values())} inputs")
    return int(any(problems.values()) or len(results) < len(wanted))


def _read(path: Path, seed: int) -> list[dict[str, Any]]:
    """The parts of this seed, each once."""
    found = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return list({each["part"]: each for each in found if each["seed"] == seed}.values())


if __name__ == "__main__":
    sys.exit(main())
