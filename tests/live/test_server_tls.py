"""A real server with TLS: pinned certificates, their end, and what stays plain."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.live._serving import (
    PEOPLE,
    agent,
    enrolled,
    gated,
    serving,
    started,
    until,
)

from freezetag.live.authority.home import Home, Settings
from freezetag.live.gate.address import Unreachable
from freezetag.live.remote.operator import Remote
from freezetag.live.server.certificate import warning


def certificate(folder: Path, days: float) -> tuple[str, str]:
    """A certificate for this host that ends in so many days, and its key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    built = built.public_key(key.public_key()).serial_number(1).add_extension(here, False)
    built = built.not_valid_before(now - timedelta(days=60))
    built = built.not_valid_after(now + timedelta(days=days))
    made = built.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(folder / "tls.pem"), str(folder / "tls.key")


def test_tls_with_a_pinned_certificate_that_ends_soon(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, 6)
    settings = Settings("lab", "127.0.0.1", 0, 0, 0, 0.9, 60.0, pem, key)
    made = Home.create(tmp_path / "lab", settings, PEOPLE, solo=False)
    with serving(made) as local_:
        (address,) = [each for each in local_.addresses if each.startswith("https")]
        with pytest.raises(Unreachable, match="certificate"):
            Remote((address,), local_.token).get("/api/status")
        remote = Remote((address,), local_.token, certificates=pem)
        until(lambda: "less than 7 days" in " ".join(remote.get("/api/status")["alarms"]))
        file = enrolled(remote, tmp_path)
        data = json.loads(file.read_text())
        only = [each for each in data["addresses"] if each.startswith("https")]
        file.write_text(json.dumps(data | {"addresses": only, "certificates": pem}))
        with gated(file) as gate:
            started(remote)
            until(lambda: gate.is_open)
            assert agent(remote)["incarnations"][-1]["connected"]


@pytest.mark.parametrize("days", [30, -1])
def test_with_tls_the_local_sockets_stay_plain(tmp_path: Path, days: float) -> None:
    """So that neither TLS nor a certificate that has ended keeps the owner from the button."""
    pem, key = certificate(tmp_path, days)
    settings = Settings("lab", "127.0.0.1", 0, 0, 0, 0.9, 60.0, pem, key)
    made = Home.create(tmp_path / "lab", settings, PEOPLE, solo=False)
    with serving(made) as remote:
        near = tuple(each for each in remote.presses + remote.addresses if "unix:" in each)
        assert len(near) == 2
        assert [told.state for told in Remote(near, remote.token).press("fleet", "x")] == [
            "durable",
            "durable",
        ]
        file = enrolled(remote, tmp_path)  # `freezetag enrol --home` takes the first address
        assert any(each.startswith("unix:") for each in json.loads(file.read_text())["addresses"])


@pytest.mark.parametrize(
    ("left", "told"), [(40, ""), (29, "30 days"), (6.5, "7 days"), (0.5, "1 days"), (-1, "ended")]
)
def test_the_end_of_a_certificate_is_told_in_time(tmp_path: Path, left: float, told: str) -> None:
    pem, _ = certificate(tmp_path, left)
    said = warning(pem, time.time())
    assert told in said
    assert bool(said) == bool(told)
