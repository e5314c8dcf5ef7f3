"""How a guard ended, in a file for scripts: an exit code of 124 may be the command's own.

One JSON object: `outcome`, `code` (the guard's exit code; null while it runs) and `why`. It says
`running` from before the command is started, so a guard that was killed has left that.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.live.guard.supervisor import Held

RUNNING, ENDED, STOPPED, HELD, FAILED = "running", "ended", "stopped", "held", "failed"


@final
class StatusFile:
    """`with StatusFile(path, say) as status` writes on entry and on exit; `None` writes nothing.

    Call `status.over` with what the command came to. Raises `UserError` on entry for a place that
    cannot be written. At the end that is said, and changes nothing.
    """

    def __init__(self, path: Path | None, say: Callable[[str], None]) -> None:
        self._path, self._say = path, say
        self._last: dict[str, Any] = {"outcome": FAILED, "code": None, "why": "ended early"}

    def __enter__(self) -> StatusFile:
        try:
            self._write({"outcome": RUNNING, "code": None, "why": ""})
        except OSError as error:
            raise UserError(f"cannot write --status-file {self._path}: {error.strerror}.") from None
        return self

    def over(self, code: int, stopped: str) -> int:
        """The exit code, and why the command was stopped: empty if it ended by itself."""
        self._last = {"outcome": STOPPED if stopped else ENDED, "code": code, "why": stopped}
        return code

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, UserError):
            outcome = HELD if isinstance(error, Held) else FAILED
            self._last = {"outcome": outcome, "code": error.exit_code, "why": str(error)}
        try:
            self._write(self._last)
        except OSError as fault:
            self._say(f"cannot write --status-file {self._path}: {fault.strerror}")

    def _write(self, told: dict[str, Any]) -> None:
        """Whoever reads it finds the old one or the new one, never a part."""
        if self._path is None:
            return
        made = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            made.write_text(json.dumps(told) + "\n", encoding="utf-8")
            made.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            raise
