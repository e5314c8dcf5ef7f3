"""What the gate costs on an agent's host: what it imports, how long that and a check take."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from tests.live.worlds import pair

from freezetag.core import Panel, PowerLimit, RuntimeLimit

HEAVY = ("numpy", "jax", "scipy", "asyncio", "ssl", "sqlite3", "cryptography", "pydantic")


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_gate_imports_the_standard_library_alone() -> None:
    loaded = run(
        "import sys; import freezetag.live.gate.gate, freezetag.live.gate.decorator;"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " - set(sys.stdlib_module_names) - {'__mp_main__'}))"
    )
    extra = {name for name in eval(loaded) if not name.startswith("_") and name != "sitecustomize"}
    assert extra == {"freezetag"}
    heavy = run(
        "import sys; import freezetag.live.gate.gate; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert heavy == "[]"


def test_what_is_loaded_to_check_a_clearance_is_cryptography() -> None:
    loaded = run(
        "import sys; from freezetag.live.signed.keys import *; "
        "k, p = generate(); verify(p, b'', b'');"
        "print('cryptography' in sys.modules, 'numpy' in sys.modules)"
    )
    assert loaded == "True False"


def test_a_check_costs_microseconds() -> None:
    """The goal is 5 µs at the median on a quiet machine (bench); ten times that fails here."""
    panel = Panel((RuntimeLimit(1e9, unit="seconds"), PowerLimit(3.0)))
    _, _, gate, _ = pair(panel=panel, meters={"power": lambda: 1.0, "runtime": lambda: 1.0})
    times = []
    for _ in range(2_000):
        begun = time.perf_counter()
        gate.check()
        times.append(time.perf_counter() - begun)
    assert median(times) < 50e-6
