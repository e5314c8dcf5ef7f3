"""The STOP file and the disk are watched for as long as the server serves, whatever fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import (
    ADA,
    BOB,
    PEOPLE,
    enrolled,
    gated,
    home,
    serving,
    signed,
    started,
    until,
)
from tests.live.test_server_tls import certificate

from freezetag.live.authority.home import Home, Settings
from freezetag.live.remote.operator import Remote


@pytest.fixture
def made(tmp_path: Path) -> Home:
    return home(tmp_path / "lab")


@pytest.fixture
def remote(made: Home) -> Iterator[Remote]:
    with serving(made) as served:
        yield served


def reasons(remote: Remote) -> list[str]:
    """Why the STOP file presses; each such press covers the fleet."""
    found = [each for each in remote.get("/api/status")["presses"] if each["who"] == "STOP file"]
    assert {each["scope"] for each in found} <= {"fleet"}
    return [each["reason"] for each in found]


def failing(monkeypatch: pytest.MonkeyPatch, error: OSError, times: int) -> list[int]:
    """The next `times` looks at a STOP file fail."""
    left = [times]
    for name in ("stat", "lstat"):
        real: Any = getattr(os, name)

        def look(path: Any, *rest: Any, real: Any = real, **more: Any) -> Any:
            if left[0] and str(path).endswith("STOP"):
                left[0] -= 1
                raise error
            return real(path, *rest, **more)

        monkeypatch.setattr(os, name, look)
    return left


def test_a_stop_file_that_cannot_be_read_presses_and_is_watched_on(
    remote: Remote, made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        left = failing(monkeypatch, OSError(5, "Input/output error"), 1)
        (why,) = until(lambda: reasons(remote))
        assert left == [0]
        assert "Input/output error" in why
        until(lambda: not gate.is_open)
        text = remote.get("/api/draft")["text"]
        assert remote.post("/api/clear", signed(text, ADA, BOB))["cleared"]
        (made.path / "STOP").touch()
        until(lambda: reasons(remote))


def test_a_dangling_link_is_a_stop_file(remote: Remote, made: Home) -> None:
    (made.path / "STOP").symlink_to(made.path / "nowhere")
    until(lambda: reasons(remote))


def test_a_narrow_press_of_that_name_does_not_stand_for_the_file(made: Home) -> None:
    from freezetag.live.authority.tokens import issue

    text, token = issue("press", "agent:writer", "STOP file")
    made.tokens.add(token)
    with serving(made) as remote:
        Remote(remote.addresses, lambda right: text).press("agent:writer", "mine")
        (made.path / "STOP").touch()
        picture = until(
            lambda: [e for e in remote.get("/api/status")["presses"] if e["scope"] == "fleet"]
        )
        assert picture[0]["who"] == "STOP file"


def test_a_folder_that_is_gone_grants_nothing(made: Home, tmp_path: Path) -> None:
    with serving(made) as remote, gated(enrolled(remote, tmp_path)) as gate:
        started(remote)
        until(lambda: gate.is_open)
        token = remote.token("status")
        http = Remote(tuple(a for a in remote.addresses if "http" in a), lambda right: token)
        moved = made.path.rename(tmp_path / "elsewhere")
        until(lambda: any("STOP" in why for why in http.get("/api/status")["locked"]))
        until(lambda: not gate.is_open)
        moved.rename(made.path)
        until(lambda: http.get("/api/status")["locked"] == [])


def test_a_certificate_that_cannot_be_read_is_told_and_the_rest_is_watched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freezetag.live.server.watch.HOUR", 0.0)
    pem, key = certificate(tmp_path, 300)
    settings = Settings("lab", "127.0.0.1", 0, 0, 0, 0.9, 60.0, pem, key)
    made = Home.create(tmp_path / "lab", settings, PEOPLE, solo=False)
    good = Path(pem).read_bytes()
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good)
    with serving(made) as here:
        only = tuple(each for each in here.addresses if each.startswith("https"))
        remote = Remote(only, here.token, certificates=str(trusted))
        remote.get("/api/status")  # the listener has read it
        Path(pem).write_bytes(good[:99])
        until(lambda: "is not a certificate" in " ".join(remote.get("/api/status")["alarms"]))
        assert remote.get("/api/status")["locked"] == []  # it is in use already, and not ended
        (made.path / "STOP").touch()
        until(lambda: reasons(remote))
        Path(pem).write_bytes(good)
        until(lambda: "is not a certificate" not in " ".join(remote.get("/api/status")["alarms"]))
