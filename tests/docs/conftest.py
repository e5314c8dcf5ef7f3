"""What the documents are run with: the built wheel, an empty folder, no network."""

from __future__ import annotations

import fcntl
import os
import site
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = (("unshare", "-n"), ("unshare", "-rn"))
# Where no namespace can be had: every Python process refuses to connect.
GUARD = """
import socket
def refuse(self, address, *rest):
    if self.family != socket.AF_UNIX:
        raise OSError(f"the network is cut in this test: {address}")
    return connect(self, address, *rest)
connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
"""


@dataclass(frozen=True)
class Installed:
    """A venv that holds the wheel, and beside it only what the tests' own environment has."""

    home: Path
    cut: tuple[str, ...]

    @property
    def how(self) -> str:
        """How the network is cut."""
        return " ".join(self.cut) or "socket.connect refuses"

    def run(
        self, command: list[str], folder: Path, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder, without a network."""
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "COLUMNS")
        env = {name: value for name, value in os.environ.items() if name not in dropped}
        return subprocess.run(
            [*self.cut, *command],
            cwd=folder,
            env={**env, "PATH": path},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this tree, built and installed for documents to run from: once for all workers
    of a session."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home, cut = folder / "wheel" / "venv", _cut()
    with (folder / "wheel.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.fstat(lock.fileno()).st_size:  # whoever came first writes it when it is done
            _install(home, cut)
            lock.write("installed")
    print("the network is cut by:", " ".join(cut) or "sitecustomize")
    return Installed(home, cut)


def _install(home: Path, cut: tuple[str, ...]) -> None:
    folder = str(home.parent)
    _must(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
    )
    (wheel,) = home.parent.glob("freezetag-*.whl")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    (inside,) = home.glob("lib/python*/site-packages")
    # A path in a .pth file brings the packages, but not the .pth of an editable freezetag.
    (inside / "others.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    _must([*pip, "install", "--no-deps", "--no-index", "-q", str(wheel)])
    if not cut:
        (inside / "sitecustomize.py").write_text(GUARD)


def _cut() -> tuple[str, ...]:
    for prefix in NAMESPACES:
        try:
            if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
                return prefix
        except OSError:
            break
    return ()


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
