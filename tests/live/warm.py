"""What the processes of a run load is loaded once, before they are forked.

A server and a gate load some 200 modules when they start, which was half of a run's processor time.
Nobody keeps a list of them: a child starts both, lets them work, and tells what it had loaded then.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.live import _serving

assert ctypes  # every process asks the kernel to end with its parent


def warm() -> int:
    """Imports what a server and a gate have loaded when they work; the number of modules.

    What is imported stays out of the garbage collector's way, so that a forked process need not
    copy it in order to look at it.
    """
    known = len(sys.modules)
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        told = Path(folder) / "modules"
        pid = os.fork()
        if not pid:
            with contextlib.suppress(BaseException):
                _work(Path(folder))
                told.write_text(json.dumps(sorted(sys.modules)))
            os._exit(0)
        os.waitpid(pid, 0)
        for name in json.loads(told.read_text()) if told.exists() else ():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()
    return len(sys.modules) - known


def _work(folder: Path) -> None:
    """A server, and a gate that opens and is stopped by a press."""
    with _serving.serving(_serving.home(folder / "home")) as remote:
        file = _serving.enrolled(remote, folder)
        _serving.started(remote)
        with _serving.gated(file) as gate:
            _serving.until(lambda: gate.is_open)
            remote.post("/press", {"scope": "fleet", "reason": "warm"}, "press")
            _serving.until(lambda: not gate.is_open)
