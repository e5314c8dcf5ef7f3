"""Write docs/calibration.md: how often each verdict is right, wrong and inconclusive.

    python -m calibration.calibrate                     # all probes, the page
    python -m calibration.calibrate --probe lock_in     # its rows anew; the others stay
    python -m calibration.calibrate --control           # the row of each in which nothing is wrong
    python -m calibration.calibrate --seeds 1 --probe lock_in --out -

Agents are drawn from families (calibration/families) of which it is known beforehand, by the
literature or by how they are built, whether the probe's failure mode is theirs. Every draw has
its own seed, for its settings, those of its world and the exam, at the default size. Verdicts
are those of the probe, before the correction for many headlines, which can only turn a fail
into "inconclusive".
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calibration.families import FAMILIES
from calibration.family import EMPTY, HEALTHY, SICK, Family, Placed, is_control
from calibration.page import Rows, earlier, page
from freezetag import catalogue, players
from freezetag.core import Panel, Planner, Ref, Setting
from freezetag.core.log import Log
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.estimators.intervals import clopper_pearson
from freezetag.exam.collect import versions
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.run import Runner
from freezetag.exam.spec import BadSpec, Spec
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import Foreign

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "calibration.md"
SEEDS = 20
CONTROL = 100
"""Agents of the control: enough to tell one false alarm in twenty from none."""
READS = "llm:nobody@http://127.0.0.1:9"
"""It is never asked: the agents of the families sit in its place."""
LEARNS = "learner:q_learning"
"""The same, for probes that ask how an agent learns."""
VERDICTS = (PASS, WARN, FAIL, INCONCLUSIVE)


def setting_of(probe: str, agent: Any, seed: int) -> Setting:
    """The setting that the probe has in an exam of the default size and of this seed: of `agent` if
    that is a log, else of a member of the roster, of an agent that reads, or of one that learns."""
    more = {"outside": True} if isinstance(agent, Foreign) else {}
    if not isinstance(agent, Log):
        agent = "interlocked" if isinstance(agent, Planner) else "tit_for_tat"
    for one in (agent, READS, LEARNS):
        # Of the probe alone: a plan of the whole exam takes longer than most probes.
        spec = Spec(str(one), seed, probes=(probe,), roster=players.stamp())
        with suppress(BadSpec):  # it cannot be measured on this one
            items = plan(spec, resolve(one))
            setting = next(item.setting for item in items if not item.reason)
            return replace(setting, options={**setting.options, **more})
    raise ValueError(f"an exam of the default size measures {probe} on no agent that is known here")


def placed(family: Family, drawn: Any, setting: Setting) -> tuple[Any, Setting]:
    """The agent, and the setting with what was drawn with it or belongs to its family."""
    if family.world is not None:
        world = catalogue.load(family.world)
        setting = replace(
            setting, world=family.world, substrate=world, classmates=family.classmates
        )
    if not isinstance(drawn, Placed):
        return drawn, setting
    there = Ref.of(setting.world.path, **{**dict(setting.world.settings), **drawn.settings})
    return drawn.agent, replace(setting, world=there, substrate=catalogue.load(there))


def verdicts(probe: str, family: Family, seeds: int) -> Iterator[str]:
    """The verdict on each agent drawn."""
    measure = catalogue.load(Ref(f"probes/{probe}"))
    for seed in range(seeds):
        drawn = family.draw(np.random.default_rng(seed))
        of = drawn.agent if isinstance(drawn, Placed) else drawn
        setting = setting_of(probe, of, seed)
        agent, there = placed(family, drawn, setting)
        pupil = Pupil(family.name, agent, getattr(agent, "panel", Panel()))
        finding, _ = Runner(pupil, seed).probe(measure, there)
        yield next(row.verdict for row in finding.measurements if row.headline)


def share(count: int, of: int) -> str:
    """A rate in per cent with its exact interval."""
    rate = clopper_pearson(count, of)
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def row(probe: str, family: Family, seeds: int, version: str) -> str:
    """One line of the table."""
    found = Counter(verdicts(probe, family, seeds))
    # What would be wrong to say: a healthy one fails; a sick or an empty one passes.
    wrong = found[FAIL] if family.state == HEALTHY else found[PASS]
    right = found[FAIL] if family.state == SICK else found[PASS] if family.state == HEALTHY else 0
    cells = [
        probe,
        family.name,
        family.state,
        str(seeds),
        *(str(found[verdict]) for verdict in VERDICTS),
        share(right, seeds) if family.state != EMPTY else "–",
        share(wrong, seeds),
        share(found[INCONCLUSIVE], seeds),
        version,
    ]
    return f"| {' | '.join(cells)} |"


def version() -> str:
    """The commit of what is measured, with a + if there are changes not yet in it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "src")
        return f"`{git('log', '-1', '--format=%h', '--', 'src')}{'+' if changed else ''}`"
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def finished(keep: Path | None) -> dict[str, str]:
    """Rows of an earlier call, by probe, family and number of seeds."""
    if keep is None or not keep.exists():
        return {}
    found: dict[str, str] = json.loads(keep.read_text(encoding="utf-8"))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run the draws, say how long each family took, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--seeds", type=int, help=f"agents a row; default {SEEDS}, {CONTROL} in a control"
    )
    parser.add_argument("--probe", action="append", choices=sorted(FAMILIES))
    parser.add_argument("--control", action="store_true", help="only the controls' rows")
    parser.add_argument("--out", default=str(PAGE), help="a file, or - for standard output")
    parser.add_argument("--keep", type=Path, help="a file of finished rows: stop and go on")
    chosen = parser.parse_args(arguments)
    if chosen.seeds is not None and chosen.seeds < 1:
        parser.error(f"--seeds is at least 1, got {chosen.seeds}")
    # Rows that are not measured now stay as they were on the page.
    old = Rows() if chosen.out == "-" else earlier(Path(chosen.out))
    kept, here = finished(chosen.keep), version()
    rows = dict(old.rows)
    wanted = [
        (p, family, is_control(family, FAMILIES[p]))
        for p in chosen.probe or FAMILIES
        for family in FAMILIES[p]
    ]
    try:
        for probe, family, control in wanted:
            if chosen.control and not control:
                continue
            seeds = chosen.seeds or (CONTROL if control else SEEDS)
            name, begun = f"{probe}/{family.name}/{seeds}", time.process_time()
            if name not in kept:
                kept[name] = row(probe, family, seeds, here)
                if chosen.keep is not None:
                    chosen.keep.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            rows[probe, family.name] = kept[name]
            spent = f"{time.process_time() - begun:6.1f} s of processor"
            print(f"{spent}  {kept[name]}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted: what was not measured anew stays as it was", file=sys.stderr)
    with_what = ", ".join(f"{name} {of}" for name, of in versions().items())
    told = f"{with_what}, roster {players.ROSTER_VERSION}"
    text = page(Rows(rows, {**old.versions, here: told}), FAMILIES)
    if chosen.out == "-":
        print(text, end="")
    else:
        Path(chosen.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
