"""What is agreed beforehand of a server: by environment, else by a file of the user's own.

    server = "https://oversight.example:8750"     FREEZETAG_SERVER, separated by spaces
    token_file = ["press.token"]                  FREEZETAG_TOKEN_FILE, separated as in PATH
    enrolment = "writer.enrolment"                FREEZETAG_ENROLMENT, separated as in PATH
    home = "/srv/oversight"                       FREEZETAG_HOME
    certificates = "ca.pem"                       FREEZETAG_CERTIFICATES

The file is `FREEZETAG_CONFIG`, else `freezetag/config.toml` in the user's folder of settings
(`XDG_CONFIG_HOME`). It is never looked for in the current folder, where an agent may write: it
says where a press goes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import UserError

FILES = ("token_file", "enrolment")
"""Settings that are paths, of which there may be several."""


@final
@dataclass(frozen=True)
class Configuration:
    """Addresses of a server, files of tokens and enrolments, the folder of an authority on this
    host, and a PEM file to trust for https; empty for what nobody said."""

    server: tuple[str, ...] = ()
    token_file: tuple[Path, ...] = ()
    enrolment: tuple[Path, ...] = ()
    home: Path | None = None
    certificates: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Configuration:
        """Environment first, setting by setting. Raises `UserError` for a file that is named and
        not there, that is no TOML, or that says what nobody knows."""
        told = os.environ if environment is None else environment
        found: dict[str, Any] = _from_file(told)
        if words := told.get("FREEZETAG_SERVER", "").split():
            found["server"] = tuple(words)
        for name in FILES:
            if text := told.get(f"FREEZETAG_{name.upper()}", ""):
                found[name] = tuple(Path(each) for each in text.split(os.pathsep) if each)
        if home := told.get("FREEZETAG_HOME", ""):
            found["home"] = Path(home)
        if certificates := told.get("FREEZETAG_CERTIFICATES", ""):
            found["certificates"] = certificates
        return cls(**found)


def _from_file(environment: Mapping[str, str]) -> dict[str, Any]:
    named = environment.get("FREEZETAG_CONFIG", "")
    try:
        file = Path(named) if named else _usual(environment)
        text = file.read_text(encoding="utf-8") if file is not None else ""
    except FileNotFoundError:
        if named:
            raise UserError(f"FREEZETAG_CONFIG names {named}, which is not there.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings in {file} cannot be read: {error}.") from None
    return _settings(text, file) if file is not None else {}


def _usual(environment: Mapping[str, str]) -> Path | None:
    base = environment.get("XDG_CONFIG_HOME") or environment.get("HOME", "")
    if not base:
        return None  # a user without a home folder has no settings
    folder = Path(base) if environment.get("XDG_CONFIG_HOME") else Path(base) / ".config"
    return folder / "freezetag" / "config.toml"


def _settings(text: str, file: Path) -> dict[str, Any]:
    import tomllib

    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file} is no TOML: {error}.") from None
    known = [field.name for field in fields(Configuration)]
    if extra := sorted(set(told) - set(known)):
        raise UserError(
            f"{file}: no such setting: {', '.join(extra)}. There is {', '.join(known)}."
        )
    found: dict[str, Any] = {}
    for name, value in told.items():
        words = value if isinstance(value, list) and name in ("server", *FILES) else [value]
        if not all(isinstance(word, str) and word for word in words):
            raise UserError(f"{file}: {name} is text, got {value!r:.100}.")
        if name == "server":
            found[name] = tuple(words)
        elif name in FILES:
            found[name] = tuple(file.parent / word for word in words)
        else:
            path = file.parent / words[0]
            found[name] = path if name == "home" else str(path)
    return found
