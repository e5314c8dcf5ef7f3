"""An endpoint that speaks as OpenAI's does: one question, one answer, whatever goes wrong between.

Chat completions and responses, over plain HTTP. What a server sends is not trusted: it may be no
JSON, an error with status 200, a stream that was not asked for, one byte a second, or without end.
"""

from __future__ import annotations

import email.utils
import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from freezetag.adapters.language import tools as calls
from freezetag.adapters.language.asker import Asker, Refused
from freezetag.adapters.language.ledger import MOST_THOUGHT, Answer, Ledger, key_of
from freezetag.adapters.logs.reader import without_secrets
from freezetag.core.errors import printable
from freezetag.sim.foreign import BadAgent, Outside

OPENAI = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"
CHAT, RESPONSES = "chat", "responses"
LARGEST = 4 << 20
"""Bytes of an answer at most."""
SHORTEST = 8
"""Letters of a key; shorter ones ("none", "EMPTY") are words that a model may say."""
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_BUSY = {429, 503, 529}

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Access:
    """Where a model is asked, and how.

    key is the name of the environment variable that holds the key. temperature None is the
    server's own. `grammar`: send the legal answers as a GBNF grammar, which llama.cpp's server
    takes. `tools`: offer a world's tools as functions, where it has any and no grammar is sent; a
    server that takes none is asked in words. seconds: for one answer. at_once: questions on their
    way at the same time. pause: seconds before the second try, doubled before each further one,
    where the server names none.
    """

    model: str
    url: str
    key: str = KEY
    api: str = CHAT
    temperature: float | None = None
    max_tokens: int = 256
    grammar: bool = False
    tools: bool = True
    seconds: float = 60.0
    at_once: int = 16
    pause: float = 0.5

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadAgent(f"{self.url!r} is no http or https address.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise BadAgent(
                "the address of an endpoint holds no key and no query: put the key into the "
                f"environment, as {self.key}."
            )
        if self.api not in (CHAT, RESPONSES):
            raise BadAgent(f"api is {CHAT} or {RESPONSES}, got {self.api!r}.")
        if self.max_tokens < 1 or self.at_once < 1 or not self.seconds > 0:
            raise BadAgent("max_tokens, at_once and seconds must be above 0.")

    @property
    def host(self) -> str:
        parts = urlsplit(self.url)
        return parts.netloc

    @property
    def loopback(self) -> bool:
        """It is on this machine: no proxy of the environment has a say."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def wants_a_key(self, status: int) -> str:
        held = f"the one in {self.key} is not accepted" if self.secret else f"{self.key} is not set"
        return f"{self.host} wants a key, and {held} ({status})"

    @property
    def secret(self) -> str:
        return os.environ.get(self.key, "").strip()


class Endpoint:
    """One model at one address, in one event loop. Answers are looked up in the ledger first."""

    def __init__(self, access: Access, ledger: Ledger) -> None:
        self.access = access
        self._asker = Asker(access, ledger, access.host, access.url)
        self._client: httpx2.AsyncClient | None = None
        self._limit = "max_tokens" if access.api == CHAT else "max_output_tokens"
        self._tools = access.tools and not access.grammar

    async def ask(
        self,
        messages: Messages,
        draw: Sequence[Any],
        grammar: str = "",
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Answer:
        """The answer to a conversation: a text, or a `tools.Call` as text, where `tools` are
        offered. `draw` says which draw from the model it is: the same conversation and draw are
        asked once.

        Raises `Unanswered`, or `Outside` where nothing more can be asked.
        """
        body = self._body(messages, draw, grammar, tools if self._tools else ())
        key = key_of(self.access.url, self.access.api, body, list(draw))
        most = (len(json.dumps(body)), self.access.max_tokens)
        return await self._asker.asked(key, most, lambda: self._one(body), self._opened)

    def _body(
        self,
        messages: Messages,
        draw: Sequence[Any],
        grammar: str,
        tools: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        a = self.access
        body: dict[str, Any] = {"model": a.model}
        if a.api == CHAT:
            body |= {"messages": list(messages), "max_tokens": a.max_tokens}
            # What makes an answer repeatable, where a server can.
            body["seed"] = int(key_of(list(draw))[:7], 16)
            if a.grammar and grammar:
                body["grammar"] = grammar
            if tools:
                body["tools"] = [{"type": "function", "function": dict(tool)} for tool in tools]
        else:
            items = [item for message in messages for item in _items(message)]
            body |= {"input": items, "max_output_tokens": a.max_tokens, "store": False}
            if tools:
                body["tools"] = [{"type": "function", **tool} for tool in tools]
        if a.temperature is not None:
            body["temperature"] = a.temperature
        return body

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:  # it reads certificates, which takes a tenth of a second
            self._client = httpx2.AsyncClient(
                trust_env=not self.access.loopback, timeout=self.access.seconds
            )
        return self._client

    async def _one(self, body: dict[str, Any]) -> Answer:
        """One try."""
        path = "chat/completions" if self.access.api == CHAT else "responses"
        headers = {"Authorization": f"Bearer {self.access.secret}"} if self.access.secret else {}
        sent = dict(body)
        if self._limit not in sent:
            sent[self._limit] = sent.pop("max_tokens")
        if not self._tools:
            sent = _in_words({name: value for name, value in sent.items() if name != "tools"})
        text = b""
        try:
            async with self._opened().stream(
                "POST", f"{self.access.url}/{path}", json=sent, headers=headers
            ) as got:
                async for part in got.aiter_bytes():
                    text += part
                    if len(text) > LARGEST:
                        raise Refused(f"sends more than {LARGEST >> 20} MB", known=False)
        except httpx2.ConnectError as error:
            raise Refused(_unreached(error), gone=True) from None
        except httpx2.TimeoutException:
            raise TimeoutError from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Refused(f"breaks off: {type(error).__name__}", known=False) from None
        if got.status_code != 200:
            if "tools" in sent and self._has_no_tools(got.status_code, text):
                self._tools = False
                raise Refused("takes no tools", 0.0)
            raise self._status(got.status_code, text, got.headers.get("retry-after"))
        return self._read(text, "tools" in sent)

    def _has_no_tools(self, status: int, text: bytes) -> bool:
        """Whether it is the tools that a server refuses: it is asked in words from now on."""
        said = self._message(text).lower()
        return status in (400, 404, 422, 500, 501) and ("tool" in said or "function" in said)

    def _status(self, status: int, text: bytes, wait: str | None) -> Exception:
        """What to do about an answer that is none."""
        said = self._message(text)
        access = self.access
        if status in (401, 403):
            return Outside(access.wants_a_key(status))
        if status == 404:
            return Outside(f"{access.host} has no model {access.model} here ({status}): {said}")
        if status == 400 and self._limit == "max_tokens" and "max_completion_tokens" in said:
            self._limit = "max_completion_tokens"
            return Refused("wants another limit", 0.0)
        if status in (400, 413, 422) and any(word in said.lower() for word in _TOO_LONG):
            return Outside(
                f"the model's context is too small for this world's rules and memory ({status}): "
                f"{said}. memory=none, or a smaller window=, asks for less"
            )
        if status in _AGAIN:
            busy = _seconds(wait)
            return Refused(f"answers {status}", busy if status in _BUSY else None)
        return Outside(f"{access.host} refuses the question ({status}): {said}")

    def _message(self, text: bytes) -> str:
        """What an error says, for people: no page, no key, no paths."""
        try:
            error = json.loads(text)
            error = error.get("error", error) if isinstance(error, dict) else error
            said = error.get("message", "") if isinstance(error, dict) else error
        except ValueError:
            return "no reason that could be read"
        return printable(without_secrets(self._without_key(str(said))), 200)

    def _without_key(self, text: str) -> str:
        """A text of a server that may hand the key on; not of a word that stands for none."""
        secret = self.access.secret
        return text.replace(secret, "***") if len(secret) >= SHORTEST else text

    def _read(self, text: bytes, offered: bool) -> Answer:
        """The answer that a body with status 200 holds; `offered` says whether tools were. Raises
        `Refused`."""
        plain = text.decode("utf-8", "replace").strip()
        try:
            got = (
                _joined(plain) if plain.startswith(("data:", "event:", ":")) else json.loads(plain)
            )
        except (ValueError, RecursionError):
            raise Refused("answers what is no JSON", known=False) from None
        if not isinstance(got, dict):
            raise Refused("answers something else than an object", known=False)
        if got.get("error"):
            raise Refused(f"reports an error: {self._message(text)}")
        chosen = (_chat if self.access.api == CHAT else _response)(got, offered)
        usage = got.get("usage") if isinstance(got.get("usage"), dict) else {}
        assert isinstance(usage, dict)
        served = f"{got.get('model', '')} {got.get('system_fingerprint', '')}".strip()
        return Answer(
            text=self._without_key(chosen[0]),
            thought=self._without_key(_thought(got))[:MOST_THOUGHT],
            note=chosen[1],
            prompt=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
            completion=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
            served=hashlib.sha256(served.encode()).hexdigest()[:12] if served else "",
        )


def knock(access: Access) -> None:
    """Raises `BadAgent` where nobody answers at all, or the key is not accepted. Asks for the list
    of models, which costs nothing; not all servers have one."""
    if access.url == OPENAI and not access.secret:
        raise BadAgent(
            f"no address is named, so that OpenAI would be asked, and {access.key} is not set. A "
            f"server of your own is llm:{access.model}@http://HOST:PORT."
        )
    headers = {"Authorization": f"Bearer {access.secret}"} if access.secret else {}
    try:
        got = httpx2.get(
            f"{access.url}/models",
            headers=headers,
            timeout=min(access.seconds, 15.0),
            trust_env=not access.loopback,
        )
    except httpx2.ConnectError as error:
        why = _unreached(error)
        hint = ": is its server running?" if why == _NOBODY else "."
        raise BadAgent(f"{access.host}: {why}{hint}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return  # it is there, and slow or odd: a question will tell
    if got.status_code in (401, 403):
        raise BadAgent(access.wants_a_key(got.status_code))


_NOBODY = "nobody answers at this address"
_WHY = {
    "CERTIFICATE_VERIFY_FAILED": "somebody answers whose certificate this machine does not trust",
    "SSL": "somebody answers without TLS (is it http:// and not https://?)",
    "getaddrinfo": "there is no such host",
    "Name or service not known": "there is no such host",
    "name resolution": "this machine finds no host",
}


def _unreached(error: Exception) -> str:
    """Why no connection came about, for people."""
    said = str(error)
    return next((why for part, why in _WHY.items() if part in said), _NOBODY)


_TOO_LONG = ("context", "too long", "too large", "maximum length", "exceed")


def _chat(got: Mapping[str, Any], offered: bool) -> tuple[str, str]:
    """(text, what was odd) of a chat completion; `offered` says whether tools were."""
    choices = got.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "", "no choices"
    message = choices[0].get("message")
    if not isinstance(message, dict):
        return "", "no message"
    cut = choices[0].get("finish_reason") == "length"
    content = message.get("content")
    if isinstance(content, list):  # parts
        content = "".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    said = content if isinstance(content, str) else ""
    if offered and (call := calls.found(message, said)) is not None:
        return str(call), "a tool call"
    if isinstance(content, str) and content.strip():
        return content, "cut" if cut else ""
    for name, note in (
        ("tool_calls", "a tool call"),
        ("tool_call", "a tool call"),
        ("function_call", "a tool call"),
        ("refusal", "a refusal"),
        ("reasoning_content", "thought and no answer"),
        ("reasoning", "thought and no answer"),
    ):
        if message.get(name):
            return "", f"{note}, cut" if cut else note
    return "", "cut" if cut else ""


def _thought(got: Mapping[str, Any]) -> str:
    """What a model thought before it answered, where the server tells it apart: of a chat
    completion or a response."""
    choices, output = got.get("choices"), got.get("output")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if isinstance(message, dict):
        told = (message.get(name) for name in ("reasoning_content", "reasoning"))
        return next((text for text in told if isinstance(text, str) and text), "")
    items = output if isinstance(output, list) else []
    parts = [
        part.get("text")
        for item in items
        if isinstance(item, dict) and item.get("type") == "reasoning"
        for name in ("summary", "content")
        if isinstance(item.get(name), list)
        for part in item[name]
        if isinstance(part, dict)
    ]
    return "\n".join(text for text in parts if isinstance(text, str))


def _items(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message as the responses interface has it: calls and their results are items of their
    own."""
    if message["role"] == "tool":
        output = {"call_id": message["tool_call_id"], "output": message["content"]}
        return [{"type": "function_call_output", **output}]
    made = [
        {"type": "function_call", "call_id": call["id"], **call["function"]}
        for call in message.get("tool_calls", ())
    ]
    said = {"role": message["role"], "content": message["content"]}
    return [said] * bool(message["content"] or not made) + made


def _in_words(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent to a server that takes no tools: calls as texts, their results as questions."""
    told: list[dict[str, Any]] = []
    name = "messages" if "messages" in sent else "input"
    for item in sent[name]:
        if made := item.get("tool_calls"):
            said = [f"{call['function']['name']}({call['function']['arguments']})" for call in made]
            told.append({"role": "assistant", "content": "\n".join(said)})
        elif item.get("type") == "function_call":
            told.append({"role": "assistant", "content": f"{item['name']}({item['arguments']})"})
        elif item.get("role") == "tool" or item.get("type") == "function_call_output":
            told.append({"role": "user", "content": item.get("content", item.get("output"))})
        else:
            told.append(dict(item))
    return {**sent, name: told}


def _response(got: Mapping[str, Any], offered: bool) -> tuple[str, str]:
    """(text, what was odd) of a response; `offered` says whether tools were."""
    output = got.get("output")
    items = [x for x in output if isinstance(x, dict)] if isinstance(output, list) else []
    parts = [
        part.get("text") or ""
        for item in items
        if item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and part.get("type") == "output_text"
    ]
    text = "".join(map(str, parts))
    kinds = [str(item.get("type")) for item in items]
    for item in items:
        if offered and item.get("type") == "function_call":
            call = calls.called(item.get("name"), item.get("arguments"), text)
            if call is not None:
                return str(call), "a tool call"
    if text.strip():
        return text, "cut" if got.get("status") == "incomplete" else ""
    if "function_call" in kinds:
        return "", "a tool call"
    return "", "thought and no answer" if "reasoning" in kinds else "no output"


def _joined(text: str) -> dict[str, Any]:
    """A chat completion out of a stream of its pieces, which nobody asked for. Raises ValueError
    where none of them can be read."""
    whole: dict[str, Any] = {}
    content, thought, finish = "", "", None
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        piece = json.loads(data)
        if not isinstance(piece, dict):
            continue
        whole |= {k: v for k, v in piece.items() if k != "choices" and v is not None}
        for choice in piece.get("choices") or ():
            delta = choice.get("delta") or {} if isinstance(choice, dict) else {}
            content += str(delta.get("content") or "")
            thought += str(delta.get("reasoning_content") or "")
            finish = choice.get("finish_reason") or finish if isinstance(choice, dict) else finish
    if not whole:
        raise ValueError("no piece")
    message = {"content": content, "reasoning_content": thought}
    return {**whole, "choices": [{"message": message, "finish_reason": finish}]}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After: a number, or a date."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        then = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, then.timestamp() - time.time())
