"""What must hold, judged from the world's record, the people's notes and the ledger, afterwards."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tests.live.chaos import world
from tests.live.chaos.scene import BOUND, Pressing, Scene
from tests.live.chaos.shared import AGENTS, now

from freezetag.live.authority.home import Home
from freezetag.live.signed.verify import verify_file

KAPPA = 0.25
"""Seconds that killing may take on a busy machine."""


@dataclass
class Verdict:
    violations: list[str] = field(default_factory=list)
    effects: int = 0
    after_press: int = 0
    latest: float = float("-inf")  # seconds from an answered press to the last admission asked for
    slowest: float = float("-inf")  # seconds from an answered press to the last effect
    stopped: int = 0  # acknowledged incarnations


def judge(scene: Scene) -> Verdict:
    verdict = Verdict()
    say = verdict.violations.append
    seen = world.effects(scene.effects_file)
    verdict.effects = len(seen)
    records = {name: _records(scene, name) for name in scene.authorities}
    for press in scene.notes.presses:
        ended = _ended(scene, press, records)
        for agent in filter(press.covers, AGENTS):
            until = min(
                [s for a, s in scene.notes.starts if a == agent and s > press.sent] + [ended]
            )
            late = [e for e in seen if e.agent == agent and press.answered < e.before < until]
            verdict.after_press += len(late)
            verdict.latest = max([verdict.latest, *(e.before - press.answered for e in late)])
            for effect in late:
                if effect.before > press.answered + BOUND:
                    say(f"{agent} admitted {effect.before - press.answered:.3f} s after the press")
            if scene.notes.stopped_gate:
                continue  # what it let run before, nobody could kill
            for effect in seen:
                if effect.agent == agent and press.answered < effect.at < until:
                    after = effect.at - press.answered
                    verdict.slowest = max(verdict.slowest, after)
                    if after > BOUND + KAPPA:
                        say(f"{agent}: an effect {after:.3f} s after the press")
    for span in scene.notes.closed:
        for effect in seen:
            if effect.agent == span.agent and span.since < effect.before < span.until:
                say(f"{span.agent} admitted {effect.before - span.since:.3f} s past: {span.why}")
    if any(effect.who == "fork" for effect in seen):
        say("a forked copy of a gate acted")
    for name, found in records.items():
        # An acknowledgement has its time from the server's date.
        timed = [] if scene.notes.wall_jumped else seen
        verdict.stopped += _after_acknowledgement(found, timed, say)
        _against_the_reference(found, say)
        home = Home.open(scene.homes[name])
        people = {person.name: person.key for person in home.roster.people}
        report = verify_file(home.ledger, authority=name, public=home.public, people=people)
        verdict.violations += [f"ledger of {name}: {problem}" for problem in report.problems]
    if not scene.notes.rolled_back:
        _nothing_lost(scene, records, say)
    return verdict


def _records(scene: Scene, name: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(scene.homes[name] / "ledger.db")) as db:
        return [json.loads(leaf) for (leaf,) in db.execute("SELECT record FROM ledger ORDER BY i")]


def _ended(scene: Scene, press: Pressing, records: dict[str, list[dict[str, Any]]]) -> float:
    """When a press that was called NOT durable may have been forgotten: at the next restart."""
    ids = {r["body"]["id"] for found in records.values() for r in found if r["kind"] == "press"}
    if press.state == "durable" or press.id in ids or not scene.notes.restarts:
        return float("inf")
    return min((at for at in scene.notes.restarts if at > press.sent), default=float("inf"))


def _after_acknowledgement(
    records: list[dict[str, Any]], seen: list[world.Effect], say: Any
) -> int:
    """No effect of an incarnation later than the server took its acknowledgement in."""
    offset = now() - time.time()
    acks = {r["body"]["acked"]: r for r in records if r["kind"] == "ack"}
    for effect in seen:
        ack = acks.get(effect.b)
        if ack is None:
            continue
        body = ack["body"]
        # By the word of another life its lease runs on, and how far it got may be called unknown.
        relayed = body.get("own") is False
        at = (ack["at"] + 1) / 1000 + offset + (BOUND + KAPPA if relayed else 0)
        unknown = relayed and body["cause"] == "crashed" and body["unknown"]
        if effect.at > at:
            say(f"{effect.agent}: effect {effect.n} came {effect.at - at:.3f} s after the ack")
        if effect.n > body["last"] and not unknown:
            say(f"{effect.agent}: effect {effect.n} of a life that acknowledged {body}")
    return len(acks)


def _against_the_reference(records: list[dict[str, Any]], say: Any) -> None:
    """Two sets, kept by hand: no agent is started while an uncleared press covers it."""
    presses: dict[str, dict[str, Any]] = {}
    repeats: Counter[str] = Counter()
    cleared: set[str] = set()
    groups: dict[str, list[str]] = {}
    for record in records:
        kind, body = record["kind"], record["body"]
        if kind == "press":
            presses[body["id"]] = body
        elif kind == "repeat":
            repeats[body["press"]] += 1
            cleared.discard(body["press"])
        elif kind == "clear":
            if len(body["signatures"]) < 2:
                say(f"record {record['i']}: cleared by {len(body['signatures'])}")
            for press, counts in json.loads(body["text"])["presses"].items():
                if sum(counts.values()) >= repeats[press]:
                    cleared.add(press)
        elif kind == "enrol":
            groups[body["agent"]] = body["groups"]
        elif kind == "start":
            agent = body["agent"]
            scopes = {presses[press]["scope"] for press in set(presses) - cleared}
            narrow = {s for s in scopes if s.startswith(("agent:", "group:"))}
            mine = {f"agent:{agent}", *(f"group:{group}" for group in groups[agent])}
            if scopes - narrow or narrow & mine:
                say(f"record {record['i']}: {agent} started under {sorted(scopes)}")


def _nothing_lost(scene: Scene, records: dict[str, list[dict[str, Any]]], say: Any) -> None:
    """A press answered as durable is in the ledger, as a press or as a repeat of one."""
    found = [r for each in records.values() for r in each]
    ids = {r["body"]["id"] for r in found if r["kind"] == "press"}
    durable = [press for press in scene.notes.presses if press.state == "durable"]
    repeated = [press for press in durable if press.id not in ids]
    if len(repeated) > sum(r["kind"] == "repeat" for r in found):
        say(f"{len(repeated)} presses that were answered as durable are not in the ledger")
