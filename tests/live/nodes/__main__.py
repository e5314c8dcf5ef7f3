"""`python -m tests.live.nodes --runs 500 --seed 0`: seeded runs on two nodes, by class of faults.

Bounded and resumable like `tests.live.chaos`. Each worker has a PostgreSQL cluster of its own: a
primary and a synchronous standby. The exit code is 1 if anything that must never happen did.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.live.chaos.shared import AGENTS, now
from tests.live.nodes.cluster import Cluster, programs
from tests.live.nodes.faults import ANEW, FAULTS
from tests.live.nodes.judge import judge
from tests.live.nodes.stage import BOUND, Stage

LONGEST = 75
"""Seconds of a run; a longer one is broken."""
BACK = 6.0
SKEW = 3600.0
"""Seconds by which the nodes' wall clocks may differ."""


def one(cluster: Cluster, number: int, seed: int, keep: bool = False) -> dict[str, Any]:
    """The result of one run: `violations`, `broken` (why it proves nothing), and counts."""
    name = list(FAULTS)[number % len(FAULTS)]
    dice = random.Random(f"{seed} {number}")
    result: dict[str, Any] = {"run": number, "class": name, "violations": [], "broken": ""}
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    begun = time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST)
    try:
        skews = {"b": dice.choice((0.0, -SKEW, SKEW))}
        with Stage(cluster, folder, dice.randrange(1 << 30), skews) as stage:
            if not stage.acting(AGENTS, 0.0, 10.0):
                raise RuntimeError("the agents never acted")
            time.sleep(dice.uniform(0, 0.3))
            try:
                FAULTS[name](stage)
            except AssertionError as error:
                result["violations"].append(str(error))
            time.sleep(BOUND + 0.1)
            stage.heal()
            time.sleep(0.3)
            if dice.random() < 0.3:
                result["stuck"] = _back(stage, dice)
            for pid in stage.gates.values():
                os.kill(pid, signal.SIGKILL)
            verdict = judge(stage)
        result["violations"] += verdict.violations
        for each in ("effects", "after_press", "latest", "durable", "later", "acks"):
            result[each] = getattr(verdict, each)
        result["presses"] = len(stage.presses)
    except (Exception, TimeoutError) as error:
        result["broken"] = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    result["seconds"] = round(time.monotonic() - begun, 2)
    if keep or result["violations"] or result["broken"]:
        result["folder"] = str(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _ended(*_: Any) -> None:
    raise KeyboardInterrupt


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"longer than {LONGEST} s")


def _back(stage: Stage, dice: random.Random) -> str:
    """Clearance by two and a start each: then, and only then, they act again. "" if they do."""
    node = dice.choice(("a", "b"))
    if any(stage.status(node)["presses"]):
        stage.reset(node)
    time.sleep(0.2)
    since = now()
    for row in stage.status(node)["agents"]:
        if not row["started"] and not stage.start(row["agent"], node, within=BACK):
            return f"{row['agent']} cannot be started: {row}"
    return "" if stage.acting(AGENTS, since, BACK) else "started, and does not act"


def work(numbers: Sequence[int], seed: int, out: Path, keep: bool) -> None:
    cluster = None
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _ended)  # so that no server is left behind
    try:
        for number in numbers:
            if cluster is None:
                cluster = Cluster().__enter__()
            result = one(cluster, number, seed, keep)
            if result["class"] in ANEW or result["broken"]:
                cluster.close()
                cluster = None
            with out.open("a") as file:
                file.write(json.dumps(result) + "\n")
    finally:
        if cluster is not None:
            cluster.close()


def table(results: Sequence[dict[str, Any]]) -> str:
    """One line a class; `latest` is in seconds after a press was answered as durable."""
    columns = ("effects", "presses", "durable", "later", "acks", "after_press")
    heads = ("runs", *columns, "latest", "violated", "broken")
    rows = [f"{'class of faults':<22}" + "".join(f"{head:>12}" for head in heads)]
    for name in (*FAULTS, "all"):
        mine = [r for r in results if name in (r["class"], "all")]
        numbers = [len(mine), *(sum(r.get(column, 0) for r in mine) for column in columns)]
        worst = max((r.get("latest", float("-inf")) for r in mine), default=float("-inf"))
        wrong = [sum(bool(r[kind]) for r in mine) for kind in ("violations", "broken")]
        shown = [*map(str, numbers), f"{worst:.3f}" if worst > 0 else "-", *map(str, wrong)]
        rows.append(f"{name:<22}" + "".join(f"{each:>12}" for each in shown))
    back = [r["stuck"] for r in results if "stuck" in r]
    rows.append(f"acted again after clearance and start: {back.count('')} of {len(back)}")
    rows.append(
        "later: taken by a node without the database, and stored since; after_press: admissions "
        f"asked for after a press was answered as durable. The bound is {BOUND:.4f} s."
    )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.nodes")
    parser.add_argument("--runs", type=int, default=len(FAULTS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("nodes.jsonl"))
    parser.add_argument("--only", help="one class of faults, or several with commas")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if programs() is None:
        sys.exit("PostgreSQL is not installed: apt-get install postgresql")
    names, chosen = list(FAULTS), (options.only or "").split(",")
    wanted = [
        n
        for n in range(options.first, options.first + options.runs)
        if options.only is None or names[n % len(names)] in chosen
    ]
    done = {r["run"] for r in _read(options.out)}
    left = [n for n in wanted if n not in done]
    children = []
    for job in range(options.jobs):
        pid = os.fork()
        if not pid:
            with contextlib.suppress(KeyboardInterrupt):
                work(left[job :: options.jobs], options.seed, options.out, options.keep)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    results = [r for r in _read(options.out) if r["run"] in set(wanted)]
    print(table(results))
    for result in results:
        if result["violations"] or result["broken"] or result.get("stuck"):
            print(json.dumps(result))
    return int(any(r["violations"] for r in results) or len(results) < len(wanted))


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
