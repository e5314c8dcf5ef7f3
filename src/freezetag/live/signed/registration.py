"""A key that a browser just made: what has to hold before anybody is asked to certify it.

Source: W3C, Web Authentication Level 2, section 7.1. The device's make is not looked at (no
attestation): the people who sign the certificate vouch for the key.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.canonical import canonical
from freezetag.core.errors import UserError
from freezetag.live.signed.browser_key import (
    ATTESTED,
    EDDSA,
    ES256,
    EXTENDED,
    HEAD,
    BrowserKeyError,
    read_head,
    unpadded,
)
from freezetag.live.signed.cbor import CborError, read


class RegistrationError(UserError):
    """A key that is not taken; the text says why."""


@final
@dataclass(frozen=True)
class Registration:
    """A credential: its id (base64url), COSE algorithm, raw public key, and where it is good."""

    credential: str
    alg: int
    public: bytes
    origin: str
    rp: str

    @classmethod
    def of(
        cls, client: Any, attestation: Any, *, challenge: bytes, origin: str, rp: str
    ) -> Registration:
        """Of what the browser gave, in base64: `clientDataJSON` and `attestationObject`.

        Raises `RegistrationError`.
        """
        try:
            said = json.loads(base64.b64decode(client, validate=True))
            if said["type"] != "webauthn.create":
                raise BrowserKeyError("the browser was not asked to make a key")
            if said["challenge"] != unpadded(challenge):
                raise BrowserKeyError("the browser answers to something else than was asked here")
            if said["origin"] != origin or said.get("crossOrigin") not in (None, False):
                raise BrowserKeyError(
                    f"it was made at {said['origin']!r:.100}, and this is {origin}"
                )
            told, rest = read(base64.b64decode(attestation, validate=True))
            data = told["authData"]
            if rest or not isinstance(data, bytes):
                raise BrowserKeyError("the browser's answer has more in it than a key")
            flags, _ = read_head(data, rp)
            return cls._from(data[HEAD:], flags, origin, rp)
        except (BrowserKeyError, CborError) as error:
            why = str(error).rstrip(".")
            raise RegistrationError(f"the browser's key is not taken: {why}.") from None
        except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
            raise RegistrationError(
                "the browser's key is not taken: its answer is not readable."
            ) from None

    @classmethod
    def _from(cls, rest: bytes, flags: int, origin: str, rp: str) -> Registration:
        """AAGUID, the length of the id, the id, the COSE key; then extensions, if flagged."""
        length = int.from_bytes(rest[16:18], "big")
        if not flags & ATTESTED or not 0 < length <= 1023 or len(rest) < 18 + length:
            raise BrowserKeyError("no key is in the authenticator's data")
        key, after = read(rest[18 + length :])
        if flags & EXTENDED:
            _, after = read(after)
        if after or not isinstance(key, dict):
            raise BrowserKeyError("the authenticator's data has more in it than a key")
        alg = key.get(3)
        match key.get(1), alg, key.get(-1), key.get(-2), key.get(-3):
            case 2, -7, 1, bytes() as x, bytes() as y if len(x) == len(y) == 32:
                public = b"\x04" + x + y
            case 1, -8, 6, bytes() as x, None if len(x) == 32:
                public = x
            case _:
                raise BrowserKeyError("it is neither an ES256 nor an EdDSA key")
        _check_point(alg, public)
        return cls(unpadded(rest[18 : 18 + length]), alg, public, origin, rp)

    def certificate(self, authority: str, person: str, at: int, nonce: str) -> str:
        """The text that certifies the key as one of `person`, to be signed."""
        return canonical(
            {
                "alg": self.alg,
                "at": at,
                "authority": authority,
                "credential": self.credential,
                "nonce": nonce,
                "origin": self.origin,
                "person": person,
                "public": base64.b64encode(self.public).decode(),
                "rp": self.rp,
            }
        ).decode()


def _check_point(alg: int, public: bytes) -> None:
    """Raises `ValueError` for a key that is none."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if alg == ES256:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    elif alg == EDDSA:
        Ed25519PublicKey.from_public_bytes(public)
