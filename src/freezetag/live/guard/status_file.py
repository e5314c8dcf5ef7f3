"""How a guard ended, in a file for scripts: an exit code of 124 may be the command's own.

One JSON object: `outcome`, `code` (the guard's exit code; null while it runs) and `why`. It says
`running` from before the command is started, so a guard that was killed has left that.

Caveat: it belongs in a folder where the command cannot write. One that can may put there whatever
it likes, and a reader cannot tell.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.live.guard.supervisor import Held

AGAIN = 100
"""Looks at a file that others replace meanwhile."""
RUNNING, ENDED, STOPPED, HELD, FAILED = "running", "ended", "stopped", "held", "failed"


@final
class StatusFile:
    """`with StatusFile(path, say) as status` writes on entry and on exit; `None` writes nothing.

    Call `status.over` with what the command came to. Raises `UserError` on entry for a place that
    cannot be written, where something lies that is no plain file (it would be replaced), or whose
    file is that of another guard that runs: each holds a lock on what it wrote last. At the end a
    fault is said, and changes nothing.
    """

    def __init__(self, path: Path | None, say: Callable[[str], None]) -> None:
        self._path, self._say, self._lock = path, say, -1
        self._last: dict[str, Any] = {"outcome": FAILED, "code": None, "why": "ended early"}

    def __enter__(self) -> StatusFile:
        if self._path is None:
            return self
        try:
            self._take({"outcome": RUNNING, "code": None, "why": ""})
        except (OSError, ValueError) as error:
            self._release()
            why = getattr(error, "strerror", None) or error
            raise UserError(f"cannot write --status-file {self._path}: {why}.") from None
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
        self._release()

    def _take(self, told: dict[str, Any]) -> None:
        """Takes the file of an earlier guard, or lays a new one where none is: of many that start
        at once, one. Raises `UserError` for the others, and for a folder, a link, a device or a
        pipe: none is to be replaced."""
        for _ in range(AGAIN):
            if self._seized():
                return self._write(told)
            if self._laid(told):
                return None
        raise UserError(f"--status-file {self._path} comes and goes. Name another.")

    def _seized(self) -> bool:
        """Whether there is a file, which we hold from now on; not if it went just then."""
        assert self._path is not None
        try:
            if not stat.S_ISREG(os.lstat(self._path).st_mode):
                raise UserError(
                    f"--status-file {self._path} is there, and is no plain file. Name another."
                )
            self._lock = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            _lock(self._lock)
            if os.path.samestat(os.fstat(self._lock), os.lstat(self._path)):
                return True
        except FileNotFoundError:
            pass
        except BlockingIOError:
            self._release()
            raise UserError(
                f"--status-file {self._path} is that of another guard, which runs. Name another."
            ) from None
        self._release()  # it was replaced in between
        return False

    def _laid(self, told: dict[str, Any]) -> bool:
        """Whether a new file lies there whole, and we hold it; not if one has come by then."""
        assert self._path is not None
        made, handle = self._made(told)
        try:
            os.link(made, self._path)
        except FileExistsError:
            os.close(handle)
            return False
        except OSError:  # a file system without hard links: an empty one, which we then seize
            os.close(handle)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            return False
        finally:
            made.unlink()
        self._lock = handle
        return True

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _write(self, told: dict[str, Any]) -> None:
        """Whoever reads it finds the old one or the new one, never a part."""
        if self._path is None:
            return
        made, handle = self._made(told)
        try:
            made.replace(self._path)
        except OSError:
            os.close(handle)
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        self._release()
        self._lock = handle

    def _made(self, told: dict[str, Any]) -> tuple[Path, int]:
        """A file beside it that holds `told`, and its handle, locked.

        Nobody can lay a link or a pipe where it is written: its name is drawn, and has to be free.
        """
        assert self._path is not None
        made = self._path.with_name(f".{secrets.token_hex(8)}.status")
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        try:
            _lock(handle)
            with os.fdopen(handle, "w", encoding="utf-8", closefd=False) as file:
                file.write(json.dumps(told) + "\n")
        except OSError:
            os.close(handle)
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        return made, handle


def _lock(handle: int) -> None:
    """Holds a file until it is closed. Raises `BlockingIOError` if somebody else holds it."""
    import fcntl  # not on Windows

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
