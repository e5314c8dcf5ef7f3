"""What people sign beside resets, by page and by request: drafts, signatures, browsers' keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from freezetag.live.console import statement as pages
from freezetag.live.server.handlers.console import PAGE, page
from freezetag.live.server.requests import Rejected, as_json, fields_of, holder
from freezetag.live.server.statements import (
    KINDS,
    StatementError,
    read_object,
    signed_in_browser,
)
from freezetag.live.signed.registration import Registration
from freezetag.live.signed.revocation import Revocation

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from freezetag.live.server.service import Service

REGISTER_WITHIN = 10 * 60 * 1000
"""Milliseconds in which a browser has to make its key."""


async def browser_keys(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    until = service.milliseconds() + REGISTER_WITHIN
    with service.lock:
        roster = service.home.roster
        return page(
            pages.browser_keys(
                service.authority.facts.browser_keys.known(),
                [person.name for person in roster.people],
                service.origin,
                _challenge(service, until),
                until,
                roster.authority,
                service.statements.pending("browser_key"),
            )
        )


async def register(service: Service, request: Request) -> Response:
    """A key that a browser made: a certificate is drafted, which people have to sign."""
    fields = await fields_of(request)
    holder(service, request, fields, "status")
    roster, origin = service.home.roster, service.origin
    person, until = str(fields.get("person", "")), str(fields.get("until", ""))
    if person not in [each.name for each in roster.people]:
        raise StatementError(f"{person!r:.60} is nobody in the roster.")
    left = int(until) - service.milliseconds() if until.isdecimal() and len(until) < 16 else -1
    if not origin or not 0 <= left <= REGISTER_WITHIN:
        raise StatementError("the browser took too long to make its key; ask it again.")
    told = read_object(fields.get("made"))
    made = Registration.of(
        told.get("client"),
        told.get("attestation"),
        challenge=_challenge(service, int(until)),
        origin=origin,
        rp=urlsplit(origin).hostname or "",
    )
    text = made.certificate(roster.authority, person, service.milliseconds(), secrets.token_hex(16))
    with service.lock:
        service.statements.certify(text, int(until), service.milliseconds())
    return _to(text)


async def draft(service: Service, request: Request) -> Response:
    """A text to take a token or key back, or to hand over. Drafting changes nothing."""
    fields = await fields_of(request)
    holder(service, request, fields, "status")
    with service.lock:
        return _to(_drafted(service, fields)["text"])


def _drafted(service: Service, fields: Mapping[str, Any]) -> dict[str, Any]:
    kind, name, now = fields.get("kind"), service.home.settings.name, service.milliseconds()
    if kind == "handover":
        text = service.handovers.draft(name, str(fields.get("why", "")), now).text
    elif kind == "revocation":
        digest = str(fields.get("digest", ""))
        made = Revocation.draft(name, digest, now, secrets.token_hex(16))
        _ = made.fields
        text = made.text
    else:
        raise Rejected(400, f"what is drafted is a handover or a revocation, not {kind!r:.60}.")
    return service.statements.draft(str(kind), text)


async def show(service: Service, request: Request) -> Response:
    """A text under way, what it says, and the ways to sign it."""
    holder(service, request, {}, "status")
    with service.lock:
        told = service.statements.by_nonce(request.query_params.get("nonce", ""))
        keys = service.authority.facts.browser_keys.known()
        prefix, solo = KINDS[told["kind"]].prefix, service.home.roster.solo
        says = _says(service, told["kind"], json.loads(told["text"]))
        return page(pages.statement(told, says, prefix, keys, service.origin, solo))


async def hand_in(service: Service, request: Request) -> Response:
    """Signatures from the form. They are what allows this; no token does."""
    fields = await fields_of(request)
    with service.lock:
        signatures = signed_in_browser(service.authority.facts, fields)
    text = fields.get("text")
    if signatures is None:
        signed = read_object(fields.get("signature-1"))
        signatures, text = signed.get("signatures"), signed.get("text")
    return page(pages.entered(await service.sign(text, signatures)))


async def file(service: Service, request: Request) -> Response:
    """A text as a file to sign."""
    from starlette.responses import JSONResponse

    fields = await fields_of(request)
    holder(service, request, fields, "status")
    with service.lock:
        told = service.statements.told(str(fields.get("text")))
    made = {"kind": told["kind"], "signatures": {}, "text": told["text"]}
    attached = {"Content-Disposition": 'attachment; filename="statement.json"'}
    return JSONResponse(made, headers=PAGE | attached)


async def handover(service: Service, request: Request) -> Response:
    holder(service, request, {}, "status")
    with service.lock:
        lost, size = service.handovers.to_json(), service.tree.size
        return page(pages.handover(lost, size, service.statements.pending("handover")))


async def tokens(service: Service, request: Request) -> Response:
    fields = {} if request.method == "GET" else await fields_of(request)
    if not fields:
        return page(pages.tokens(None))
    holder(service, request, fields, "admin")
    return page(pages.tokens([each.to_json() for each in service.home.tokens.all()]))


async def lost(service: Service, request: Request) -> Response:
    """What gates saw that is not here, and what waits for signatures."""
    holder(service, request, {}, "status")
    with service.lock:
        return as_json(
            {
                "lost": service.handovers.to_json(),
                "size": service.tree.size,
                "root": service.tree.root().hex(),
                "pending": service.statements.pending(),
            }
        )


async def draft_one(service: Service, request: Request) -> Response:
    fields = await fields_of(request)
    holder(service, request, fields, "status")
    with service.lock:
        return as_json(_drafted(service, fields))


async def sign_one(service: Service, request: Request) -> Response:
    """Signatures are what allows this; no token does."""
    fields = await fields_of(request)
    return as_json(await service.sign(fields.get("text"), fields.get("signatures")))


def _says(service: Service, kind: str, fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a text says, in rows for people."""
    if kind == "browser_key":
        # Whoever signs compares it: a text "of ada" need not be of a key that ada made.
        number = hashlib.sha256(base64.b64decode(fields["public"])).hexdigest()[:16]
        said = ("person", fields["person"]), ("works at", fields["origin"]), ("its number", number)
        return list(said)
    if kind == "handover":
        sizes = sorted({size for size, _ in fields["old"]})
        return [
            ("given up", f"{len(fields['old'])} heads over {sizes[0]} to {sizes[-1]} records"),
            ("taken up", f"{fields['new'][0]} records, root {fields['new'][1][:16]}"),
            ("why", fields["why"]),
        ]
    for token in service.home.tokens.all():
        if token.digest == fields["digest"]:
            held = ("right", token.right), ("scope", token.scope), ("holder", token.holder)
            return [*held, ("id", token.digest[:16])]
    for key in service.authority.facts.browser_keys.known():
        if key.digest == fields["digest"]:
            return [("browser's key of", key.person), ("at", key.origin), ("id", key.digest[:16])]
    return [("id", fields["digest"][:16])]


def _challenge(service: Service, until: int) -> bytes:
    """What a browser answers when it makes a key: ours alone, and good up to a moment."""
    return hmac.digest(service.home.secret, b"freezetag registration\n%d" % until, "sha256")


def _to(text: str) -> Response:
    from starlette.responses import RedirectResponse

    return RedirectResponse(f"/statement?nonce={json.loads(text)['nonce']}", 303, headers=PAGE)


ROUTES = (
    ("GET", "/browser-keys", browser_keys),
    ("POST", "/browser-keys", register),
    ("GET", "/statement", show),
    ("POST", "/statement", hand_in),
    ("POST", "/statement/draft", draft),
    ("POST", "/statement/statement.json", file),
    ("GET", "/handover", handover),
    ("GET", "/tokens", tokens),
    ("POST", "/tokens", tokens),
    ("GET", "/api/statements", lost),
    ("POST", "/api/draft", draft_one),
    ("POST", "/api/statement", sign_one),
)
