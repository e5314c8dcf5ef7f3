"""Enrol an agent, say what a group of them shares, or make the keys of a person who may reset."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from freezetag.cli.reach import (
    EMPTY,
    NO_TOKEN,
    HomeOption,
    ServerOption,
    TokenOption,
    certificates,
    new_file,
    require,
    secret_file,
)
from freezetag.cli.reach import reach as found
from freezetag.core.errors import UserError
from freezetag.live.signed.names import checked

if TYPE_CHECKING:
    from freezetag.live.remote.operator import Remote

Names = Annotated[tuple[str, ...], Parameter(show_default=False)]
Text = Annotated[str, Parameter(show_default=False)]
SECONDS = ("runtime", "presence")


def enrol(
    agent: Text = "",
    /,
    *,
    person: Text = "",
    shared_by: Text = "",
    group: Names = EMPTY,
    limit: Names = EMPTY,
    depends_on: Names = EMPTY,
    on_stop: Literal["rest_is_safe", "policy", "no_safe_stop"] = "rest_is_safe",
    safe_state: Text = "",
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
) -> None:
    """Take an agent up, HELD until it is started, and write the file that its gate needs.

    Parameters
    ----------
    agent
        the agent's name
    person
        make keys for this person instead: NAME.key stays with them, NAME.pub goes to serve
    shared_by
        say what the agents of this group may use together, each --limit summed over them, in place
        of what was said before; --limit none: no limit
    group
        a group the agent belongs to, or several
    limit
        what it may use from one start to the next, as sensor=number: runtime=3600 (seconds), or
        tokens=1e6, where its gate has to count tokens
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
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    """
    if [bool(agent), bool(person), bool(shared_by)].count(True) != 1:
        raise UserError(
            "enrol one agent (freezetag enrol writer) or one person (--person ada), or limit what "
            "a group shares (--shared-by team --limit tokens=1e6)."
        )
    if person:
        require("cryptography")
        checked(person, "a person's name")
        _person(person, out or Path(f"{person}.key"))
        return
    if shared_by:
        if group or depends_on or safe_state or out or on_stop != "rest_is_safe":
            raise UserError("--shared-by takes no other option than --limit: it enrols nobody.")
        _share(checked(shared_by, "a group's name"), limit, found(home, server, token))
        return
    checked(agent, "an agent's name")
    file = out or Path(f"{agent}.enrolment")
    limits = _limits(limit)
    body = {
        "agent": agent,
        "groups": [checked(name, "a group's name") for name in group],
        "limits": limits,
        "depends_on": depends_on,
        "on_stop": on_stop,
        "safe_state": safe_state,
    }
    remote = found(home, server, token)
    with secret_file(file) as write:  # first, so that nobody is enrolled whose file cannot be had
        told = remote.post("/api/enrol", body, "admin")
        absent = told.pop("absent", {})
        write(told | {"certificates": certificates()})
    print(f"{agent}: enrolled, held until: freezetag start {agent}   gate's file {file} (secret)")
    for name, why in absent.items():
        print(
            f"freezetag: {agent} depends on {name}, but {why} Until {name} is enrolled too, only "
            f"a press of closure:{name} itself reaches {agent} this way.",
            file=sys.stderr,
        )
    _explain(limits)


def _share(group: str, texts: Names, remote: Remote) -> None:
    if not texts:
        raise UserError(
            f"say what the agents of {group} share, such as --limit tokens=1e6 (--limit none: "
            "nothing any more)."
        )
    limits = {} if texts == ("none",) else _limits(texts)
    told = remote.post("/api/share", {"group": group, "limits": limits}, "admin")
    what = ", ".join(f"{value:g} {sensor}" for sensor, value in limits.items()) or "no limit"
    print(f"group:{group} shares {what}: {', '.join(told['agents']) or 'nobody yet'}")
    if told["held"]:
        names = ", ".join(told["held"])
        print(f"a limit was raised or dropped, so these are held until freezetag start: {names}")
    if told["absent"]:
        print(f"freezetag: {told['absent']}", file=sys.stderr)
    _explain(limits)


def _explain(limits: Iterable[str]) -> None:
    for sensor in limits:
        if sensor not in SECONDS:
            print(
                f"{sensor} is a budget that its gate counts: meters=[{sensor!r}] and "
                f"gate.spend({sensor!r}, ...). Without that it is never let run for long."
            )


def _limits(texts: Names) -> dict[str, float]:
    limits: dict[str, float] = {}
    for text in texts:
        sensor, _, value = text.partition("=")
        try:
            limit = float(value)
        except ValueError:
            limit = float("nan")
        if not (sensor and ":" not in sensor and 0 < limit < float("inf")):
            raise UserError(
                f"--limit is a sensor and a number above 0, such as tokens=1e6, got {text!r}."
            )
        if sensor in limits:
            raise UserError(f"--limit names {sensor} twice. Say one number.")
        limits[sensor] = limit
    return limits


def _person(name: str, private: Path) -> None:
    from freezetag.live.signed.keys import generate

    made = [base64.b64encode(key).decode() for key in generate()]
    public = private.with_suffix(".pub")
    if public.exists() or public == private:
        raise UserError(f"{public} exists already and is not overwritten. Choose another --out.")
    with secret_file(private) as write, new_file(public, 0o666) as publish:
        write({"name": name, "private": made[0], "key": made[1]})
        publish(json.dumps({"name": name, "key": made[1]}) + "\n")
    print(f"{name}: {private} is secret and stays with them; {public} is for freezetag serve")
