"""The design of the live side names every kind of record, route, frame and cause, and no other."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from freezetag.live.server.app import ROUTES
from freezetag.live.signed.frames import CAUSES, FIELDS
from freezetag.live.signed.records import RECORDS

PAGE = (Path(__file__).resolve().parents[2] / "design" / "0005-live.md").read_text("utf-8")


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first column is called so."""
    table = PAGE.split(f"| {first} |", 1)[1].split("\n\n", 1)[0]
    return [[each.strip() for each in line.split(" | ")] for line in table.splitlines()[2:]]


def test_every_kind_of_record_with_the_fields_of_its_body() -> None:
    told = {}
    for kind, body, meaning in rows("kind | body"):
        told[kind.strip("| `")] = set(body.strip("`{}").split(", ")) - {""}
        assert meaning.strip("| ")
    known = {}
    for kind, record in RECORDS.items():
        missing = dataclasses.MISSING
        known[kind] = {
            each.metadata.get("key", each.name)
            + "?" * (each.default is not missing or each.default_factory is not missing)
            for each in dataclasses.fields(record)
        }
    assert told == known


def test_every_route() -> None:
    told = set()
    for route, *_ in rows("route"):
        told |= set(re.findall(r"(?:`|POST |GET )(/[\w/.{}-]*)", route))
    assert told == {path for _, path, _ in ROUTES}


def test_every_frame_and_cause_of_a_stop() -> None:
    frames = {kind.strip("| `"): fields for kind, _, fields in rows("kind | way")}
    assert set(frames) == set(FIELDS)
    for kind, fields in FIELDS.items():
        lacking = [name for name in fields if f"`{name}" not in frames[kind]]
        assert not lacking, (kind, lacking)
    assert [cause for cause in CAUSES if f"`{cause}`" not in frames["ack"]] == []
