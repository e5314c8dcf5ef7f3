"""`python -m tests.live.fuzz --runs 100000`: fuzzed input of seven kinds; none crashes, none opens.

Inputs are valid ones changed a little (bytes, or JSON fields; frames also sealed again with the
right key), and bytes at random. The seven share the runs by weight.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def targets(seed: int) -> Iterator[dict[str, Callable[[int], list[str]]]]:
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


def run(runs: int, seed: int) -> dict[str, tuple[int, list[str]]]:
    """By target: how many inputs, and what went wrong."""
    found = {}
    with targets(seed) as works:
        for name, work in works.items():
            count = runs * WEIGHTS[name] // sum(WEIGHTS.values()) or 1
            found[name] = (count, work(count))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.fuzz")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = run(options.runs, options.seed)
    for name, (count, wrong) in found.items():
        print(f"{name:<34}{count:>9} inputs {len(wrong):>6} problems")
        for problem in wrong[:5]:
            print(f"    {problem[:1000]}")
    return int(any(wrong for _, wrong in found.values()))


if __name__ == "__main__":
    sys.exit(main())
