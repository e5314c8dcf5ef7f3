"""The code blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE, CONTINUED, FILE, EXIT = "elsewhere", "continued", "file", "exit"
FRAMEWORKS = "frameworks"
_FENCE = re.compile(
    r"(?:<!-- (?P<mark>\w+):? ?(?P<said>[^>]*?) ?-->\s*)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """kind: sh, python, text, ...; mark: "elsewhere", "continued" (after the last one), "file"
    (the reader saves it under the name `said`), "exit" (it ends with the code `said`),
    "frameworks" (it runs in the environment of `make frameworks`) or ""."""

    kind: str
    text: str
    mark: str
    line: int
    said: str = ""


def blocks(page: Path) -> list[Block]:
    """All blocks of a page in order. A mark is a comment right before the fence:
    `<!-- elsewhere: why -->`."""
    source = page.read_text(encoding="utf-8")
    return [
        Block(
            found["kind"],
            found["text"],
            found["mark"] or "",
            source.count("\n", 0, found.start("kind")) + 1,
            found["said"] or "",
        )
        for found in _FENCE.finditer(source)
    ]
