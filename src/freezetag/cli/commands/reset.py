"""Sign that presses may be cleared; it takes two people, and starts nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import (
    EMPTY,
    NO_TOKEN,
    Flag,
    HomeOption,
    JsonOption,
    ServerOption,
    TokenOption,
    read_json,
)
from freezetag.cli.reach import reach as found
from freezetag.cli.signing import agree, key_pair, signed
from freezetag.core.errors import UserError
from freezetag.live.gate.address import Denied
from freezetag.live.signed.names import missing, missing_group, scope_of
from freezetag.live.signed.presses import StateError, scopes_of

PathOption = Annotated[Path | None, Parameter(show_default=False)]


def reset(
    scope: str = "",
    /,
    *,
    key: PathOption = None,
    draft: PathOption = None,
    fresh: Flag = False,
    yes: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Sign the clearance of presses with your key and hand it in; the next person does the same.

    Signs what the first person signed, if that still waits. A press that came later is not covered
    by it and stands. What is cleared is held until it is started.

    Parameters
    ----------
    scope
        only presses of this scope, or agent's name; default: all that stand
    key
        your private file (freezetag enrol --person)
    draft
        sign this file (from the page of resets) and print the signed one; asks no server
    fresh
        sign a new text, of what stands now, though one waits for its second signature
    yes
        do not ask before signing
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    json_
        print what came back as JSON
    """
    signer = key_pair(key)  # before anything is shown that it could not sign
    if draft is not None:
        data = read_json(draft, "clearance to sign")
        if not isinstance(data, dict) or not isinstance(data.get("text"), str):
            raise UserError(f"{draft} is not a clearance to sign.")
        try:
            made = signed(data["text"], data.get("signatures") or {}, signer)
        except (StateError, TypeError, ValueError):
            raise UserError(f"{draft} is not a clearance to sign.") from None
        fields = json.loads(data["text"])
        says = scopes_of(data["text"]) or {}
        told = {id: " and ".join(says.get(id, ())) for id in fields["presses"]}
        presses = ", ".join(f"{id} ({each})" if each else id for id, each in sorted(told.items()))
        print(f"clears at {fields.get('authority')!s:.100}: {presses:.2000}", file=sys.stderr)
        print(json.dumps(made))
        return 0
    remote = found(home, server, token)
    options = {"fresh": ""} if fresh else {}
    picture = remote.get("/api/status")
    if scope:
        scope = scope_of(scope)
        _standing(picture, scope)
    wanted = remote.get("/api/draft", scope=scope, **options)
    named = _named(wanted["text"], picture, scope)
    _show(picture, named, str(wanted.get("warning") or ""))
    agree("Have you looked at why they were pressed?", yes)
    try:
        told = remote.post("/api/clear", signed(wanted["text"], {}, signer))
    except Denied as error:
        people = ", ".join(picture["people"])
        raise UserError(
            f"the signature with {key} was not taken: {error} Who may: {people}."
        ) from None
    if json_:
        print(json.dumps(told))
    elif told["cleared"]:
        print(f"cleared, signed by {' and '.join(told['signed'])}. Held until: freezetag start")
    elif told["signed"] == wanted["signed"]:
        print(
            f"{' and '.join(told['signed'])} had signed this already: 1 of {told['needed']}. "
            f"The presses stand until another person signs, within {told['seconds']} s."
        )
    else:
        print(
            f"{len(told['signed'])} of {told['needed']} signed ({', '.join(told['signed'])}). "
            f"The presses stand until another person signs, within {told['seconds']} s."
        )
    return 0


def _standing(picture: Mapping[str, Any], scope: str) -> None:
    """Raises `UserError` if no press of just this scope stands, with what stands instead."""
    presses = {press["id"]: press["scope"] for press in picture["presses"]}
    if scope in presses.values():
        return
    kind, _, name = scope.partition(":")
    known = {agent["agent"]: agent for agent in picture["agents"]}
    groups = sorted({group for agent in known.values() for group in agent["groups"]})
    if kind in ("agent", "closure") and name not in known and not picture["locked"]:
        raise UserError(missing(name, list(known)))
    if kind == "group" and name not in groups and not picture["locked"]:
        raise UserError(missing_group(name, groups))
    here = known[name]["presses"] if kind == "agent" and name in known else list(presses)
    others = sorted({presses[id] for id in here if id in presses})
    who = "it" if kind == "agent" else "agents"
    stops = f" What stops {who} now: {', '.join(others)}." if others else ""
    raise UserError(f"no press of {scope} stands, so there is nothing to clear.{stops}")


def _named(text: Any, picture: Mapping[str, Any], scope: str) -> set[str]:
    """The presses that the text clears, as the text itself says.

    Raises `UserError` where that is more than was asked for, or more than was shown: what counts is
    the text under the signature, and not what somebody says beside it.
    """
    try:
        named = set(json.loads(text)["presses"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError("what came to be signed is not a clearance: nothing is signed.") from None
    shown = {press["id"]: press["scope"] for press in picture["presses"]}
    if unseen := sorted(named - set(shown)):
        raise UserError(
            f"the text to be signed also clears {', '.join(unseen)[:200]}, which nobody shows as "
            "standing. Nothing is signed: look again (freezetag status), and then with --fresh."
        )
    says = scopes_of(str(text)) or {}
    stops: dict[str, set[str]] = {}
    for press in picture["presses"]:
        stops.setdefault(press["id"], set()).add(press["scope"])
    if wrong := sorted(id for id in named if id in says and not stops[id] <= set(says[id])):
        raise UserError(
            f"the text to be signed says that {wrong[0]} stops {', '.join(says[wrong[0]])[:200]}, "
            f"and the server shows {', '.join(sorted(stops[wrong[0]]))[:200]}. Nothing is signed: "
            "look again (freezetag status), and then with --fresh."
        )
    others = sorted({shown[id] for id in named if scope and shown[id] != scope})
    if others:
        raise UserError(
            f"the text that waits for its next signature also clears {', '.join(others)[:200]}, "
            f"and you asked for {scope}. Nothing is signed. For that text: freezetag reset; for "
            "one of just this scope: --fresh."
        )
    return named


def _show(picture: dict[str, Any], named: set[str], warning: str) -> None:
    from freezetag.cli.commands.status import told
    from freezetag.report.words import plain

    print(f"people who may sign: {', '.join(picture['people'])}", file=sys.stderr)
    for press in picture["presses"]:
        act = "clears" if press["id"] in named else "leaves"
        print(f"{act} {press['id'][:8]} {told(press)}", file=sys.stderr)
    if warning:
        print(plain(warning), file=sys.stderr)
