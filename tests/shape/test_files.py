"""Files stay short, and none carries an address of one machine or of a package registry."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 550
# Joined here so that this file does not hold what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb", "debian"))
]
FOLDERS = ["work", "farm", "root", "opt/pypi", "opt/wheels"]
FORBIDDEN = re.compile(
    "|".join([*map(re.escape, HOSTS), rf"(?:^|[^\w.*])/(?:{'|'.join(FOLDERS)})/"]), re.MULTILINE
)


def too_long(folder: Path) -> list[str]:
    """Source files of ``folder`` past the longest length, with their lengths."""
    return [f"{n} {file}" for file, n in lengths(folder).items() if n > LONGEST]


def lengths(folder: Path) -> dict[Path, int]:
    """Lines of each source file under ``folder``."""
    kinds = {".py", ".js", ".css", ".html"}
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in kinds]
    return {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}


def test_source_files_are_short() -> None:
    counts = lengths(ROOT / "src")
    print(f"{len(counts)} files, median {statistics.median(counts.values()):g} lines")
    assert not (found := too_long(ROOT / "src")), found


def test_a_long_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * (LONGEST + 1))
    assert too_long(tmp_path)


def tracked() -> list[Path]:
    """Files under version control that exist; skips outside a clone."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git clone: nothing says which files are tracked")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_machine_path_or_registry_host() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {hit.group().strip()}"
        for file in tracked()
        if (hit := FORBIDDEN.search(file.read_text(encoding="utf-8", errors="replace")))
    ]
    assert not found, found


@pytest.mark.parametrize("text", [f"see https://{HOSTS[0]}/x", "open('/" + "work" + "/main/a')"])
def test_a_planted_address_is_found(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", ["frame-work/x", "tests/work/x", "the work/life balance"])
def test_prose_passes(text: str) -> None:
    assert not FORBIDDEN.search(text)
