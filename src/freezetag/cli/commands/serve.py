"""Serve an authority: presses, leases, ledger and console."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import Flag, folder, read_json, require
from freezetag.core.errors import UserError

Text = Annotated[str, Parameter(show_default=False)]


def serve(
    home: Path | None = None,
    /,
    *,
    person: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    solo: Flag = False,
    name: str = "authority",
    host: str = "127.0.0.1",
    port: int = 8750,
    press_port: int = 8751,
    gate_port: int = 8752,
    length: float = 5.0,
    rearm_within: float = 60.0,
    certificate: Annotated[Path | None, Parameter(show_default=False)] = None,
    key: Annotated[Path | None, Parameter(show_default=False)] = None,
) -> None:
    """Serve the authority in a folder until interrupted; the first time, make the folder.

    It comes up locked, and grants leases once the end of its ledger is verified; the rest is
    verified behind that. The options below are for the first time; they are kept in the folder.

    Parameters
    ----------
    home
        the authority's folder; default: FREEZETAG_HOME, else oversight
    person
        a public file of somebody who may reset (freezetag enrol --person); give two or more
    solo
        let one person reset alone, which every page and checkpoint then says
    name
        the authority's name, in letters, digits, dot, dash and underscore
    host
        the address to listen on; others than this host should come by TLS
    port
        for the console and requests
    press_port
        for presses alone
    gate_port
        for gates alone
    length
        of a lease, in seconds: the longest that an agent acts on after a press nobody hears
    rearm_within
        the longest silence, in seconds, from which a gate may return without a person
    certificate
        a PEM file, for TLS
    key
        its key
    """
    require("starlette", "uvicorn", "websockets", "cryptography")
    from freezetag.live.server.home import Home, Settings
    from freezetag.live.server.run import Server

    path = folder(home)
    if (path / "authority.json").exists():
        if person or solo:
            raise UserError(
                f"{path} has its people already. A roster is changed by its people, not by serve."
            )
        made = Home.open(path)
    else:
        tls = (str(certificate or ""), str(key or ""))
        settings = Settings(name, host, port, press_port, gate_port, length, rearm_within, *tls)
        made = Home.create(path, settings, [_person(file) for file in person], solo)
        _say(f"made {path}; the tokens are in {path / 'tokens'}: hand them out, keep none there.")
    with Server(made) as server:
        _announce(server, made)
        ended = threading.Event()
        before = {
            each: signal.signal(each, lambda *_: ended.set())
            for each in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            while not ended.wait(1.0):
                pass
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    _say("ended. Gates without a lease from it stop.")


def _person(file: Path) -> Any:
    from freezetag.live.keys import Person, Roster

    data = read_json(file, "public file of a person")
    if isinstance(data, dict) and "private" in data:
        raise UserError(f"{file} is a private key: give the .pub file, and keep this one secret.")
    alone = {"authority": "x", "people": [data], "solo": True}
    people: tuple[Person, ...] = Roster.from_json(alone).people
    return people[0]


def _announce(server: Any, home: Any) -> None:
    roster, settings = home.roster, home.settings
    _say(f"console {server.addresses['main']}   presses {server.addresses['press']}   "
         f"gates {server.addresses['gates']}")  # fmt: skip
    people = ", ".join(person.name for person in roster.people)
    quorum = "ONE" if roster.solo else "two"
    _say(f"leases of {settings.length:g} s   a reset takes {quorum} of: {people}")
    for why in server.service.doubts.values():
        _say(f"LOCKED, nothing is granted: {why}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
