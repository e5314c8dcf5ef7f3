"""The live layer against its absolute goals: presses, expiry, the gate, the disk, restart, verify.

Server and gates are processes of their own on this machine, over loopback, without TLS. The gates
are real ones, a WebSocket each, held by one lean process. Goals are design/0005-live.md's, raised.
The MCP proxy and several nodes have benches of their own. What other work on the machine disturbs
least is told by processor time: an idle crowd, the gate, verifying.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._live_gates import address, child, end, gate, hold, home, now, serve
from bench._measure import checked, head
from bench._process import COMMAND
from freezetag.live.authority.authority import Authority
from freezetag.live.authority.home import Home
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.gate import OPEN
from freezetag.live.server.service import DURABLE, Service
from freezetag.live.signed.verify import verify_file
from freezetag.live.signed.verify_parts import verify_on

GATES, PRESSES = 1000, 5
CROWD = 10_000
IDLE = 20.0
GONE_GATES, KILLS = 100, 10
CALLS = 50_000
COMMITS = 500
RECORDS = 1_000_000
HASHED = 200_000


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(what: str, values: Sequence[float], goal: float, unit: str, by: str) -> None:
    """Median, p99, worst and n; whether `by` meets the goal."""
    p50, p99 = statistics.median(values), quantile(values, 0.99)
    found = {"p50": p50, "p99": p99, "worst": max(values)}
    verdict = "met" if found[by] <= goal else "MISSED"
    load = os.getloadavg()[0]
    print(
        f"{what}: p50 {p50:.4g}, p99 {p99:.4g}, worst {max(values):.4g} {unit}, n {len(values)}, "
        f"load {load:.1f}; goal {by} <= {goal:g} {unit}: {verdict}",
        flush=True,
    )


def press(path: Path) -> dict[str, Any]:
    token = (path / "tokens" / "press").read_text().strip()
    answer = request(address(path, "press"), "POST", "/press", {"scope": "fleet"}, token=token)
    assert isinstance(answer, dict)
    return answer


def closing(folder: Path) -> None:
    """A press until the last of the gates has closed, and until it is answered as durable."""
    _closing(folder, GATES, PRESSES, 200)


def crowd(folder: Path) -> None:
    """The same for many: here every agent has a gate, and all of them are on one processor. A host
    may have one gate for all its agents; then this is that many hosts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        hard = max(hard, 3 * CROWD)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A server keeps as many files for its local listener as for this one.
    count = min(CROWD, (hard - 1500) // 2)
    if count < CROWD:
        print(f"{CROWD} gates: {count}, as a process may open {hard} files here")
    _closing(folder, count, 1, 1000)


def _closing(folder: Path, count: int, presses: int, goal: float) -> None:
    closed, answered, lasts = [], [], []
    for number in range(presses):
        path = home(folder / f"press{number}", count, 15.0).path
        server = child(serve, path)
        here, there = multiprocessing.Pipe()
        gates = child(hold, path, count, there, False)
        if not here.poll(600) or here.recv() != "open":
            raise SystemExit(f"{count} gates did not open within 600 s")
        begin = now()
        answer = press(path)
        answered.append((now() - begin) * 1e3)
        checked(f"press {number} is {answer['state']}", answer["state"] == DURABLE)
        times = [(at - begin) * 1e3 for at, _, _ in here.recv()]
        lasts.append(max(times))
        closed += times
        end(gates)
        end(server)
    told(f"press to each of {count} gates closed", closed, goal, "ms", "p99")
    told("press to the last gate closed", lasts, goal, "ms", "p50")
    told("press to its answer, all gates pushed to", answered, goal, "ms", "worst")


def idle(folder: Path) -> None:
    """What a server costs while gates hold leases of 5 s and nothing happens: processor time of all
    its threads, as a share of one core."""
    path = home(folder / "idle", GATES, 5.0).path
    server = child(serve, path)
    here, there = multiprocessing.Pipe()
    gates = child(hold, path, GATES, there, False)
    if not here.poll(300) or here.recv() != "open":
        raise SystemExit(f"{GATES} gates did not open within 300 s")
    time.sleep(5.0)
    shares = []
    for _ in range(3):
        begin, used = time.monotonic(), processor(server)
        time.sleep(IDLE)
        shares.append((processor(server) - used) / (time.monotonic() - begin) * 100)
    still = not here.poll(0)
    end(gates)
    end(server)
    checked(f"{GATES} gates stayed open", still)
    told(f"server, {GATES} idle gates, L = 5 s", shares, 15, "% of a core", "p50")


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gone(folder: Path) -> None:
    """The server is killed; when did each gate last admit, of all that asked all the time?"""
    lasts, admitted = [], 0
    for number in range(KILLS):
        path = home(folder / f"gone{number}", GONE_GATES, 1.0).path
        server = child(serve, path)
        here, there = multiprocessing.Pipe()
        gates = child(hold, path, GONE_GATES, there, True)
        if not here.poll(60) or here.recv() != "open":
            raise SystemExit(f"{GONE_GATES} gates did not open within 60 s")
        time.sleep(0.5 + number / KILLS / 3)
        end(server)
        killed = now()
        found = here.recv()
        lasts += [last - killed for _, last, _ in found]
        admitted += sum(count for *_, count in found)
        end(gates)
    late = sum(last > 1.001 for last in lasts)
    print(f"admissions {admitted}, gates that admitted later than 1.001 s after the kill: {late}")
    told("server gone, L = 1 s: last admission of a gate", lasts, 1.001, "s", "worst")


def overhead(folder: Path) -> None:
    """Admission and end of an action that does nothing."""
    made = home(folder / "overhead", 1, 3600.0)
    overseer = Authority("bench", secret=made.secret, roster=made.roster, clock=now, length=3600.0)
    for kind, body in overseer.enrol("g0"):
        overseer.apply(kind, body)
    overseer.unlock()
    for kind, body in overseer.start("g0", "ann"):
        overseer.apply(kind, body)
    one = gate(made, "g0", witness=False)
    one.ask()
    answer, _ = overseer.on_frame(one.take()[0].text)
    one.receive("bench", answer or "")
    checked("the gate is open", one.phase == OPEN)
    clock, begin, finish = time.perf_counter_ns, one.begin, one.end
    times, blocks = [], []
    for _ in range(CALLS):
        start = clock()
        finish(begin("nothing"))
        times.append((clock() - start) / 1e3)
    for _ in range(50):
        used = time.process_time()
        for _ in range(CALLS // 50):
            finish(begin("nothing"))
        blocks.append((time.process_time() - used) / (CALLS // 50) * 1e6)
    told("admit and end of a no-op", times, 3, "us", "p50")
    told("the same, processor time, 1,000 calls at a time", blocks, 3, "us", "p50")


def durable(folder: Path) -> None:
    """A press in the service until its record is durable; each by another presser."""
    service = Service(home(folder / "durable", 10, 5.0))
    service.open()

    async def one(number: int) -> float:
        begin = time.perf_counter()
        answer = await service.answer(service.press("fleet", f"presser {number}"))
        took = time.perf_counter() - begin
        assert answer["state"] == DURABLE, answer
        return took * 1e3

    async def every() -> list[float]:
        return [await one(number) for number in range(COMMITS)]

    times = asyncio.run(every())
    service.close()
    told("durable press commit", times, 25, "ms", "p99")


def hashing() -> float:
    """Microseconds a record for its two hashes alone, in this interpreter: what verifying cannot
    do without, and so how fast the machine is just now."""
    sha, leaf, count = hashlib.sha256, bytes(230), HASHED
    begin = time.perf_counter()
    for _ in range(count):
        digest = sha(b"\x00" + leaf).digest()
        sha(b"\x01" + digest + digest).digest()
    return (time.perf_counter() - begin) / count * 1e6


def restart(folder: Path) -> None:
    """`freezetag serve` on a long ledger, until a gate that asks all the time holds a lease."""
    made = home(folder / "long", 1, 5.0, RECORDS)
    times, quiet = [], subprocess.DEVNULL
    for _ in range(3):
        (made.path / "listening.json").unlink(missing_ok=True)
        one = gate(made, "g0")
        begin = time.perf_counter()
        with subprocess.Popen(
            [COMMAND, "serve", str(made.path)], stdout=quiet, stderr=quiet
        ) as run:
            where = address(made.path, "gates", 60)
            while one.phase != OPEN:
                one.ask()
                for order in one.take():
                    try:
                        answer = request(where, "POST", "/api/frame", order.text, timeout=5)
                    except (Unreachable, Denied):
                        time.sleep(0.01)
                        continue
                    one.receive("bench", answer)
            times.append(time.perf_counter() - begin)
            one.close()
            for order in one.take():  # it acknowledges, so that the next need not wait for it
                request(where, "POST", "/api/frame", order.text, timeout=5)
            time.sleep(0.2)
            run.terminate()
            run.wait(30)
    told(f"restart with {RECORDS:,} records, to the first lease", times, 3, "s", "worst")
    verifying(made)


def verifying(made: Home) -> None:
    """One process and two, by turns; and what hashing alone takes, by processor time, too."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    alone, shares = [], dict[int, list[float]]({1: [], 2: []})
    rule: dict[str, Any] = {"authority": "bench", "public": made.public}
    for _ in range(3):
        used = _used()
        hashes = hashing()
        each = (_used() - used) / HASHED * 1e6
        alone.append(hashes)
        for cores, found in rates.items():
            begin, used = time.perf_counter(), _used()
            report = verify_on(cores, made.ledger, **rule)
            found.append((time.perf_counter() - begin) / report.records * 1e6)
            shares[cores].append(each / ((_used() - used) / report.records * 1e6))
    checked(f"{report.records:,} records verify", report.ok)
    whole = verify_file(made.ledger, **rule)
    checked("two processes and one say the same", whole == report)
    for cores, found in rates.items():
        print(
            f"verify on {cores}: {1e6 / statistics.median(found):,.0f} records a second; by "
            f"processor time {statistics.median(shares[cores]):.2f} of hashing alone on each "
            f"({1e6 / statistics.median(alone):,.0f} a second); goal .8"
        )
    told("verify on two, a record (500,000 a second)", rates[2], 2.0, "us", "p50")


def _used() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def verify(folder: Path) -> None:
    verifying(home(folder / "long", 1, 5.0, RECORDS))


WORKS = {
    "overhead": overhead,
    "durable": durable,
    "closing": closing,
    "crowd": crowd,
    "idle": idle,
    "gone": gone,
    "restart": restart,  # and verify, of the same records
}
ALONE = {"verify": verify}


def main() -> None:
    head("the live layer", "cryptography", "starlette", "uvicorn", "websockets")
    chosen = sys.argv[1:] or list(WORKS)
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            (WORKS | ALONE)[name](Path(folder))


if __name__ == "__main__":
    main()
