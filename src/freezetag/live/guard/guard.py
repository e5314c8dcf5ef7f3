"""Puts together what `freezetag guard` runs: a gate, who leases it, and the supervisor under it.

With no enrolment the authority is the guard's own (`own_authority`); with enrolments it is one or
more servers, and every one of them has to agree.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import RunError, UserError
from freezetag.core.interlock import Panel, PowerLimit, RuntimeLimit, StopButton
from freezetag.live.authority.store import StoreError
from freezetag.live.gate.clock import boot_clock, wall_clock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import STOPPED, Gate
from freezetag.live.gate.journal_file import open_journal
from freezetag.live.gate.latch import LatchError, LatchFile, leave
from freezetag.live.gate.local_host import OwnHost
from freezetag.live.gate.remote_host import GateHost, Line
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.descendants import LINUX, proc_is_ours
from freezetag.live.guard.gate_watchdog import TICK
from freezetag.live.guard.own_authority import OwnAuthority
from freezetag.live.guard.process_group import startable
from freezetag.live.guard.stop_file_and_meter import Watched, may_hang
from freezetag.live.guard.supervisor import Held, Host, Supervisor, without_reading
from freezetag.live.signed.frames import bound
from freezetag.live.signed.names import checked

KILL, COMMAND, HOLD = 0, 1, 2
"""What a stop does: categories 0, 1 and 2."""


@final
@dataclass(frozen=True)
class Wish:
    """What the user asks of a guard; times in seconds, infinity for no limit.

    `calls`: the calls of an MCP server are the actions, and not the run of the command.
    """

    agent: str
    folder: Path
    runtime: float = float("inf")
    stop_file: Path | None = None
    meter: Path | None = None
    power: float = float("inf")
    meter_age: float = 10.0
    category: int = KILL
    stop_command: tuple[str, ...] = ()
    lease: float = 5.0
    drain: float = 5.0
    enrolments: tuple[Path, ...] = ()
    calls: bool = False
    user: str = ""
    cgroup: bool = True

    @property
    def watched(self) -> Watched:
        """What the gate reads beside its clock and leases."""
        return Watched(self.stop_file, self.meter, self.power, self.meter_age)


@final
class Guard:
    """A gate with its host and supervisor. `open` it, use `gate` and `supervisor`, `close` it.

    `say` gets one line per event. Raises `UserError` for what cannot be guarded as wished, and
    `Held` while a press stands.
    """

    def __init__(self, wish: Wish, say: Callable[[str], None]) -> None:
        self.wish, self._say = wish, say
        self._own: OwnAuthority | None = None
        if wish.category == COMMAND and not wish.stop_command:
            raise UserError("a stop by command needs one: --stop-command 'CMD'.")
        if wish.stop_command and wish.category != COMMAND:
            raise UserError("--stop-command is run by --on-stop command only: give both.")
        if wish.stop_command:
            startable(wish.stop_command)
        if missing := wish.watched.missing():
            raise Held(without_reading(missing))
        enrolments = [Enrolment.load(path) for path in wish.enrolments]
        lines = [Line.load(path) for path in wish.enrolments]
        try:
            wish.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            why = "it is not a folder" if wish.folder.exists() else error.strerror
            raise RunError(f"cannot make the folder {wish.folder} for the state: {why}.") from None
        self._crashed = bool(_memory(wish.folder).get("dirty"))
        if not enrolments:
            self._own = OwnAuthority(wish.folder, wish.agent, length=wish.lease)
            if standing := self._own.presses:
                told = "; ".join(f"{press.who}: {press.reason}" for press in standing)
                self._own.close()
                raise Held(
                    f"STOPPED before, and not reset: {told}. A person clears it with "
                    f"freezetag guard --reset --state {wish.folder}"
                )
            enrolments = [self._own.enrolment()]
        wish.watched.remember(wish.folder)
        self._journal = open_journal(wish.folder / "journal.jsonl")
        clock = boot_clock()
        panel, meters = panel_of(wish)
        self.gate = Gate(
            panel,
            clock=clock,
            wall=wall_clock(),
            enrolments=enrolments,
            name=wish.agent,
            category=wish.category,
            drain=wish.drain,
            kills=True,
            stop_policy=bool(wish.stop_command),
            meters=meters,
            latch=LatchFile(wish.folder / "latch.json"),
            journal=self._journal,
            poke=lambda: self.host.poke(),
        )
        self._group = (
            Cgroup.create(f"freezetag-{os.getpid()}-{secrets.token_hex(4)}")
            if wish.cgroup
            else None
        )
        length = max(item.length for item in enrolments)
        try:
            self.supervisor = Supervisor(
                self.gate,
                category=wish.category,
                stop_command=wish.stop_command,
                drain=wish.drain,
                lease=min(item.length for item in enrolments),
                alone=True,
                cgroup=self._group,
                user=wish.user,
                missing=wish.watched.missing,
                say=say,
            )
        except RunError:
            if self._group is not None:
                self._group.remove()
            if self._own is not None:
                self._own.close()
            raise
        self.host: Host = (
            OwnHost(
                self.gate,
                self._own.answer,
                on_order=self.supervisor.obey,
                alarm=lambda why: say(f"an order of the gate failed: {why}"),
                length=length,
            )
            if self._own is not None
            else GateHost(
                self.gate,
                lines,
                length=length,
                on_order=self.supervisor.obey,
                reopen=wish.category == HOLD,
            )
        )
        self._length = length
        self._authorities = [item.authority for item in enrolments]
        self._people = "; ".join(
            f"{item.authority} ({_count(len(item.roster.people))}"
            f"{', solo' if item.roster.solo else ''})"
            for item in enrolments
            if item.roster is not None
        )

    def open(self) -> None:
        """Starts the agent at the own authority, and the host; says what holds and what lacks."""
        self.gate.about_host = {"tier": self.tier, "lacks": self._lacks()}
        for line in self.notes():
            self._say(line)
        if self._crashed:
            self._say("the last run ended without closing: what it had in flight is not known")
        if self._own is not None:
            # First the gate reports how its last incarnation ended; a start closes that chapter.
            self.gate.ask()
            for order in self.gate.take():
                if reply := self._own.answer(order.text):
                    self.gate.receive(order.authority, reply)
            runtime = self.wish.runtime
            limits = {"runtime": runtime} if runtime < float("inf") else {}
            on_stop = "policy" if self.wish.category == COMMAND else "rest_is_safe"
            self._own.start(limits, 2 * self._length, on_stop)
        self.host.start()

    def notes(self) -> list[str]:
        """What this guard can do and what it lacks, for people."""
        wish = self.wish
        reasons = ["SIGTERM", "a missing reading", "no lease"]
        if wish.stop_file is not None:
            reasons.insert(0, f"touch {wish.stop_file}")
        if wish.runtime < float("inf"):
            reasons.insert(0, f"{wish.runtime:g} s of runtime")
        if wish.meter is not None:
            reasons.insert(0, f"{wish.meter} above {wish.power:g}")
        hold = "refuses every call" if wish.calls else "freezes"
        what = ("kills", "runs the stop command, then kills", hold)[wish.category]
        if self._own is None:
            reasons.insert(0, f"a press at {' or '.join(self._authorities)}")
        clock = boot_clock()
        suspend = "" if clock.counts_suspend else ", which does not count suspended time"
        return [
            f"agent {wish.agent}, authority {self._people}, clock {clock.name}{suspend}",
            f"stops on: {', '.join(reasons)}; a stop {what}",
            self._left_alone(),
            f"tier {self.tier}; lacks: {'; '.join(self._lacks())}",
        ]

    @property
    def tier(self) -> int:
        """2 where it surely kills the command, which cannot kill it; else 0."""
        return 2 if self._group is not None and self.wish.user else 0

    def _lacks(self) -> list[str]:
        """What keeps it from more, for people and the journal."""
        lacks = []
        if self._own is not None:
            lacks += ["no remote button", "one host", "one person may reset (solo)"]
        if not self.wish.user:
            lacks += ["the command runs as the guard's own user, who may kill the guard"]
        if self._group is None:
            lacks.append(
                "no control group: what starts outside the command's session just before the guard "
                "is killed outlives it, and what multiplies faster than it is killed keeps a stop "
                "from its end"
            )
        if not LINUX:
            lacks += ["not Linux: a child that leaves its group is not seen"]
        elif not proc_is_ours():
            lacks += ["/proc is not of this process namespace: what left its group is not killed"]
        return [
            *lacks,
            "what the command asks others to start is not stopped",
            "egress is not cut",
        ]

    def _left_alone(self) -> str:
        """The longest that it goes on without an answer, to its end and not to the last admission.

        Within a tick the gate sees that the lease is over, within another that the drain is.
        """
        wish, late, hold = self.wish, bound(self._length), "it is frozen, or killed if it cannot be"
        if wish.calls:
            hold = "no call is let through, and a call that does not end is killed"
        then = ("it is killed", "the stop command runs and all is killed", hold)[wish.category]
        over = late + (TICK if wish.category == KILL else wish.drain + 2 * TICK)
        return (
            f"left alone, its lease is over {late:.3f} s after the last one was asked for; then "
            f"{then}: over after {over:.3f} s at the latest, and the time that a kill takes"
        )

    def journal_key(self) -> bytes:
        """The key under which requests are journalled as hashes; stays in the guard's folder."""
        path = self.wish.folder / "requests.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()

    def close(self) -> None:
        """Kills what is left, closes the gate, has the end recorded."""
        self.supervisor.close()
        if self.supervisor.gate_hangs:
            return  # and so would whoever waits for it; the next start will say so
        self.host.close()
        if self.gate.phase != STOPPED:
            self._say("the gate did not reach its end in time; the next start will say so")
        if self._own is not None:
            try:
                self._own.close(self.gate, self._journal.head)
            except StoreError as error:
                if not self.gate.presses:
                    raise
                # What was stopped stays stopped: the latch holds it, wherever the folder went.
                self._say(f"the end of this run is not on record: {error}")


def _count(people: int) -> str:
    return "1 person" if people == 1 else f"{people} people"


def require_plain(folder: Path) -> None:
    """Raises `RunError` where something in the folder is a pipe or a device, which a command that
    could write there may have left: whoever reads it would wait for ever, and say nothing."""
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            with contextlib.suppress(OSError):
                if may_hang(each.stat().st_mode):
                    raise RunError(
                        f"{each} is a pipe or a device, which no guard has made: somebody could "
                        "write there. Nothing is started. Put back what it was, or name another "
                        "--state folder."
                    )


def reset(folder: Path, agent: str = "agent") -> list[str]:
    """Clears the presses that stand in a guard's own folder; what they were, in words."""
    if not ((folder / "authority.json").exists() or (folder / "latch.json").exists()):
        raise UserError(f"there is no guard's folder at {folder}, so there is nothing to reset.")
    own = OwnAuthority(folder, agent)
    try:
        return [f"{press.who}: {press.reason}" for press in own.reset()]
    finally:
        own.close()


def left(folder: Path, authority: str) -> list[str]:
    """Leaves an authority that this folder's gate was under: an act of its own, in the journal.
    What stood there, in words."""
    if not (folder / "latch.json").exists():
        raise UserError(f"there is no guard's folder at {folder}, so there is nothing to leave.")
    presses = leave(LatchFile(folder / "latch.json"), authority)
    ids = sorted(press.id for press in presses)
    journal = open_journal(folder / "journal.jsonl")
    journal.append("left", authority=authority, presses=ids, t=wall_clock()())
    return [press.told for press in presses]


def panel_of(wish: Wish) -> tuple[Panel, dict[str, Callable[[], float] | None]]:
    """The limits that the gate itself watches, and how it reads them."""
    limits: list[Any] = []
    meters: dict[str, Callable[[], float] | None] = {**wish.watched.meters()}
    if wish.runtime < float("inf"):
        limits.append(RuntimeLimit(wish.runtime, unit="seconds"))
    if wish.stop_file is not None:
        limits.append(StopButton(sensor="stop_file"))
    if wish.meter is not None:
        limits.append(PowerLimit(wish.power))
    return Panel(tuple(limits)), meters


def agent_of(folder: Path, agent: str, command: Sequence[str]) -> str:
    """The name of the agent that `folder` belongs to; a fresh folder is `agent`'s, or named after
    the command. Raises `UserError` for another agent's folder, since its latch is not ours, and for
    a name that `enrol` would not give either."""
    owner = _memory(folder).get("gate")
    if isinstance(owner, str) and agent and agent != owner:
        raise UserError(f"{folder} is the folder of agent {owner!r}, not of {agent!r}.")
    if isinstance(owner, str):
        return owner
    return checked(agent, "--agent") if agent else _command_name(command)


def _memory(folder: Path) -> dict[str, Any]:
    try:
        return LatchFile(folder / "latch.json").load() or {}
    except LatchError:
        return {}  # the gate will hold because of it


def _command_name(command: Sequence[str]) -> str:
    """What to call an agent that is only known by its command."""
    scripts = [part for part in command if Path(part).suffix and " " not in part]
    return Path((scripts or list(command) or ["agent"])[0]).name[:100]
