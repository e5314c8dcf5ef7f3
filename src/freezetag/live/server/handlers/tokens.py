"""Tokens: to list them, to issue one that presses or looks, to take one back by signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freezetag.core.errors import UserError
from freezetag.core.scopes import understood
from freezetag.live.authority.tokens import issue
from freezetag.live.server.requests import as_json, fields_of, holder
from freezetag.live.server.service import Service
from freezetag.live.signed.browser_key import is_assertion
from freezetag.live.signed.records import asked_by
from freezetag.live.signed.revocation import Revocation, RevocationError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

ISSUED = ("press", "status")
"""Rights that a token can be issued for: those that are spread widely and stop or show."""
GOOD_FOR = 24 * 3600 * 1000
"""Milliseconds from its draft in which a revocation is taken."""


async def tokens(service: Service, request: Request) -> Response:
    """All tokens in force, by the first digits of their digests; never their texts."""
    holder(service, request, {}, "admin")
    book = service.home.tokens.all()
    told = [{**token.to_json(), "id": token.digest[:16]} for token in book]
    return as_json({"tokens": told, "authority": service.home.settings.name,
                    "at": service.milliseconds()})  # fmt: skip


async def issue_one(service: Service, request: Request) -> Response:
    """A fresh token for a holder by name; its text is in this answer and nowhere else."""
    fields = await fields_of(request)
    admin = holder(service, request, fields, "admin")
    right, scope = str(fields.get("right", "")), str(fields.get("scope", "fleet"))[:200]
    who = str(fields.get("holder", "")).strip()[:200]
    if right not in ISSUED:
        raise UserError(f"a token is issued for {' or '.join(ISSUED)}, not for {right!r:.60}.")
    if not understood(scope):
        raise UserError(f"a token's scope is fleet, agent:NAME or group:NAME, got {scope!r:.100}.")
    if not who or not who.isprintable():
        raise UserError("a token names its holder, as whom its presses are reported.")
    text, token = issue(right, scope, who)
    await service.commit(lambda: asked_by(admin.holder, [("token", token.to_json())]))
    return as_json({"token": text, "id": token.digest[:16]})


async def revoke(service: Service, request: Request) -> Response:
    """Signatures are what allows this; no token does. Half-signed ones are not kept here."""
    revocation = Revocation.from_json(await fields_of(request))
    roster, digest = service.home.roster, revocation.fields["digest"]
    if any(is_assertion(value) for _, value in revocation.signatures):
        raise RevocationError("keys in browsers take tokens back in the console: page tokens.")
    signers = sorted(revocation.signers(roster))
    if not signers:
        raise RevocationError("no signature of anybody in the roster is under it.")
    if not 0 <= service.milliseconds() - revocation.fields["at"] <= GOOD_FOR:
        raise RevocationError("it was not drafted within the last 24 hours; sign a new one.")
    done = len(signers) >= roster.quorum

    def decide() -> list[tuple[str, dict[str, Any]]]:
        if why := service.under_way.why_kept(digest):
            raise RevocationError(why)
        return [("revoke", revocation.to_json())] if done else []

    await service.commit(decide)
    return as_json({"signed": signers, "needed": roster.quorum, "revoked": done})
