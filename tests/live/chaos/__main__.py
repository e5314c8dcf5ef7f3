"""`python -m tests.live.chaos --runs 1000 --seed 0`: seeded runs, a table by class of faults.

Bounded and resumable: results are appended to `--out`, and runs that are there are not run again,
but for those that were broken: they prove nothing, and the next start tries them once more. Run N
has the class N modulo their number, and dice of its own. At most `--jobs` go on at once, fewer
where the machine is busy. The exit code is 1 if anything that must never happen did.
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

from tests.live.calm import calm
from tests.live.chaos.classes import FAULTS
from tests.live.chaos.faults import TWO
from tests.live.chaos.oracle import KAPPA, judge
from tests.live.chaos.scene import BOUND, Scene
from tests.live.chaos.shared import AGENTS, die_with_parent, now
from tests.live.lossy import Violation, walk
from tests.live.warm import warm

LONGEST = 40
"""Seconds of a run; a longer one is broken."""
BACK = 4.0
ONE_WAY = ("older copy", "older copy, grown again", "gate cloned", "write-ahead log removed")
"""After these a clearance and a start do not suffice: the copy, or the clone, is still there, or
records are gone."""
COPIED = ("gate cloned", "gate forked")
"""Only of these an authority may say that it sees two of a gate."""
NEVER = float("-inf")


def one(number: int, seed: int, keep: bool = False) -> dict[str, Any]:
    """The result of one run: `violations`, `broken` (why it proves nothing), and counts."""
    name = list(FAULTS)[number % len(FAULTS)]
    dice = random.Random(f"{seed} {number}")
    result: dict[str, Any] = {"run": number, "seed": seed, "class": name}
    result |= {"violations": [], "broken": ""}
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    begun = time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST)
    try:
        slow, forks = dice.random() < 0.5, name == "gate forked"
        settings = {"two": name in TWO, "slow": slow, "forks": forks}
        with Scene(folder, dice.randrange(1 << 30), **settings) as scene:
            if not scene.acting(AGENTS, 0.0, 10.0):
                raise RuntimeError("the agents never acted")
            time.sleep(dice.uniform(0, 0.3))
            result["slow"] = slow
            try:
                FAULTS[name](scene)
            except AssertionError as error:
                result["violations"].append(str(error))
            time.sleep(BOUND + 0.2)
            scene.heal()
            time.sleep(BOUND)
            back = dice.random() < 0.3 and name not in ONE_WAY
            wrong = "" if name in COPIED else _cloned(scene)
            if wrong or back:
                result["stuck"] = wrong or _back(scene)
            for pid in scene.gates.values():
                os.kill(pid, signal.SIGKILL)
            verdict = judge(scene)
        result["violations"] += verdict.violations
        result |= {"effects": verdict.effects, "acks": verdict.stopped}
        result |= {"after": verdict.after_press, "latest": verdict.latest}
        result["slowest"] = verdict.slowest
        result["presses"] = len(scene.notes.presses)
        result["durable"] = sum(press.state == "durable" for press in scene.notes.presses)
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


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"longer than {LONGEST} s")


def _cloned(scene: Scene) -> str:
    """What is wrongly said of a copy."""
    alarms = [each for name in scene.authorities for each in scene.status(name)["alarms"]]
    return next((each for each in alarms if "cloned" in each), "")


def _back(scene: Scene) -> str:
    """Clearance by two and a start each: then, and only then, they act again. "" if they do."""
    for name in scene.authorities:
        drafted = scene.draft(name)
        if drafted is not None and not scene.clear(drafted, name):
            return "two signatures did not clear"
    time.sleep(0.2)
    since = now()
    for name in scene.authorities:
        for row in scene.status(name)["agents"]:
            held = row["agent"] in AGENTS and not row["started"]
            if held and not scene.start(row["agent"], name, within=BACK):
                return f"{row['agent']} cannot be started: {row}"
    return "" if scene.acting(AGENTS, since, BACK) else "started, and does not act"


def work(numbers: Sequence[int], seed: int, out: Path, keep: bool, patience: float) -> None:
    for number in numbers:
        waited = calm(patience)
        line = json.dumps(one(number, seed, keep) | {"waited": round(waited, 2)}) + "\n"
        with out.open("a") as file:
            file.write(line)


def table(results: Sequence[dict[str, Any]]) -> str:
    """One line a class; `latest` and `slowest` are seconds after a press was answered."""
    columns = ("effects", "presses", "durable", "acks", "after", "latest", "slowest")
    heads = ("runs", *columns, "violated", "broken")
    rows = [f"{'class of faults':<30}" + "".join(f"{head:>9}" for head in heads)]
    for name in (*FAULTS, "all"):
        mine = [r for r in results if name in (r["class"], "all")]
        numbers = [len(mine), *(sum(r.get(column, 0) for r in mine) for column in columns[:5])]
        worst = [max((r.get(c, NEVER) for r in mine), default=NEVER) for c in columns[5:]]
        wrong = [sum(bool(r[kind]) for r in mine) for kind in ("violations", "broken")]
        shown = [str(n) for n in numbers] + [f"{w:.3f}" if w > 0 else "-" for w in worst]
        rows.append(f"{name:<30}" + "".join(f"{each:>9}" for each in [*shown, *map(str, wrong)]))
    back = [r["stuck"] for r in results if "stuck" in r]
    rows.append(f"acted again after clearance and start: {back.count('')} of {len(back)}")
    rows.append(
        "after: admissions asked for after a press was answered; latest: the last of them; "
        f"slowest: the last effect. The bound is {BOUND:.4f} s, and {KAPPA:g} s more for effects."
    )
    return "\n".join(rows)


def simulated(admissions: int, seed: int) -> int:
    """Walks of `tests.live.lossy` on virtual clocks until so many were admitted; violations."""
    walks = admitted = 0
    wrong = []
    while admitted < admissions:
        try:
            admitted += walk(1000 * seed + walks).admitted
        except Violation as error:
            wrong.append(f"walk {1000 * seed + walks}: {error}")
        walks += 1
    print(f"simulated: {admitted} admissions in {walks} walks, {len(wrong)} violations")
    print("\n".join(wrong[:10]), end="")
    return len(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.chaos")
    parser.add_argument("--runs", type=int, default=len(FAULTS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("chaos.jsonl"))
    parser.add_argument("--simulated", type=int, help="admissions on virtual clocks instead")
    parser.add_argument("--only", help="one class of faults")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds, for a calm machine")
    options = parser.parse_args()
    if options.simulated is not None:
        return int(simulated(options.simulated, options.seed) > 0)
    wanted = [
        n
        for n in range(options.first, options.first + options.runs)
        if options.only in (None, list(FAULTS)[n % len(FAULTS)])
    ]
    done = {r["run"] for r in _read(options.out, options.seed) if not r["broken"]}
    left = [n for n in wanted if n not in done]
    if left:
        warm()
    children = []
    for job in range(options.jobs):
        pid = os.fork()
        if not pid:
            die_with_parent()
            mine = left[job :: options.jobs]
            with contextlib.suppress(KeyboardInterrupt):
                work(mine, options.seed, options.out, options.keep, options.patience)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    results = [r for r in _read(options.out, options.seed) if r["run"] in set(wanted)]
    print(table(results))
    for result in results:
        if result["violations"] or result["broken"] or result.get("stuck"):
            print(json.dumps(result))
    return int(any(r["violations"] for r in results) or len(results) < len(wanted))


def _read(path: Path, seed: int) -> list[dict[str, Any]]:
    """A result a run of this seed, as far as its number still means the same class."""
    found = path.read_text().splitlines() if path.exists() else []
    names, last = list(FAULTS), {}
    for each in map(json.loads, found):
        if each.get("seed") == seed and each["class"] == names[each["run"] % len(names)]:
            last[each["run"]] = each  # a run that was broken, and then was not, is one run
    return list(last.values())


if __name__ == "__main__":
    sys.exit(main())
