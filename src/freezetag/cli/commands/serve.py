"""Serve an authority: presses, leases, ledger and console."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import Flag, folder, read_json, require
from freezetag.core.errors import UserError

Text = Annotated[str, Parameter(show_default=False)]
Number = Annotated[int, Parameter(show_default=False)]
Seconds = Annotated[float, Parameter(show_default=False)]


def serve(
    home: Path | None = None,
    /,
    *,
    person: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    solo: Flag = False,
    name: Text | None = None,
    host: Text | None = None,
    port: Number | None = None,
    press_port: Number | None = None,
    gate_port: Number | None = None,
    length: Seconds | None = None,
    rearm_within: Seconds | None = None,
    drill_within: Seconds | None = None,
    certificate: Annotated[Path | None, Parameter(show_default=False)] = None,
    key: Annotated[Path | None, Parameter(show_default=False)] = None,
    origin: Text | None = None,
    webhook: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    store: Text | None = None,
    node: Text | None = None,
    node_lease: Seconds | None = None,
    join: Annotated[Path | None, Parameter(show_default=False)] = None,
    begin_ledger: Flag = False,
) -> None:
    """Serve the authority in a folder until interrupted; the first time, make the folder.

    It comes up locked, and grants leases once the end of its ledger is verified; the rest is
    verified behind that. Who resets and the name are for the first time; the other options are
    kept in the folder whenever they are given.

    Parameters
    ----------
    home
        the authority's folder; default: FREEZETAG_HOME, else oversight
    person
        a public file of somebody who may reset (freezetag enrol --person); give two or more
    solo
        let one person reset alone, which every page and checkpoint then says
    name
        the authority's name, in letters, digits, dot, dash and underscore; at first: authority
    host
        the address to listen on; others than this host should come by TLS; at first: 127.0.0.1
    port
        for the console and requests; at first: 8750
    press_port
        for presses alone; at first: 8751
    gate_port
        for gates alone; at first: 8752
    length
        of a lease, in seconds: the longest that an agent acts on after a press nobody hears; at
        first: 5
    rearm_within
        the longest silence, in seconds, from which a gate may return without a person; at first: 60
    drill_within
        how old the newest drill may be, in seconds, before nobody but the group canary is started
        any more; at first: 0, which asks for none
    certificate
        a PEM file, for TLS
    key
        its key
    origin
        where people open the console, https://NAME[:PORT]: what keys in browsers are bound to; at
        first: localhost, where only this host is served
    webhook
        an address that notices of presses, unknown states, expiry, overdue drills and a bad disk
        are sent to; give several, or none to have none any more
    store
        where the ledger is, for several nodes: postgresql://USER@HOST/DATABASE, or FREEZETAG_STORE;
        at first: a file of the folder
    node
        the name of this server among the nodes
    node_lease
        for how many seconds a node grants after it last looked what the others wrote; the bound
        gains as much; at first: 2
    join
        make the folder as another node of the authority in this one
    begin_ledger
        begin an empty ledger where the folder's is gone for good; gates that saw it lock the server
        until people sign that (freezetag sign)
    """
    require("starlette", "uvicorn", "websockets", "cryptography")
    from freezetag.live.authority.home import Home, Settings
    from freezetag.live.guard.systemd import notify
    from freezetag.live.server.server import Server, check
    from freezetag.live.signed.frames import renewable

    path = folder(home)
    told: dict[str, Any] = {
        "name": name,
        "host": host,
        "port": port,
        "press_port": press_port,
        "gate_port": gate_port,
        "length": length and renewable(length, "--length"),
        "rearm_within": rearm_within,
        "drill_within": drill_within,
        "certificate": certificate and str(certificate.absolute()),
        "key": key and str(key.absolute()),
        "origin": origin,
        "webhooks": " ".join(each for each in webhook if each != "none") if webhook else None,
        "store": store or _from_environment(path, node),
        "node": node,
        "node_lease": node_lease,
    }
    given = {setting: value for setting, value in told.items() if value is not None}
    if (path / "authority.json").exists():
        if person or solo:
            raise UserError(
                f"{path} has its people already. A roster is changed by its people, not by serve: "
                "to have others, they serve a new folder and enrol the agents there."
            )
        if join is not None:
            raise UserError(f"{path} is there already: serve it without --join.")
        made = Home.open(path)
        if begin_ledger:
            made.begin_ledger()
        made.set(**given)
        _require_driver(made.settings.store)
    elif join is not None:
        if person or solo or name:
            raise UserError("--join takes people and name from the other node's folder.")
        made = _joined(path, join, given)
    else:
        settings = Settings(**given)
        _require_driver(settings.store)
        people = [_person(file) for file in person]
        _enough(len(people), solo)
        check(settings)  # so that what cannot be served leaves no folder behind
        made = Home.create(path, settings, people, solo)
        _say(f"made {path}; the tokens are in {path / 'tokens'}: hand them out, keep none there.")
    with Server(made) as server:
        _announce(server, made)
        ended = threading.Event()
        before = {
            each: signal.signal(each, lambda *_: ended.set())
            for each in (signal.SIGINT, signal.SIGTERM)
        }
        notify("READY=1")
        try:
            while not ended.wait(1.0):
                if server.alive():
                    notify("WATCHDOG=1")
        finally:
            notify("STOPPING=1")
            for each, handler in before.items():
                signal.signal(each, handler)
    _say("ended. Gates without a lease from it stop.")


def _from_environment(path: Path, node: str | None) -> str | None:
    """The database of FREEZETAG_STORE, for a folder that has one or is to get one."""
    told = os.environ.get("FREEZETAG_STORE")
    if told and (path / "authority.json").exists():
        kept = read_json(path / "authority.json", "authority's folder")
        return told if isinstance(kept, dict) and kept.get("store") else None
    return told if told and node else None


def _require_driver(store: str) -> None:
    if store:
        require("asyncpg", extra="postgres")


def _joined(path: Path, join: Path, given: dict[str, Any]) -> Any:
    """The folder of another node. Raises `UserError`."""
    from freezetag.live.authority.home import Home, Settings
    from freezetag.live.server.server import check

    other = Home.open(join)
    if not given.get("node"):
        raise UserError("--join takes --node NAME, another name than that of any other node.")
    theirs = other.settings
    kept = ("name", "length", "rearm_within", "drill_within", "store", "node_lease")
    settings = Settings(**{each: getattr(theirs, each) for each in kept} | given)
    _require_driver(settings.store)
    check(settings)
    made = Home.join(path, other, settings)
    _say(f"made {path}, the node {settings.node} of {settings.name}; it holds the same keys.")
    return made


def _enough(people: int, solo: bool) -> None:
    """Raises `UserError` where nobody, or one alone who was not meant to, could reset."""
    if people >= (1 if solo else 2):
        return
    if solo:
        raise UserError("--solo lets one person reset: say who, with --person ada.pub.")
    named = "none is named" if not people else "one is named"
    raise UserError(
        f"a reset needs two people, and {named}. Give --person ada.pub --person bob.pub "
        "(freezetag enrol --person ada makes the file), or --solo with one, which every page shows."
    )


def _person(file: Path) -> Any:
    from freezetag.live.signed.keys import Person, Roster

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
    if settings.drill_within:
        _say(f"nobody but the group canary is started when the last drill is more than "
             f"{settings.drill_within:g} s ago")  # fmt: skip
    if settings.webhooks:
        _say(f"notices go to {settings.webhooks}, signed with {home.path / 'webhook.secret'}")
    if settings.store:
        from freezetag.live.authority.postgres_database import masked

        _say(f"node {settings.node} of {masked(settings.store)}   its lease is "
             f"{settings.node_lease:g} s, and the bound gains as much")  # fmt: skip
        server.service.shared.await_first_look()
        if not server.service.shared.nodes.synchronous:
            _say("note: the database has no synchronous standby, so a press is on one disk alone")
    for why in server.service.doubts.values():
        _say(f"LOCKED, nothing is granted: {why}")
    for alarm in server.service.authority.alarms:
        _say(f"note: {alarm}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
