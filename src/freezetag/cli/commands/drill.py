"""Prove that the button works: press for a drill, and measure until the stop is acknowledged."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import EMPTY, NO_TOKEN, HomeOption, JsonOption, ServerOption, TokenOption
from freezetag.cli.reach import reach as found
from freezetag.cli.signing import key_pair, signed
from freezetag.live.gate.address import Denied


def drill(
    agent: str = "",
    /,
    *,
    key: Annotated[Path | None, Parameter(show_default=False)] = None,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Stop one running agent for a drill. It is held afterwards, until it is started.

    The time goes into the ledger. Ends with 1 if the stop was not acknowledged in time.

    Parameters
    ----------
    agent
        the agent's name; default: of those that run, the one that was drilled longest ago
    key
        a person's key file: clears the drill's press afterwards, which takes one signature, and a
        token with the right status
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    json_
        print the figures as JSON
    """
    signer = None if key is None else key_pair(key)  # before anybody is stopped
    remote = found(home, server, token)
    asked = {"agent": agent}
    if signer is not None:  # what clearing will take is asked for while all still runs
        remote.get("/api/checkpoint")
        asked["key"] = base64.b64encode(signer[1]).decode()
    told: dict[str, Any] = remote.post("/api/drill", asked, "drill", timeout=60)
    took = told["milliseconds"]
    cleared, why = False, ""
    if signer is not None:
        draft = remote.get("/api/draft", scope=f"agent:{told['agent']}", fresh="")
        if draft["presses"] == [told["id"]]:
            try:
                cleared = remote.post("/api/clear", signed(draft["text"], {}, signer))["cleared"]
            except Denied as error:
                why = f" (not cleared with {key}: {error})"
    if json_:
        print(json.dumps(told | {"cleared": cleared}))
    else:
        said = "NOT acknowledged in time" if took is None else f"acknowledged after {took:g} ms"
        left = "cleared" if cleared else "its press stands: freezetag reset" + why
        name = told["agent"]
        print(f"{name}: {said}; {left}; held until: freezetag start {name}")
    return 1 if took is None else 0
