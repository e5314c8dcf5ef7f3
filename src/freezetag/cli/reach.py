"""Which server a command talks to (`--home`, `--server`, `--token`), and the files it reads and
writes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.core.errors import RunError, UserError
from freezetag.live.gate.configuration import Configuration
from freezetag.live.remote.operator import Remote, local, right_of, token_in

HOME = "oversight"
HomeOption = Annotated[Path | None, Parameter(name="--home", show_default=False)]
ServerOption = Annotated[tuple[str, ...], Parameter(name="--server", show_default=False)]
TokenOption = Annotated[tuple[Path, ...], Parameter(name="--token", show_default=False)]
JsonOption = Annotated[bool, Parameter(name="--json", show_default=False)]
Flag = Annotated[bool, Parameter(show_default=False)]
EMPTY: tuple[str, ...] = ()
NO_TOKEN: tuple[Path, ...] = ()
"""No token given: those of the folder."""


def folder(home: Path | None) -> Path:
    """The authority's folder: the option, else FREEZETAG_HOME or the user's settings, else
    `oversight` here."""
    return home or Configuration.read().home or Path(HOME)


def database(folder: Path) -> str:
    """The URL of the database that holds the ledger of a node's folder; "" if a file does."""
    kept = folder / "authority.json"
    told = read_json(kept, "authority's folder") if kept.is_file() else None
    store = told.get("store") if isinstance(told, dict) else None
    return store if isinstance(store, str) else ""


def reach(home: Path | None, server: Sequence[str], tokens: Sequence[Path]) -> Remote:
    """The server at these addresses, else at those of the settings (`Configuration`), else the one
    of a folder.

    With tokens given, those of the folder are not used. Raises `UserError` if no server is named
    and none has run here, and for what is not a token.
    """
    settings = Configuration.read()
    told = list(server) or settings.server
    given = _given(tokens, settings.token_file)
    if told and home is None:
        return Remote(tuple(told), lambda right: given.get(right, ""), certificates=certificates())
    remote = replace(local(folder(home)), certificates=certificates())
    return replace(remote, token=lambda right: given.get(right, "")) if given else remote


def certificates() -> str:
    """The file of the certificates to trust for https."""
    return Configuration.read().certificates


def _given(files: Sequence[Path], settled: Sequence[Path]) -> dict[str, str]:
    """The tokens of the files, else those of FREEZETAG_TOKEN, else of the settings, by right."""
    words = os.environ.get("FREEZETAG_TOKEN", "").split()
    texts = {str(file): token_in(file) for file in files or ([] if words else settled)}
    if not files:
        texts |= {f"word {n} of FREEZETAG_TOKEN": word for n, word in enumerate(words, 1)}
    given, sources = {}, dict[str, str]()
    for source, text in texts.items():
        right = right_of(text, source)
        if right in given:
            raise UserError(
                f"two tokens with the right {right} are given: {sources[right]} and {source}. "
                "Give one for each right."
            )
        given[right], sources[right] = text, source
    return given


def require(*modules: str, extra: str = "live") -> None:
    """Raises `UserError` with the install command if a library of the extra is missing."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"this needs {', '.join(missing)}. Install it with: pip install 'freezetag[{extra}]'"
        )


def read_json(path: Path, what: str) -> Any:
    """Raises `UserError` for a file that is missing or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}, which is to be a {what}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no {what}: {error}.") from None


@contextlib.contextmanager
def new_file(path: Path, mode: int = 0o600) -> Iterator[Callable[[str], None]]:
    """Gives what writes text to a new file, which is taken away on an error. By default only its
    owner may read it.

    Raises `UserError` for a file that is there, `RunError` for one that cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise UserError(
            f"{path} exists already and is not overwritten. Choose another --out."
        ) from None
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}.") from None

    def write(text: str) -> None:
        # Without a buffer, whose rest closing would try to write again on a full disk.
        left = text.encode()
        try:
            while left:
                left = left[os.write(handle, left) :]
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}.") from None

    try:
        yield write
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def secret_file(path: Path) -> Iterator[Callable[[Any], None]]:
    """The same for JSON."""
    with new_file(path) as write:
        yield lambda value: write(json.dumps(value, indent=1) + "\n")
