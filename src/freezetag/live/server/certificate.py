"""When the server's certificate ends, which stops the whole fleet: said 30, 7 and 1 days before."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from freezetag.core.errors import UserError

DAY = 24 * 3600.0
WARN_AT = (1, 7, 30)


def ends(path: str | Path) -> float:
    """Unix seconds at which the first certificate of a PEM file ends. Raises `UserError`."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(Path(path).read_bytes()).not_valid_after_utc
    except OSError as error:
        raise UserError(f"cannot read the certificate {path}: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{path} is not a certificate: {error}.") from None
    return found.timestamp()


def check_pair(certificate: str, key: str) -> None:
    """Raises `UserError` where a listener could not use these files, both "" for no TLS."""
    if not certificate:
        return
    ends(certificate)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", "") or getattr(error, "strerror", "") or error
        raise UserError(f"{key} is not a key of the certificate {certificate}: {why}.") from None


def warning(path: str | Path, now: float) -> str:
    """What to say of it at `now` (Unix seconds); "" while there is time."""
    end = ends(path)
    day = datetime.fromtimestamp(end, UTC).date()
    if end <= now:
        return f"the certificate ended on {day}: nobody reaches this server by TLS"
    within = [days for days in WARN_AT if end - now <= days * DAY]
    if not within:
        return ""
    return f"the certificate ends on {day}, in less than {within[0]} days; then the fleet stops"
