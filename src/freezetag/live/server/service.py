"""Where a decision, its record and its answer meet: the authority under a lock, the ledger behind.

Always in this order: stop in memory, push, hand the record over, and answer when it is durable. A
record that cannot be written never becomes an error while granting goes on: all granting stops
until it is written (`doubts`), and the presser is told "stopping, NOT durable".
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.authority import Authority, ResetError, RollbackError
from freezetag.live.authority.home import Home
from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.sqlite_store import Connect, connected
from freezetag.live.authority.state_seal import sealer
from freezetag.live.authority.store import StoreError
from freezetag.live.authority.tokens import Token
from freezetag.live.gate.clock import Clock, boot_clock
from freezetag.live.server.channels import Channels, Unknown
from freezetag.live.server.drafts import Resets
from freezetag.live.server.handovers import OURS, Handovers
from freezetag.live.server.proof_tests import ProofTests
from freezetag.live.server.second_journal import SecondJournal
from freezetag.live.server.sessions import Sessions
from freezetag.live.server.shared_ledger import COMING_UP, UNTOLD, SharedLedger
from freezetag.live.server.startup import Restored, opened, restore, verify_behind
from freezetag.live.server.statements import Statements
from freezetag.live.server.under_way import UnderWay
from freezetag.live.server.writer import Writer
from freezetag.live.signed.frames import FrameError, bound, glance
from freezetag.live.signed.merkle import Checkpoint, Tree, sign_note
from freezetag.live.signed.presses import Clearance, Press
from freezetag.live.signed.records import (
    QUIET,
    Enrol,
    Handover,
    Revoke,
    TokenIssued,
    asked_by,
    read,
)

if TYPE_CHECKING:
    from freezetag.live.server.notices import Notices

DURABLE_WITHIN = 1.0
"""Seconds after which a press is answered with "NOT durable", and granting stops."""
OLDER = "this is an older copy. Put back the newest, or people sign: freezetag sign --handover."
UNSEALED = (
    "no seal fits the state that the ledger keeps, as when an older version wrote it: every record "
    "is being checked first."
)
DURABLE, NOT_DURABLE = "durable", "stopping, NOT durable"


class NotDurable(RunError):
    """A change that could not be written in time; it may or may not have happened."""


@dataclass
class Pressed:
    """A press that stops in memory already; `done` are its records on their way to the disk.

    `stands` is the press under which it counts: its own, or the one that it repeats.
    """

    id: str
    agents: int
    stands: str
    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    done: list[Future[int]] = field(default_factory=list)


@final
class Service:
    """One authority, served. `open` reads the ledger and starts the writer; `close` ends it.

    Methods may be called from any thread; those that wait for the disk are coroutines.
    """

    def __init__(
        self,
        home: Home,
        *,
        clock: Clock | None = None,
        now: Callable[[], float] | None = None,
        connect: Connect = connected,
    ) -> None:
        settings = home.settings
        self.home = home
        self.folder_lock: object = None  # kept open as long as anything of this serves
        self.lock = threading.RLock()
        self.clock = clock or boot_clock()
        self.authority = Authority(
            settings.name,
            secret=home.secret,
            roster=home.roster,
            clock=self.clock,
            wall=self.milliseconds,
            length=settings.length,
            rearm_within=settings.rearm_within,
            drill_within=settings.drill_within,
            replica=settings.node or settings.name,
        )
        self.authority.checkpoint = self._checkpoint
        self.authority.head = lambda: {"root": self.tree.root().hex(), "size": self.tree.size}
        self.channels = Channels(self.frame)
        self.doubts: dict[str, str] = {"start": "the ledger is not read yet"}
        self.tree, self.note = Tree(), ""
        self.timeline: deque[dict[str, Any]] = deque(maxlen=100)
        self.changed: list[Callable[[], None]] = []
        self.undurable: set[str] = set()
        self.second = SecondJournal(home.path / "second.jsonl")
        self.closing, self.watchers = False, 0
        self.gate_addresses: list[str] = []
        self.notices: Notices | None = None  # who tells webhooks, if a server runs
        self.warning = ""
        self.version = 0  # counts what there was to tell
        self.picture: tuple[int, float, str] | None = None
        self.present_at: float | None = None
        self.sessions = Sessions(home.tokens, self.clock)
        self.resets = Resets(self.authority, self.clock)
        self.proof_tests = ProofTests(self)
        self.handovers = Handovers(self.authority.facts, lambda: self.tree)
        self.authority.past = self.handovers.past
        self.under_way = UnderWay(self)
        self.statements = Statements(self.authority.facts, self.clock, self.under_way.why_not)
        self.origin = home.settings.origin  # of the console, for keys in browsers
        self._recent: OrderedDict[str, Pressed] = OrderedDict()
        self.acks: dict[str, Callable[[], None]] = {}  # by the press that is acknowledged
        self._store = opened(home, self._signed, connect, sealer(home.signing), self.clock)
        self.now = now or self._store.now
        self.shared: SharedLedger | None = None
        if isinstance(self._store, PostgresStore):
            self.shared = SharedLedger(self, self._store)
        learned = None if self.shared is None else self.shared.learned
        self.writer = Writer(self._store, self._committed, lambda: self.now(), learned)

    # Start and end.

    def open(self) -> None:
        """Reads the ledger; unlocks if its tail is good and its state sealed; verifies all of it
        behind that, or before it unlocks."""
        there = self.shared.open() if self.shared is not None else self._store.come_up()
        found = restore(self.home, self._store)
        with self.lock:
            if doubt := self.restored(found):
                self.doubts["ledger"] = doubt
            self.writer.start()
            self._take_second()
            self.settle("start")
        behind = self.verify if there or self.shared is None else self.shared.come_up
        threading.Thread(target=behind, name="verify", daemon=True).start()

    def restored(self, found: Restored) -> str:
        """Takes in what a start read; why nothing may be granted."""
        self.tree, self.note = found.tree, found.note
        doubt = found.doubt
        for kind, body, at in found.records:
            try:
                self._apply(kind, body, at)
            except (UserError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                doubt = doubt or f"a record of the kind {kind!r} cannot be read: changed. {error!r}"
        self.timeline.extend(found.recent)
        if not found.sealed and not self._store.shut:
            self.doubts["chain"] = UNSEALED
        self._store.serve()
        seen = self.shared.seen() if self.shared is not None else None
        if seen is not None and not self.handovers.saw(OURS, seen):
            self.doubts["rollback"] = (
                f"this node saw {seen[0]} records, and the database holds others "
                f"({self.tree.size}): {OLDER}"
            )
        return doubt or (self.shared.problem() if self.shared is not None else "")

    def _take_second(self) -> None:
        """What a ledger that could not be written did not get is handed over again."""
        try:
            for kind, body in self.second.read():
                if kind == "press":
                    self._submit(self.authority.press(Press.from_json(body)))
        except (OSError, UserError, LookupError, TypeError, ValueError) as error:
            file = self.second.path
            why = f"{file} cannot be read ({error}), and may hold a press. Look, then take it away."
            self.doubts["second"] = why

    def verify(self) -> None:
        while True:
            try:
                wrong = verify_behind(self.home, self._store, lambda: self.closing)
                break
            except Exception as error:
                wrong = f"the ledger cannot be verified: {type(error).__name__}: {error}"
                if self.closing or self.shared is None or not isinstance(error, StoreError):
                    break
                time.sleep(COMING_UP)  # a database that is away comes back
        if wrong:
            self._store.vouched = False
            self.doubt("chain", wrong)
        elif not self.closing and not self._store.shut:
            self._store.vouched = not self._store.doubted
            self.settle("chain")

    def close(self) -> None:
        self.closing = True
        self.writer.close()

    def doubt(self, about: str, why: str) -> None:
        """Nothing is granted from here on, until `settle(about)`."""
        with self.lock:
            self.doubts[about] = why
            self.authority.locked = True
        self.notify()

    def settle(self, about: str) -> None:
        """The doubt is gone; granting begins when no other is left."""
        with self.lock:
            if self.doubts.pop(about, None) and not self.doubts:
                # A node that lost sight of the others could be heard all the time.
                self.authority.unlock(float("inf") if about == "node" else None)
        self.notify()

    def notify(self) -> None:
        """Tells whoever shows states that there is something new."""
        self.version += 1
        for call in list(self.changed):
            call()

    # The ledger.

    def milliseconds(self) -> int:
        return int(self.now() * 1000)

    def _signed(self, size: int, root: bytes) -> str:
        roster = self.home.roster
        return sign_note(Checkpoint(roster.authority, size, root, roster.solo), self.home.signing)

    def _submit(self, records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Future[int]]:
        """Under the lock, so that records are numbered in the order of the decisions."""
        done = []
        for kind, body in records:
            if kind == "press":
                self.undurable.add(body["id"])
            done.append(self.writer.submit(kind, body))
            self.under_way.begin(kind, body, done[-1])
        return done

    def _committed(self, leaves: Iterable[bytes], note: str) -> None:
        """In the writer's thread: what is durable is applied, then answered."""
        with self.lock:
            waiting, _ = self.taken(leaves, note)
        for call in waiting:
            call()
        self.notify()

    def taken(
        self, leaves: Iterable[bytes], note: str
    ) -> tuple[list[Callable[[], None]], frozenset[str]]:
        """Applies what is durable; whom to tell that a press was acknowledged, and the kinds."""
        acks, kinds = [], set()
        for leaf in leaves:
            fields = json.loads(leaf)
            kinds.add(fields["kind"])
            self._apply(fields["kind"], fields["body"], fields["at"])
            self.tree.append(leaf)
            if fields["kind"] not in QUIET:
                self.timeline.append(fields)
            if fields["kind"] == "press":
                self.undurable.discard(fields["body"]["id"])
            if fields["kind"] == "ack":
                acks += fields["body"]["presses"]
        self.note = note
        return [self.acks[press] for press in acks if press in self.acks], frozenset(kinds)

    @property
    def bound(self) -> float:
        """Seconds after a stored press in which the last action may be admitted, on any node."""
        extra = self.shared.nodes.longest if self.shared is not None else 0.0
        return bound(self.authority.longest() + extra)

    def _apply(self, kind: str, body: Mapping[str, Any], at: int) -> None:
        self.authority.apply(kind, body, at)
        match read(kind, body):
            case Enrol(agent=agent, limits=limits) if "presence" in limits:
                self.authority.meters[agent, "presence"] = self._absence
            case TokenIssued(digest=digest, right=right, scope=scope, holder=holder):
                self.home.tokens.add(Token(digest, right, scope, holder))
            case Revoke(digest=digest):
                self.home.tokens.revoke(digest)
            case Handover() if "rollback" in self.doubts and not self.handovers.open:
                self.settle("rollback")

    def _checkpoint(self, seen: int) -> tuple[str, list[str]]:
        if seen > self.tree.size:
            why = f"a gate saw {seen} records, and {self.tree.size} are here: {OLDER}"
            self.doubts["rollback"] = why
            raise RollbackError(why)
        return self.note, self.tree.consistency(seen) if seen else []

    def records(self, first: int, most: int) -> list[bytes]:
        """At most `most` durable records from `first` on."""
        return [leaf for _, leaf in self._store.records(first, first + most)]

    # Presses.

    def press(
        self,
        scope: str,
        who: str,
        reason: str = "",
        category: Any = 0,
        id: Any = None,
        kind: str = "press",
    ) -> Pressed:
        """Stops in memory and pushes before it returns. Nothing odd in a press refuses it.

        An `id` seen before is the same press by another way if that one still stands and stops as
        much; else this is another press, under an id of its own.
        """
        readable = isinstance(id, str) and len(id) == 32 and set(id) <= set("0123456789abcdef")
        identity = id if readable else secrets.token_hex(16)
        with self.lock:
            press = Press(
                identity,
                _text(scope)[:200] or "fleet",
                _text(who)[:200],
                self.milliseconds(),
                _text(reason)[:1000],
                category if category in (0, 1, 2) and type(category) is int else 0,
                kind,
            )
            if earlier := self._same(press):
                return earlier
            if self._is_known(press.id):
                press = replace(press, id=secrets.token_hex(16))
            records = self.authority.press(press)
            stands = next((body["press"] for kind, body in records if kind == "repeat"), press.id)
            agents = len(self.covered(press.scope))
            pressed = Pressed(press.id, agents, stands, records, self._submit(records))
            self._recent[press.id] = pressed
            if len(self._recent) > 10_000:
                self._recent.popitem(last=False)
            frames = self.authority.stop_frames()
        self.channels.push(frames)
        self.notify()
        return pressed

    def _same(self, press: Press) -> Pressed | None:
        """The answer to a press with this id that still stands and stops as much."""
        facts = self.authority.facts
        recent = self._recent.get(press.id)
        stands = recent.stands if recent else press.id
        for other in facts.presses.standing(facts.roster):
            if (other.id, other.scope, other.who, other.kind) == (
                stands,
                press.scope,
                press.who,
                press.kind,
            ) and other.category <= press.category:
                return recent or Pressed(press.id, len(self.covered(press.scope)), stands)
        return None

    def _is_known(self, id: str) -> bool:
        return id in self._recent or any(
            press.id == id for press in self.authority.facts.presses.presses
        )

    async def answer(self, pressed: Pressed) -> dict[str, Any]:
        """What the presser is told, at most a second and a half later."""
        state = DURABLE
        try:
            await _all(pressed.done, DURABLE_WITHIN)
        except (StoreError, TimeoutError) as error:
            state = NOT_DURABLE
            trouble = self.writer.trouble or "it takes too long"
            self.doubt("storage", f"a press cannot be written: {str(error) or trouble}")
            for kind, body in pressed.records:
                await asyncio.to_thread(self.second.append, kind, body)
        if pressed.stands in self.undurable:
            state = NOT_DURABLE
        told = {"id": pressed.id, "state": state, "agents": pressed.agents}
        if state == NOT_DURABLE and self.shared is not None:
            told["note"] = UNTOLD
        return told

    def covered(self, scope: str) -> tuple[str, ...]:
        """The agents that a press of `scope` stops, or takes a tool from."""
        with self.lock:
            return self.authority.facts.reached(scope)

    # Gates.

    async def frame(self, text: str) -> str | None:
        """The answer to a gate's frame, once it may be given. Raises `Unknown`."""
        if self.shared is not None and not await self.shared.caught_up(text):
            return None
        with self.lock:
            if self.shared is not None:
                self.shared.lapse()  # after the frame came, and before it is decided
            try:
                reply, records = self.authority.on_frame(text)
            except FrameError:
                raise Unknown from None
            if not self._continues(text):
                reply = None
            done = self._submit(records)
            stops = any(kind == "press" for kind, _ in records)
            frames = self.authority.stop_frames() if stops else []
        self.channels.push(frames)
        if done:
            try:
                await _all(done, DURABLE_WITHIN)
            except (StoreError, TimeoutError):
                return None
        return reply

    def _continues(self, text: str) -> bool:
        """Whether our records begin with those that this gate saw; if not, nothing is granted."""
        if "start" in self.doubts:
            return False  # they are not read yet, so nobody can say
        message = glance(text)
        size, root = message.get("size", 0), message.get("root", "")
        if self.handovers.saw(message["gate"], (size, root)):
            return True
        if "rollback" not in self.doubts:
            here = self.tree.size
            self.doubt(
                "rollback", f"a gate saw {size} records, and others are here ({here}): {OLDER}"
            )
        return False

    # People.

    async def commit(self, decide: Callable[[], list[tuple[str, dict[str, Any]]]]) -> int:
        """Stores what `decide` gives (called under the lock); how many records. Raises `NotDurable`
        and what `decide` raises."""
        with self.lock:
            done = self._submit(decide())
        try:
            await _all(done, 5.0)
        except TimeoutError:
            self.doubt("storage", "a change cannot be written: it takes too long")
            raise NotDurable(
                "the ledger does not answer; whether this happened is not known yet. "
                "See `freezetag status`."
            ) from None
        return len(done)

    async def start(self, agent: str, who: str, by: str) -> None:
        """Lets a cleared agent run again, as the holder `by` of a token asks, who says he is `who`.

        Raises `ResetError`, which names why if nothing may.
        """

        def decide() -> list[tuple[str, dict[str, Any]]]:
            if self.doubts:
                why = "; ".join(each.rstrip(".") for each in sorted(self.doubts.values()))
                raise ResetError(f"the server is locked: {why}.")
            return asked_by(by, self.authority.start(agent, who))

        try:
            await self.commit(decide)
        except StoreError:
            self.authority.not_started(agent)
            raise
        except ResetError as error:
            # Asked only now: a disk that hangs must not keep anybody from hearing why.
            warning = await asyncio.to_thread(lambda: self.home.warning)
            raise ResetError(f"{error} {warning}".rstrip()) from None

    async def clear(self, clearance: Clearance) -> dict[str, Any]:
        """Adds signatures: who has signed, how many are needed, and whether that cleared.

        Whoever signs is here. A signature that was handed in before says that of nobody.
        """
        try:
            records = await self.commit(lambda: self.authority.clear(clearance))
        except (StoreError, NotDurable):
            with self.lock:
                self.resets.used_up(clearance.text)
            raise
        with self.lock:
            if self.resets.adds(clearance):
                self.present()
            return self.resets.signed(clearance, records)

    async def sign(self, text: Any, signatures: Any) -> dict[str, Any]:
        """Adds signatures to a statement that was drafted here, and enters it if these are enough.

        Whoever signs is here, as in `clear`. Raises `StatementError`, `StoreError`, `NotDurable`.
        """
        told: dict[str, Any] = {}
        joined: set[str] = set()

        def decide() -> list[tuple[str, dict[str, Any]]]:
            before = self.statements.signers(text)
            records, said = self.statements.sign(text, signatures)
            told.update(said)
            joined.update({*said["signed"]} - before)
            return records

        await self.commit(decide)
        if joined:
            self.present()
        return told

    def present(self) -> None:
        """A person is here now, which agents with a limit of `presence` need to go on."""
        self.present_at = self.clock()

    def _absence(self) -> float:
        """Seconds without a person; not a number if none was here since the start."""
        here = float("-inf") if self.present_at is None else self.present_at
        seen = max(here, self.shared.nodes.present) if self.shared is not None else here
        return self.clock() - seen if seen > float("-inf") else float("nan")


async def _all(futures: Iterable[Future[int]], within: float) -> None:
    """Waits without cancelling: a record handed over stays handed over."""
    waiting = [asyncio.wrap_future(each) for each in futures]
    if not waiting:
        return
    done, late = await asyncio.wait(waiting, timeout=within)
    for each in late:
        each.add_done_callback(lambda future: future.cancelled() or future.exception())
    for each in done:
        each.result()
    if late:
        raise TimeoutError


def _text(value: Any) -> str:
    """Readable text of whatever was sent, without what no ledger can hold."""
    return str(value).encode("utf-8", "replace").decode() if value is not None else ""
