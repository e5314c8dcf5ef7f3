"""Keys in browsers (WebAuthn) as second keys of people: certificates, and what they sign.

A key in a browser has no file, so that it is made known by a certificate: a text that names the
person, the key, and the one origin it is for, signed with their key files by that person and by as
many people as a reset takes. Whatever the key signs carries its certificate, so that whoever knows
the people's key files (a gate, a verifier) can check it without asking anybody.

In the place of an Ed25519 signature stands `webauthn:` and JSON: `certificate` {`text`,
`signatures`}, and of the browser's assertion `authenticator`, `client`, `signature` in base64. The
challenge is SHA-256 of just the bytes that a key file would sign. Source: W3C, Web Authentication
Level 2, section 7.2; keys are ES256 (P-256) and EdDSA (Ed25519).

Like `verify.py` this file imports nothing of freezetag, so that the two can be carried away.

Caveat: which device holds the key is not looked at (no attestation): the people who sign the
certificate vouch for that. A gate does not know which keys were taken back since; the server and
the verifier do.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "webauthn:"
CERTIFIES = b"freezetag browser key\n"
ES256, EDDSA = -7, -8
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 1, 4, 8, 16, 64, 128
HEAD = 37
"""Bytes of an authenticator's data: hash of the RP id, flags, counter."""
LARGEST = 8192
"""Bytes of a signature as a whole: certificate, assertion and whatever else is put into it."""


class BrowserKeyError(ValueError):
    """A certificate or an assertion that does not count; the text says why."""


@dataclass(frozen=True)
class Certificate:
    """What a certificate's text says of a key."""

    authority: str
    person: str
    credential: str
    alg: int
    public: bytes
    origin: str
    rp: str

    @property
    def digest(self) -> str:
        """SHA-256 of the public key; the first 16 digits are its key id."""
        return hashlib.sha256(self.public).hexdigest()

    @classmethod
    def read(cls, text: Any) -> Certificate:
        """Raises `BrowserKeyError`."""
        try:
            told = json.loads(text)
            words = [told[name] for name in ("authority", "person", "credential", "origin", "rp")]
            alg, public = told["alg"], base64.b64decode(told["public"], validate=True)
            good = all(isinstance(each, str) and each for each in words)
            length = {ES256: 65, EDDSA: 32}.get(alg if type(alg) is int else 0)
        except (ValueError, TypeError, KeyError, RecursionError):
            good, length = False, None
        if not good or length != len(public):
            raise BrowserKeyError("the certificate of the browser's key cannot be read")
        authority, person, credential, origin, rp = words
        return cls(authority, person, credential, alg, public, origin, rp)


@dataclass(frozen=True)
class Assertion:
    """A good signature by a browser's key: whose, by which, its counter (0: it keeps none)."""

    person: str
    digest: str
    counter: int
    certificate: str


def certified(
    text: Any, signatures: Any, authority: str, people: Mapping[str, bytes], quorum: int
) -> Certificate:
    """The certificate, if its own person and `quorum` people in all signed it with key files.

    `people` maps names to Ed25519 keys. Raises `BrowserKeyError`.
    """
    told = Certificate.read(text)
    if told.authority != authority:
        raise BrowserKeyError("the certificate is of another authority")
    if not isinstance(signatures, Mapping):
        raise BrowserKeyError("the certificate carries no signatures")
    message = CERTIFIES + str(text).encode("utf-8", "replace")
    good = {
        name
        for name, key in people.items()
        if _ed25519(key, message, _decoded(signatures.get(hashlib.sha256(key).hexdigest()[:16])))
    }
    if told.person not in good:
        raise BrowserKeyError(f"{told.person!r:.60} did not sign the certificate of that key")
    if len(good) < quorum:
        raise BrowserKeyError(f"the certificate has {len(good)} good signatures of {quorum}")
    return told


def fits(public: bytes, message: bytes, signature: Any) -> bool:
    """Whether `signature` (base64) is that of a key file under `message`."""
    return _ed25519(public, message, _decoded(signature))


def is_assertion(value: Any) -> bool:
    """Whether a signature says that a browser's key made it."""
    return isinstance(value, str) and value.startswith(PREFIX)


def check(
    value: Any, message: bytes, authority: str, people: Mapping[str, bytes], quorum: int
) -> Assertion:
    """The signature by a browser's key under `message`. Raises `BrowserKeyError`.

    It must be an answer to the hash of this message, made at the certificate's own origin, for its
    RP id, by a person who was there and whom the device had verified.
    """
    try:
        if len(str(value).encode()) > LARGEST:
            raise ValueError("longer than any browser's")
        told = json.loads(str(value).removeprefix(PREFIX))
        text, signatures = told["certificate"]["text"], told["certificate"]["signatures"]
        data, client = _decoded(told["authenticator"]), _decoded(told["client"])
        signature = _decoded(told["signature"])
        said = json.loads(client)
        kind, challenge, origin = said["type"], said["challenge"], said["origin"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BrowserKeyError(
            f"the browser's signature cannot be read, or is longer than {LARGEST} bytes"
        ) from None
    key = certified(text, signatures, authority, people, quorum)
    if kind != "webauthn.get":
        raise BrowserKeyError(f"what was asked of the browser is {kind!r:.40}, not to sign")
    if challenge != unpadded(hashlib.sha256(message).digest()):
        raise BrowserKeyError("the browser signed something else than this text")
    if origin != key.origin or said.get("crossOrigin") not in (None, False):
        raise BrowserKeyError(f"it was signed at {origin!r:.100}, and the key is for {key.origin}")
    flags, counter = read_head(data, key.rp)
    if flags & ATTESTED or (len(data) > HEAD) != bool(flags & EXTENDED):
        raise BrowserKeyError("the authenticator's data is cut short, or has more in it")
    signed = data + hashlib.sha256(client).digest()
    good = _p256 if key.alg == ES256 else _ed25519
    if not good(key.public, signed, signature):
        raise BrowserKeyError("the signature is not of that key")
    return Assertion(key.person, key.digest, counter, str(text))


def read_head(data: bytes, rp: str) -> tuple[int, int]:
    """Flags and counter of an authenticator's data for this RP id. Raises `BrowserKeyError`."""
    if len(data) < HEAD:
        raise BrowserKeyError("the authenticator's data is cut short")
    if data[:32] != hashlib.sha256(rp.encode()).digest():
        raise BrowserKeyError(f"the authenticator signed for another site than {rp!r:.100}")
    flags = data[32]
    if not flags & PRESENT or not flags & VERIFIED:
        raise BrowserKeyError("the device did not verify its person (PIN, finger, face)")
    if flags & BACKED_UP and not flags & ELIGIBLE:
        raise BrowserKeyError("the authenticator's flags contradict each other")
    return flags, int.from_bytes(data[33:37], "big")


@dataclass
class BrowserKeys:
    """The browser keys of one authority, record by record: which are certified, which were taken
    back, and how far each key's counter is."""

    authority: str
    people: Mapping[str, bytes]
    quorum: int
    certificates: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """digest -> (text, signatures), of the keys that count now."""
    gone: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    """Digests of what is being taken back: decided, and not recorded yet. Whatever is handed in
    now would be recorded after it."""
    recorded: dict[str, int] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)

    def enrol(self, text: str, signatures: Mapping[str, str]) -> str:
        """Takes a certificate in; why not, or ""."""
        try:
            key = certified(text, signatures, self.authority, self.people, self.quorum)
        except BrowserKeyError as error:
            return str(error)
        if key.digest in self.certificates or key.digest in self.gone:
            return "that browser's key was enrolled before"
        self.certificates[key.digest] = text, dict(signatures)
        return ""

    def take_back(self, digest: str) -> None:
        """The key counts no more; it is not enrolled again."""
        if self.certificates.pop(digest, None) is not None:
            self.gone.add(digest)

    def known(self) -> list[Certificate]:
        """The keys that count."""
        return [Certificate.read(text) for text, _ in self.certificates.values()]

    def signers(self, message: bytes, signatures: Iterable[tuple[str, Any]]) -> list[Assertion]:
        """The good ones among the signatures by browser keys, whatever their counters.

        Raises `BrowserKeyError` for one that is none, or by a key that does not count here.
        """
        found = []
        for name, value in signatures:
            if not is_assertion(value):
                continue
            made = check(value, message, self.authority, self.people, self.quorum)
            if made.digest[:16] != name:
                raise BrowserKeyError("the signature stands under another key's name")
            if self.certificates.get(made.digest, ("",))[0] != made.certificate:
                raise BrowserKeyError(
                    f"that key of {made.person!r:.60} is not enrolled here, or was taken back"
                )
            found.append(made)
        return found

    def hear(self, message: bytes, signatures: Iterable[tuple[str, Any]]) -> None:
        """Somebody hands signatures in. Raises `BrowserKeyError` for what `signers` refuses, and
        for a counter that does not rise: it was handed in before, or two devices have one key."""
        found = self.signers(message, signatures)
        for made in found:
            self._stays(made)
            past = max(self.heard.get(made.digest, 0), self.recorded.get(made.digest, 0))
            _rises(made, past)
        for made in found:
            self.heard[made.digest] = made.counter

    def kept(
        self, message: bytes, signatures: Iterable[tuple[str, Any]]
    ) -> tuple[tuple[str, Any], ...]:
        """Those signatures that may still be recorded: not by a key that was taken back since, or
        that signed for a later record already."""
        kept = []
        for pair in signatures:
            try:
                for made in self.signers(message, [pair]):
                    self._stays(made)
                    _rises(made, self.recorded.get(made.digest, 0))
            except BrowserKeyError:
                continue
            kept.append(pair)
        return tuple(kept)

    def _stays(self, made: Assertion) -> None:
        if made.digest in self.leaving:
            raise BrowserKeyError(f"that key of {made.person!r:.60} is being taken back")

    def record(self, message: bytes, signatures: Iterable[tuple[str, Any]]) -> list[Assertion]:
        """Signatures that go into the ledger, or come from it. Raises `BrowserKeyError`."""
        found = self.signers(message, signatures)
        for made in found:
            _rises(made, self.recorded.get(made.digest, 0))
        for made in found:
            self.recorded[made.digest] = made.counter
        return found


def _rises(made: Assertion, past: int) -> None:
    if (made.counter or past) and not made.counter > past:
        raise BrowserKeyError(
            f"the counter of that key of {made.person!r:.60} is {made.counter}, and it was at "
            f"{past}: handed in before, signed since, or a copy of the key"
        )


def unpadded(raw: bytes) -> str:
    """base64url without padding, as browsers write a challenge."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: Any) -> bytes:
    """The bytes of base64 in its one spelling; b"" for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return b""
    return raw if len(raw) <= LARGEST and base64.b64encode(raw).decode() == text else b""


def _ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _p256(public: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
