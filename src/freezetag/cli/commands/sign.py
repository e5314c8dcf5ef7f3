"""Sign what waits beside resets: a browser's key, a token to take back, a ledger to take up."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Sequence
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
from freezetag.cli.signing import agree, key_pair
from freezetag.core.errors import UserError

Text = Annotated[str, Parameter(show_default=False)]
PathOption = Annotated[Path | None, Parameter(show_default=False)]


def sign(
    *,
    key: PathOption = None,
    handover: Text = "",
    draft: PathOption = None,
    yes: Flag = False,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Sign the one text that waits for signatures, with your key, and hand it in.

    It takes as many people as a reset. A handover lets gates that saw more than the ledger holds go
    on with it: what is gone stays gone, and every agent is held until somebody starts it.

    Parameters
    ----------
    key
        your private file (freezetag enrol --person)
    handover
        why the ledger is to be taken up although gates saw more: drafts the text for that, if none
        waits
    draft
        sign this file (from the console) and print the signed one; asks no server
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
    pair = key_pair(key)
    if draft is not None:
        told = read_json(draft, "text to sign")
        _read(told, str(draft))
        made = _signed(told, pair)
        _show(told, ())
        print(json.dumps(made))
        return 0
    remote = found(home, server, token)
    told = remote.get("/api/statements")
    waiting = told["pending"]
    if handover and not any(each["kind"] == "handover" for each in waiting):
        asked = {"kind": "handover", "why": handover}
        waiting = [remote.post("/api/draft", asked, "status")]
    elif handover:
        waiting = [each for each in waiting if each["kind"] == "handover"]
    if len(waiting) != 1:
        raise UserError(
            "nothing waits for signatures. For a ledger that gates saw more of: --handover WHY."
            if not waiting
            else f"{len(waiting)} texts wait for signatures: sign the one that is meant as a file "
            "from the console (--draft FILE)."
        )
    _show(waiting[0], told["lost"])
    agree("Is that what is meant?", yes)
    answer = remote.post("/api/statement", _signed(waiting[0], pair))
    who = " and ".join(answer["signed"])
    if json_:
        print(json.dumps(answer))
    elif answer["done"]:
        held = " All agents are held until: freezetag start" if "handover" in answer["kind"] else ""
        print(f"entered, signed by {who}.{held}")
    else:
        print(
            f"{len(answer['signed'])} of {answer['needed']} signed ({who}). Nothing happens until "
            f"another person signs, within {answer['seconds']} s."
        )
    return 0


def _read(told: Any, where: str = "this") -> tuple[bytes, dict[str, Any]]:
    """(what is signed of a text, what the text says). Raises `UserError` for what is no text that
    people sign beside resets, and for one of another kind than it says."""
    from freezetag.live.signed import handover, revocation
    from freezetag.live.signed.browser_key import CERTIFIES, BrowserKeyError, Certificate

    try:
        text, kind = str(told["text"]), str(told["kind"])
        whole = {"text": text, "signatures": {}}
        if kind == "handover":
            return handover.SIGNED + text.encode(), handover.Handover.from_json(whole).fields
        if kind == "revocation":
            return revocation.SIGNED + text.encode(), revocation.Revocation.from_json(whole).fields
        if kind == "browser_key":
            return CERTIFIES + text.encode(), vars(Certificate.read(text))
    except (KeyError, TypeError, UnicodeEncodeError, BrowserKeyError, UserError):
        pass
    raise UserError(f"{where} is not a text that people sign beside resets.")


def _signed(told: Any, pair: tuple[bytes, bytes]) -> dict[str, Any]:
    """The text with our signature. Raises `UserError` for what is no text to sign."""
    from freezetag.live.signed.keys import key_id
    from freezetag.live.signed.keys import sign as made

    message, _ = _read(told)
    signature = base64.b64encode(made(pair[0], message)).decode()
    signatures = {key_id(pair[1]): signature}
    return {"kind": told["kind"], "signatures": signatures, "text": told["text"]}


def _show(told: Any, lost: Sequence[dict[str, Any]]) -> None:
    """What the text itself says, and what the server says of the gates."""
    from freezetag.report.words import plain

    _, fields = _read(told)
    at = plain(fields["authority"])
    if told["kind"] == "handover":
        most = max(size for size, _ in fields["old"])
        said = (
            f"gives up what gates saw up to {most} records, and takes up this ledger over "
            f"{fields['new'][0]} at {at}: {plain(fields['why'])}"
        )
    elif told["kind"] == "browser_key":
        who, origin = plain(fields["person"]), plain(fields["origin"])
        which = hashlib.sha256(fields["public"]).hexdigest()[:16]
        said = (
            f"certifies a browser's key of {who} for {origin}, at {at}: number {which}, which is "
            "on the page that followed its making. Sign only if it is that one."
        )
    else:
        said = f"takes back {plain(fields['digest'][:16])} at {at}"
    print(said, file=sys.stderr)
    for each in lost[:20]:
        print(f"{plain(each['gate'])} saw {each['size']}, {each['root'][:16]}", file=sys.stderr)
