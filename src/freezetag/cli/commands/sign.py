"""Sign what waits beside resets: a browser's key, a token to take back, a ledger to take up."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.commands.reset import key_pair
from freezetag.cli.reach import (
    EMPTY,
    NO_TOKEN,
    Flag,
    HomeOption,
    JsonOption,
    ServerOption,
    TokenOption,
    read_json,
    require,
)
from freezetag.cli.reach import reach as found
from freezetag.core.errors import UserError

Text = Annotated[str, Parameter(show_default=False)]
PathOption = Annotated[Path | None, Parameter(show_default=False)]
PREFIXES = {
    "revocation": b"freezetag revocation\n",
    "handover": b"freezetag handover\n",
    "browser_key": b"freezetag browser key\n",
}


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
    if key is None:
        raise UserError("say with which key to sign: --key ada.key (freezetag enrol --person ada).")
    require("cryptography")
    pair = key_pair(key)
    if draft is not None:
        print(json.dumps(_signed(read_json(draft, "text to sign"), pair)))
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
    text = waiting[0]["text"]
    _show(waiting[0]["kind"], text, told)
    if not yes and not _agreed():
        raise UserError("not signed.")
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


def _signed(told: Any, pair: tuple[bytes, bytes]) -> dict[str, Any]:
    """The text with our signature. Raises `UserError` for what is no text to sign."""
    from freezetag.live.signed.keys import key_id
    from freezetag.live.signed.keys import sign as made

    try:
        text, prefix = str(told["text"]), PREFIXES[told["kind"]]
        fields = json.loads(text)
        if prefix == PREFIXES["handover"]:
            _ = fields["old"], fields["new"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise UserError("this is not a text that people sign beside resets.") from None
    signature = base64.b64encode(made(pair[0], prefix + text.encode())).decode()
    return {"kind": told["kind"], "signatures": {key_id(pair[1]): signature}, "text": text}


def _show(kind: str, text: str, told: dict[str, Any]) -> None:
    """What the text itself says, and what the server says of the gates."""
    from freezetag.report.words import plain

    fields = json.loads(text)
    if kind == "handover":
        sizes = [size for size, _ in fields["old"]]
        print(
            f"gives up what gates saw up to {max(sizes)} records, and takes up this ledger over "
            f"{fields['new'][0]} at {plain(fields['authority'])}: {plain(fields['why'])}",
            file=sys.stderr,
        )
        for each in told["lost"][:20]:
            print(f"{plain(each['gate'])} saw {each['size']}, {each['root'][:16]}", file=sys.stderr)
    elif kind == "browser_key":
        print(
            f"certifies a browser's key of {plain(fields['person'])} for {plain(fields['origin'])}",
            file=sys.stderr,
        )
    else:
        print(f"takes back {plain(fields['digest'][:16])}", file=sys.stderr)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UserError("nobody is here to ask: sign without asking with --yes.")
    print("Is that what is meant? Sign [y/N]: ", end="", file=sys.stderr)
    return input().strip().lower() in ("y", "yes")
