"""The live layer against its absolute goals: presses, expiry, the gate, the disk, restart, verify.

Server and gates are processes of their own on this machine, over loopback, without TLS. The gates
are real ones, a WebSocket each, held by one lean process. Goals are design/0005-live.md's. The MCP
proxy has a bench of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
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
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.gate import OPEN
from freezetag.live.server.service import DURABLE, Service
from freezetag.live.signed.verify import verify_file

GATES, PRESSES = 1000, 5
GONE_GATES, KILLS = 100, 10
CALLS = 50_000
COMMITS = 500
RECORDS = 1_000_000


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
    closed, answered, lasts = [], [], []
    for number in range(PRESSES):
        path = home(folder / f"press{number}", GATES, 15.0).path
        server = child(serve, path)
        here, there = multiprocessing.Pipe()
        gates = child(hold, path, GATES, there, False)
        if not here.poll(120) or here.recv() != "open":
            raise SystemExit(f"{GATES} gates did not open within 120 s")
        begin = now()
        answer = press(path)
        answered.append((now() - begin) * 1e3)
        checked(f"press {number} is {answer['state']}", answer["state"] == DURABLE)
        times = [(at - begin) * 1e3 for at, _, _ in here.recv()]
        lasts.append(max(times))
        closed += times
        end(gates)
        end(server)
    told(f"press to each of {GATES} gates closed", closed, 250, "ms", "p99")
    told("press to the last gate closed", lasts, 250, "ms", "p50")
    told("press to its answer, all gates pushed to", answered, 250, "ms", "worst")


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
    times = []
    for _ in range(CALLS):
        start = clock()
        finish(begin("nothing"))
        times.append((clock() - start) / 1e3)
    told("admit and end of a no-op", times, 5, "us", "p50")


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
    sha, leaf, count = hashlib.sha256, bytes(230), 200_000
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
    rates, alone = [], []
    for _ in range(3):
        begin = time.perf_counter()
        report = verify_file(made.ledger, authority="bench", public=made.public)
        rates.append((time.perf_counter() - begin) / report.records * 1e6)
        alone.append(hashing())
    checked(f"{report.records:,} records verify", report.ok)
    share = statistics.median(a / r for a, r in zip(alone, rates, strict=True))
    print(
        f"verify: {1e6 / statistics.median(rates):,.0f} records a second, {share:.2f} of what "
        f"hashing alone reaches here ({1e6 / statistics.median(alone):,.0f} a second)"
    )
    told("verify, a record (300,000 a second)", rates, 1e6 / 300_000, "us", "p50")


WORKS = {
    "overhead": overhead,
    "durable": durable,
    "closing": closing,
    "gone": gone,
    "restart": restart,
}


def main() -> None:
    head("the live layer", "cryptography", "starlette", "uvicorn", "websockets")
    chosen = sys.argv[1:] or list(WORKS)
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            WORKS[name](Path(folder))


if __name__ == "__main__":
    main()
