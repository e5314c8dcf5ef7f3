"""Reaching an authority: one HTTP request to `http://HOST:PORT`, `https://…` or `unix:PATH`.

The standard library alone, so that a press needs nothing that could fail to import. An answer that
is not an answer (refused, too late, cut off, not JSON) is `Unreachable`; a refusal is `Denied`.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from freezetag.core.errors import RunError, UserError

LARGEST_ANSWER = 64 * 1024 * 1024


class Unreachable(RunError):
    """Nobody answered at an address; the text names it."""


class Denied(UserError):
    """An authority refused a request; `status` is HTTP's."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def request(
    address: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | str | None = None,
    *,
    token: str = "",
    timeout: float = 5.0,
    certificates: str = "",
) -> Any:
    """The JSON (or, for other types, the text) that `address` answers.

    `certificates` is a file of pinned certificates for `https`. Raises `Unreachable` or `Denied`.
    """
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None
    if body is not None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        headers["Content-Type"] = "application/json"
    connection = connect(address, timeout, certificates)
    try:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        raw = answer.read(LARGEST_ANSWER)
        kind = answer.headers.get_content_type()
        value = json.loads(raw) if kind == "application/json" else raw.decode()
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = str(error) or type(error).__name__
        raise Unreachable(f"{address} does not answer: {why}.") from None
    finally:
        connection.close()
    if answer.status >= 400:
        told = value.get("error") if isinstance(value, dict) else value
        raise Denied(f"{address}: {told or answer.reason}", answer.status)
    return value


def connect(address: str, timeout: float, certificates: str = "") -> http.client.HTTPConnection:
    """A connection, not yet made. Raises `UserError` for what is not an address."""
    if address.startswith("unix:"):
        return _Unix(address.removeprefix("unix:"), timeout)
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(
            f"{address!r} is not an address of an authority: give http://HOST:PORT, "
            "https://HOST:PORT or unix:PATH."
        )
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=certificates or None)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=trust)
    return http.client.HTTPConnection(host, port, timeout=timeout)


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
