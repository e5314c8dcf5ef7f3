"""An authority from afar, for those who press, look, reset and start.

A press goes to every known address at the same time, since one of them may be cut off; all else
goes to the first that answers. The standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import urlencode

from freezetag.core.errors import UserError
from freezetag.live.authority.tokens import RIGHTS
from freezetag.live.gate.address import Denied, Unreachable, request

DURABLE, NOBODY = "durable", "nobody"
UNKNOWN = 422
"""HTTP's status for a name that no agent and no group has."""
_TOKEN = re.compile(rf"ftz_({'|'.join(RIGHTS)})_[A-Za-z0-9_-]+")


@final
@dataclass(frozen=True)
class Told:
    """What became of a press at one address.

    `state` is `durable`, `stopping, NOT durable`, `nobody` (not pressed: no agent or group there
    has the name) or `failed`; `why` says more of the last two.
    """

    address: str
    state: str
    why: str = ""
    agents: int = 0

    @property
    def heard(self) -> bool:
        return self.state not in ("failed", NOBODY)


@final
@dataclass(frozen=True)
class Remote:
    """Addresses of one authority's server, or of several; `token` gives the text for a right.

    `presses` are tried for presses beside `addresses`.
    """

    addresses: tuple[str, ...]
    token: Callable[[str], str]
    presses: tuple[str, ...] = ()
    certificates: str = ""
    timeout: float = 5.0

    def press(
        self,
        scope: str,
        reason: str,
        category: int = 0,
        *,
        dry_run: bool = False,
        known: bool = False,
    ) -> list[Told]:
        """Presses at every address at once; one answer for each. Never raises.

        `known`: a name that no agent or group has is not pressed, where the server knows names.
        """
        addresses = list(dict.fromkeys((*self.presses, *self.addresses)))
        try:
            token = self.token("press")
        except UserError as error:
            return [Told(each, "failed", str(error)) for each in addresses]
        body = {
            "scope": scope,
            "reason": reason,
            "category": category,
            "id": secrets.token_hex(16),
            "token": token,
        }
        if dry_run:
            body["dry_run"] = True
        if known:
            body["known"] = True
        told: dict[str, Told] = {}

        def ask(address: str) -> None:
            told[address] = self._pressed(address, body)

        threads = [
            threading.Thread(target=ask, args=(address,), daemon=True) for address in addresses
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.timeout + 1)
        late = Told("", "failed", "no answer in time")
        return [told.get(each, Told(each, late.state, late.why)) for each in addresses]

    def _pressed(self, address: str, body: Mapping[str, Any]) -> Told:
        try:
            answer = request(
                address,
                "POST",
                "/press",
                body,
                timeout=self.timeout,
                certificates=self.certificates,
            )
            return Told(
                address, str(answer["state"]), str(answer.get("note", "")), int(answer["agents"])
            )
        except UserError as error:
            state = NOBODY if isinstance(error, Denied) and error.status == UNKNOWN else "failed"
            why = str(_hinted(error, body["token"]))
            return Told(address, state, why.removeprefix(address).lstrip(": "))
        except (KeyError, TypeError, ValueError):
            return Told(address, "failed", "does not answer as an authority does.")

    def get(self, path: str, *, right: str = "status", **query: Any) -> Any:
        """What the first address that answers says. Raises `Unreachable` or `Denied`."""
        return self._first("GET", path + (f"?{urlencode(query)}" if query else ""), None, right)

    def post(self, path: str, body: Mapping[str, Any], right: str = "", timeout: float = 0) -> Any:
        """Asks the first address that answers. Raises `Unreachable` or `Denied`."""
        return self._first("POST", path, body, right, timeout)

    def _first(self, method: str, path: str, body: Any, right: str, timeout: float = 0) -> Any:
        failures: list[str] = []
        token = self.token(right) if right else ""
        for address in self.addresses:
            try:
                return request(
                    address,
                    method,
                    path,
                    body,
                    token=token,
                    timeout=timeout or self.timeout,
                    certificates=self.certificates,
                )
            except Unreachable as error:
                failures.append(str(error))
            except Denied as error:
                raise _hinted(error, token) from None
        raise Unreachable(" ".join(failures) or "no address of an authority is known.")


def _hinted(error: UserError, token: str) -> UserError:
    """The refusal, with how to give a token where none with the right was given."""
    if isinstance(error, Denied) and error.status == 401 and not token:
        return Denied(
            f"{error} Give one: --token FILE (again for each right), or FREEZETAG_TOKEN.", 401
        )
    return error


def right_of(text: str, source: str) -> str:
    """The right that a token's text names. Raises `UserError`, which names the source and never
    the text, for what is not one token."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise UserError(
            f"{source} is not a token. It must hold one, ftz_RIGHT_..., and nothing else; for "
            "another right give another file."
        )
    return found[1]


def token_in(file: Path) -> str:
    """The text of the one token in a file. Raises `UserError` for any other file."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"cannot read the token in {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        text = ""
    right_of(text, str(file))
    return text


def local(folder: str | Path) -> Remote:
    """The server that runs on a folder of this host, by its sockets, with the folder's tokens.

    Raises `UserError` if none ever ran there.
    """
    path = Path(folder)
    try:
        told = json.loads((path / "listening.json").read_bytes())
        main, press = tuple(map(str, told["main"])), tuple(map(str, told["press"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"no server has run on the folder {path}. Name one with --home FOLDER or "
            "--server ADDRESS, or start one: freezetag serve."
        ) from None

    def token(right: str) -> str:
        file = path / "tokens" / right
        with contextlib.suppress(OSError):
            if file.exists() and os.access(file, os.R_OK):
                return token_in(file)
        return ""

    return Remote(main, token, press)
