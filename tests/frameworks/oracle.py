"""`python -m tests.frameworks.oracle --runs 200 --seed 0`: presses, and what took effect after.

The oracle is a file outside: a tool's effect is one line in it, with the time at which it was
written, on the clock that the gate's journal uses. The server, the press and the gate are the real
ones. Nothing may be written later than the acknowledgement. The exit code is 1 if anything was.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.frameworks.scripted import Framework
from tests.frameworks.shop import FRAMEWORKS, MISSING, is_installed
from tests.live._serving import ADA, BOB, enrolled, home, serving, signed, started, until

import freezetag as ft
from freezetag.live.gate.clock import boot_clock
from freezetag.live.remote.operator import Remote


@dataclass
class Result:
    """What became of one press: effects before and after its acknowledgement, calls whose end is
    unknown, refused ones, and stops that nobody pressed (a lease that ran out on a busy machine).
    """

    before: int
    after: int
    unknown: int
    refused: int
    lapsed: int


@dataclass
class Effects:
    """Tools whose effects are lines of a file, written at their end. `longest` is in seconds."""

    file: Path
    dice: random.Random
    longest: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self) -> None:
        with self.file.open("a") as out:
            out.write(f"{boot_clock()():.6f}\n")

    def times(self) -> list[float]:
        return [float(line) for line in self.file.read_text().split()]

    def tools(self) -> list[Callable[..., Any]]:
        def takes() -> float:
            with self.lock:
                return self.dice.uniform(0, self.longest)

        def pay() -> str:
            """Pays, and blocks for it."""
            time.sleep(takes())
            self.write()
            return "paid"

        async def send() -> str:
            """Sends, and is awaited."""
            await asyncio.sleep(takes())
            self.write()
            return "sent"

        return [pay, send]

    def script(self, turn: int) -> Any:
        """Goes on for ever, with one to three calls side by side."""
        with self.lock:
            return [(self.dice.choice(["pay", "send"]), {}) for _ in range(self.dice.randint(1, 3))]


@contextlib.contextmanager
def agent(folder: Path) -> Iterator[tuple[Remote, Any]]:
    """A real server, and the connected gate of an agent that was started."""
    with serving(home(folder / "oversight", length=2.0)) as remote:
        file = enrolled(remote, folder)
        started(remote)
        with ft.connect(file) as gate:
            assert gate.wait(5)
            yield remote, gate


def one(
    made: Framework, remote: Remote, gate: Any, folder: Path, dice: random.Random, longest: float
) -> Result:
    """One run of an agent, pressed while it works; afterwards it is reset and started again."""
    effects = Effects(folder / f"effects-{dice.randrange(1 << 40)}", dice, longest)
    effects.file.touch()
    scripted = made(gate, effects.tools(), effects.script)
    stream, delay = dice.random() < 0.5, dice.uniform(0, 0.08)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(scripted.run(stream=stream))
        except BaseException as error:
            ended.append(error)

    written = folder / "writer.state" / "journal.jsonl"
    begun, first = written.stat().st_size, gate.gate.last

    def entries(kind: str) -> list[dict[str, Any]]:
        lines = written.read_bytes()[begun:].split(b"\n")[:-1]
        return [each for line in lines if (each := json.loads(line))["kind"] == kind]

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: gate.gate.last > first or ended)
    time.sleep(delay)
    assert remote.press("agent:writer", "enough")[0].state == "durable"
    ack = until(lambda: [each for each in entries("ack") if each["presses"]])[0]
    time.sleep(2 * longest)  # what was abandoned would have had its effect by then
    thread.join(10)
    assert not thread.is_alive(), "the run went on"
    assert ended, "the run ended of itself"
    assert isinstance(ended[0], ft.Refused), ended
    times = effects.times()
    refused, stops = len(entries("refused")), [each["cause"] for each in entries("stop")]
    cleared(remote)
    assert gate.wait(5)
    return Result(
        sum(t <= ack["t"] for t in times),
        sum(t > ack["t"] for t in times),
        len(ack["unknown"]),
        refused,
        len(stops) - stops.count("press"),
    )


def cleared(remote: Remote) -> None:
    """Two people reset, one starts."""
    remote.post("/api/clear", signed(remote.get("/api/draft")["text"], ADA, BOB))

    def starts() -> bool:
        try:
            started(remote)
        except ft.UserError:
            return False
        return True

    until(starts)


def runs(made: Framework, which: range, seed: int, longest: float = 0.03) -> list[Result]:
    """Runs of one agent, each with a press, a reset and a start, and with dice of its own."""
    asyncio.run(made(None, [], lambda turn: "imported").run())  # takes longer than a lease
    with tempfile.TemporaryDirectory() as name, agent(Path(name)) as (remote, gate):
        return [
            one(made, remote, gate, Path(name), random.Random(f"{seed} {run}"), longest)
            for run in which
        ]


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(given)
    failed = False
    for made in FRAMEWORKS:
        if not is_installed(made.library):
            print(MISSING.format(made.library), file=sys.stderr)
            return 2
        results = runs(made, range(asked.first, asked.first + asked.runs), asked.seed)
        late = sum(each.after for each in results)
        failed = failed or late > 0
        print(
            f"{made.library}: {len(results)} presses, {sum(each.before for each in results)} "
            f"effects before the acknowledgement, {late} after it, "
            f"{sum(each.unknown for each in results)} calls unknown, "
            f"{sum(each.lapsed for each in results)} leases lapsed",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")
    raise SystemExit(main())
