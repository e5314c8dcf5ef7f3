"""Keys in browsers, without one: what counts, and each way in which a signature does not."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from tests.live._serving import ADA, BOB, EVE, PEOPLE

from freezetag.live.signed import browser_key
from freezetag.live.signed.browser_key import (
    CERTIFIES,
    PREFIX,
    BrowserKeyError,
    BrowserKeys,
    Certificate,
    check,
    unpadded,
)
from freezetag.live.signed.cbor import CborError, read
from freezetag.live.signed.keys import Roster, key_id, sign
from freezetag.live.signed.presses import SIGNED, Clearance, Press, Presses, draft
from freezetag.live.signed.registration import Registration, RegistrationError

ORIGIN, RP = "https://stop.example", "stop.example"
ROSTER = Roster("lab", PEOPLE)
MESSAGE = SIGNED + b"{}"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class Device:
    """An authenticator, made by hand after the standard."""

    def __init__(self, alg: int = -7) -> None:
        self.alg, self.counter, self.id = alg, 0, b"credential"
        self.p256 = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        if self.alg == -8:
            return self.ed.public_key().public_bytes_raw()
        at = self.p256.public_key().public_numbers()
        return b"\x04" + at.x.to_bytes(32, "big") + at.y.to_bytes(32, "big")

    @property
    def key_id(self) -> str:
        return key_id(self.public)

    def cose(self) -> bytes:
        if self.alg == -8:
            return bytes.fromhex("a4010103272006215820") + self.public
        x, y = self.public[1:33], self.public[33:]
        head = bytes.fromhex("a5010203262001215820")
        return head + x + bytes.fromhex("225820") + y

    def head(self, rp: str = RP, flags: int = 5, counter: int | None = None) -> bytes:
        self.counter += 1
        n = self.counter if counter is None else counter
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + n.to_bytes(4, "big")

    def made(self, asked: bytes, **changes: Any) -> tuple[str, str]:
        """What `create` gives: client data and attestation."""
        data = self.head(changes.pop("rp", RP), changes.pop("flags", 0x45), 0) + bytes(16)
        data += len(self.id).to_bytes(2, "big") + self.id + changes.pop("cose", self.cose())
        data = data[: len(data) - changes.pop("cut", 0)]
        length = len(data).to_bytes(2, "big")
        whole = b"\xa3cfmtdnonegattStmt\xa0hauthData" + b"\x59" + length + data
        client = {"type": "webauthn.create", "challenge": unpadded(asked), "origin": ORIGIN}
        return b64(json.dumps(client | changes).encode()), b64(whole)

    def signs(self, message: bytes, certificate: dict[str, Any], **changes: Any) -> str:
        """What `get` gives, with its certificate."""
        data = changes.pop("data", None) or self.head(
            changes.pop("rp", RP), changes.pop("flags", 5), changes.pop("counter", None)
        )
        told = {
            "type": "webauthn.get",
            "challenge": unpadded(hashlib.sha256(message).digest()),
            "origin": ORIGIN,
            "crossOrigin": False,
        }
        client = json.dumps(told | changes).encode()
        signed = data + hashlib.sha256(client).digest()
        made = (
            self.ed.sign(signed) if self.alg == -8 else self.p256.sign(signed, ec.ECDSA(SHA256()))
        )
        parts = {
            "authenticator": b64(data),
            "certificate": certificate,
            "client": b64(client),
            "signature": b64(made),
        }
        return PREFIX + json.dumps(parts)


def certificate(
    device: Device, *keys: tuple[bytes, bytes], person: str = "ada", authority: str = "lab"
) -> dict[str, Any]:
    made = Registration("Y3JlZGVudGlhbA", device.alg, device.public, ORIGIN, RP)
    text = made.certificate(authority, person, 1, "n")
    signatures = {key_id(k[1]): b64(sign(k[0], CERTIFIES + text.encode())) for k in keys}
    return {"text": text, "signatures": signatures}


def judged(value: str, message: bytes = MESSAGE) -> str:
    """Whose signature it is, or why it is none; the roster agrees."""
    try:
        made = check(value, message, "lab", ROSTER.keys, 2)
    except BrowserKeyError as error:
        names = [key_id(device_public(value))] if PREFIX in value else ["x"]
        assert ROSTER.signers(message, [(name, value) for name in names]) == frozenset()
        return str(error)
    assert ROSTER.signers(message, [(made.digest[:16], value)]) == {made.person}
    return made.person


def device_public(value: str) -> bytes:
    try:
        return Certificate.read(
            json.loads(value.removeprefix(PREFIX))["certificate"]["text"]
        ).public
    except (ValueError, KeyError, TypeError):
        return b""


@pytest.mark.parametrize("alg", [-7, -8], ids=["ES256", "EdDSA"])
def test_a_key_is_registered_certified_and_signs(alg: int) -> None:
    device = Device(alg)
    made = Registration.of(*device.made(b"c" * 32), challenge=b"c" * 32, origin=ORIGIN, rp=RP)
    assert (made.alg, made.public) == (alg, device.public)
    signed = certificate(device, ADA, BOB)
    assert judged(device.signs(MESSAGE, signed)) == "ada"
    value = device.signs(MESSAGE, signed)
    assert ROSTER.signers(MESSAGE, [("0" * 16, value)]) == frozenset()  # under another's name


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "another origin": ({"origin": "https://stop.example.evil"}, "key is for"),
    "another port": ({"origin": ORIGIN + ":8443"}, "key is for"),
    "in a frame of another site": ({"crossOrigin": True}, "key is for"),
    "another RP id": ({"rp": "evil"}, "another site"),
    "another challenge": ({"challenge": unpadded(bytes(32))}, "something else"),
    "made to register": ({"type": "webauthn.create"}, "not to sign"),
    "nobody verified": ({"flags": 1}, "did not verify"),
    "nobody present": ({"flags": 4}, "did not verify"),
    "flags that contradict": ({"flags": 5 | 16}, "contradict"),
    "a key inside": ({"flags": 5 | 64}, "cut short"),
    "cut short": ({"data": b"x" * 36}, "cut short"),
    "more behind": ({"data": hashlib.sha256(RP.encode()).digest() + b"\5\0\0\0\1x"}, "more in it"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_signature_that_does_not_count(case: str) -> None:
    changes, said = HOSTILE[case]
    device = Device()
    assert said in judged(device.signs(MESSAGE, certificate(device, ADA, BOB), **changes))


def test_another_action_another_persons_key_and_forged_certificates() -> None:
    device = Device()
    good = certificate(device, ADA, BOB)
    value = device.signs(MESSAGE, good)
    # The same text as another action, another text, another key's signature.
    assert "something else" in judged(value, b"freezetag revocation\n{}")
    assert "something else" in judged(value, SIGNED + b"{} ")
    assert "not of that key" in judged(Device().signs(MESSAGE, good))
    for keys, said in (((ADA,), "1 good signatures of 2"), ((BOB,), "did not sign"), ((), "did"),
                       ((ADA, EVE), "1 good"), ((BOB, EVE), "'ada' did not sign")):  # fmt: skip
        assert said in judged(device.signs(MESSAGE, certificate(device, *keys)))
    assert "another authority" in judged(
        device.signs(MESSAGE, certificate(device, ADA, BOB, authority="other"))
    )
    assert "did not sign" in judged(
        device.signs(MESSAGE, certificate(device, ADA, BOB, person="eve"))
    )
    other = json.loads(good["text"]) | {"person": "bob"}
    assert "did not sign" in judged(
        device.signs(MESSAGE, {"text": json.dumps(other), "signatures": good["signatures"]})
    )
    for text in ("", PREFIX, PREFIX + "{}", PREFIX + "[]", PREFIX + '{"certificate":1}',
                 value[:-20], PREFIX + "[" * 5000):  # fmt: skip
        assert ROSTER.signers(MESSAGE, [(device.key_id, text)]) == frozenset()


def test_a_signature_with_more_put_into_it_than_any_browser_does_is_none() -> None:
    device = Device()
    value = device.signs(MESSAGE, certificate(device, ADA, BOB))
    parts = json.loads(value.removeprefix(PREFIX))
    assert judged(PREFIX + json.dumps({**parts, "more": "x" * 1000})) == "ada"
    for more in ("x" * 8000, "\U0001f600" * 2000, "\ud800"):
        odd = PREFIX + json.dumps({**parts, "more": more}, ensure_ascii=False)
        assert "cannot be read, or is longer" in judged(odd)


def test_every_flipped_byte_is_noticed() -> None:
    device = Device()
    parts = json.loads(device.signs(MESSAGE, certificate(device, ADA, BOB)).removeprefix(PREFIX))
    for part in ("authenticator", "client", "signature"):
        raw = base64.b64decode(parts[part])
        for at in range(len(raw)):
            bent = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            value = PREFIX + json.dumps(parts | {part: b64(bent)})
            assert ROSTER.signers(MESSAGE, [(device.key_id, value)]) == frozenset(), (part, at)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"origin": "https://evil"}, "was made at"),
        ({"rp": "evil"}, "another site"),
        ({"challenge": "AAAA"}, "something else"),
        ({"type": "webauthn.get"}, "not asked to make"),
        ({"flags": 0x41}, "did not verify"),
        ({"flags": 5}, "no key is in"),
        ({"flags": 0xC5}, "cut short"),
        ({"cut": 1}, "cut short"),
        ({"cut": 40}, "cut short"),
        ({"cut": 90}, "no key is in"),
        ({"cose": b"\xa0"}, "neither"),
        ({"cose": b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + bytes(32) + b"\x22\x58\x20" +
          bytes(32)}, "not readable"),
        ({"cose": b"\xa0\x00"}, "more in it"),
    ],
)  # fmt: skip
def test_a_registration_that_is_not_taken(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RegistrationError, match=said):
        Registration.of(
            *Device().made(b"c" * 32, **changes), challenge=b"c" * 32, origin=ORIGIN, rp=RP
        )


def test_cbor_that_is_cut_short_or_has_no_use_here() -> None:
    whole = Device().cose()
    assert read(whole)[1] == b""
    for end in range(len(whole)):
        with pytest.raises(CborError):
            read(whole[:end])
    for odd in ("5f", "9f", "bf", "c0", "f7", "fb", "a2010101", "a201010102", "1c", "81" * 20):
        with pytest.raises(CborError):
            read(bytes.fromhex(odd))


def test_counters_rise_and_replays_are_refused() -> None:
    device, keys = Device(), BrowserKeys("lab", ROSTER.keys, 2)
    signed = certificate(device, ADA, BOB)
    first = [(device.key_id, device.signs(MESSAGE, signed, counter=5))]
    with pytest.raises(BrowserKeyError, match="not enrolled"):
        keys.hear(MESSAGE, first)
    assert keys.enrol(signed["text"], signed["signatures"]) == ""
    assert "enrolled before" in keys.enrol(signed["text"], signed["signatures"])
    keys.hear(MESSAGE, first)
    for counter in (5, 4, 0):
        again = [(device.key_id, device.signs(MESSAGE, signed, counter=counter))]
        with pytest.raises(BrowserKeyError, match="counter"):
            keys.hear(MESSAGE, again)
    assert keys.kept(MESSAGE, first) == tuple(first)
    keys.record(MESSAGE, first)
    with pytest.raises(BrowserKeyError, match="counter"):
        keys.record(MESSAGE, first)
    assert keys.kept(MESSAGE, first) == ()
    keys.take_back(hashlib.sha256(device.public).hexdigest())
    later = [(device.key_id, device.signs(MESSAGE, signed, counter=9))]
    with pytest.raises(BrowserKeyError, match="taken back"):
        keys.hear(MESSAGE, later)
    assert "enrolled before" in keys.enrol(signed["text"], signed["signatures"])


def test_a_gate_clears_by_browser_keys_of_two_people_and_not_by_two_of_one() -> None:
    """Without any server: what a gate holds is the roster of key files."""
    press = Press("a" * 32, "fleet", "wall", 1)
    text = draft("lab", {press.id: {}}, {"root": "", "size": 0}, "n", {press.id: ["fleet"]})
    message = SIGNED + text.text.encode()
    mine, spare, hers = Device(), Device(-8), Device(-8)
    of_ada, again = certificate(mine, ADA, BOB), certificate(spare, ADA, BOB)
    of_bob = certificate(hers, ADA, BOB, person="bob")

    def standing(*pairs: tuple[str, str]) -> int:
        return len(Presses([press], [Clearance(text.text, pairs)]).standing(ROSTER))

    one = mine.key_id, mine.signs(message, of_ada)
    two = spare.key_id, spare.signs(message, again)
    three = hers.key_id, hers.signs(message, of_bob)
    file = key_id(ADA[1]), b64(sign(ADA[0], message))
    assert standing(one) == standing(one, two) == standing(one, two, file) == 1
    assert standing(one, three) == standing(three, file) == 0


def test_it_is_checked_by_one_file_that_imports_nothing_of_ours() -> None:
    from pathlib import Path

    for name in ("browser_key", "judge", "verify"):
        text = Path(str(browser_key.__file__)).with_name(f"{name}.py").read_text("utf-8")
        assert "import freezetag" not in text
        assert "from freezetag" not in text
