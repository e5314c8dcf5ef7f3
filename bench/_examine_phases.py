"""`freezetag examine` that says at its end where its time went, as one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

MARK = "phases "


def main() -> int:
    """Run `freezetag examine` with these arguments; the exit code."""
    begin = time.perf_counter()
    from freezetag import cli
    from freezetag.cli.commands import examine as _command
    from freezetag.exam import store
    from freezetag.sim import executables

    del _command  # its imports are what it was wanted for
    imported = time.perf_counter() - begin
    writing = 0.0

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal writing
            started = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                writing += time.perf_counter() - started

        return wrapped

    for name in ("keep", "finish"):
        setattr(store.RunFolder, name, timed(getattr(store.RunFolder, name)))
    code = cli.run(["examine", *sys.argv[1:]])
    spent = executables.spent
    phases = {
        "import": imported,
        "trace": spent.tracing,
        "compile": spent.compiling,
        "load": spent.loading + spent.keeping,
        "write": writing,
    }
    # Threads trace, compile and load at the same time, so the rest may be less than what it was.
    phases["run"] = max(0.0, time.perf_counter() - begin - sum(phases.values()))
    told = {"seconds": phases, "compiled": spent.compiled, "loaded": spent.loaded}
    print(f"{MARK}{json.dumps(told)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
