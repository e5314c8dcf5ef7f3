"""Press the stop button of an agent, a group or the fleet."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal

from freezetag.cli.reach import EMPTY, Flag, HomeOption, JsonOption, ServerOption, TokenOption
from freezetag.cli.reach import reach as found


def press(
    scope: str = "fleet",
    /,
    *,
    reason: str = "",
    category: Literal[0, 1, 2] = 0,
    dry_run: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = None,
    json_: JsonOption = False,
) -> int:
    """Stop what the scope covers, at every known address at once; show what became of it at each.

    Ends with 0 if the press is durable somewhere and stops somebody, else with 3.

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
        a file with the token; default: FREEZETAG_TOKEN, else the folder's
    json_
        print what came back as JSON
    """
    remote = found(home, server, token)
    scope = scope if scope == "fleet" or ":" in scope else f"agent:{scope}"
    if dry_run:
        covered = remote.get("/api/covered", scope=scope)
        names = covered["agents"]
        print(json.dumps(covered) if json_ else f"{scope} would stop {len(names)}: {_list(names)}")
        return 0
    told = remote.press(scope, reason, category)
    if json_:
        print(json.dumps([asdict(each) for each in told]))
    else:
        for each in told:
            print(
                f"{each.state:<22} {each.agents:>6} agents   {each.address}   {each.why}".rstrip()
            )
    stops = [each for each in told if each.state == "durable" and each.agents]
    if stops:
        return 0
    if not json_:
        print(_failure(scope, [each for each in told if each.heard]))
    return 3


def _failure(scope: str, heard: list[object]) -> str:
    if not heard:
        return f"NOT PRESSED: nobody took the press of {scope}. Use another way to stop it."
    return f"NOT SURE: {scope} covers nobody, or the press is not durable. See: freezetag status"


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nobody"
