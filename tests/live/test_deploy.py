"""The unit and the container file under `examples/live/deploy`, as far as this machine can try
them: systemd reads the unit, and the server runs under what both take away."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.live._serving import until

import freezetag
from freezetag.live.authority.home import Home

DEPLOY = Path(__file__).resolve().parents[2] / "examples" / "live" / "deploy"
UNIT = DEPLOY / "freezetag.service"
CONTAINER = DEPLOY / "Containerfile"
# Memory that is written and run is refused, as MemoryDenyWriteExecute does it: PR_SET_MDWE.
DENIED = "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], "
SERVE = [sys.executable, "-m", "freezetag", "serve"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    # Where freezetag is installed is the host's own.
    text = UNIT.read_text().replace("/usr/bin/freezetag", shutil.which("true") or "")
    (tmp_path / "freezetag.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "freezetag.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    scored = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(tmp_path / "freezetag.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for .*: ([\d.]+)", scored.stdout)
    assert found is not None, scored.stderr
    assert float(found[1]) < 2.0  # of 10; systemd calls that "OK"


@contextmanager
def served(command: list[str], folder: Path, **environment: str) -> Iterator[list[str]]:
    """What a service manager hears of a server that runs so, until it has ended."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)  # whoever it runs as may tell
        manager.settimeout(20)
        told = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), **environment}
        with subprocess.Popen(command, env=told, stderr=subprocess.PIPE, text=True) as process:
            try:
                heard.append(manager.recv(100).decode())
                yield heard
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(10)
                manager.settimeout(0.1)
                try:
                    while True:
                        heard.append(manager.recv(100).decode())
                except TimeoutError:
                    pass
            assert process.returncode == 0, process.stderr and process.stderr.read()


def test_the_server_tells_the_manager_and_runs_without_writable_code(
    made: Home, tmp_path: Path
) -> None:
    denied = [sys.executable, "-c", f"{DENIED}sys.argv[1:])", *SERVE, str(made.path)]
    with served(denied, tmp_path) as heard:
        until(lambda: (made.path / "listening.json").exists())
        assert heard == ["READY=1"]
    assert heard[-1] == "STOPPING=1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root file system read-only")
def test_the_server_runs_on_a_root_that_is_only_read(made: Home, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    # Everything is there, and nothing can be written but the volume with its folder.
    inside = f"""set -e
mount --rbind / {root}
mount -o remount,bind,ro {root}
mount --bind {tmp_path} {root}{tmp_path}
exec chroot {root} "$@"
"""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace is to be had")
    command = ["unshare", "-m", "sh", "-c", inside, "sh", *SERVE, str(made.path)]
    environment = {"HOME": "/nowhere", "PYTHONDONTWRITEBYTECODE": "1", "FREEZETAG_CACHE": "off"}
    with served(command, tmp_path, **environment) as heard:
        assert heard == ["READY=1"]
        assert (made.path / "listening.json").exists()


def _debians_python() -> tuple[str, dict[str, str]]:
    """Debian's own interpreter with what ours has installed, where it is of the same version."""
    there = Path("/usr/bin/python3")
    told = "import sys; print(*sys.version_info[:2])"
    same = there.exists() and subprocess.run(
        [there, "-c", told], capture_output=True, text=True, check=False
    ).stdout.split() == [str(each) for each in sys.version_info[:2]]
    ours = str(Path(freezetag.__file__).parents[1])
    path = [ours, *(each for each in sys.path if "site-packages" in each)]
    return (str(there) if same else sys.executable), {"PYTHONPATH": os.pathsep.join(path)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_the_server_runs_as_the_container_file_says(made: Home) -> None:
    """Its user, its environment, no capability, no way to one, and a root that is only read."""
    text = CONTAINER.read_text()
    uid = re.search(r"--uid (\d+)", text)
    kept = dict(re.findall(r"(FREEZETAG_CACHE|PYTHON\w+)=(\S+)", text))
    assert uid is not None
    assert kept["FREEZETAG_CACHE"] == "off"
    python, found = _debians_python()
    away = ["setpriv", f"--reuid={uid[1]}", f"--regid={uid[1]}", "--clear-groups"]
    away += ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    if subprocess.run([*away, python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("another user cannot run this Python")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace is to be had")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        volume, root = folder / "volume", folder / "root"
        root.mkdir()
        shutil.copytree(made.path, volume / "oversight")
        for each in (volume, *volume.rglob("*")):
            os.chown(each, int(uid[1]), int(uid[1]))
        volume.chmod(0o700)
        inside = f"""set -e
mount --rbind / {root}
mount -o remount,bind,ro {root}
mount --bind {volume} {root}{volume}
exec chroot {root} "$@"
"""
        home = volume / "oversight"
        run = [*away, python, "-m", "freezetag"]
        command = ["unshare", "-m", "sh", "-c", inside, "sh", *run, "serve", str(home)]
        (volume / "manager").mkdir()
        os.chown(volume / "manager", int(uid[1]), int(uid[1]))
        environment = {**kept, **found, "HOME": "/nowhere", "FREEZETAG_HOME": str(home)}
        with served(command, volume / "manager", **environment) as heard:
            assert heard == ["READY=1"]
            health = re.search(r'CMD \["freezetag", "(\w+)"\]', text)
            assert health is not None
            # A press that covers nobody says so with 3; it is stored all the same.
            for words, code in (([health[1]], 0), (["press", "fleet", "--reason", "try"], 3)):
                done = subprocess.run(
                    [*run, *words],
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, **environment},
                )
                assert done.returncode == code, done.stderr
            assert "durable" in done.stdout
            assert "NOT durable" not in done.stdout


def test_the_container_file_is_without_root_and_on_debians_python() -> None:
    text = re.sub(r"^#.*\n", "", CONTAINER.read_text(), flags=re.M).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    assert {word for word, _ in lines} <= {
        *("FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"),
    }
    final = lines[max(n for n, (word, _) in enumerate(lines) if word == "FROM") :]
    assert final[0][1] == "debian:12-slim"
    order = [word for word, _ in final]
    assert order.index("USER") < order.index("ENTRYPOINT")
    (user,) = [rest for word, rest in final if word == "USER"]
    assert user not in ("root", "0")
    assert "pip install" not in " ".join(rest for _, rest in final)
    assert not re.search(r"\bCOPY .*(secret|signing|\.key|oversight)", text)
    assert "--read-only" in CONTAINER.read_text()
