"""Bearer tokens: opaque, one right each, stored as hashes.

A press token needs no login and no second factor, and covers a scope: it is printed and put on a
wall. A token for resets does not exist; clearing takes signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, final

from freezetag.core.errors import UserError

RIGHTS = ("press", "status", "start", "admin", "drill", "present")


class TokenError(UserError):
    """A token that cannot be issued or read."""


@final
@dataclass(frozen=True)
class Token:
    """What is stored of a token: SHA-256 of its text, its right, scope and holder."""

    digest: str
    right: str
    scope: str
    holder: str

    def __post_init__(self) -> None:
        if self.right not in RIGHTS:
            raise TokenError(f"a token's right is one of {', '.join(RIGHTS)}, not {self.right!r}")
        if not self.scope or not self.holder:
            raise TokenError(f"a {self.right} token names its scope and its holder")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def issue(right: str, scope: str, holder: str) -> tuple[str, Token]:
    """A fresh token: its text, to be shown once, and what is stored (256 bits of randomness)."""
    text = f"ftz_{right}_{secrets.token_urlsafe(32)}"
    return text, Token(_digest(text), right, scope, holder)


def within(scope: str, held: str, groups: Iterable[str] = ()) -> bool:
    """Whether a token for `held` reaches `scope`; `groups` are those of the agent in `scope`.

    >>> within("agent:a", "fleet"), within("fleet", "agent:a"), within("agent:a", "group:g", ["g"])
    (True, False, True)
    """
    if held in ("fleet", scope):
        return True
    kind, _, name = held.partition(":")
    return kind == "group" and scope.startswith("agent:") and name in groups


@final
class TokenBook:
    """The tokens in force."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._tokens = {token.digest: token for token in tokens}

    def add(self, token: Token) -> None:
        self._tokens[token.digest] = token

    def revoke(self, digest: str) -> None:
        """Takes two signatures where it weakens the stop; that is the caller's to check."""
        self._tokens.pop(digest, None)

    def all(self) -> tuple[Token, ...]:
        return tuple(self._tokens.values())

    def check(
        self, text: Any, right: str, scope: str | None = None, groups: Iterable[str] = ()
    ) -> Token | None:
        """The stored token if `text` is one with that right and reach, else None; never raises."""
        if not isinstance(text, str) or len(text) > 200:
            return None
        try:
            digest = _digest(text)
        except UnicodeEncodeError:
            return None
        found = None
        for token in self._tokens.values():
            # Every stored hash is compared, each in constant time.
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None or found.right != right:
            return None
        return found if scope is None or within(scope, found.scope, groups) else None


def why_kept(book: tuple[Token, ...], digest: str) -> str:
    """Why this token may not be taken back; "" if it may. A scope's last one stays."""
    found = next((token for token in book if token.digest == digest), None)
    if found is None:
        return "there is no such token here, or it was taken back before."
    same = [each for each in book if each.right == found.right and each is not found]
    if not any(each.scope in ("fleet", found.scope) for each in same):
        return (
            f"it is the last token with the right {found.right} for {found.scope}: issue another "
            "one first (freezetag token --issue press)."
        )
    return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
