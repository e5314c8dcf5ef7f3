"""Show the states of all agents, honestly."""

from __future__ import annotations

import json
from typing import Any

from freezetag.cli.reach import (
    EMPTY,
    NO_TOKEN,
    Flag,
    HomeOption,
    JsonOption,
    ServerOption,
    TokenOption,
)
from freezetag.cli.reach import reach as found
from freezetag.live.gate.address import Denied

ALARMS = 3
"""The newest that are shown; `--json` has all."""


def status(
    *,
    present: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> None:
    """Show what the server knows of each agent; whoever is silent is unknown.

    Parameters
    ----------
    present
        say that a person is here, which agents with a limit of presence need; takes a token with
        the right present
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    json_
        print the picture as JSON
    """
    remote = found(home, server, token)
    if present:
        remote.post("/api/present", {}, "present")
        if not json_:
            print("a person is here: recorded.")
    try:
        picture = remote.get("/api/status")
    except Denied as error:
        if not present:
            raise
        if json_:
            print("a person is here: recorded.")
        print(f"The states are not shown: {error}")
        return
    if json_:
        print(json.dumps(picture))
        return
    for line in shown(picture):
        print(line)


def shown(picture: dict[str, Any]) -> list[str]:
    """The picture as lines."""
    from freezetag.live.authority.states import age
    from freezetag.report.words import plain

    nobody = not picture["agents"] and picture["banner"] == "held"
    worst = "NOBODY ENROLLED" if nobody else picture["banner"].upper()
    alone = "   SOLO: one person resets" if picture["solo"] else ""
    lines = [f"{picture['authority']}: {worst}   bound {picture['bound']:.3f} s{alone}"]
    lines += [f"LOCKED, nothing is granted: {why}" for why in picture["locked"]]
    lines += _nodes(picture.get("nodes"))
    if picture["storage"] != "durable":
        lines.append("the ledger cannot be written: what is pressed stops, but is NOT durable")
    lines.append(_proof(picture))
    for each in picture["button"].get("failed", ()):
        ago = age(max(0.0, (picture["at"] - each["at"]) / 1000))
        again = f", {each['count']} in a row" if each["count"] > 1 else ""
        late = f"not acknowledged within {each['within'] / 1000:g} s"
        lines.append(f"DRILL FAILED: {plain(each['agent'])}, {late}, {ago} ago{again}")
    for press in picture["presses"]:
        again = f", {press['repeats'] + 1} times" if press["repeats"] else ""
        lines.append(f"pressed{again}: {told(press)}")
    lines += filter(None, [_signed(each, picture) for each in picture["pending"]])
    for agent in picture["agents"]:
        heard = [
            incarnation["heard"]
            for incarnation in agent["incarnations"]
            if incarnation["heard"] is not None
        ]
        ago = f"{min(heard):.1f} s ago" if heard else "never"
        why = f"; {plain(agent['why'])}" if agent.get("why") else ""
        lines.append(
            f"  {plain(agent['agent']):<24} {agent['shown']:<22} heard {ago}{_flying(agent)}{why}"
        )
    return lines + [f"alarm: {plain(each)}" for each in picture["alarms"][-ALARMS:]]


def _signed(pending: dict[str, Any], picture: dict[str, Any]) -> str:
    """A reset that waits for the next person: who has signed it, and what it would clear; empty
    if nothing of that stands any more."""
    from freezetag.report.words import plain

    standing = {press["id"] for press in picture["presses"]}
    covered = len(standing.intersection(pending["presses"]))
    if not covered:
        return ""
    people = pending["signed"]
    return (
        f"reset: {len(people)} of {pending['needed']} signed ({plain(', '.join(people))}), which "
        f"clears {covered} of {len(standing)} presses; the next person signs within "
        f"{pending['seconds']} s: freezetag reset"
    )


def _flying(agent: dict[str, Any]) -> str:
    """What is in flight as far as it was told; nothing of an agent that has no gate yet."""
    incarnations = [
        incarnation["in_flight"] for incarnation in agent["incarnations"] if incarnation["b"]
    ]
    told = [n for n in incarnations if n is not None]
    if not incarnations:
        return ""
    return f", {sum(told)} in flight" if told else ", in flight unknown"


def _nodes(nodes: dict[str, Any] | None) -> list[str]:
    """Which node this is, and when the others were there."""
    if not nodes:
        return []
    others = [
        f"{name} {'never' if ago is None else f'{ago:.1f} s ago'}"
        for name, ago in nodes["others"].items()
    ]
    told = f"node {nodes['node']}; others: {', '.join(others) or 'none'}"
    alone = "" if nodes["synchronous"] else "   NO STANDBY: a press is on one disk"
    return [f"{told}{alone}"]


def _proof(picture: dict[str, Any]) -> str:
    """When a drill last proved the button, and whether that is too long ago."""
    from freezetag.live.authority.states import age
    from freezetag.report.words import plain

    button, proved = picture["button"], picture["button"]["proved"]
    last = "never"
    if proved:
        ago = age(max(0.0, (picture["at"] - proved["at"]) / 1000))
        last = f"{plain(proved['agent'])}, {proved['milliseconds']} ms, {ago} ago"
    if not button.get("drill_within"):
        return f"last drill: {last}"
    asked = f"one is due every {age(button['drill_within'])}"
    if not button["overdue"]:
        return f"last drill: {last}; {asked}"
    return (
        "DRILL OVERDUE, nobody is started but the group canary and whose drill failed: "
        f"last drill: {last}; {asked}: freezetag drill"
    )


def told(press: dict[str, Any]) -> str:
    """A press in words: its scope, by whom, and why if that was said."""
    from freezetag.core.scopes import with_reach
    from freezetag.report.words import plain

    why = f": {press['reason']}" if press["reason"] else ""
    return plain(f"{with_reach(press['scope'])} by {press['who']}{why}")
