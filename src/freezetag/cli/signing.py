"""A person signs: with which key, and after having said that this is what is meant."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freezetag.cli.reach import read_json, require
from freezetag.core.errors import UserError


def key_pair(key: Path | None) -> tuple[bytes, bytes]:
    """The private and the public key in a person's file. Raises `UserError` for another file, and
    where none was named."""
    if key is None:
        raise UserError("say with which key to sign: --key ada.key (freezetag enrol --person ada).")
    require("cryptography")
    from freezetag.live.signed.keys import public_of

    data = read_json(key, "private key file of a person")
    try:
        private = base64.b64decode(data["private"], validate=True)
        return private, public_of(private)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{key} is not a private key file: freezetag enrol --person makes one."
        ) from None


def signed(text: str, signatures: Mapping[str, str], key: tuple[bytes, bytes]) -> dict[str, Any]:
    """The clearance with one more signature, by this pair."""
    from freezetag.live.signed.presses import Clearance

    clearance = Clearance.from_json({"text": text, "signatures": dict(signatures)})
    return clearance.signed(*key).to_json()


def agree(question: str, yes: bool) -> None:
    """Asks, unless it was said beforehand. Raises `UserError` if it is not to be signed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nobody is here to ask: sign without asking with --yes.")
    print(f"{question} Sign [y/N]: ", end="", file=sys.stderr)
    if input().strip().lower() not in ("y", "yes"):
        raise UserError("not signed.")
