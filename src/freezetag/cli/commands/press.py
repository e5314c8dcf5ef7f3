"""Press the stop button of an agent, a group or the fleet."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal

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
from freezetag.core.errors import UserError
from freezetag.live.names import missing
from freezetag.live.remote import NOBODY, Remote


def press(
    scope: str = "fleet",
    /,
    *,
    reason: str = "",
    category: Literal[0, 1, 2] = 0,
    dry_run: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Stop what the scope covers, at every known address at once; show what became of it at each.

    Ends with 0 if the press is durable somewhere and stops somebody, with 2 if no agent has the
    name and nothing was pressed, else with 3. A scope that cannot be read covers everyone.

    Parameters
    ----------
    scope
        fleet, group:NAME, agent:NAME, closure:NAME (and all that depend on it), or an agent's name
    reason
        for the people who will have to decide on a reset
    category
        0 kill at once, 1 prepared stop first, 2 hold
    dry_run
        only show what it would stop
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    json_
        print what came back as JSON
    """
    remote = found(home, server, token)
    scope = scope if scope == "fleet" or ":" in scope else f"agent:{scope}"
    if dry_run:
        names = _covered(remote, scope)
        covered = {"scope": scope, "agents": names}
        print(json.dumps(covered) if json_ else f"{scope} would stop {len(names)}: {_list(names)}")
        return 0
    told = remote.press(scope, reason, category, known=True)
    unknown = [each for each in told if each.state == NOBODY]
    if unknown and not any(each.heard for each in told):
        failed = [each.address for each in told if each.state != NOBODY]
        also = f" No word from {', '.join(failed)}." if failed else ""
        raise UserError(
            f"NOT PRESSED, and nobody is covered: {unknown[0].why}{also} "
            "To stop all: freezetag press fleet."
        )
    if json_:
        print(json.dumps([asdict(each) for each in told]))
    else:
        for each in told:
            agents = f"{each.agents:>6} agent{'s' if each.agents != 1 else ' '}"
            print(f"{each.state:<22} {agents}   {each.address}   {each.why}".rstrip())
    stops = [each for each in told if each.state == "durable" and each.agents]
    if stops:
        return 0
    if not json_:
        print(_failure(scope, [each for each in told if each.heard]) + _groups(remote, scope))
    return 3


def _covered(remote: Remote, scope: str) -> list[str]:
    """Whom a press would stop: with the token for presses, or else with the one for states."""
    if token := remote.token("press"):
        asked = {"scope": scope, "dry_run": True, "known": True, "token": token}
        return list(remote.post("/press", asked)["names"])
    names = list(remote.get("/api/covered", scope=scope)["agents"])
    kind, _, name = scope.partition(":")
    if not names and kind in ("agent", "closure") and name:
        everyone = remote.get("/api/covered", scope="fleet")["agents"]
        raise UserError(f"{scope} would stop nobody: {missing(name, everyone)}")
    return names


def _groups(remote: Remote, scope: str) -> str:
    """Which groups there are, after a press of one that nobody is in."""
    try:
        agents = remote.get("/api/status")["agents"] if scope.startswith("group:") else []
    except UserError:
        return ""
    names = sorted({group for agent in agents for group in agent["groups"]})
    if not names or scope.removeprefix("group:") in names:
        return ""
    return f" There are the groups {', '.join(names[:10])}."


def _failure(scope: str, heard: list[object]) -> str:
    if not heard:
        return f"NOT PRESSED: nobody took the press of {scope}. Use another way to stop it."
    return f"NOT SURE: {scope} covers nobody, or the press is not durable. See: freezetag status"


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nobody"
