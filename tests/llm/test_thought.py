"""What a model thought before it answered is on record, where its server tells it apart."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.llm.scripted import server

from freezetag.core.speech import Choice
from freezetag.sim import _worker

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
KEY = "sk-nobody-may-read-4711"
THOUGHT = f"P pays more, and {KEY} is what I was given."
SAID = {"content": "P"}
ANSWERS: dict[str, dict[str, Any]] = {
    "chat": {"choices": [{"message": {**SAID, "reasoning_content": THOUGHT}}]},
    "chat, another name": {"choices": [{"message": {**SAID, "reasoning": THOUGHT}}]},
    "responses": {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]},
            {"type": "message", "content": [{"type": "output_text", "text": "P"}]},
        ]
    },
    "no text": {"choices": [{"message": {**SAID, "reasoning": {"effort": 3}}}]},
    "none": {"choices": [{"message": SAID}]},
}
REPLY = Choice(("P", "Q"), (0, 1))


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_thought_goes_with_the_act(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from freezetag.adapters.agents.llm import LanguageModel, read
    from freezetag.adapters.language.endpoint import Endpoint
    from freezetag.adapters.language.ledger import Budget, Ledger

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(ANSWERS[kind]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    seen = {"words": {"rules": "P or Q.", "text": "Now.", "reply": REPLY}, "said": {}}
    wanted: dict[str, Any] = {"action": 0, "note": "P"}
    if kind not in ("none", "no text"):
        wanted["thought"] = THOUGHT.replace(KEY, "***")
    with server(Handler) as url:
        model = read(f"m@{url}(api={'responses' if kind == 'responses' else 'chat'})")
        ledger = Ledger(tmp_path, "run", Budget())
        for _ in range(2):  # the second time from the file of calls
            agent = LanguageModel(model, Endpoint(model.access, ledger), 7)
            found = asyncio.run(agent.act(seen))
            assert found == wanted
            remarks = _worker.answer(found, 1)
            assert list(remarks) == ["action", *(k for k in ("thought", "note") if k in wanted)]
        ledger.close()
    assert len(asked) == 1
