"""What a server tells of itself, beside its pages: notices, to webhooks and OpenTelemetry.

`TYPES` has what is told, as docs/how-to/operate.md says it.
Presses are read from the ledger, from where the last one was told, so that none is lost between the
ledger and the queue. All of this runs in a thread of its own, which takes the service's lock for a
few agents at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

from freezetag.core.scopes import understood
from freezetag.live.authority.home import Home
from freezetag.live.authority.states import Shown, worst
from freezetag.live.authority.store import StoreError
from freezetag.live.server.service import DURABLE_WITHIN, Service
from freezetag.live.server.webhooks import Queue, Webhooks
from freezetag.live.signed.merkle import LedgerError, read_record

PERIOD = 0.25
BATCH = 1000
AT_ONCE = 200
"""Agents whose state is looked at under one hold of the lock."""
TYPES = {
    "freezetag.press": (
        "a press is in the ledger; `data` has the press, how many agents it covers, its record, "
        "and whether the scope was understood (else it covers everyone)"
    ),
    "freezetag.unknown": (
        "an agent's state became *unknown*: something may be in flight, and nobody knows"
    ),
    "freezetag.expiry": "an agent stopped because its lease ran out",
    "freezetag.drill_overdue": (
        "the newest drill is older than `--drill-within`, or one failed and none of its agent "
        "succeeded since: nobody but the group `canary` is started"
    ),
    "freezetag.disk": (
        "the ledger cannot be written; `not_durable` has the ids of presses that only stop in "
        "memory"
    ),
    "freezetag.locked": "nothing is granted, and why",
}
"""The types of notice, and when one is told."""
TOLD = {Shown.UNKNOWN: "freezetag.unknown", Shown.EXPIRED: "freezetag.expiry"}
QUEUE = "notices.db"
Notice = dict[str, Any]


@final
class Notices:
    """A thread beside the service. `start` it once the service is open."""

    def __init__(self, service: Service, home: Home) -> None:
        self._service = service
        self._path: Path = home.path / QUEUE
        self._urls = home.settings.webhooks.split()
        self._secret = home.webhook_secret() if self._urls else ""
        self._tracer = _tracer()
        self._ended, self._news = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self.webhooks: Webhooks | None = None
        self.alarms: list[str] = []

    def start(self) -> None:
        """Only where somebody listens."""
        if not self._urls and self._tracer is None:
            return
        self.webhooks = Webhooks(self._urls, self._secret, Queue(self._path))
        if "record" not in self.webhooks.queue.told:
            self.webhooks.put([], {"record": str(self._service.tree.size)})
        self._service.changed.append(self._news.set)
        self.webhooks.start()
        self._thread.start()

    def close(self) -> None:
        """After the service: what it committed last is handed over, too."""
        self._ended.set()
        self._news.set()
        if self.webhooks is not None:
            self._thread.join(2)
            with contextlib.suppress(Exception):
                self._look()
            self.webhooks.close()
            self.webhooks.queue.close()

    @property
    def troubles(self) -> list[str]:
        """What people have to know of it."""
        hooks = self.webhooks
        if hooks is None:
            return []
        late = [f"the webhook {url}: {why}" for url, why in sorted(hooks.failures.items())]
        return [*self.alarms[-5:], *late, *filter(None, [hooks.queue.trouble])]

    def _run(self) -> None:
        while not self._ended.is_set():
            self._news.wait(PERIOD)
            self._news.clear()
            try:
                self._look()
            except Exception as error:  # what is not told now is told at the next look
                self._alarm(f"notices: {type(error).__name__}: {error}")
            self._ended.wait(0.02)

    def _look(self) -> None:
        assert self.webhooks is not None
        told = self.webhooks.queue.told
        notices, new = [], dict[str, str]()
        for notice, changes in itertools.chain(
            self._presses(told), self._states(told), self._conditions(told)
        ):
            notices += notice
            new |= changes
        if new:
            for each in notices:
                self._span(each)
            for lost in self.webhooks.put(notices, new):
                self._alarm(lost)

    def _presses(self, told: Mapping[str, str]) -> Iterator[tuple[list[Notice], dict[str, str]]]:
        """From where the last one was told: an older copy of a ledger has nothing to tell."""
        service, first = self._service, int(told["record"])
        size = service.tree.size
        while first < size:
            try:
                leaves = service.records(first, min(BATCH, size - first))
            except StoreError:
                return
            if not leaves:
                return
            found = []
            for leaf in leaves:
                with contextlib.suppress(LedgerError):
                    record = read_record(leaf)
                    if record["kind"] == "press":
                        body = record["body"]
                        covered = len(service.covered(body["scope"]))
                        about = {"press": body, "agents": covered, "record": record["i"]}
                        about["understood"] = understood(body["scope"])  # else it is everyone's
                        found.append(self._notice("freezetag.press", about, body["id"]))
            first += len(leaves)
            yield found, {"record": str(first)}

    def _states(self, told: Mapping[str, str]) -> Iterator[tuple[list[Notice], dict[str, str]]]:
        service = self._service
        with service.lock:
            names = list(service.authority.facts.agents)
        for at in range(0, len(names), AT_ONCE):
            few = names[at : at + AT_ONCE]
            with service.lock:
                seen = {name: worst(r.shown for r in service.authority.shown(name)) for name in few}
            for name, shown in seen.items():
                if told.get(key := f"agent {name}", "") == str(shown):
                    continue
                kind = TOLD.get(shown)
                about = {"agent": name, "shown": str(shown)}
                yield [self._notice(kind, about)] if kind else [], {key: str(shown)}

    def _conditions(self, told: Mapping[str, str]) -> Iterator[tuple[list[Notice], dict[str, str]]]:
        service = self._service
        with service.lock:
            doubts = {name: why for name, why in service.doubts.items() if name != "start"}
            late = sorted(service.undurable) if service.writer.stalled() > DURABLE_WITHIN else []
            drills = service.authority.drills
            overdue, after = drills.overdue, drills.why
        disk = doubts.pop("storage", "") or (late and "a commit takes too long") or ""
        now = {
            "drill_overdue": f"a drill is overdue: {after}" if overdue else "",
            "disk": str(disk),
            "locked": "; ".join(sorted(doubts.values())),
        }
        for name, why in now.items():
            # Of what lasts only the beginning is told; words that change meanwhile are no news.
            if bool(why) == bool(told.get(name, "")):
                continue
            about = {"why": why} | ({"not_durable": sorted(service.undurable)} if disk else {})
            yield [self._notice(f"freezetag.{name}", about)] if why else [], {name: why}

    def _notice(self, kind: str, about: Mapping[str, Any], id: str = "") -> Notice:
        service = self._service
        told = {"authority": service.home.settings.name, "at": service.milliseconds()}
        return {"id": id or secrets.token_hex(16), "type": kind, **told, "data": dict(about)}

    def _span(self, notice: Notice) -> None:
        if self._tracer is None:
            return
        flat = {"freezetag.authority": notice["authority"], "freezetag.id": notice["id"]}
        for name, value in _flat(notice["data"]):
            flat[f"freezetag.{name}"] = value
        self._tracer.start_span(notice["type"], attributes=flat).end()

    def _alarm(self, what: str) -> None:
        self.alarms.append(what)
        del self.alarms[:-20]


def _tracer() -> Any:
    """A tracer, where somebody set OpenTelemetry up in this process; else None."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return None
    return provider.get_tracer("freezetag")


def _flat(about: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in about.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in _flat(value))
        else:
            yield name, value
