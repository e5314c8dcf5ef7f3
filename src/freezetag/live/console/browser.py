"""The parts of pages for keys in browsers. Without a script they say so, and files still work."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from freezetag.live.console.markup import Html, name, tag
from freezetag.live.signed.browser_key import EDDSA, ES256, Certificate

SCRIPT = tag("script", src="/static/webauthn.js", defer=True)
NO_SCRIPT = tag(
    "p",
    "Keys in browsers take JavaScript, which is off. Signed files work without it.",
    class_="no-script",
)
"""The script takes it away."""


def sign_here(
    prefix: bytes, text: str, action: str, keys: Sequence[Certificate], origin: str
) -> Html:
    """Lets a key of this browser, or one plugged in, sign `text`; posts the assertion to `action`.

    `origin` is where such keys work, "" nowhere.
    """
    head = tag("h2", "Or sign with a key in this browser")
    known = [key for key in keys if key.origin == origin]
    if not origin or not known:
        link = tag("a", "Keys in browsers", href="/browser-keys")
        return tag("section", head, tag("p", "Nobody has one that works here yet: ", link, "."))
    challenge = hashlib.sha256(prefix + text.encode()).digest()
    form = tag(
        "form",
        tag("input", type="hidden", name="text", value=text),
        tag("input", type="hidden", name="assertion"),
        tag("button", "Sign with a browser's key"),
        tag("p", role="status", class_="told"),
        method="post",
        action=action,
        hidden=True,
        class_="browser",
        data_sign=_encoded(challenge),
        data_keys=" ".join(key.credential for key in known),
        data_rp=urlsplit(origin).hostname,
        data_origin=origin,
    )
    return tag("section", head, form, NO_SCRIPT, SCRIPT)


def register(
    people: Sequence[str], origin: str, challenge: bytes, until: int, authority: str
) -> Html:
    """The form by which a person's browser makes a key for this authority."""
    if not origin:
        return tag(
            "p",
            "Browsers bind a key to a name under TLS, and this server does not know its own: ",
            tag("code", "freezetag serve --origin https://NAME"),
            ".",
            class_="loud",
        )
    options = [tag("option", name(each), value=each) for each in people]
    form = tag(
        "form",
        tag("label", "Whose key it will be", for_="person"),
        tag("select", *options, id="person", name="person"),
        tag("input", type="hidden", name="until", value=until),
        tag("input", type="hidden", name="made"),
        tag("button", "Make a key in this browser"),
        tag("p", role="status", class_="told"),
        method="post",
        action="/browser-keys",
        hidden=True,
        class_="browser",
        data_make=_encoded(challenge),
        data_rp=urlsplit(origin).hostname,
        data_origin=origin,
        data_algorithms=f"{EDDSA} {ES256}",
        data_authority=authority,
    )
    return tag("section", form, NO_SCRIPT, SCRIPT)


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
