"""What must hold on several nodes, judged from the world's record, the notes and the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.chaos import oracle, world
from tests.live.chaos.shared import AGENTS
from tests.live.nodes.stage import BOUND, NAME, Stage

from freezetag.live.authority.export import exported, rows_problem
from freezetag.live.authority.home import Home
from freezetag.live.signed.verify import verify_file


@dataclass
class Verdict:
    violations: list[str] = field(default_factory=list)
    effects: int = 0
    after_press: int = 0
    latest: float = float("-inf")  # seconds from a stored press to the last admission asked for
    durable: int = 0
    later: int = 0  # presses that were not stored when they were answered, and are now
    acks: int = 0


def judge(stage: Stage) -> Verdict:
    verdict = Verdict()
    say = verdict.violations.append
    seen = world.effects(stage.effects_file)
    verdict.effects = len(seen)
    records = _ledger(stage, say)
    stored = {r["body"]["id"] for r in records if r["kind"] == "press"}
    repeats = sum(r["kind"] == "repeat" for r in records)
    lost = [p for p in stage.presses if p.state == "durable" and p.id not in stored]
    if len(lost) > repeats:
        say(f"{len(lost)} presses that were answered as durable are not in the ledger")
    for press in stage.presses:
        taken = stage.taken[press.id]
        kept = press.state and press.state != "durable" and taken not in stage.killed
        if kept and press.id not in stored and not repeats:
            say(f"a press that {taken} took without the database never got there")
        verdict.later += bool(kept and press.id in stored)
        if press.state != "durable":
            continue
        verdict.durable += 1
        for agent in filter(press.covers, AGENTS):
            started = [s for a, s in stage.starts if a == agent and s > press.sent]
            until = min(started, default=float("inf"))
            late = [e for e in seen if e.agent == agent and press.answered < e.before < until]
            verdict.after_press += len(late)
            verdict.latest = max([verdict.latest, *(e.before - press.answered for e in late)])
            for effect in late:
                if effect.before > press.answered + BOUND:
                    say(f"{agent} admitted {effect.before - press.answered:.3f} s after the press")
    verdict.acks = oracle._after_acknowledgement(records, seen, say)
    oracle._against_the_reference(records, say)
    return verdict


def _ledger(stage: Stage, say: Any) -> list[dict[str, Any]]:
    """The records of the database that is the primary now; they have to verify."""
    home = Home.open(stage.homes["a"])
    file = Path(stage.folder) / "ledger.txt"
    url = stage.cluster.url(stage.cluster.ports[stage.primary])
    rows, seal = exported(url, NAME, home.public, file)
    people = {person.name: person.key for person in home.roster.people}
    report = verify_file(file, authority=NAME, public=home.public, people=people)
    for problem in report.problems:
        say(f"ledger: {problem}")
    if problem := rows_problem(file, rows, seal, home.public, report.root):
        say(f"ledger: {problem}")
    lines = file.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line and not line.startswith(b"#")]
