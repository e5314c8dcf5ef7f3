"""The folder of one authority: keys, roster, tokens, ledger, lock. Only its owner may read it.

authority.json   name, addresses, lengths        secret, signing   keys (never in a backup)
roster.json      people who may reset            tokens.json       hashes; tokens/ their texts
ledger.db        what happened                   second.jsonl      what could not go there
freezetag.sock   the local listener              lock              held by the one server
webhook.secret   signs what webhooks are sent    notices.db        what waits to be sent to them
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, Any, final
from urllib.parse import urlsplit

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.postgres_database import is_url, masked
from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.authority.store import StoreError
from freezetag.live.authority.tokens import RIGHTS, Token, TokenBook, issue
from freezetag.live.signed.frames import LEAST
from freezetag.live.signed.keys import Person, Roster, generate, public_of

STOP_FILE = "STOP"
"""In the folder it presses for the whole fleet, for as long as it lies there."""
LEDGER = "ledger.db"
OWN = "the folder's own token"
"""Who holds the tokens that a folder begins with."""
ADDED = frozenset({"present"})
"""Rights that came later than the first folders."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")


class HomeError(UserError):
    """A folder that is no authority's, or cannot be used; the text says what to do."""


@final
@dataclass(frozen=True)
class Settings:
    """What a server needs to know beside its keys.

    `port` is for the console and requests, `press_port` for presses alone, `gate_port` for gates
    alone; 0 takes a free one. `length` is that of a lease, `rearm_within` the longest silence that
    a gate may return from by itself, both in seconds. `drill_within`: how old the newest drill may
    be, in seconds, before only canaries are started (0: any age). `certificate` and `key`: PEM
    files for TLS. `webhooks`: addresses that notices are sent to, separated by spaces. `store`: the
    URL of a PostgreSQL database that holds the ledger in place of a file of the folder; then `node`
    names this server among the others, and `node_lease` is for how many seconds it grants after it
    last looked what they wrote. `origin`: where people open the console, `https://NAME[:PORT]`,
    which keys in browsers are bound to; "" is localhost, where only this host is served.
    """

    name: str = "authority"
    host: str = "127.0.0.1"
    port: int = 8750
    press_port: int = 8751
    gate_port: int = 8752
    length: float = 5.0
    rearm_within: float = 60.0
    certificate: str = ""
    key: str = ""
    drill_within: float = 0.0
    webhooks: str = ""
    store: str = ""
    node: str = ""
    node_lease: float = 2.0
    origin: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise HomeError(
                "--name: an authority's name is 1 to 60 letters, digits, '.', '_' and '-', "
                f"got {self.name!r}."
            )
        for field in ("length", "rearm_within", "node_lease"):
            value = getattr(self, field)
            if type(value) not in (int, float) or not 0 < value < float("inf"):
                raise HomeError(f"{option(field)} is a number of seconds above 0, got {value!r}.")
        if self.node_lease < LEAST:
            raise HomeError(
                f"--node-lease is at least {LEAST:g} s, got {self.node_lease:g} s: four times in "
                "one a node looks what the others wrote, and an answer may take half of it."
            )
        every = self.drill_within
        if type(every) not in (int, float) or not 0 <= every < float("inf"):
            raise HomeError(
                "--drill-within is a number of seconds from 0 (no drill is asked for), "
                f"got {every!r}."
            )
        for field in ("port", "press_port", "gate_port"):
            value = getattr(self, field)
            if type(value) is not int or not 0 <= value < 65536:
                raise HomeError(f"{option(field)} is a number from 0 to 65535, got {value!r}.")
        chosen = [port for port in (self.port, self.press_port, self.gate_port) if port]
        if len(set(chosen)) < len(chosen):
            raise HomeError(
                "--port, --press-port and --gate-port are three different ports, got "
                f"{self.port}, {self.press_port} and {self.gate_port}."
            )
        if bool(self.certificate) != bool(self.key):
            raise HomeError("TLS takes both: --certificate FILE and --key FILE.")
        for url in self.webhooks.split():
            _check_webhook(url)
        if self.origin:
            _check_origin(self.origin)
        if self.store and not is_url(self.store):
            raise HomeError(
                "--store is postgresql://USER@HOST/DATABASE, got "
                f"{masked(self.store)!r}. Without it the ledger is a file of the folder."
            )
        if bool(self.store) != bool(self.node):
            raise HomeError(
                "several nodes take both: --store postgresql://… and --node NAME, another name for "
                "each server."
            )
        if self.node and not _NAME.fullmatch(self.node):
            raise HomeError(
                f"--node: a node's name is 1 to 60 letters, digits, '.', '_' and '-', got "
                f"{self.node!r}."
            )


def _check_webhook(url: str) -> None:
    """Raises `HomeError` for what notices cannot be sent to. Whoever is to be known by the receiver
    puts that into the path: a name and password would stand in every log."""
    parts = urlsplit(url)
    try:
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.fragment or not url.isascii():
        raise HomeError(
            f"--webhook is an address such as https://HOST/PATH, without name, password and "
            f"fragment, got {url!r:.200}."
        )


def _check_origin(text: str) -> None:
    """Raises `HomeError` for an address that browsers let no key be bound to."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    try:
        plain = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        plain = ""
    local = host == "localhost" or host.endswith(".localhost")
    named = bool(_HOST.fullmatch(host)) and not host.rpartition(".")[2].isdecimal()
    if (
        plain != text
        or not named
        or not (parts.scheme == "https" or (parts.scheme == "http" and local))
    ):
        raise HomeError(
            "--origin is where people open the console, as their browsers show it: "
            "https://NAME or https://NAME:PORT (http for localhost alone, no number for a name), "
            f"got {text!r:.200}. Browsers bind a key to nothing else."
        )


def option(setting: str) -> str:
    """What a setting is called on the command line."""
    return f"--{setting.replace('_', '-')}"


@final
class Home:
    """An opened folder. `create` makes one, `open` reads one; `lock` keeps a second server out."""

    def __init__(self, path: Path) -> None:
        """Raises `HomeError` for a folder that lacks a part or holds an unreadable one."""
        self.path = path
        self.settings: Settings = _part(path / "authority.json", _settings)
        self.roster: Roster = _part(path / "roster.json", _roster)
        self.secret: bytes = _part(path / "secret", _key)
        self.signing: bytes = _part(path / "signing", _key)
        self.tokens: TokenBook = _part(path / "tokens.json", _tokens)
        self.public = public_of(self.signing)
        if self.roster.authority != self.settings.name:
            raise HomeError(
                f"{path}: the roster is of {self.roster.authority}, not of {self.settings.name}"
            )

    @classmethod
    def create(
        cls,
        path: str | Path,
        settings: Settings,
        people: Sequence[Person],
        solo: bool,
        beside: Collection[str] = (),
    ) -> Home:
        """A new folder with fresh keys and one token for each right. Nothing is overwritten.

        `beside`: files that may be there already.

        Raises `HomeError` for a folder that holds something, `RunError` if it cannot be written.
        """
        path = Path(path)
        roster = Roster(settings.name, tuple(people), solo)
        require_empty(path, beside)
        issued = {right: issue(right, "fleet", OWN) for right in RIGHTS}
        signing = generate()[0]
        try:
            if settings.store:
                PostgresStore.create(settings.store, settings.name, public_of(signing))
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
            (path / "tokens").mkdir(mode=0o700)
            _write(path / "secret", secrets.token_bytes(32).hex())
            _write(path / "signing", signing.hex())
            _write(path / "roster.json", roster.to_json())
            _write(path / "tokens.json", [token.to_json() for _, token in issued.values()])
            if not settings.store:
                # So that a folder without a ledger has lost it, and is not a new one.
                SqliteStore(path / LEDGER, lambda size, root: "").close()
            for right, (text, _) in issued.items():
                _write(path / "tokens" / right, text)
            _write(path / "authority.json", asdict(settings))
            home = cls(path)
            _write(path / "public.json", home.to_verify())
        except OSError as error:
            raise RunError(f"cannot make {path}: {error.strerror}.") from None
        except StoreError as error:
            raise RunError(f"cannot make {path}: {error}") from None
        return home

    @classmethod
    def join(cls, path: str | Path, other: Home, settings: Settings) -> Home:
        """A new folder for another node of the authority of `other`: its keys, people and tokens.

        Raises `HomeError` where that is not one of several nodes, and for a folder that is there;
        `RunError` where the database is not that authority's, or the folder cannot be written.
        """
        path = Path(path)
        if not other.settings.store:
            raise HomeError(
                f"{other.path} keeps its ledger in a file, which is for one server. Several nodes "
                "take a new authority: freezetag serve --store postgresql://… --node NAME."
            )
        if settings.node == other.settings.node:
            raise HomeError(f"--node: {other.path} is the node {settings.node} already.")
        if path.exists():
            raise HomeError(f"{path} is there already, and nothing is overwritten.")
        try:
            PostgresStore.check(settings.store, settings.name, other.public)
            path.mkdir(parents=True, mode=0o700)
            for name in ("secret", "signing", "roster.json", "tokens.json", "public.json"):
                _write(path / name, (other.path / name).read_text(encoding="utf-8").rstrip("\n"))
            (path / "tokens").mkdir(mode=0o700)
            for file in sorted((other.path / "tokens").glob("*")):
                _write(path / "tokens" / file.name, file.read_text(encoding="utf-8").rstrip("\n"))
            _write(path / "authority.json", asdict(settings))
        except OSError as error:
            raise RunError(f"cannot make {path}: {error.strerror}.") from None
        except StoreError as error:
            raise RunError(f"cannot make {path}: {error}") from None
        return cls(path)

    @classmethod
    def open(cls, path: str | Path) -> Home:
        """Raises `HomeError` where there is none."""
        path = Path(path)
        if not (path / "authority.json").exists():
            raise HomeError(
                f"there is no authority in {path}. Make one: "
                f"freezetag serve {path} --person ada.pub --person bob.pub"
            )
        return cls(path)

    def lock(self) -> IO[str]:
        """As `lock_folder`."""
        return lock_folder(self.path)

    @property
    def ledger(self) -> Path:
        return self.path / LEDGER

    @property
    def warning(self) -> str:
        """What whoever resets or starts has to know of the STOP file; "" if none lies here."""
        try:
            (self.path / STOP_FILE).lstat()
        except FileNotFoundError:
            return ""
        except OSError:
            return f"Whether a file {STOP_FILE} lies in {self.path} cannot be told: it presses."
        return (
            f"The file {STOP_FILE} still lies in {self.path}: it will press again. Remove it first."
        )

    def to_verify(self) -> dict[str, Any]:
        """What anybody needs to verify the ledger, and may know: `public.json`."""
        key = base64.b64encode(self.public).decode()
        return {"authority": self.settings.name, "public": key, "roster": self.roster.to_json()}

    def begin_ledger(self) -> None:
        """An empty ledger, where the old one is gone for good: gates that saw it lock the server
        until people sign a handover.

        Raises `HomeError` where anything of a ledger is there, `RunError` if it cannot be written.
        """
        if self.settings.store:
            raise HomeError(f"the ledger of {self.path} is in a database: make an empty one there.")
        if there := sorted(self.path.glob(f"{LEDGER}*")):
            raise HomeError(
                f"{there[0]} is there, and nothing is overwritten. An empty ledger is for a folder "
                "that has lost its own; if this one cannot be used, keep it elsewhere first."
            )
        with self.lock():
            try:
                SqliteStore(self.ledger, lambda size, root: "").close()
            except (OSError, StoreError) as error:
                raise RunError(f"cannot make {self.ledger}: {error}") from None

    def set(self, **changes: Any) -> None:
        """Other settings for what serves this folder next; `keep` writes them down.

        Raises `HomeError` for a value that no server can have, and for another name, which stands
        in the ledger and in every enrolment.
        """
        settings = replace(self.settings, **changes)
        if settings.name != self.settings.name:
            raise HomeError(
                f"{self.path} is the authority {self.settings.name}, and its ledger and all its "
                f"enrolments say so: it cannot become {settings.name}. Serve another folder."
            )
        if bool(settings.store) != bool(self.settings.store):
            raise HomeError(
                f"the ledger of {self.path} is where it was begun, and stays there: a database is "
                "for a new authority. Serve another folder with --store."
            )
        self.settings = settings

    def keep(self) -> None:
        """Writes the settings down, if they changed. Under the lock. Raises `RunError`."""
        file = self.path / "authority.json"
        try:
            if _read_json(file) != asdict(self.settings):
                _write(file, asdict(self.settings))
        except OSError as error:
            raise RunError(f"cannot write {file}: {error.strerror}.") from None

    def issue_missing(self) -> None:
        """A token for each right that folders of earlier versions have none for. Under the lock.

        Where it cannot be written there is none: what it allows stays shut, and the server serves.
        """
        had = {token.right for token in self.tokens.all()}
        for right in sorted(ADDED - had):
            text, token = issue(right, "fleet", OWN)
            with contextlib.suppress(OSError):
                # The text first: without its hash it is worth nothing, and the next start mends it.
                _write(self.path / "tokens" / right, text)
                known = [each.to_json() for each in (*self.tokens.all(), token)]
                _write(self.path / "tokens.json", known)
                self.tokens.add(token)

    def webhook_secret(self) -> str:
        """What notices are signed with, made at the first need. Raises `RunError`."""
        file = self.path / "webhook.secret"
        try:
            if not file.exists():
                _write(file, "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
            return file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{file}, which signs webhooks, cannot be had: {error}.") from None

    def listening(self, addresses: Mapping[str, Sequence[str]]) -> str:
        """Writes down where the server listens now; what whoever looks there has to know, or ""."""
        file = self.path / "listening.json"
        try:
            _write(file, {key: list(value) for key, value in addresses.items()})
        except OSError as error:
            return f"{file} cannot be written ({error.strerror}), so it may name other addresses."
        return ""


def _part(file: Path, read: Callable[[bytes], Any]) -> Any:
    """One file of the folder. Raises `HomeError`, which names it and what it should be."""
    try:
        return read(file.read_bytes())
    except FileNotFoundError:
        why = "is not there"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except HomeError as error:
        raise HomeError(f"{file}: {error}") from None
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        why = f"is not what a server wrote{where}"
    except (TypeError, AttributeError, LookupError, UserError):
        why = "is not what a server wrote"
    raise HomeError(
        f"{file} {why}, so the folder cannot be served. Put it back as it was, or serve a new "
        "folder and enrol the agents there."
    )


def _settings(text: bytes) -> Settings:
    told = json.loads(text)
    if extra := sorted(set(told) - {field.name for field in fields(Settings)}):
        raise HomeError(
            f"no such setting: {', '.join(extra)}. Where a newer version wrote it, serve the "
            "folder with that one."
        )
    return Settings(**told)


def _roster(text: bytes) -> Roster:
    return Roster.from_json(json.loads(text))


def _tokens(text: bytes) -> TokenBook:
    return TokenBook(Token(**item) for item in json.loads(text))


def _key(text: bytes) -> bytes:
    key = bytes.fromhex(text.decode("ascii").strip())
    if len(key) != 32:
        raise ValueError(len(key))
    return key


def _read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def require_empty(path: Path, beside: Collection[str] = ()) -> None:
    """Raises `HomeError` where a new folder would lie on something, but for files `beside`."""
    if path.exists() and (
        not path.is_dir() or any(each.name not in beside for each in path.iterdir())
    ):
        raise HomeError(
            f"{path} holds something else than an authority, and nothing is overwritten. "
            "Name another folder, or take away what is there."
        )


def lock_folder(path: Path) -> IO[str]:
    """The folder's lock, held until the file is closed or the process ends.

    Raises `HomeError` if another has it, and `RunError` if the folder cannot be written.

    Caveat: guards one host. Two hosts on one shared folder are two primaries (docs/limits.md).
    """
    import fcntl  # not on Windows, where only the client's side runs

    try:
        file = (path / "lock").open("a+")
    except OSError as error:
        raise RunError(
            f"cannot open {path / 'lock'}: {error.strerror}. Without it two servers could "
            "have this folder, so none is started. Make the folder writable."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise HomeError(
            f"another server runs on {path}. One authority has one server; "
            f"ask it with: freezetag status --home {path}"
        ) from None
    return file


def _write(path: Path, content: Any) -> None:
    """For its owner's eyes only from the first byte on."""
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
