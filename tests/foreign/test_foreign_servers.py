"""MCP servers that nobody here wrote answer the same with the guard before them and without.

What two runs *without* the guard answer differently (the time, chance) is compared without digits.
Installed by `make foreign`; skipped where it was not.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.foreign.servers import (
    INSTALLED,
    VERSIONS,
    Client,
    Stdio,
    command,
    guard,
    masked,
    on_http,
    prepared,
)
from tests.live.guards import wait_for

pytestmark = pytest.mark.skipif(not INSTALLED, reason="not installed: make foreign")
BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""The one thing that the guard on stdio spells anew."""
NAMES = ["everything", "filesystem", "memory", "time"]


def asked(name: str, folder: Path, version: str, *, guarded: bool, all_of_it: bool) -> Client:
    prepared(folder)
    if name == "http":
        with on_http(folder, guarded) as client:
            return played(client, folder, version, all_of_it)
    words = command(name, folder)
    client = Stdio([*guard(folder), *words] if guarded else words, folder)
    with contextlib.closing(client):
        return played(client, folder, version, all_of_it)


def played(client: Any, folder: Path, version: str, all_of_it: bool) -> Client:
    client.shake_hands(version)
    if all_of_it:
        client.ask_everything(folder)
    else:
        client.ask("tools/list")
    return client


@pytest.mark.parametrize("name", [*NAMES, "http"])
def test_every_answer_is_equal_with_and_without_the_guard(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    bare = [asked(name, folder, "2025-06-18", guarded=False, all_of_it=True) for _ in range(2)]
    guarded = asked(name, folder, "2025-06-18", guarded=True, all_of_it=True)
    assert len(guarded.answers) > 5
    assert guarded.asked_us == bare[0].asked_us
    for (what, one), (_, again), (_, ours) in zip(
        bare[0].answers, bare[1].answers, guarded.answers, strict=True
    ):
        if one == again:
            assert ours == (one if name == "http" else one.translate(BREAKS)), what
        elif what != "tools/call get-env":  # the guard's own environment is another
            assert masked(ours) == masked(one), what


@pytest.mark.parametrize("name", [*NAMES, "http"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_the_protocol_shakes_hands(
    name: str, version: str, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    bare = asked(name, folder, version, guarded=False, all_of_it=False)
    guarded = asked(name, folder, version, guarded=True, all_of_it=False)
    assert guarded.answers == bare.answers


@pytest.mark.parametrize("stage", ["before the handshake", "after it", "in flight", "after a call"])
@pytest.mark.parametrize("name", ["everything", "http"])
def test_a_press_at_every_stage_of_a_call(name: str, stage: str, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "files")
    hold = ("--on-stop", "hold")
    with contextlib.ExitStack() as held:
        client: Any
        if name == "http":
            client = held.enter_context(on_http(folder, True, *hold))
        else:
            client = Stdio([*guard(folder, *hold), *command(name, folder)], folder)
            held.callback(client.close)
            client.ask("ping")  # it runs

        def press() -> None:
            (tmp_path / "STOP").touch()
            wait_for(
                lambda: client.ask("resources/read", uri="demo://x")["error"]["code"] == -32050
            )

        if stage == "before the handshake":
            press()
        client.shake_hands("2025-06-18")
        if stage == "after it":
            press()
        if stage == "in flight":
            slow = {"name": "trigger-long-running-operation"}
            (tmp_path / "STOP").touch()
            slow["arguments"] = {"duration": 30, "steps": 30}  # type: ignore[assignment]
            told = client.ask("tools/call", **slow)
            assert told["error"]["code"] == -32050
        if stage == "after a call":
            assert "result" in client.ask("tools/call", name="echo", arguments={"message": "x"})
            press()
        told = client.ask("tools/call", name="echo", arguments={"message": "late"})
        assert told["error"]["code"] == -32050
        assert "late" not in json.dumps(told.get("result", ""))
