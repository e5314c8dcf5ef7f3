"""Run any command, or an MCP server, under a stop that holds."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter

from freezetag.cli.reach import require
from freezetag.core.errors import UserError

_PATIENCE = 60.0
"""Seconds for one whole request of an MCP client, whose arguments may be large."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_CATEGORIES = {"kill": 0, "command": 1, "hold": 2}


def guard(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    runtime: Annotated[str, Parameter(show_default=False)] = "",
    stop_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    meter: Annotated[Path | None, Parameter(show_default=False)] = None,
    power: Annotated[float | None, Parameter(show_default=False)] = None,
    on_stop: Literal["kill", "command", "hold"] = "kill",
    stop_command: Annotated[str, Parameter(show_default=False)] = "",
    mcp: Annotated[bool, Parameter(show_default=False)] = False,
    upstream: Annotated[str, Parameter(show_default=False)] = "",
    listen: Annotated[str, Parameter(show_default=False)] = "",
    origin: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    largest_frame: str = "16MiB",
    strict_stdout: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    enrolment: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    agent: Annotated[str, Parameter(show_default=False)] = "",
    state: Annotated[Path | None, Parameter(show_default=False)] = None,
    status_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    user: Annotated[str, Parameter(show_default=False)] = "",
    lease: str = "5s",
    drain: str = "5s",
    wait: str = "10s",
    reset: Annotated[bool, Parameter(show_default=False)] = False,
    leave: Annotated[str, Parameter(show_default=False)] = "",
) -> int:
    """Run a command for as long as it may run, and kill it with all it started when it may not.

    Ends with the command's own exit code, or 124 if it was stopped or is held.

    Parameters
    ----------
    command
        what to run, after two dashes
    runtime
        how long it may run: 90, 30m, 1h30m
    stop_file
        a file that stops it as soon as it exists; taking it away clears nothing
    meter
        a file with a number that somebody keeps up to date; missing, stale or no number stops
    power
        the most that the meter may show
    on_stop
        what a stop does: kill, run the stop command first, or freeze
    stop_command
        the prepared stop, run for at most the drain while the command is frozen
    mcp
        the command is an MCP server on stdio: gate its calls, not only its process
    upstream
        with --mcp: the server speaks streamable HTTP at this address, reached through us only
    listen
        with --upstream: HOST:PORT to answer at in its place
    origin
        with --upstream: a web page's origin that may ask, such as http://localhost:6274
    largest_frame
        with --mcp: the largest message that is passed on
    strict_stdout
        with --mcp: what the server prints that is not a message goes to standard error
    enrolment
        file of a server's `freezetag enrol`; without one the guard is its own authority
    agent
        the agent's name at the authority (default: of the command)
    state
        folder for latch, journal and ledger (default: ~/.local/state/freezetag/guard/AGENT)
    status_file
        write there, as JSON, whether it ended, was stopped or is held, and why
    user
        run the command as this user, who cannot signal the guard; needs root
    lease
        how long the command may go on without a word of the guard's own authority
    drain
        how long a stop may take before what is left is killed
    wait
        how long to wait for the authority to let it start
    reset
        clear the presses of a guard's own folder, and start nothing
    leave
        forget an authority that is not enrolled at any more, and start nothing: what was pressed
        there stops until then
    """
    from freezetag.live.gate.enrolment import enrolled_as
    from freezetag.live.guard.guard import Guard, Wish, agent_of, left, require_plain
    from freezetag.live.guard.guard import reset as clear
    from freezetag.live.guard.process_group import JOB_CONTROL, elsewhere, startable
    from freezetag.live.guard.status_file import StatusFile
    from freezetag.live.guard.stop_file_and_meter import Watched
    from freezetag.live.guard.voice import Voice, hold_standard_streams
    from freezetag.live.signed.frames import renewable

    hears = sys.stderr is not None
    hold_standard_streams()
    if command and command[0].startswith("-"):
        raise UserError(_no_option(command[0]))
    agent = agent or enrolled_as(enrolment)
    folder = state or _default_state() / (agent or agent_of(Path(), "", command))
    require_plain(folder)
    name = agent_of(folder, agent, command)
    if leave:
        for line in (stood := left(folder, leave)):
            print(f"left      {line}")
        print(f"{leave} is left, by one person; {len(stood)} presses stood there.")
        return 0
    if reset:
        cleared = clear(folder, name)
        for line in cleared:
            print(f"cleared   {line}")
        print(f"{len(cleared)} cleared, by one person (solo). It runs again when you start it.")
        for cause in Watched.recall(folder).remaining():
            print(f"but {cause}, or the next start stops again.")
        return 0
    with contextlib.ExitStack() as held:
        voice = held.enter_context(contextlib.closing(Voice(2 if hears else None)))
        status = held.enter_context(StatusFile(status_file, voice.say))
        startable(command, user)
        if (meter is None) != (power is None):
            raise UserError("--meter FILE and --power LIMIT go together: one reads, one judges.")
        if bool(upstream) != bool(listen) or (upstream and not mcp):
            raise UserError(
                "an MCP server on HTTP takes --mcp, --upstream URL, --listen HOST:PORT."
            )
        messages = Messages(_bytes(largest_frame), strict_stdout, origin)
        wish = Wish(
            name,
            folder,
            runtime=seconds(runtime, "--runtime") if runtime else float("inf"),
            stop_file=stop_file,
            meter=meter,
            power=float("inf") if power is None else power,
            category=_CATEGORIES[on_stop],
            stop_command=_words(stop_command),
            lease=renewable(seconds(lease, "--lease"), "--lease"),
            drain=seconds(drain, "--drain"),
            enrolments=enrolment,
            user=user,
            calls=mcp,
        )
        patience = seconds(wait, "--wait")
        # What is wrong with the request is said before a folder is made.
        socket = held.enter_context(contextlib.closing(_bound(listen))) if listen else None
        made = Guard(wish, voice.say)
        held.callback(made.close)
        made.supervisor.stop_on(*_ending())
        for number in JOB_CONTROL:
            signal.signal(number, signal.SIG_IGN)  # a guard that pauses guards nothing
        made.open()
        if where := elsewhere(command):
            voice.say(where)
        if socket is not None:
            host = listen.rpartition(":")[0]
            code = _mcp_http(made, command, patience, messages, upstream, host, socket, voice.say)
        elif mcp:
            code = _mcp(made, command, patience, messages, wish.drain, voice.say)
        else:
            code = made.supervisor.run(command, patience=patience)
        return status.over(code, made.supervisor.stopped)


def _ending() -> list[signal.Signals]:
    """The signals that would end a process which does not handle them."""
    left_alone = {"SIGKILL", "SIGSTOP", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU"}  # stop, go on
    left_alone |= {"SIGCHLD", "SIGURG", "SIGWINCH", "SIGPIPE", "SIGXFSZ"}  # ignored
    faults = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
    valid = signal.valid_signals()
    return [n for n in signal.Signals if n in valid and n.name not in left_alone | faults]


def _no_option(word: str) -> str:
    """That the guard has no such option: no command begins with a dash."""
    options = [f"--{name.replace('_', '-')}" for name in inspect.signature(guard).parameters]
    near = difflib.get_close_matches(word.partition("=")[0], options[1:], 1, 0.7)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"unknown option: {word}.{hint} The command comes after two dashes: -- COMMAND"


def _words(stop_command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(stop_command))
    except ValueError as error:
        raise UserError(f"--stop-command {stop_command!r} is not a command: {error}.") from None


def _bound(listen: str) -> Any:
    """The socket that listens there. Raises `UserError`."""
    require("uvicorn", "websockets")
    from freezetag.live.server.listener import bound_port

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UserError(f"--listen {listen!r} is not an address. Write HOST:PORT.")
    return bound_port(host, int(port))


class Messages(NamedTuple):
    """What the options say of an MCP server's messages."""

    largest: int
    strict: bool
    origins: tuple[str, ...]


def _bytes(size: str) -> int:
    """A number of bytes: 500000, 64KiB, 16MiB. Raises `UserError`."""
    parts = re.fullmatch(r"(\d+)(KiB|MiB|GiB)?", size)
    if parts is None or not int(parts[1]):
        raise UserError(f"--largest-frame {size!r} is not a size. Write 64KiB, 16MiB or 1GiB.")
    return int(parts[1]) << 10 * ("", "KiB", "MiB", "GiB").index(parts[2] or "")


def _aside(line: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2, line)


def _refuses(code: int, supervisor: Any) -> bool:
    """Whether a stop ended the server, so that calls are refused; 124 may be the server's own."""
    from freezetag.live.guard.supervisor import STOPPED_BY_GUARD

    return code == STOPPED_BY_GUARD and bool(supervisor.stopped)


def _mcp(
    guard: Any,
    command: tuple[str, ...],
    patience: float,
    messages: Messages,
    drain: float,
    say: Callable[[str], None],
) -> int:
    """The server's calls are the actions; the agent's side is answered until it hangs up."""
    from freezetag.adapters.gates.mcp_process import Process
    from freezetag.adapters.gates.mcp_stdio import McpPump

    supervisor = guard.supervisor
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    group = supervisor.launch(command, patience=patience, counted=False, **pipes)
    pump = McpPump(
        guard.gate,
        (sys.stdin.fileno(), sys.stdout.fileno()),
        (group.process.stdout.fileno(), group.process.stdin.fileno()),
        process=Process(group.pid, group.exit_code),
        key=guard.journal_key(),
        largest=messages.largest,
        aside=_aside if messages.strict else None,
        say=say,
        on_client_gone=lambda: supervisor.end_within(drain),
    ).start()
    code: int = supervisor.wait()
    pump.join_server(1.0)
    pump.join(None if _refuses(code, supervisor) else 0)
    return code


def _mcp_http(
    guard: Any,
    command: tuple[str, ...],
    patience: float,
    messages: Messages,
    upstream: str,
    host: str,
    socket: Any,
    say: Callable[[str], None],
) -> int:
    """The same on HTTP: answered until the guard is told to end, refused once it has stopped."""
    from freezetag.adapters.gates.mcp_http import McpHttpProxy
    from freezetag.live.server.listener import Limits, Listener, most_files

    port = socket.getsockname()[1]
    address = f"{host}:{port}"
    hosts = [address, f"localhost:{port}"]
    proxy = McpHttpProxy(
        guard.gate,
        upstream,
        allowed_hosts=hosts,
        allowed_origins=messages.origins,
        largest=messages.largest,
        key=guard.journal_key(),
        say=say,
    )
    guard.supervisor.launch(command, patience=patience, stdout=sys.stderr, counted=False)
    # After the launch: the command keeps the limit of open files that it was given.
    listener = Listener("mcp", proxy, socket, Limits(most_files(), patience=_PATIENCE))
    listener.start()
    say(f"answers at http://{address} for {upstream}")
    code: int = guard.supervisor.wait()
    if _refuses(code, guard.supervisor):
        guard.supervisor.wait_for_signal()
    listener.close(3.0)
    return code


def seconds(text: str, option: str) -> float:
    """A duration in seconds: a number, or parts such as 1h30m. Raises `UserError`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UserError(f"{option} {text!r} is not a duration. Write 90, 30s, 5m or 1h30m.")
    total = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if not total > 0:
        raise UserError(f"{option} must be longer than nothing, got {text!r}.")
    return total


def _default_state() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    try:
        base = base or str(Path.home() / ".local" / "state")
    except RuntimeError:
        raise UserError(
            "this user has no home folder, so say where the guard keeps its state: --state FOLDER"
        ) from None
    return Path(base) / "freezetag" / "guard"
