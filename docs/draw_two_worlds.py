"""Write docs/two-worlds.svg: both worlds of the button, drawn from the objects that run.

python docs/draw_two_worlds.py
"""

from __future__ import annotations

from pathlib import Path

from freezetag.report.diagram import svg
from freezetag.report.plan_page import CAPTIONS
from freezetag.substrates.button import Button
from freezetag.two_worlds.comparison import drawn

TARGET = Path(__file__).with_name("two-worlds.svg")


def picture() -> str:
    """The drawing, with its colours: a file of its own."""
    found = drawn(Button())
    factual, planned = found.incentives()["button"]
    panels = dict(zip(CAPTIONS, (found.factual, found.planning), strict=True))
    return svg(panels, "The two worlds", [*factual.paths, *planned.paths], standalone=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
    print(f"wrote {TARGET}")
