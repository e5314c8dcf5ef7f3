"""`freezetag serve`: what it makes, what it takes on a folder that is there, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import until
from tests.live.conftest import Run
from tests.live.test_server_tls import certificate

from freezetag.live.authority.home import Home
from freezetag.live.remote.operator import local


def test_serve_makes_a_folder_and_ends_on_a_signal(run: Run, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        assert run("enrol", "--person", name)[0] == 0
    assert (tmp_path / "ada.key").stat().st_mode & 0o077 == 0
    assert run("enrol", "--person", "ada")[0] == 2
    people = [word for name in ("ada", "bob") for word in ("--person", f"{name}.pub")]
    ports = [word for name in ("port", "press-port", "gate-port") for word in (f"--{name}", "0")]
    command = [sys.executable, "-m", "freezetag", "serve", "mine", *people, *ports]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("made mine")
        assert process.stderr.readline().startswith("console http://127.0.0.1:")
        assert local("mine").get("/api/status")["people"] == ["ada", "bob"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (tmp_path / "mine").stat().st_mode & 0o077 == 0
    code, _, err = run("status", "--home", "mine")
    assert code == 3
    assert "does not answer" in err


def served(run: Run, look: Callable[[], Any], *arguments: str) -> tuple[Any, str]:
    """What `look` gives while `serve` runs here, and what it said; it is ended by a signal."""
    before, seen = signal.getsignal(signal.SIGTERM), []

    def end() -> None:
        until(lambda: signal.getsignal(signal.SIGTERM) is not before)
        try:
            seen.append(look())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    code, _, err = run("serve", *arguments)
    assert code == 0
    thread.join()
    return seen[0], err


def test_serve_takes_new_settings_on_a_folder_that_is_there(run: Run, made: Home) -> None:
    def look() -> Any:
        return local(made.path).get("/api/status")["length"]

    asked = ("--length", "0.5", "--rearm-within", "7", "--name", "lab", "--drill-within", "90")
    length, err = served(run, look, "oversight", *asked)
    assert length == 0.5
    assert "leases of 0.5 s" in err
    kept = Home.open(made.path).settings
    assert "when the last drill is more than 90 s ago" in err
    assert (kept.length, kept.rearm_within, kept.drill_within, kept.port) == (0.5, 7, 90, 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--name", "other"], "cannot become other"),
        (["--person", "bob.pub"], "changed by its people"),
        (["--solo"], "changed by its people"),
        (["--length", "-1"], "--length is a number of seconds above 0, got -1.0."),
        (["--length", "0.09"], "--length is at least 0.1 s, got 0.09 s: a gate looks"),
        (["--drill-within", "nan"], "--drill-within is a number of seconds from 0"),
        (["--certificate", "c.pem"], "--certificate FILE and --key FILE"),
        (["--certificate", "ada.key", "--key", "ada.key"], "not a certificate"),
        (["--host", "203.0.113.7"], "Choose an address of this host"),
    ],
)
def test_serve_refuses_what_a_folder_cannot_take_and_keeps_nothing_of_it(
    run: Run, made: Home, arguments: list[str], told: str
) -> None:
    before = (made.path / "authority.json").read_bytes()
    code, _, err = run("serve", "oversight", "--rearm-within", "7", *arguments)
    assert code == 2
    assert told in err
    assert (made.path / "authority.json").read_bytes() == before


def test_a_lease_that_cannot_be_renewed_is_refused_before_a_folder_is_made(
    run: Run, tmp_path: Path
) -> None:
    for option, *words in (
        ("--length", "serve", "new", "--solo", "--length", "0.0001"),
        ("--lease", "guard", "--lease", "1ms", "--wait", "1", "--state", "new", "--", "true"),
    ):
        code, _, err = run(*words)
        assert code == 2
        assert f"{option} is at least 0.1 s" in err
        assert not (tmp_path / "new").exists()


def test_a_certificate_comes_with_its_own_key(run: Run, made: Home, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    pem, _ = certificate(tmp_path / "a", 300)
    _, key = certificate(tmp_path / "b", 300)
    code, _, err = run("serve", "oversight", "--certificate", pem, "--key", key)
    assert (code, "is not a key of the certificate" in err) == (2, True)
    assert Home.open(made.path).settings.certificate == ""
    code, _, err = run("serve", "oversight", "--certificate", "none.pem", "--key", key)
    assert (code, "none.pem: No such file or directory." in err) == (2, True)


def test_a_port_in_use_leaves_no_folder_behind(run: Run, made: Home, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        data = json.loads((tmp_path / f"{name}.key").read_text())
        (tmp_path / f"{name}.pub").write_text(json.dumps({"name": name, "key": data["key"]}))
    people = ("--person", "ada.pub", "--person", "bob.pub")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = ("--port", "0", "--gate-port", str(taken.getsockname()[1]), "--press-port", "0")
        code, _, err = run("serve", "new", *people, *ports)
        assert (code, "Choose another --gate-port." in err) == (2, True)
        code, _, err = run("serve", "new", *people, "--host", "no.such.host.invalid")
        assert (code, "Choose an address of this host" in err) == (2, True)
    assert not (tmp_path / "new").exists()
    ports = ("--port", "0", "--gate-port", "0", "--press-port", "0")
    people_seen, _ = served(
        run, lambda: local("new").get("/api/status")["people"], "new", *people, *ports
    )
    assert people_seen == ["ada", "bob"]
