"""Real processes, killed, stopped, cut off and lied to; judged by a world outside the product.

The long mode is `python -m tests.live.chaos --runs 1000 --seed 0`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.live.chaos import oracle, world
from tests.live.chaos.classes import FAULTS
from tests.live.chaos.scene import Closed, Notes, Pressing

ROOT = Path(__file__).resolve().parents[2]
PER_CLASS = 1
linux = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps and CLOCK_BOOTTIME")


@linux
@pytest.mark.slow
def test_the_stop_holds_in_every_class_of_faults(tmp_path: Path) -> None:
    out = tmp_path / "chaos.jsonl"
    runs = PER_CLASS * len(FAULTS)
    command = [sys.executable, "-m", "tests.live.chaos", "--runs", str(runs), "--seed", "7"]
    done = subprocess.run(
        [*command, "--jobs", "8", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [r for r in results if r["violations"]] == [], done.stdout
    assert {r["class"] for r in results if not r["broken"]} == set(FAULTS), (
        done.stdout + done.stderr
    )
    assert sum(r["effects"] for r in results) > 10 * runs
    back = [r["stuck"] for r in results if "stuck" in r]
    assert set(back) == {""}  # some were cleared and started, and all of these acted again


PLANTED = {
    # A gate that never notices that its lease has ended.
    "one authority gone": """
from freezetag.live.gate.enrolment import Link as X
X.age = lambda self, now: 0.0
""",
    # A server that reads everything back but the presses.
    "restarted while agents run": """
from freezetag.live.authority.facts import Facts as X
real = X.apply
X.apply = lambda self, kind, body, at=0: None if kind == "press" else real(self, kind, body, at)
from freezetag.live.authority.authority import Authority as Y
Y._silence = lambda self, gate: 0.0
""",
    # A gate that acknowledges, and whose host lets the tool go on.
    "server stopped": """
from tests.live.chaos.parts import Tool as X
X.kill = lambda self: None
""",
}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_caught(name: str) -> None:
    """The processes are real, so the fault is planted in the one that they are forked from. One
    run in two has actions that take long enough to be met by a stop."""
    number = list(FAULTS).index(name)
    runs = [number + len(FAULTS) * n for n in range(6)]
    code = f"{PLANTED[name]}\nfrom tests.live.chaos.__main__ import one\nimport json"
    code += f"\nprint(json.dumps(any(one(n, 7)['violations'] for n in {runs})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]), done.stderr


class Stage:
    """As much of a scene as the oracle looks at, with what a fault of the product would leave."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.authorities: tuple[str, ...] = ()
        self.effects_file = folder / "effects"
        self.effects_file.write_text("".join(f"{line}\n" for line in lines))
        self.notes = Notes()


def effect(at: float, before: float, who: str = "tool") -> str:
    return f"{at} {json.dumps([before, 'a', 'b0', 1, who])}"


def test_the_oracle_sees_an_admission_after_the_bound(tmp_path: Path) -> None:
    late = 100 + oracle.BOUND + 0.001
    stage = Stage(tmp_path, effect(99, 99), effect(100.2, 100.1), effect(late, late))
    stage.notes.presses.append(Pressing("0", "fleet", 99.9, answered=100, state="NOT durable"))
    verdict = oracle.judge(stage)  # type: ignore[arg-type]
    assert [v for v in verdict.violations if "admitted" in v] == verdict.violations
    assert len(verdict.violations) == 1
    assert (verdict.effects, verdict.after_press) == (3, 2)
    stage.notes.starts.append(("a", late - 0.0001))
    assert oracle.judge(stage).violations == []  # type: ignore[arg-type]


def test_the_oracle_sees_an_effect_long_after_its_admission(tmp_path: Path) -> None:
    stage = Stage(tmp_path, effect(100 + oracle.BOUND + oracle.KAPPA + 0.01, 99.9))
    stage.notes.presses.append(Pressing("0", "fleet", 99.9, answered=100, state="NOT durable"))
    assert "an effect" in oracle.judge(stage).violations[0]  # type: ignore[arg-type]


def test_the_oracle_sees_forks_and_what_acts_while_closed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, effect(5, 5, "fork"), effect(7, 7))
    stage.notes.closed.append(Closed("a", 6.5, "dead", until=8))
    found = oracle.judge(stage).violations  # type: ignore[arg-type]
    assert len(found) == 2
    assert found[0].startswith("a admitted 0.5")
    assert "forked" in found[1]


def ledger(*bodies: tuple[str, dict[str, object]]) -> list[dict[str, object]]:
    return [{"i": i, "at": 0, "kind": kind, "body": b} for i, (kind, b) in enumerate(bodies)]


ENROL = ("enrol", {"agent": "a", "groups": ["g"]})
PRESS = ("press", {"id": "p", "scope": "group:g"})
START = ("start", {"agent": "a"})


def clear(people: int, seen: int = 0) -> tuple[str, dict[str, object]]:
    signatures = {str(n): "" for n in range(people)}
    return "clear", {"signatures": signatures, "text": json.dumps({"presses": {"p": {"r": seen}}})}


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        ((ENROL, PRESS, clear(2), START), 0),
        ((ENROL, PRESS, START), 1),
        ((ENROL, PRESS, clear(1), START), 1),
        ((ENROL, PRESS, ("repeat", {"press": "p"}), clear(2), START), 1),
        ((ENROL, PRESS, ("repeat", {"press": "p"}), clear(2, 1), START), 0),
        ((ENROL, ("press", {"id": "p", "scope": "somewhere"}), START), 1),
        ((ENROL, ("press", {"id": "p", "scope": "agent:b"}), START), 0),
    ],
)
def test_the_reference_sees_a_start_under_a_press(records: tuple[object, ...], wrong: int) -> None:
    said: list[str] = []
    oracle._against_the_reference(ledger(*records), said.append)  # type: ignore[arg-type]
    assert len(said) == wrong


def test_the_oracle_sees_an_effect_after_an_acknowledgement() -> None:
    body = {"acked": "b0", "last": 1, "cause": "press"}
    records = [{"i": 0, "at": 1_000_000, "kind": "ack", "body": body}]
    offset = oracle.now() - oracle.time.time()
    early = world.Effect(1000 + offset - 0.01, 0, "a", "b0", 1, "tool")
    late = world.Effect(1000 + offset + 0.01, 0, "a", "b0", 1, "tool")
    more = world.Effect(1000 + offset - 0.01, 0, "a", "b0", 2, "tool")
    for seen, wrong in ((early, 0), (late, 1), (more, 1)):
        said: list[str] = []
        oracle._after_acknowledgement(records, [seen], said.append)
        assert len(said) == wrong
