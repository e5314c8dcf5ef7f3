"""Press the stop button of an agent, a group or the fleet."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
from freezetag.core.errors import RunError, UserError
from freezetag.core.scopes import EVERYONE, is_bar, understood, with_reach
from freezetag.live.remote.operator import DURABLE, NOBODY, Remote, Told
from freezetag.live.signed.names import missing, missing_group, scope_of


def press(
    *scope: str,
    reason: str = "",
    category: Literal[0, 1, 2] = 0,
    dry_run: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Stop what the scopes cover, at every known address at once; show what became of it at each.

    Ends with 0 if the press is durable somewhere and stops somebody, with 2 if no agent or group
    has the name and nothing was pressed, else with 3; of several scopes, each is pressed, and the
    worst counts. A scope that cannot be read covers everyone.

    Parameters
    ----------
    scope
        an agent's name, group:NAME, closure:NAME (it and all that depend on it), capability:NAME
        (one tool of all agents), fleet (the default), or several
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
    try:
        remote = found(home, server, token)
    except UserError as error:
        raise UserError(str(error) if dry_run else f"NOT PRESSED: {error}") from None
    scopes = list(dict.fromkeys(map(scope_of, scope or ("fleet",))))
    if dry_run:
        _show(remote, scopes, json_)
        return 0
    with ThreadPoolExecutor(min(len(scopes), 32)) as pool:
        answers = pool.map(lambda each: remote.press(each, reason, category, known=True), scopes)
        pressed = dict(zip(scopes, answers, strict=True))
    if json_:
        print(json.dumps([_named(s) | asdict(each) for s in scopes for each in pressed[s]]))
    failures = {each: why for each in scopes if (why := _unknown(pressed[each]))}
    codes = [UserError.exit_code for _ in failures]
    for name in scopes:
        if name not in failures:
            codes.append(_report(name, pressed[name], len(scopes) > 1, json_))
    if failures:
        told = " ".join([*failures.values(), "To stop all: freezetag press fleet."])
        if max(codes) == UserError.exit_code:
            raise UserError(told)
        print(f"freezetag: {told}", file=sys.stderr)
    return max(codes)


def _unknown(told: Sequence[Told]) -> str:
    """That nothing was pressed, since nobody has the name; empty if somebody may be stopped."""
    unknown = [each for each in told if each.state == NOBODY]
    if not unknown or any(each.heard for each in told):
        return ""
    failed = [each.address for each in told if each.state != NOBODY]
    also = f" No word from {', '.join(failed)}." if failed else ""
    return f"NOT PRESSED, and nobody is covered: {unknown[0].why}{also}"


def _report(scope: str, told: Sequence[Told], several: bool, quiet: bool) -> int:
    """Prints what became of a press at each address; the exit code."""
    lines = [f"{scope}:"] if several else []
    if not understood(scope):
        lines = [f"{scope}: {EVERYONE}"]
    for each in told:
        agents = f"{each.agents:>6} agent{'s' if each.agents != 1 else ' '}"
        lines.append(f"{each.state:<22} {agents}   {each.address}   {each.why}".rstrip())
    done = any(each.state == DURABLE and each.agents for each in told)
    if not done:
        lines.append(_failure(scope, [each for each in told if each.heard]))
    if not quiet:
        print("\n".join(lines))
    return 0 if done else RunError.exit_code


def _failure(scope: str, heard: Sequence[Told]) -> str:
    if not heard:
        return f"NOT PRESSED: nobody took the press of {scope}. Use another way to stop it."
    if any(each.state == DURABLE for each in heard):
        return (
            f"NOT SURE: the press of {scope} is durable and stands until it is reset, but covers "
            "nobody that the server knows of. See: freezetag status"
        )
    return f"NOT SURE: the press of {scope} is not durable. See: freezetag status"


def _named(scope: str) -> dict[str, object]:
    return {"scope": scope, "understood": understood(scope)}


def _show(remote: Remote, scopes: Sequence[str], as_json: bool) -> None:
    covered = [(each, _covered(remote, each)) for each in scopes]
    if as_json:
        told = [_named(each) | {"agents": names} for each, names in covered]
        print(json.dumps(told if len(told) > 1 else told[0]))
        return
    for each, names in covered:
        does = "bar a tool of" if is_bar(each) else "stop"
        print(f"{with_reach(each)} would {does} {len(names)}: {', '.join(names) or 'nobody'}")


def _covered(remote: Remote, scope: str) -> list[str]:
    """Whom a press would stop: with the token for presses, or else with the one for states.

    Raises `UserError` for a name that no agent or group has.
    """
    kind, _, name = scope.partition(":")
    if token := remote.token("press"):
        asked = {"scope": scope, "dry_run": True, "known": True, "token": token}
        return list(remote.post("/press", asked)["names"])
    names = list(remote.get("/api/covered", scope=scope)["agents"])
    if not names and kind in ("agent", "closure", "group") and name:
        agents = remote.get("/api/status")["agents"]
        groups = sorted({group for agent in agents for group in agent["groups"]})
        there = [agent["agent"] for agent in agents]
        raise UserError(missing_group(name, groups) if kind == "group" else missing(name, there))
    return names
