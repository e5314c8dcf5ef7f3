"""Let agents that are held run again, one by one."""

from __future__ import annotations

import getpass
import time
from typing import Any

from freezetag.cli.reach import EMPTY, NO_TOKEN, HomeOption, ServerOption, TokenOption
from freezetag.cli.reach import reach as found
from freezetag.core.errors import RunError, UserError
from freezetag.live.gate.address import Denied
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.names import missing


def start(
    *scope: str,
    who: str = "",
    staged: float = 0.0,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
) -> None:
    """Start agents: a reset only permits it. Stops at the first that is refused.

    Parameters
    ----------
    scope
        agents' names, group:NAME or fleet
    who
        the person who starts them; default: the user's name. Recorded as told, beside the holder of
        the token
    staged
        seconds to watch each before the next is started; one that does not run ends the start
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    """
    if not scope:
        raise UserError("say whom to start: an agent's name, group:NAME or fleet.")
    if not 0 <= staged < float("inf"):
        raise UserError(f"--staged is a number of seconds from 0, got {staged}.")
    remote = found(home, server, token)
    for name in _names(remote, scope, watched=staged > 0):
        remote.post("/api/start", {"agent": name, "who": who or getpass.getuser()}, "start")
        print(f"{name}: started", flush=True)
        if staged:
            _watch(remote, name, staged)


def _names(remote: Remote, scopes: tuple[str, ...], watched: bool) -> list[str]:
    """The agents meant, in order. Names alone need no look at the states, which is a right of its
    own: then the server finds out at its turn who is not there."""
    named = all(scope != "fleet" and not scope.startswith("group:") for scope in scopes)
    try:
        return _meant(remote.get("/api/status"), scopes)
    except Denied:
        if watched or not named:
            raise
    return list(dict.fromkeys(scope.removeprefix("agent:") for scope in scopes))


def _meant(picture: dict[str, Any], scopes: tuple[str, ...]) -> list[str]:
    """Of a group or the fleet those that are not started yet."""
    known = {each["agent"]: each for each in picture["agents"]}
    names: list[str] = []
    for scope in scopes:
        kind, _, group = scope.partition(":")
        if scope == "fleet" or kind == "group":
            held = [n for n, each in known.items() if not each["started"]]
            found = [n for n in held if scope == "fleet" or group in known[n]["groups"]]
        else:
            name = scope.removeprefix("agent:")
            if name not in known:
                locked = "".join(f" The server is locked: {why}" for why in picture["locked"])
                raise UserError(missing(name, list(known)) + locked)
            found = [name]
        if not found:
            raise UserError(f"{scope} has nobody who is held.")
        names += [name for name in found if name not in names]
    return names


def _watch(remote: Remote, name: str, seconds: float) -> None:
    time.sleep(seconds)
    (agent,) = [a for a in remote.get("/api/status")["agents"] if a["agent"] == name]
    if agent["shown"] != "running":
        raise RunError(
            f"{name} does not run {seconds:g} s after its start: it is {agent['shown']}. "
            "The rest is not started."
        )
