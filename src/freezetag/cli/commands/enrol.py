"""Enrol an agent, or make the keys of a person who may reset."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from freezetag.cli.reach import (
    EMPTY,
    HomeOption,
    ServerOption,
    TokenOption,
    certificates,
    require,
    write_secret,
)
from freezetag.cli.reach import reach as found
from freezetag.core.errors import UserError

Names = Annotated[tuple[str, ...], Parameter(show_default=False)]
Text = Annotated[str, Parameter(show_default=False)]


def enrol(
    agent: Text = "",
    /,
    *,
    person: Text = "",
    group: Names = EMPTY,
    limit: Names = EMPTY,
    depends_on: Names = EMPTY,
    on_stop: Literal["rest_is_safe", "policy", "no_safe_stop"] = "rest_is_safe",
    safe_state: Text = "",
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = None,
) -> None:
    """Take an agent up, HELD until it is started, and write the file that its gate needs.

    Parameters
    ----------
    agent
        the agent's name
    person
        make keys for this person instead: NAME.key stays with them, NAME.pub goes to serve
    group
        a group the agent belongs to, or several
    limit
        what it may use from one start to the next, as sensor=number: runtime=3600 or tokens=1e6
    depends_on
        an agent whose stop, pressed as closure:NAME, stops this one too
    on_stop
        what a stop means for it: rest is safe, a prepared policy, or no safe stop
    safe_state
        for no_safe_stop: the independent safe state that takes over
    out
        the file to write; default: AGENT.enrolment, or NAME.key and NAME.pub
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with the token; default: FREEZETAG_TOKEN, else the folder's
    """
    if bool(agent) == bool(person):
        raise UserError("enrol one agent (freezetag enrol writer) or one person (--person ada).")
    if person:
        require("cryptography")
        _person(person, out or Path(f"{person}.key"))
        return
    file = out or Path(f"{agent}.enrolment")
    if file.exists():
        raise UserError(f"{file} exists already and is not overwritten. Choose another --out.")
    body = {
        "agent": agent,
        "groups": group,
        "limits": dict(_limit(each) for each in limit),
        "depends_on": depends_on,
        "on_stop": on_stop,
        "safe_state": safe_state,
    }
    told = found(home, server, token).post("/api/enrol", body, "admin")
    write_secret(file, told | {"certificates": certificates()})
    print(f"{agent}: enrolled, held until: freezetag start {agent}   gate's file {file} (secret)")


def _limit(text: str) -> tuple[str, float]:
    sensor, _, value = text.partition("=")
    try:
        return sensor, float(value)
    except ValueError:
        raise UserError(f"--limit is sensor=number, such as tokens=1e6; got {text!r}.") from None


def _person(name: str, private: Path) -> None:
    from freezetag.live.keys import generate

    made = [base64.b64encode(key).decode() for key in generate()]
    public = private.with_suffix(".pub")
    if public.exists():
        raise UserError(f"{public} exists already and is not overwritten.")
    write_secret(private, {"name": name, "private": made[0], "key": made[1]})
    public.write_text(json.dumps({"name": name, "key": made[1]}) + "\n", encoding="utf-8")
    print(f"{name}: {private} is secret and stays with them; {public} is for freezetag serve")
