"""What a user gets wrong about a model is said before the first call, in a sentence that helps."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.llm.scripted import server

from freezetag import cli

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
WORDS = ["--world", "matrix_game", "--probe", "class_effect", "--seed", "1"]
KEY = "sk-not-to-be-repeated-4711"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that nobody is to ask for an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"data": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with server(Handler) as address:
        yield address


PRICED = "(usd_in=1, usd_out=1)"
WRONG = {
    "a key for its name": (f"llm:m@URL(key={KEY})", (), "key= names the variable"),
    "a key without a mark": ("llm:m@URL(key=abcdef0123456789)", (), "key= names the variable"),
    "a key in quotes": (f"llm:m@URL(window=3, key='{KEY}')", (), "key= names the variable"),
    "a key in the address": (f"llm:m@http://me:{KEY}@127.0.0.1:9", (), "holds no key"),
    "no model": ("llm:@URL", (), "no model is named"),
    "no protocol": ("llm:m@127.0.0.1:80", (), "m@http://127.0.0.1:80"),
    "TLS where there is none": ("llm:m@TLS", (), "without TLS (is it http:// and not https://?)"),
    "nobody": ("llm:m@http://127.0.0.1:9", (), "127.0.0.1:9: nobody answers at this address"),
    "no host": ("llm:m@http://no.invalid", (), "no.invalid: "),
    "a text for a number": ("llm:m@URL(temperature=hot)", (), "temperature is a number, got 'hot'"),
    "no number": ("llm:m@URL(seconds=abc)", (), "seconds is a number, got 'abc'"),
    "half a token": ("llm:m@URL(max_tokens=0.5)", (), "max_tokens is a whole number, got 0.5"),
    "a number for a yes": ("llm:m@URL(grammar=1)", (), "grammar is True or False, got 1"),
    "without end": ("llm:m@URL(seconds=inf)", (), "seconds is a number that is finite"),
    "too few calls": ("llm:m@URL", ("--budget-calls", "20"), "and --budget-calls 78 would do"),
    "no calls": ("llm:m@URL", ("--budget-calls", "0"), "a budget is at least 1 call"),
    "dollars without prices": ("llm:m@URL", ("--budget-usd", "1"), "--budget-usd needs prices"),
    "too few dollars": (
        f"llm:m@URL{PRICED}",
        ("--budget-usd", "0.0001"),
        "a budget of $0.0001 is too small for one episode of each arm, which may take 78 calls of",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_said_before_anything_is_made(
    what: str,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")
    agent, more, said = WRONG[what]
    agent = agent.replace("URL", url).replace("TLS", url.replace("http://", "https://"))
    out = tmp_path / "run"
    assert cli.run(["examine", agent, *WORDS, *more, "--out", str(out)]) == 2
    found = capsys.readouterr()
    told = " ".join(found.err.split())
    assert said in told
    assert told.startswith("freezetag: ")
    assert KEY not in told + found.out
    assert "Traceback" not in told
    assert not out.exists()


def test_the_dollars_that_it_names_are_enough(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A budget as large as it says gets past that check, to a server that answers nothing."""
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")
    agent = f"llm:m@{url}(usd_in=1, usd_out=1, pause=0)"
    words = ["examine", agent, *WORDS, "--out", str(tmp_path / "run"), "--budget-usd"]
    assert cli.run([*words, "0.0001"]) == 2
    enough = capsys.readouterr().err.split("--budget-usd ")[1].split()[0]
    assert cli.run([*words, enough]) == 3
    assert "refuses the question (501)" in " ".join(capsys.readouterr().out.split())


def test_without_an_address_and_a_key_a_server_of_ones_own_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert cli.run(["examine", "llm:m", *WORDS]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "OPENAI_API_KEY is not set. A server of your own is llm:m@http://HOST:PORT." in told
