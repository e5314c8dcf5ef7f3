"""A scope that nobody understands covers everyone, and that is said wherever it is shown."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live._serving import enrolled, serving
from tests.live.conftest import Run

from freezetag.live.authority.home import Home
from freezetag.live.remote.operator import Remote

SAID = "not understood, so everyone"


@pytest.fixture
def remote(made: Home, tmp_path: Path) -> Iterator[Remote]:
    with serving(made) as served:
        enrolled(served, tmp_path, "writer")
        yield served


def asked(remote: Remote, path: str, body: bytes | None = None, right: str = "status") -> str:
    """A page as a browser without scripts gets it."""
    headers = {"Authorization": f"Bearer {remote.token(right)}", "Accept": "text/html"}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    page = urllib.request.Request(remote.addresses[-1] + path, body, headers)
    with urllib.request.urlopen(page) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("scope", ["agent:", "gruop:team", "fleet:"])
def test_a_press_says_so_before_and_after(run: Run, remote: Remote, scope: str) -> None:
    out = run("press", scope, "--dry-run")[1]
    assert out == f"{scope} ({SAID}) would stop 1: writer\n"
    assert json.loads(run("press", scope, "--dry-run", "--json")[1])["understood"] is False
    code, out, _ = run("press", scope)
    assert (code, f"{scope}: {SAID}" in out) == (0, True)
    assert f"pressed: {scope} ({SAID}) by" in run("status")[1]


def test_the_console_says_so(remote: Remote) -> None:
    body = f"token={remote.token('press')}&scope=agent:&scope=agent:writer".encode()
    after = asked(remote, "/press", body, "press")
    assert f"It covers <span><bdi>agent:</bdi> ({SAID})</span>, <span><bdi>writer</bdi>" in after
    assert "1 agent." in after
    for path in ("/", "/reset"):
        assert f"<bdi>agent:</bdi> ({SAID})" in asked(remote, path)


def test_of_one_that_is_understood_nothing_is_said(run: Run, remote: Remote) -> None:
    for scope in ("fleet", "writer", "closure:writer", "capability:pay"):
        assert SAID not in run("press", scope, "--dry-run")[1]
        assert SAID not in run("press", scope)[1]
    assert SAID not in run("status")[1]
    assert SAID not in asked(remote, "/")
