"""A server and what is handed in to it as a browser's: replays, copies, others' keys, forgeries."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.live._serving import ADA, BOB, PEOPLE, serving
from tests.live.conftest import Run
from tests.live.test_browser_key import Device
from tests.live.test_handover import by
from tests.live.test_server import ask

from freezetag.core.errors import UserError
from freezetag.live.authority.home import Home, Settings
from freezetag.live.remote.operator import Remote
from freezetag.live.server.server import Server
from freezetag.live.server.service import Service
from freezetag.live.signed.browser_key import CERTIFIES
from freezetag.live.signed.presses import SIGNED

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class AtOrigin(Device):
    """A device whose browser is at the server's own name."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def enrolled(self, server: Server, remote: Remote, person: str = "ada") -> dict[str, Any]:
        """Made and certified through the console's own forms; the certificate."""
        address, bearer = server.addresses["main"], f"Bearer {remote.token('status')}"
        page = ask(address, "GET", "/browser-keys", None, {"Authorization": bearer})[2].decode()
        challenge = base64.b64decode(re.findall(r'data-make="([^"]+)"', page)[0])
        until = re.findall(r'name="until" value="(\d+)"', page)[0]
        client, attestation = self.made(challenge, origin=self.origin, rp="localhost")
        made = json.dumps({"client": client, "attestation": attestation})
        body = urlencode({"person": person, "until": until, "made": made}).encode()
        headers = {**FORM, "Authorization": bearer}
        status, found, _ = ask(address, "POST", "/browser-keys", body, headers)
        assert status == 303, found
        assert ask(address, "POST", "/browser-keys", body, headers)[0] == 409  # a challenge is once
        (told,) = remote.get("/api/statements")["pending"]
        assert remote.post("/api/statement", by(told["text"], BOB, prefix=CERTIFIES))["missing"]
        done = by(told["text"], ADA, prefix=CERTIFIES)
        assert remote.post("/api/statement", done)["done"]
        (kept,) = server.service.authority.facts.browser_keys.certificates.values()
        return {"text": kept[0], "signatures": kept[1]}

    def clears(self, text: str, certificate: dict[str, Any], **changes: Any) -> dict[str, Any]:
        told = {"origin": self.origin, "rp": "localhost", **changes}
        value = self.signs(SIGNED + text.encode(), certificate, **told)
        return {"text": text, "signatures": {self.key_id: value}}


def test_what_is_handed_in_as_a_browsers_is_refused_or_counts_once(
    made: Home, run: Run, tmp_path: Path
) -> None:
    with Server(made) as server:
        from freezetag.live.remote.operator import local

        remote = local(made.path)
        device = AtOrigin(server.service.origin)
        mine = device.enrolled(server, remote)
        remote.press("fleet", "smoke")
        text = remote.get("/api/draft")["text"]
        assert json.loads(text)["until"] > server.service.milliseconds()
        good = device.clears(text, mine, counter=7)
        for body, said in (
            (device.clears(text, mine, origin="http://localhost:1"), "key is for"),
            (device.clears(text, mine, rp="evil"), "another site"),
            (device.clears(text, mine, challenge="AAAA"), "something else"),
            (device.clears(text, mine, flags=1), "did not verify"),
            ({**good, "signatures": {"0" * 16: good["signatures"][device.key_id]}}, "another"),
            (_of_another(text, mine, device), "not of that key"),
        ):
            with pytest.raises(UserError, match=said):
                remote.post("/api/clear", body)
        assert remote.post("/api/clear", good)["signed"] == ["ada"]
        for again in (
            good,
            device.clears(text, mine, counter=7),
            device.clears(text, mine, counter=3),
        ):
            with pytest.raises(UserError, match="counter"):
                remote.post("/api/clear", again)
        assert remote.get("/api/status")["presses"]
        told = remote.post("/api/clear", by(text, BOB, prefix=SIGNED))
        assert told["cleared"] is True
        # A device that is lost is taken back by two people, and counts no more.
        remote.press("fleet", "more smoke")
        digest = server.service.authority.facts.browser_keys.known()[0].digest
        asked = {"kind": "revocation", "digest": digest}
        lost = remote.post("/api/draft", asked, "status")["text"]
        prefix = b"freezetag revocation\n"
        told = {"origin": device.origin, "rp": "localhost"}
        odd = device.signs(prefix + lost.encode(), mine, **told)
        with pytest.raises(UserError, match="in the console"):
            remote.post("/api/revoke", {"text": lost, "signatures": {device.key_id: odd}})
        assert remote.post("/api/statement", by(lost, ADA, prefix=prefix))["done"] is False
        assert remote.post("/api/statement", by(lost, BOB, prefix=prefix))["done"] is True
        text = remote.get("/api/draft")["text"]
        with pytest.raises(UserError, match="taken back"):
            remote.post("/api/clear", device.clears(text, mine, counter=50))
    code, out, _ = run("verify", "oversight")
    assert (code, "verified" in out) == (0, True), out
    with serving(Home.open(made.path)) as remote:
        text = remote.get("/api/draft")["text"]
        with pytest.raises(UserError, match="taken back"):
            remote.post("/api/clear", device.clears(text, mine, counter=51))
    # Whoever holds the server's key can write what he likes, and verify says what does not count.
    service = Service(Home.open(made.path))
    service.open()
    body = device.clears(text, mine, counter=52)
    body["signatures"] |= by(text, BOB, prefix=SIGNED)["signatures"]
    service.writer.submit("clear", body).result(5)
    service.close()
    code, out, _ = run("verify", "oversight")
    assert (code, "a clearance with 1 good signatures of 2" in out) == (1, True), out


def test_solo_one_browser_resets_and_every_checkpoint_says_so(tmp_path: Path, run: Run) -> None:
    settings = Settings("lab", port=0, press_port=0, gate_port=0, length=0.9)
    alone = Home.create(tmp_path / "alone", settings, PEOPLE[:1], solo=True)
    with Server(alone) as server:
        from freezetag.live.remote.operator import local

        remote = local(alone.path)
        device = AtOrigin(server.service.origin)
        address, bearer = (
            server.addresses["main"],
            {"Authorization": f"Bearer {remote.token('status')}"},
        )
        page = ask(address, "GET", "/handover", None, bearer)[2].decode()
        assert "nothing is to hand over" in page
        assert ask(address, "GET", "/tokens", None, {})[0] == 200
        assert ask(address, "GET", "/browser-keys", None, {})[0] == 401
        text = _registered(device, server, remote)
        assert remote.post("/api/statement", by(text, ADA, prefix=CERTIFIES))["done"] is True
        (kept,) = server.service.authority.facts.browser_keys.certificates.values()
        remote.press("fleet", "smoke")
        wanted = remote.get("/api/draft")["text"]
        signed = device.clears(wanted, {"text": kept[0], "signatures": kept[1]})
        assert remote.post("/api/clear", signed)["cleared"] is True
    code, out, _ = run("verify", "alone")
    assert (code, "SOLO" in out) == (0, True), out


def _of_another(text: str, mine: dict[str, Any], device: AtOrigin) -> dict[str, Any]:
    """Another device's signature under this one's certificate and name."""
    made = AtOrigin(device.origin).clears(text, mine)
    return {"text": text, "signatures": {device.key_id: next(iter(made["signatures"].values()))}}


def _registered(device: AtOrigin, server: Server, remote: Remote) -> str:
    """The text of a certificate that waits for signatures."""
    from freezetag.live.signed.registration import Registration

    made = Registration("Y3JlZGVudGlhbA", device.alg, device.public, device.origin, "localhost")
    text = made.certificate("lab", "ada", 1, "n")
    with server.service.lock:
        server.service.statements.draft("browser_key", text)
    return str(remote.get("/api/statements")["pending"][0]["text"])
