"""What of the stop's assumptions A1 to A6 holds on this host, and which tier, each with its reason.

Three answers: it holds, it does not, or it cannot be told from here. The last one is for what only
others know (a hypervisor, a disk's own cache, who else can reach a resource), and is never rounded
up. Assumptions and claim are those of `freezetag.live.signed.frames`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import pwd
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

from freezetag.core.errors import UserError
from freezetag.live.gate.clock import boot_clock
from freezetag.live.gate.remote_host import Line
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.descendants import proc_is_ours
from freezetag.live.signed.frames import RHO

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"})
VOLATILE = frozenset({"tmpfs", "ramfs"})
SYNCS = 5
SECONDS = 0.25
"""How long the clock is compared with the raw one."""
WITHIN = 1.0
"""Seconds that an authority's address has to answer."""
CODE = Path(__file__).resolve().parents[2]
"""The package that the gate runs."""
LAST = 3
"""The highest tier."""


@final
@dataclass(frozen=True)
class Finding:
    """One answer. `holds` is None where it cannot be told from here; `todo` is what would help."""

    name: str
    what: str
    holds: bool | None
    why: str
    todo: str = ""

    @property
    def word(self) -> str:
        return {True: "holds", False: "does not hold", None: "cannot be told"}[self.holds]


@final
@dataclass(frozen=True)
class Diagnosis:
    """What was found: of the host, of the assumptions A1 to A6, of the tiers 0 to 3."""

    host: tuple[Finding, ...]
    assumptions: tuple[Finding, ...]
    tiers: tuple[Finding, ...]

    @property
    def tier(self) -> int:
        """The highest tier that surely holds; -1 for none. Tier 2 needs no proxy, so 1 may lack."""
        return max((n for n, each in enumerate(self.tiers) if each.holds), default=-1)

    def broken(self, tier: int) -> list[Finding]:
        """What keeps `tier` from holding here: assumptions that do not hold, and the tier itself
        unless it surely holds.

        A3 and A4 speak of an unwilling agent, whom tier 0 does not bind anyway.
        """
        asked = [each for each in self.assumptions if tier > 0 or each.name not in ("A3", "A4")]
        found = [each for each in asked if each.holds is False]
        return found if self.tiers[tier].holds else [*found, self.tiers[tier]]


@dataclass
class Patient:
    """The host as this process sees it. `folder` is where state is kept, `user` the agent's."""

    folder: Path
    user: str = ""
    enrolments: Sequence[Path] = ()
    clock: Any = field(default_factory=boot_clock)

    def diagnosis(self) -> Diagnosis:
        """Raises `UserError` for a user that is not there and for what is no enrolment."""
        person = _person(self.user)
        lines = [Line.load(file) for file in self.enrolments]
        cgroup, pidfd, proc = _cgroup(), _pidfd(), _proc()
        apart = _apart(person)
        kind, point = _file_system(self.folder)
        host = (
            Finding("kernel", platform.platform(), *_kernel()),
            Finding("clock", self.clock.name, *_clock(self.clock)),
            Finding("user", _own_name(), *apart),
            cgroup,
            pidfd,
            proc,
            _shm(),
            Finding("disk", f"{kind or 'a file system'} at {point}", *_disk(self.folder)),
            *_routes(lines),
        )
        code = _code(person)
        assumptions = (
            _rate(self.clock),
            Finding("A2", "the clock counts suspended time", *_suspend(self.clock)),
            Finding("A3", "every effect goes through the gate", *_mediation(apart)),
            Finding("A4", "the gate's code is not hostile", *code),
            Finding("A5", "a synced write is durable", *_durable(kind, point)),
            Finding("A6", "an authority has one primary", *_one_primary(self.folder, kind)),
        )
        return Diagnosis(host, assumptions, _tiers(cgroup, proc, apart, self.enrolments, person))


Answer = tuple[bool | None, str, str]


def _kernel() -> Answer:
    if platform.system() != "Linux":
        return False, "tiers above 0 need Linux", "run the guard on Linux"
    parts = platform.release().split(".")
    number = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts[:2])
    if number < (5, 14):
        return False, "cgroup.kill came with Linux 5.14", "a newer kernel"
    return True, "has pidfd (5.3) and cgroup.kill (5.14)", ""


def _clock(clock: Any) -> Answer:
    file = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    source = ""
    with contextlib.suppress(OSError):
        source = f", from {file.read_text().strip()}"
    if not clock.counts_suspend:
        return False, "stands still while the host sleeps", "Linux has CLOCK_BOOTTIME"
    return True, f"counts suspended time{source}", ""


def _rate(clock: Any) -> Finding:
    what = f"a clock's rate is wrong by at most {RHO:g}"
    raw = getattr(time, "CLOCK_MONOTONIC_RAW", None)
    if raw is None:
        return Finding("A1", what, None, "there is no raw clock here to compare with")
    rate, error = _compared(clock, raw)
    told = f"against the raw clock it runs {rate:+.1e} ± {error:.0e} off, over {SECONDS:g} s"
    if abs(rate) - error > RHO:
        return Finding("A1", what, False, told, "look at what steers the clock (adjtimex, NTP)")
    if _virtual():
        told += "; a hypervisor that pauses this guest stops both unseen"
    else:
        told += "; that the raw clock itself is right is not known here"
    return Finding("A1", what, None, told)


def _compared(clock: Any, raw: int) -> tuple[float, float]:
    """By how much of itself `clock` runs faster than the raw clock, and how far that may be off."""

    def look() -> tuple[float, float, float]:
        tries = []
        for _ in range(20):
            before, ours, after = time.clock_gettime(raw), clock(), time.clock_gettime(raw)
            tries.append((after - before, ours, (before + after) / 2))
        return min(tries)

    first = look()
    time.sleep(SECONDS)
    last = look()
    passed = last[2] - first[2]
    return (last[1] - first[1]) / passed - 1, (first[0] + last[0]) / 2 / passed


def _suspend(clock: Any) -> Answer:
    if clock.counts_suspend:
        return True, f"{clock.name} does, by the kernel's word", ""
    return (
        False,
        f"{clock.name} does not: after a sleep a lease seems younger than it is",
        ("run gates on Linux"),
    )


def _apart(person: pwd.struct_passwd | None) -> Answer:
    """Whether the agent can be another user than the gate."""
    if os.geteuid() != 0:
        return (
            False,
            "whom an agent started from here would be, too, and could signal the gate",
            ("start the guard as root, and name the agent's user: --user NAME"),
        )
    if person is None:
        return None, "no user for the agent is named", "name the one that it runs as: --user NAME"
    if person.pw_uid == 0:
        return False, "the agent would be root as well", "name another --user"
    return True, f"the agent would be {person.pw_name} ({person.pw_uid}), who cannot signal us", ""


def _cgroup() -> Finding:
    made = None
    with contextlib.suppress(OSError):
        made = Cgroup.create(f"freezetag-doctor-{secrets.token_hex(4)}")
    if made is None:
        return Finding(
            "cgroup",
            "a control group of one's own",
            False,
            "none can be made here, so a child may leave its group",
            "run as root on a host with cgroup v2, or under systemd-run --scope -p Delegate=yes",
        )
    made.remove()
    return Finding("cgroup", str(made.path.parent), True, "a group can be made, frozen and killed")


def _pidfd() -> Finding:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        return Finding("pidfd", "handles of processes", False, f"none: {error}", "Linux 5.3")
    return Finding("pidfd", "handles of processes", True, "the end of a process cannot be missed")


def _proc() -> Finding:
    if proc_is_ours():
        return Finding("/proc", "of this process namespace", True, "descendants are found")
    return Finding(
        "/proc",
        "of this process namespace",
        False,
        "it is empty or shows another one: what left its group is not found",
        "mount /proc in the container",
    )


def _shm() -> Finding:
    folder = Path("/dev/shm")
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        why = f"cannot be written ({error.strerror}): exams run in one process"
        return Finding("/dev/shm", "shared memory", False, why, "the stop needs it not")
    return Finding("/dev/shm", "shared memory", True, "can be written; the stop needs it not")


def _disk(folder: Path) -> Answer:
    try:
        took = sorted(_synced(folder))
    except OSError as error:
        return False, f"{folder} cannot be written: {error.strerror}", "name another --home"
    ms = 1000 * statistics.median(took)
    return True, f"a sync takes {ms:.1f} ms (median of {SYNCS}, most {1000 * took[-1]:.1f})", ""


def _synced(folder: Path) -> Iterator[float]:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            begun = time.monotonic()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            yield time.monotonic() - begun


def _durable(kind: str, point: str) -> Answer:
    if kind in VOLATILE:
        return False, f"{point} is {kind}: gone with the power", "keep state on a disk"
    if kind in NETWORK:
        return None, f"{point} is {kind}: its server knows", "keep state on a disk of this host"
    if not kind:
        return None, "what file system it is cannot be told", ""
    return (
        None,
        f"{kind} says so; whether the disk's own cache keeps its word is not known here",
        "",
    )


def _one_primary(folder: Path, kind: str) -> Answer:
    if kind in NETWORK:
        return (
            False,
            f"the lock in {folder} guards one host, and {kind} has several",
            ("keep the folder on a disk of this host"),
        )
    try:
        import fcntl

        with tempfile.NamedTemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError) as error:
        return False, f"files in {folder} cannot be locked: {error}", "keep it elsewhere"
    return (
        None,
        (
            "a second server on this folder is kept out; that no copy of it is served elsewhere is "
            "not known here"
        ),
        "never put the keys (secret, signing) into a backup",
    )


def _mediation(apart: Answer) -> Answer:
    if not apart[0]:
        return (
            False,
            "the agent can act beside its gate: tier 0 binds only one that does not try",
            apart[2],
        )
    return (
        None,
        (
            "freezetag cuts no egress: whether what the agent needs can be reached past the gate "
            "is not known here"
        ),
        "hold its credentials in the gate, and leave it no other route (a network namespace)",
    )


def _code(person: pwd.struct_passwd | None) -> Answer:
    folder = CODE
    if person is None or person.pw_uid == os.geteuid():
        return (
            False,
            "the agent runs as the gate's own user, who can change it",
            ("run it as another user: --user NAME"),
        )
    groups = set(os.getgrouplist(person.pw_name, person.pw_gid))
    for file in (folder, *sorted(folder.rglob("*.py"))):
        if _writes(person, groups, file):
            return False, f"{person.pw_name} can change {file}", "take that right away"
    return True, f"{person.pw_name} cannot change {folder}", ""


def _writes(person: pwd.struct_passwd, groups: set[int], file: Path) -> bool:
    """Whether that user may write there, by owner and mode."""
    about = file.stat()
    if person.pw_uid in (0, about.st_uid):
        return True  # an owner can give himself the right
    return bool(about.st_mode & (0o020 if about.st_gid in groups else 0o002))


def _tiers(
    cgroup: Finding,
    proc: Finding,
    apart: Answer,
    enrolments: Sequence[Path],
    person: pwd.struct_passwd | None,
) -> tuple[Finding, ...]:
    secret = [file for file in enrolments if person and _reads(person, file)]
    proxy: Answer = (None, "whether it has another route is not known here", "see A3")
    if not apart[0]:
        proxy = apart
    elif secret:
        proxy = (False, f"{person.pw_name if person else ''} can read {secret[0]}", "chmod 600")
    lacking = [each for each in (cgroup, proc) if not each.holds]
    kills: Answer = (True, "another user, a control group that is frozen and killed as one", "")
    if not apart[0]:
        kills = (False, *apart[1:])
    elif lacking:
        kills = (False, lacking[0].why, lacking[0].todo)
    return (
        Finding("tier 0", "a gate in the agent's process", True, "binds who does not go round it"),
        Finding("tier 1", "a gate in its only route", *proxy),
        Finding("tier 2", "a supervisor that kills", *kills),
        Finding(
            "tier 3",
            "the resource refuses what is late",
            None,
            "the resource knows",
            "have it refuse old epochs and passed deadlines",
        ),
    )


def _reads(person: pwd.struct_passwd, file: Path) -> bool:
    about = file.stat()
    groups = set(os.getgrouplist(person.pw_name, person.pw_gid))
    if person.pw_uid in (0, about.st_uid):
        return True
    return bool(about.st_mode & (0o040 if about.st_gid in groups else 0o004))


def _routes(lines: Sequence[Line]) -> Iterator[Finding]:
    """Whether each authority can be reached at one address at least."""
    for line in lines:
        tried = {address: _reached(address) for address in line.addresses}
        good = [f"{address} in {1000 * took:.1f} ms" for address, took in tried.items() if took]
        if good:
            yield Finding("route", f"to {line.authority}", True, f"answers at {', '.join(good)}")
        else:
            where = ", ".join(line.addresses) or "no address is named"
            yield Finding(
                "route",
                f"to {line.authority}",
                False,
                f"nobody answers: {where}",
                "start the server, or open the way to it",
            )


def _reached(address: str) -> float:
    """Seconds until a connection stood; 0 if none did."""
    begun = time.monotonic()
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
                made.settimeout(WITHIN)
                made.connect(address.removeprefix("unix:"))
        else:
            parts = urlsplit(address)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname or "", port), WITHIN).close()
    except (OSError, ValueError):
        return 0.0
    return time.monotonic() - begun


def _virtual() -> bool:
    """Whether a hypervisor runs this kernel, as far as the processor says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and "hypervisor" in line.split() for line in lines)


def _file_system(folder: Path) -> tuple[str, str]:
    """Kind and mount point of what `folder` lies on; ("", folder) where the kernel does not say."""
    best: tuple[str, str] = ("", str(folder))
    try:
        inside, mounts = folder.resolve(), Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return best
    depth = -1
    for line in mounts:
        fields, _, kind = line.partition(" - ")
        point = Path(fields.split()[4])
        if inside.is_relative_to(point) and len(point.parts) >= depth:
            best, depth = (kind.split()[0], str(point)), len(point.parts)
    return best


def _person(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user) if user else None
    except KeyError:
        raise UserError(f"there is no user {user!r} on this host.") from None


def _own_name() -> str:
    uid = os.geteuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return f"{uid}, who has no entry in passwd"
