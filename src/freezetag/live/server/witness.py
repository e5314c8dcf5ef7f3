"""What a node saw of the ledger last, in its folder: a database that lacks it was cut back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import final

from freezetag.live.signed.merkle import Tree

EVERY = 1.0


@final
class Witness:
    """Written at most once a second. Nothing raises."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._at, self._size = float("-inf"), -1

    def saw(self, tree: Tree) -> None:
        """This much was durable. A disk that fails leaves the older word, which still holds."""
        now = self._clock()
        if tree.size == self._size or now - self._at < EVERY:
            return
        self._at, self._size = now, tree.size
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            with beside.open("w") as file:
                json.dump({"root": tree.root().hex(), "size": tree.size}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError:
            self._size = -1  # again with the next look

    def seen(self) -> tuple[int, str] | None:
        """The head that was seen last; None if none was, or that cannot be read."""
        try:
            seen = json.loads(self._path.read_bytes())
            size, root = int(seen["size"]), str(seen["root"])
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return size, root

    def problem(self) -> str:
        """Why it is not known what was seen; "" if it is, or nothing was."""
        if self.seen() is not None or not self._path.exists():
            return ""
        return f"{self._path} cannot be read, so nobody knows what this node saw."
