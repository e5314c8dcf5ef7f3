"""List tokens, issue one that presses or looks, or take one back, which takes two people."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from freezetag.cli.reach import (
    EMPTY,
    NO_TOKEN,
    HomeOption,
    JsonOption,
    ServerOption,
    TokenOption,
    new_file,
    read_json,
    secret_file,
)
from freezetag.cli.reach import reach as found
from freezetag.cli.signing import key_pair
from freezetag.core.errors import UserError

Text = Annotated[str, Parameter(show_default=False)]
PathOption = Annotated[Path | None, Parameter(show_default=False)]


def token(
    *,
    issue: Annotated[Literal["press", "status", ""], Parameter(show_default=False)] = "",
    scope: str = "fleet",
    holder: Text = "",
    revoke: Text = "",
    key: PathOption = None,
    draft: PathOption = None,
    out: PathOption = None,
    home: HomeOption = None,
    server: ServerOption = EMPTY,
    token: TokenOption = NO_TOKEN,
    json_: JsonOption = False,
) -> int:
    """Show the tokens in force; with options, issue one or take one back.

    Parameters
    ----------
    issue
        a token with this right: press or status; the file --out is written
    scope
        what it reaches: fleet, group:NAME or agent:NAME
    holder
        who will have it, as whom its presses are reported
    revoke
        take back the token of this id: signs that with --key, for the next person to sign, too
    key
        your private file (freezetag enrol --person)
    draft
        the file that the first person signed: sign it, too, and hand it in
    out
        the file for the token, or for what the first person signed (default: revoke-ID.json)
    home
        the folder of the server on this host; default: FREEZETAG_HOME, else oversight
    server
        an address (http://HOST:PORT or unix:PATH), or several: --server A --server B
    token
        a file with a token, or one for each right; default: FREEZETAG_TOKEN, else the folder's
    json_
        print what came back as JSON
    """
    if bool(issue) + bool(revoke) + (draft is not None) > 1:
        raise UserError("--issue, --revoke and --draft are different things: give one.")
    remote = found(home, server, token)
    if issue:
        return _issue(remote, {"right": issue, "scope": scope, "holder": holder}, out, json_)
    if revoke or draft is not None:
        return _revoke(remote, revoke, key, draft, out, json_)
    listed = remote.get("/api/tokens", right="admin")["tokens"]
    if json_:
        print(json.dumps(listed))
        return 0
    from freezetag.report.words import plain

    for each in listed:
        reach = f"{each['id']}  {each['right']:8} {plain(each['scope']):20}"
        print(f"{reach} {plain(each['holder'])}")
    return 0


def _issue(remote: Any, asked: dict[str, str], out: Path | None, as_json: bool) -> int:
    if out is None or not asked["holder"]:
        raise UserError("a token takes a --holder and a file: --issue press --out FILE.")
    with new_file(
        out
    ) as write:  # first: a token whose text was lost would be in force all the same
        told = remote.post("/api/token", asked, "admin")
        write(f"{told['token']}\n")
    print(json.dumps({"id": told["id"]}) if as_json else f"token {told['id']}: {out}")
    return 0


def _revoke(
    remote: Any, id: str, key: Path | None, draft: Path | None, out: Path | None, as_json: bool
) -> int:
    """Signs, and hands in what enough people have signed."""
    pair = key_pair(key)
    from freezetag.live.signed.revocation import Revocation, RevocationError

    if draft is not None:
        try:
            made = Revocation.from_json(read_json(draft, "revocation to sign"))
        except RevocationError:
            raise UserError(
                f"{draft} is not a revocation to sign: `freezetag token --revoke ID --key KEY` "
                "writes one, for the next person."
            ) from None
        print(f"takes back {made.fields['digest'][:16]}", file=sys.stderr)
    else:
        told = remote.get("/api/tokens", right="admin")
        near = [each for each in told["tokens"] if each["digest"].startswith(id)]
        if len(near) != 1 or len(id) < 8:
            raise UserError(
                f"{id!r} is the id of {len(near)} tokens. Give one as `freezetag token` shows it."
            )
        nonce = secrets.token_hex(16)
        made = Revocation.draft(told["authority"], near[0]["digest"], told["at"], nonce)
    made = made.signed(*pair)
    answer = remote.post("/api/revoke", made.to_json())
    if not answer["revoked"] and draft is None:
        file = out or Path(f"revoke-{made.fields['digest'][:16]}.json")
        with secret_file(file) as write:
            write(made.to_json())
        answer["draft"] = str(file)
    who = " and ".join(answer["signed"])
    if as_json:
        print(json.dumps(answer))
    elif answer["revoked"]:
        print(f"taken back, signed by {who}.")
    else:
        print(f"signed by {who}: 1 of {answer['needed']}. The next person: freezetag token --draft "
              f"{answer.get('draft', draft)} --key KEY")  # fmt: skip
    return 0
