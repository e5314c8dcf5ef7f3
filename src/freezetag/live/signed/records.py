"""The kinds of record that a ledger holds: one frozen dataclass each, and what each means.

Whatever tells one kind from another is a field or method here: under which name a record belongs to
the state, whether it lets something go on, whether a timeline shows it, and its sentence for
people. A new kind is one new class here, and a line in `verify.py`, which judges it or says why
not. Bodies are the JSON of design/0005-live.md; a field with a default is one that older records
lack, and fields that nobody here knows are left alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from freezetag.live.signed.frames import CAUSES
from freezetag.live.signed.record import Body, Part, Record, Scopes, Sentence, State, quoted

R = TypeVar("R", bound=type[Record])
RECORDS: dict[str, type[Record]] = {}
"""By kind."""


def _listed(record: R) -> R:
    RECORDS[record.kind] = record
    return record


def read(kind: str, body: Body) -> Record | None:
    """The record as its class; None for a kind that this version does not know.

    Raises `KeyError` for a body that lacks a field.
    """
    found = RECORDS.get(kind)
    if found is None:
        return None
    given = {}
    for name, key, needed in _fields(kind):
        if needed or key in body:
            given[name] = body[key]
    return found(**given)


@lru_cache
def _fields(kind: str) -> tuple[tuple[str, str, bool], ...]:
    """Name here, key in a body, and whether every body has it."""
    missing = dataclasses.MISSING
    return tuple(
        (
            each.name,
            each.metadata.get("key", each.name),
            each.default is missing and each.default_factory is missing,
        )
        for each in dataclasses.fields(RECORDS[kind])
    )


def state_of(kind: str, body: Body, i: int) -> State:
    """Where record `i` belongs in the state; nowhere, of a kind that is not known here."""
    found = RECORDS.get(kind)
    return State() if found is None else found.state(body, i)


def sentence_of(kind: str, body: Body, scopes: Scopes) -> Sentence:
    """A record for people, whatever it holds."""
    try:
        found = read(kind, body)
        return Sentence("other", (Part("", kind),)) if found is None else found.sentence(scopes)
    except (KeyError, TypeError, AttributeError, ValueError):
        text = f"{kind}, in a form that this page cannot read"
        return Sentence("other", (Part("", text),))


def asked_by(
    holder: str, records: Sequence[tuple[str, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """The records of what the holder of a token asked for, with `by` where the kind has it."""
    tells = {kind for kind, _ in records if any(name == "by" for name, _, _ in _fields(kind))}
    return [(kind, body | ({"by": holder} if kind in tells else {})) for kind, body in records]


def _by(holder: str) -> tuple[Part, ...]:
    return (Part("", " by "), quoted(holder)) if holder else ()


# The kinds, in the order of an agent's life. `by` is the holder of the token that asked for it.


@_listed
@dataclass(frozen=True)
class Enrol(Record):
    """An agent is taken up, or taken up otherwise."""

    kind = "enrol"
    decides = True
    shares = True
    frees = True

    agent: str
    groups: Sequence[str]
    on_stop: str
    limits: Mapping[str, float]
    depends_on: Sequence[str] = ()
    safe_state: str = ""
    by: str = ""

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(str(i))

    def sentence(self, scopes: Scopes) -> Sentence:
        said = (Part("strong", "enrolled"), Part("", " "), quoted(self.agent))
        return Sentence("other", (*said, *_by(self.by)))


@_listed
@dataclass(frozen=True)
class Limits(Record):
    """Budgets that a group shares. Each is compared with the one before, so all are kept."""

    kind = "limits"
    decides = True
    shares = True

    group: str
    limits: Mapping[str, float]

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"limits {i}")


@_listed
@dataclass(frozen=True)
class Start(Record):
    """Somebody lets an agent run: its earlier incarnations are over."""

    kind = "start"
    decides = True
    shares = True
    frees = True

    agent: str
    epoch: int
    who: str = ""  # as told, by nobody knows whom
    by: str = ""

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"start {body['agent']}", None, body["agent"])

    def sentence(self, scopes: Scopes) -> Sentence:
        said = [Part("strong", "started"), Part("", " "), quoted(self.agent)]
        said += _by(self.by or self.who)
        if self.by and self.who not in ("", self.by):
            said += [Part("", ", who said "), quoted(self.who)]
        return Sentence("start", (*said, Part("", f", epoch {self.epoch}")))


@_listed
@dataclass(frozen=True)
class Open(Record):
    """The first lease of an incarnation, or the first longer one. Without `allowed` it is unknown
    what its slices were; without `length` it is one of an older version."""

    kind = "open"
    shares = True
    shown = False

    agent: str
    b: str
    epoch: int
    spent: Mapping[str, float]
    length: float | None = None
    allowed: Mapping[str, float] | None = None

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"open {body['agent']} {body['b']}", body["agent"])


@_listed
@dataclass(frozen=True)
class Anchor(Record):
    """How far a gate's journal and meters are."""

    kind = "anchor"
    shares = True
    shown = False

    gate: str
    b: str
    spent: Mapping[str, float]
    head: str = ""
    last: int = 0
    allowed: Mapping[str, float] = field(default_factory=dict)
    epoch: int | None = None
    runtime: int | None = None

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"anchor {body['gate']} {body['b']}", body["gate"])


@_listed
@dataclass(frozen=True)
class Pressed(Record):
    """A press; its fields are those of `freezetag.live.signed.presses.Press`."""

    kind = "press"
    decides = True

    id: str
    scope: str
    who: str
    when: int
    reason: str = ""
    category: int = 0
    sort: str = field(default="press", metadata={"key": "kind"})

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(str(i))

    def sentence(self, scopes: Scopes) -> Sentence:
        what = {"interlock": "tripped", "drill": "drill"}.get(self.sort, "pressed")
        said = [Part("strong", what), Part("", " "), Part("scope", self.scope), Part("", " by ")]
        said.append(quoted(self.who))
        if self.reason:
            said += [Part("", ": "), quoted(self.reason)]
        return Sentence(self.sort, tuple(said))


@_listed
@dataclass(frozen=True)
class Repeat(Record):
    """A press of a button that is down already, counted per replica."""

    kind = "repeat"
    decides = True

    press: str
    replica: str
    count: int

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"repeat {body['press']} {body['replica']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        known = self.press in scopes
        where = Part("scope", scopes[self.press]) if known else Part("", "the same scope")
        again = Part("strong", f"pressed again ({self.count})")
        return Sentence("press", (again, Part("", " "), where))


@_listed
@dataclass(frozen=True)
class Ack(Record):
    """How an incarnation ended; `own`: by its own word."""

    kind = "ack"

    gate: str
    acked: str
    presses: Sequence[str]
    last: int
    unknown: Sequence[str]
    cause: str
    category: int = 0
    policy: Sequence[str] = ()
    own: bool = False

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"ack {body['gate']} {body['acked']}", body["gate"])

    def sentence(self, scopes: Scopes) -> Sentence:
        why = CAUSES.get(self.cause, self.cause)
        how = Part("", f", {why}, last action {self.last}")
        said = (Part("strong", "stopped"), Part("", " "), quoted(self.gate), how)
        if not self.unknown:
            return Sentence("ack", said)
        n = len(self.unknown)
        lost = f"; {n} outcome{'' if n == 1 else 's'} unknown"
        return Sentence("unknown", (*said, Part("", lost)))


@_listed
@dataclass(frozen=True)
class Held(Record):
    """An agent may not act until somebody starts it."""

    kind = "held"
    decides = True

    agent: str
    why: str

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"held {body['agent']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        said = (Part("strong", "held"), Part("", " "), quoted(self.agent), Part("", ": "))
        return Sentence("held", (*said, quoted(self.why)))


@_listed
@dataclass(frozen=True)
class Clear(Record):
    """Signatures under what names presses: these stand no more."""

    kind = "clear"
    frees = True

    text: str
    signatures: Mapping[str, str]

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(str(i))

    def sentence(self, scopes: Scopes) -> Sentence:
        n = len(self.signatures)
        with_ = f" with {n} signature{'' if n == 1 else 's'}; held now"
        return Sentence("clear", (Part("strong", "cleared"), Part("", with_)))


@_listed
@dataclass(frozen=True)
class Drill(Record):
    """A drill whose stop was acknowledged `ms` milliseconds after its press."""

    kind = "drill"

    agent: str
    ms: int
    press: str = ""

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"drill {body['agent']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        took = Part("", f": drill acknowledged after {self.ms} ms")
        return Sentence("ack", (Part("strong", "proved"), Part("", " "), quoted(self.agent), took))


@_listed
@dataclass(frozen=True)
class DrillFailed(Record):
    """A drill whose stop was not acknowledged within so many milliseconds of its press. A kind of
    its own, since an older version would take a `drill` for one that was acknowledged. `count`: how
    many of this agent have failed since the last one that was, with this one."""

    kind = "drill_failed"

    agent: str
    within: int
    count: int = 1
    press: str = ""

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"drill_failed {body['agent']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        again = f", {self.count} in a row" if self.count > 1 else ""
        late = Part("", f": drill not acknowledged within {self.within} ms{again}")
        said = (Part("strong", "NOT proved"), Part("", " "), quoted(self.agent), late)
        return Sentence("alarm", said)


@_listed
@dataclass(frozen=True)
class TokenIssued(Record):
    """A token was issued; of its text the ledger has the SHA-256."""

    kind = "token"
    frees = True

    digest: str
    right: str
    scope: str
    holder: str
    by: str = ""

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"token {body['digest']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        said = (Part("strong", "issued"), Part("", f" a token to {self.right:.20} "))
        to = (Part("scope", self.scope), Part("", " to "), quoted(self.holder))
        return Sentence("other", (*said, *to, *_by(self.by)))


@_listed
@dataclass(frozen=True)
class Revoke(Record):
    """People took a token back."""

    kind = "revoke"
    frees = True
    decides = True  # two nodes must not take back the last two of one scope

    text: str
    signatures: Mapping[str, str]

    @property
    def digest(self) -> str:
        return str(json.loads(self.text)["digest"])

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"revoke {json.loads(body['text'])['digest']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        which = f" the token or key {self.digest[:16]}, with {len(self.signatures)} signatures"
        return Sentence("other", (Part("strong", "took back"), Part("", which)))


@_listed
@dataclass(frozen=True)
class BrowserKey(Record):
    """A key in a browser counts as a person's: the certificate, and who signed it."""

    kind = "browser_key"
    frees = True
    decides = True

    text: str
    signatures: Mapping[str, str]

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"browser_key {json.loads(body['text'])['credential']}")

    def sentence(self, scopes: Scopes) -> Sentence:
        told = json.loads(self.text)
        where = Part("", f", with {len(self.signatures)} signatures")
        said = (Part("strong", "certified"), Part("", " a browser's key of "))
        return Sentence("other", (*said, quoted(told["person"]), where))


@_listed
@dataclass(frozen=True)
class Handover(Record):
    """People take up a ledger that lacks what gates saw of another line: everything is held."""

    kind = "handover"
    frees = True
    decides = True

    text: str
    signatures: Mapping[str, str]

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State(f"handover {i}")

    def sentence(self, scopes: Scopes) -> Sentence:
        told = json.loads(self.text)
        lost = max(size for size, _ in told["old"])
        what = f" this ledger over {told['new'][0]} records, where gates saw {lost} others: "
        said = (Part("strong", "took up"), Part("", what), quoted(told["why"]))
        return Sentence("alarm", (*said, Part("", "; all agents are held")))


@_listed
@dataclass(frozen=True)
class Key(Record):
    """A key of the authority's. No server of this version writes one."""

    kind = "key"
    frees = True

    @staticmethod
    def state(body: Body, i: int) -> State:
        return State("key")


@_listed
@dataclass(frozen=True)
class Alarm(Record):
    """What people have to know of; `agent` is "" where it is about the server."""

    kind = "alarm"

    agent: str
    what: str

    def sentence(self, scopes: Scopes) -> Sentence:
        said = (Part("strong", "note"), Part("", " "), quoted(self.agent), Part("", ": "))
        return Sentence("alarm", (*said, quoted(self.what)))


FREEING = frozenset(kind for kind, record in RECORDS.items() if record.frees)
DECIDING = frozenset(kind for kind, record in RECORDS.items() if record.decides)
SHARING = frozenset(kind for kind, record in RECORDS.items() if record.shares)
QUIET = frozenset(kind for kind, record in RECORDS.items() if not record.shown)
"""Kinds that a timeline leaves out."""
