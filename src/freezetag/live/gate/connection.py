"""One call that gives an agent its gate: enrolment, lease, latch, journal and host together.

    with ft.connect("writer.enrolment", meters=["tokens"]) as gate:

        @gate.tool
        def write(text): ...

The host has a thread of its own, so that an agent's loop that hangs holds up no renewal. What the
gate has to remember lies in a folder beside the first enrolment file.

Caveat: a gate in the agent's own process is tier 0. It binds the code that uses it, and no agent
that goes round it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import IO, Any, TypeVar, final, overload

from freezetag.core.errors import RunError, UserError
from freezetag.core.interlock import Interlock, Panel
from freezetag.live.gate.clock import boot_clock, wall_clock
from freezetag.live.gate.configuration import Configuration
from freezetag.live.gate.decorator import Action, gated
from freezetag.live.gate.enrolment import Enrolment, enrolled_as
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.journal_file import open_journal
from freezetag.live.gate.latch import LatchFile
from freezetag.live.gate.remote_host import GateHost, Line
from freezetag.live.gate.spans import Spans

PATIENCE = 5.0
"""Seconds that the first word of the authorities is waited for."""
F = TypeVar("F", bound=Callable[..., Any])
Meter = Callable[[], float]


@final
class Connection:
    """A gate that is served: `connect` makes one. A context, for `with` and `async with`.

    It is a gate for adapters too. Until people have started the agent, and while anything stops
    it, actions raise `Refused`; when they start it again, it goes on by itself.
    """

    def __init__(self, gate: Gate, host: GateHost, lock: IO[str], patience: float) -> None:
        self.gate, self.host = gate, host
        self._lock, self._patience = lock, patience
        self._spans = Spans.of(gate)

    # What the agent's code uses.

    @overload
    def tool(self, function: F, /) -> F: ...

    @overload
    def tool(
        self, /, *, name: str | None = None, max_seconds: float | None = None
    ) -> Callable[[F], F]: ...

    def tool(
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        max_seconds: float | None = None,
    ) -> Any:
        """Every call of the function is an action, called after it; a stop cancels an async one.

        `max_seconds` is how long it takes at most. Raises `UserError` for a generator.
        """

        def wrap(tool: Any) -> Any:
            called = name or getattr(tool, "__name__", None)
            return gated(self, name=called, max_seconds=max_seconds)(tool)

        return wrap if function is None else wrap(function)

    def action(self, name: str, max_seconds: float | None = None) -> Action:
        """`with gate.action("pay"):` or `async with`: admitted on entry, counted until exit."""
        return Action(self, name, max_seconds)

    def spend(self, meter: str, amount: float) -> None:
        """Counts `amount` on a meter that `connect` was given by name."""
        self.gate.spend(meter, amount)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether actions are admitted within `seconds` (None: however long that takes)."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        while not self.gate.is_open:
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        return True

    # What an adapter asks.

    @property
    def is_open(self) -> bool:
        """Whether an action would be admitted now."""
        return self.gate.is_open

    @property
    def mode(self) -> int:
        """The panel's mode as last judged: 0 for "go"."""
        return self.gate.mode

    def check(self) -> None:
        """Raises `Refused` unless an action would be admitted now."""
        self.gate.check()

    def begin(
        self,
        action: str,
        max_seconds: float | None = None,
        cancel: Callable[[], None] | None = None,
        detail: Any = None,
    ) -> int:
        """Admits `action` and gives its number, or raises `Refused`. Pair it with `end`."""
        return self._spans.begin(action, max_seconds, cancel, detail)

    def end(self, number: int, outcome: str = "done") -> None:
        """The action is over: `done`, `failed`, or `unknown` if its effect may still come."""
        self._spans.end(number, outcome)

    # Its life.

    def open(self) -> Connection:
        """Starts the host, and waits until each authority has said yes or no."""
        self.host.start()
        end = time.monotonic() + self._patience
        lines = self.host.authorities
        while len(self.gate.answers) < len(lines) and time.monotonic() < end:
            time.sleep(0.005)
        return self

    def close(self) -> None:
        """Ends in order: nothing more is admitted, and the authorities are told so."""
        try:
            self.host.close()
        finally:
            self._lock.close()

    def __enter__(self) -> Connection:
        return self.open()

    def __exit__(self, *_: Any) -> None:
        self.close()

    async def __aenter__(self) -> Connection:
        return await asyncio.to_thread(self.open)

    async def __aexit__(self, *_: Any) -> None:
        await asyncio.to_thread(self.close)


def connect(
    *enrolments: str | Path,
    meters: Iterable[str] | Mapping[str, Meter | None] = (),
    limits: Sequence[Interlock] = (),
    state: str | Path | None = None,
    strict: bool = False,
    drain: float = 5.0,
    patience: float = PATIENCE,
) -> Connection:
    """The gate of the agent that these files enrol; each is one authority, and all must agree.

    Without a file, `FREEZETAG_ENROLMENT` or the user's file of settings names it, and
    `FREEZETAG_SERVER` gives other addresses than those in the one file. `meters` are names that
    `spend` counts on, or a mapping from names to functions that are read. `limits` are interlocks
    of the agent's own, beside those it was enrolled with. `state` is the folder of latch and
    journal (default: `AGENT.state` beside the first file). A `strict` gate admits only what surely
    ends within the lease. `drain` and `patience` are seconds: for what runs at a stop, and for the
    authorities' first word.

    Raises `UserError` for an argument of another kind, for what is no enrolment, for files of
    different agents, and where another process has this state; `RunError` for a folder that cannot
    be written.
    """
    panel, named = _panel(limits), _meters(meters)
    drain, patience = _seconds(drain, "drain"), _seconds(patience, "patience")
    if not all(isinstance(each, str | Path) for each in enrolments):
        raise UserError(f"connect takes files of enrolments, got {enrolments!r:.100}.")
    settings = Configuration.read()
    files = [Path(each) for each in enrolments] or list(settings.enrolment)
    if not files:
        raise UserError(
            "connect needs the file that `freezetag enrol AGENT` wrote: name it, or set "
            "FREEZETAG_ENROLMENT."
        )
    agent = enrolled_as(files)
    known = [Enrolment.load(file) for file in files]
    lines = _lines(files, settings)
    folder = Path(state) if state is not None else files[0].absolute().parent / f"{agent}.state"
    lock = _locked(folder, agent)
    try:
        gate = Gate(
            panel,
            clock=boot_clock(),
            wall=wall_clock(),
            enrolments=known,
            name=agent,
            strict=strict,
            drain=drain,
            meters=named,
            latch=LatchFile(folder / "latch.json"),
            journal=open_journal(folder / "journal.jsonl"),
            poke=lambda: host.poke(),
        )
        host = GateHost(gate, lines, length=min(each.length for each in known))
    except BaseException:
        lock.close()
        raise
    return Connection(gate, host, lock, patience)


def _panel(limits: Any) -> Panel:
    """The panel of these interlocks. Raises `UserError` for anything else."""
    several = isinstance(limits, Iterable) and not isinstance(limits, str)
    given = tuple(limits) if several else (None,)
    if not all(map(_is_interlock, given)):
        raise UserError(
            "limits is a list of interlocks, such as [ft.PowerLimit(1000, 'tokens')], got "
            f"{limits!r:.100}."
        )
    try:
        return Panel(given)
    except ValueError as error:
        raise UserError(f"limits: {error}") from None


def _is_interlock(each: Any) -> bool:
    named = not isinstance(each, type) and isinstance(getattr(each, "sensor", None), str)
    return named and callable(getattr(each, "trips", None))


def _meters(meters: Any) -> Mapping[str, Meter | None]:
    """Names and what reads them; None is a counter. Raises `UserError` for anything else."""
    several = isinstance(meters, Iterable) and not isinstance(meters, str)
    given: list[Any] = [(None, None)]
    if several:
        given = [*meters.items()] if isinstance(meters, Mapping) else [(n, None) for n in meters]
    if not all(isinstance(n, str) and (read is None or callable(read)) for n, read in given):
        raise UserError(
            "meters is a list of names, such as ['tokens'], or a mapping from names to functions "
            f"without arguments, got {meters!r:.100}."
        )
    return dict(given)


def _seconds(value: Any, name: str) -> float:
    if not (isinstance(value, Real) and float(value) >= 0):
        raise UserError(f"{name} is a number of seconds from 0, got {value!r:.100}.")
    return float(value)


def _lines(files: Sequence[Path], settings: Configuration) -> list[Line]:
    lines = [Line.load(file) for file in files]
    if settings.server:
        if len(lines) > 1:
            raise UserError(
                "FREEZETAG_SERVER names one authority's addresses, and these are "
                f"{len(lines)} authorities. Leave it out: each file has its own."
            )
        lines = [Line(lines[0].authority, settings.server, lines[0].certificates)]
    if settings.certificates:
        lines = [Line(each.authority, each.addresses, settings.certificates) for each in lines]
    return lines


def _locked(folder: Path, agent: str) -> IO[str]:
    """The folder, for this process alone: two processes on one latch would be one gate twice.

    Where files cannot be locked (Windows) nothing keeps a second one out.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / "lock").open("a+")
        (folder / "lock").chmod(0o600)
    except OSError as error:
        raise RunError(
            f"the state of {agent} cannot be kept in {folder}: {error.strerror}. "
            "Name a folder that can be written: state=..."
        ) from None
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise UserError(
                f"another process has the gate of {agent} ({folder}). One agent has one gate; "
                "enrol a second agent, or give this one another state=..."
            ) from None
    return file
