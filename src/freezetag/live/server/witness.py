"""What a node saw of the ledger last, in its folder: a database that holds less was cut back."""

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
    """Written at most once a second. `problem` says what does not fit; nothing raises."""

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

    def problem(self, tree: Tree) -> str:
        """Why this tree does not continue what was seen; "" if it does, or nothing was."""
        try:
            seen = json.loads(self._path.read_bytes())
            size, root = int(seen["size"]), str(seen["root"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, LookupError, TypeError) as error:
            return f"{self._path} cannot be read ({error}), so nobody knows what this node saw."
        if size > tree.size:
            return (
                f"this node saw {size} records, and the database holds {tree.size}: it is an older "
                "copy, or lost what it had."
            )
        if tree.root(size).hex() != root:
            return f"this node saw other records than the first {size} of the database: changed."
        return ""
