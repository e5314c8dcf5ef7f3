"""A key stays with the endpoint: it is in no file, no output and no list of processes.

A hostile server hands the key back wherever it can, beside a path of its own and its headers. It
looks through the processes of this machine while it is asked.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.llm import scripts
from tests.llm.scripted import server

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
KEY = "sk-nobody-may-read-4711-0815"
PATHS = ("/srv/secret/weights.gguf", "/alone.gguf")
HEADER = "hostname-of-the-server"
MARK = "as I was told"
"""A harmless word of each answer, which is on record: whoever looks for a key looks there."""
OUT = "run"
WORDS = "--world matrix_game --probe class_effect --budget-calls 230 --seed 1"


def command_lines() -> Iterator[bytes]:
    """What every process of this machine was started with."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes()
        except OSError:
            continue  # it has ended


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder, and what is packed into it."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield from unpacked(str(file), file.read_bytes())


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for inner in archive.namelist():
                yield from unpacked(inner, archive.read(inner))
    if name.endswith(".parquet"):
        import duckdb

        with duckdb.connect() as db:
            yield f"{name}, rows", str(db.read_parquet(name).fetchall()).encode()


class Hostile:
    """Serves a script; each answer and each failure, of which there are some, tells the key."""

    def __init__(self) -> None:
        self.asked = 0
        self.authorized = 0
        self.seen: list[bytes] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        us = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.told(200, {"data": []})

            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                us.asked += 1
                us.authorized += self.headers["Authorization"] == f"Bearer {KEY}"
                if us.asked % 20 == 1:
                    us.seen += [line for line in command_lines() if KEY.encode() in line]
                mine = f"Bearer {KEY} of {PATHS[0]} or {PATHS[1]}"
                if us.asked % 50 == 7:
                    self.told(500, {"error": {"message": mine}})
                elif sent["model"] == "refuses":
                    self.told(400, {"error": {"message": mine}})
                else:
                    said = scripts.reciprocates(sent["messages"])
                    text = f"{said}, {MARK} by {KEY}." if said.isupper() else said
                    message = {"content": text, "reasoning": f"{MARK} by {KEY}", "refusal": mine}
                    self.told(200, {"choices": [{"message": message}], "model": mine})

            def told(self, status: int, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("X-Host", HEADER)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def own_calls(folder: Path) -> Path:
    """A cache with calls of its own, and the programs of all tests."""
    cache, shared = folder / "cache", Path(os.environ["FREEZETAG_CACHE"]) / "programs"
    cache.mkdir()
    shared.mkdir(parents=True, exist_ok=True)
    (cache / "programs").symlink_to(shared, target_is_directory=True)
    return cache


def examined(folder: Path, model: str) -> tuple[Hostile, subprocess.CompletedProcess[bytes]]:
    hostile = Hostile()
    with server(hostile.handler()) as url:
        agent = f"llm:{model}@{url}(pause=0.01)"
        words = [sys.executable, "-m", "freezetag", "examine", agent, *WORDS.split(), "--out", OUT]
        given = {"OPENAI_API_KEY": KEY, "FREEZETAG_CACHE": str(own_calls(folder))}
        of = subprocess.run(words, cwd=folder, env={**os.environ, **given}, capture_output=True)
    return hostile, of


def is_told(content: bytes) -> list[str]:
    """What of the server's own is in there."""
    return [each for each in (KEY, *PATHS, HEADER) if each.encode() in content]


def test_the_key_is_in_no_file_no_output_and_no_list_of_processes(tmp_path: Path) -> None:
    hostile, of = examined(tmp_path, "plays")
    assert of.returncode == 0, of.stderr
    assert hostile.asked == hostile.authorized > 100
    assert hostile.seen == []
    marked = set()
    for name, content in contents(tmp_path):
        assert is_told(content) == [], name
        marked |= {Path(name).suffix} if MARK.encode() in content else set()
    assert ".json" in marked  # of the records within their archive
    assert any(suffix.startswith(".db") for suffix in marked)  # of the calls
    assert is_told(of.stdout + of.stderr) == []


@pytest.mark.long
def test_what_a_server_says_of_a_refusal_holds_no_key_and_no_path(tmp_path: Path) -> None:
    hostile, of = examined(tmp_path, "refuses")
    assert of.returncode == 3
    assert hostile.seen == []
    said = b" ".join((of.stdout + of.stderr).split())
    assert b"refuses the question (400): Bearer *** of [path] or [path]" in said
    assert is_told(said) == []
    for name, content in contents(tmp_path):
        assert is_told(content) == [], name
