"""People and their Ed25519 keys: who may clear a press, and how many of them it takes.

Keys are raw 32 bytes. Agents and services are in no roster, so their signatures count for nothing.
A key in a browser counts as its person's, by the certificate that its signatures carry.
`cryptography` is imported when a signature is first made or checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.live.signed.browser_key import BrowserKeyError, check, is_assertion


class RosterError(UserError):
    """A roster that could not protect a reset; the text names the person."""


@final
@dataclass(frozen=True)
class Person:
    """Someone who may sign a clearance: a name and a public key (32 bytes)."""

    name: str
    key: bytes

    @property
    def key_id(self) -> str:
        return key_id(self.key)


@final
@dataclass(frozen=True)
class Roster:
    """The people of one authority. Two of them clear a press; one, visibly, if `solo`.

    Raises `RosterError` for a name or key that occurs twice (`ada`, `Ada` and a wide `ａda` are one
    name), a key of another length, or fewer than two people without `solo`.

    Caveat: letters of two alphabets may look alike (a Cyrillic `а`), and are two names here.
    """

    authority: str
    people: tuple[Person, ...]
    solo: bool = False

    def __post_init__(self) -> None:
        seen: dict[object, str] = {}
        for person in self.people:
            if len(person.key) != 32:
                raise RosterError(
                    f"{person.name}: an Ed25519 key has 32 bytes, not {len(person.key)}"
                )
            name = unicodedata.normalize("NFKC", person.name).strip().casefold()
            for what in (name, person.key):
                if what in seen:
                    raise RosterError(
                        f"{person.name}: the same name or key as {seen[what]} in the roster of "
                        f"{self.authority}. Two signatures must mean two people."
                    )
                seen[what] = person.name
        if len(self.people) < 2 and not self.solo:
            raise RosterError(
                f"the roster of {self.authority} names {len(self.people)}, and a reset needs two "
                "people. Add one, or say solo (--solo), which every page and ledger head will show."
            )

    @property
    def quorum(self) -> int:
        return 1 if self.solo else 2

    @property
    def keys(self) -> dict[str, bytes]:
        """The people's key files by name."""
        return {person.name: person.key for person in self.people}

    def signers(self, message: bytes, signatures: Iterable[tuple[str, str]]) -> frozenset[str]:
        """Names of the people whose signature of `message` is good.

        `signatures` are pairs of a key id and base64, or what a browser's key made
        (`freezetag.live.signed.browser_key`).
        """
        by_id = {person.key_id: person for person in self.people}
        good = set()
        for identifier, signature in signatures:
            if is_assertion(signature):
                try:
                    made = check(signature, message, self.authority, self.keys, self.quorum)
                except BrowserKeyError:
                    continue
                if made.digest[:16] == identifier:
                    good.add(made.person)
                continue
            person = by_id.get(identifier)
            if person is None:
                continue
            try:
                raw = base64.b64decode(signature, validate=True)
            except (binascii.Error, ValueError):
                continue
            # One spelling alone, as the offline verifier has it: what it refuses, nobody may take.
            if base64.b64encode(raw).decode() == signature and verify(person.key, message, raw):
                good.add(person.name)
        return frozenset(good)

    def to_json(self) -> dict[str, Any]:
        people = [
            {"key": base64.b64encode(person.key).decode(), "name": person.name}
            for person in self.people
        ]
        return {"authority": self.authority, "people": people, "solo": self.solo}

    @classmethod
    def from_json(cls, data: Any) -> Roster:
        """Raises `RosterError` for anything that is not a roster."""
        try:
            people = tuple(
                Person(str(person["name"]), base64.b64decode(person["key"], validate=True))
                for person in data["people"]
            )
            solo, authority = data["solo"], data["authority"]
        except (KeyError, TypeError, ValueError) as error:
            raise RosterError(f"this is not a roster: {type(error).__name__}: {error}") from None
        if not isinstance(solo, bool) or not isinstance(authority, str):
            raise RosterError(f"this is not a roster: solo {solo!r}, authority {authority!r:.50}")
        return cls(authority, people, solo)


def key_id(public: bytes) -> str:
    """The short name of a public key: 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def generate() -> tuple[bytes, bytes]:
    """A fresh (private, public) pair, 32 bytes each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def public_of(private: bytes) -> bytes:
    """The public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    """The 64-byte signature of `message`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is good. False, never an error, for whatever is malformed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
