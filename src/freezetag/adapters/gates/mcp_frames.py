"""JSON-RPC frames of the Model Context Protocol: what one is, and whether it needs a gate. Pure.

A frame from the agent's side is hostile. What we judge must be what the server reads, so a frame
that two readers could read differently is not a frame: keys given twice (or differing in case
alone, which some readers fold), NaN, invalid UTF-8, batches. Characters at which a
reader may break lines (the official Python SDK breaks at a carriage return, others at U+2028) are
escaped before a frame is sent on; all other bytes go on as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

LARGEST = 16 * 1024 * 1024
"""Bytes of a frame, at most, unless the host gives another limit."""
REFUSED, INVALID, UNREADABLE, GONE = -32050, -32600, -32700, -32000
FREE = frozenset(
    {
        *("initialize", "server/discover", "ping", "logging/setLevel", "subscriptions/listen"),
        *("tools/list", "resources/list", "resources/templates/list", "prompts/list"),
        *("roots/list", "tasks/list", "tasks/cancel", "resources/unsubscribe"),
        *("notifications/initialized", "notifications/cancelled", "notifications/progress"),
        "notifications/roots/list_changed",
    }
)
"""Methods that pass a closed gate: shaking hands, listing, cancelling. *All* others need an open
one, those of later protocol versions too: tools/call, resources/read, resources/subscribe,
prompts/get, completion/complete, tasks/get, tasks/result, sampling, elicitation."""
_KEYS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_METHOD = re.compile(r"[!-~]{1,200}")
_BREAKS = re.compile(rb"\r|\xc2\x85|\xe2\x80[\xa8\xa9]")
_STRAY_BREAKS = re.compile(rb"[\r\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]")
_ESCAPES = {
    b"\r": b" ",  # as JSON has it, this stands between values and never in a string
    b"\xc2\x85": rb"\u0085",
    b"\xe2\x80\xa8": rb"\u2028",
    b"\xe2\x80\xa9": rb"\u2029",
}
_BOM = b"\xef\xbb\xbf"
Id = int | str


class BadFrame(ValueError):
    """No frame, and why. `ids` are those of the requests in it, as far as they could be read."""

    def __init__(self, code: int, reason: str, *ids: Id | None) -> None:
        super().__init__(reason)
        self.code = code
        self.ids = tuple(ident for ident in ids if ident is not None)

    def answers(self) -> list[bytes]:
        """An error response for each request in it, or one without an id, with their line ends."""
        return [error(ident, self.code, str(self)) for ident in self.ids or (None,)]


class Frame(NamedTuple):
    """`kind` is request, notification or response; `raw` is what to send on, without line end."""

    kind: str
    raw: bytes
    method: str = ""
    id: Id | None = None
    params: Any = None
    failed: bool = False

    @property
    def action(self) -> str:
        """What the gate is asked for: the method and, for a tool, its name."""
        name = self.params.get("name") if isinstance(self.params, dict) else None
        if not isinstance(name, str):
            return self.method
        return f"{self.method} {name[:100].encode(errors='backslashreplace').decode()}"


def asks_nothing(line: bytes) -> bool:
    """Whether no reader can see a key `method` in this line, nor more than one line, so that it is
    neither a request nor a notification. False where that is not plain at a glance."""
    plain = line.isascii() and b"\r" not in line
    return plain and b'"method"' not in line and b"\\u" not in line


def may_ask(line: bytes) -> bool:
    """Whether a forgiving reader could see a request or notification in what is not a frame."""
    return b"method" in line or b"\\u" in line or not line.isascii()


def one_line(stray: bytes) -> bytes:
    """What is not a frame, so that every reader takes it for one line."""
    return _STRAY_BREAKS.sub(b" ", stray)


def read(line: bytes, *, trusted: bool = False, largest: int = LARGEST) -> Frame:
    """The frame in `line`. Raises `BadFrame` and nothing else, whatever the bytes are.

    `trusted`: from the server's side, so that keys given twice are not looked for.
    """
    if len(line) > largest:
        raise BadFrame(INVALID, f"a frame of {len(line)} bytes is larger than {largest}")
    try:
        message = (_PLAIN if trusted else _STRICT).decode(line.decode())
    except RecursionError:
        raise BadFrame(UNREADABLE, "nested too deeply") from None
    except ValueError as error:  # bad UTF-8, bad JSON, numbers too long to read, keys twice
        raise BadFrame(UNREADABLE, f"not readable as one JSON value: {error!s:.200}") from None
    if isinstance(message, list):
        ids = [item.get("id") for item in message if isinstance(item, dict) and "method" in item]
        known = [ident for ident in ids if type(ident) in (int, str)]
        why = "batches do not pass a gate: send the requests one by one"
        raise BadFrame(INVALID, why, *known)
    if not isinstance(message, dict):
        raise BadFrame(INVALID, "a frame is a JSON object")
    return _frame(message, line)


def _frame(message: dict[str, Any], line: bytes) -> Frame:
    own = message.get("id")
    ident = own if type(own) in (int, str) else None
    if not message.keys() <= _KEYS and _is_folded(message):
        raise BadFrame(INVALID, "keys that differ from JSON-RPC's in case alone", ident)
    raw = line.strip()
    if not raw.isascii() or b"\r" in raw:
        raw = _BREAKS.sub(lambda found: _ESCAPES[found[0]], raw)
    answers = "result" in message or "error" in message
    method = message.get("method")
    if answers and "method" not in message and (ident is not None or own is None):
        return Frame("response", raw, id=ident, failed="error" in message)
    if answers or not isinstance(method, str) or not _METHOD.fullmatch(method):
        raise BadFrame(INVALID, "neither a request nor a notification nor a response", ident)
    params = message.get("params")
    if "id" not in message:
        return Frame("notification", raw, method, params=params)
    if ident is None:
        raise BadFrame(INVALID, "an id is text or a whole number")
    return Frame("request", raw, method, ident, params)


def mark_of(line: bytes) -> bytes:
    """The byte order mark before it, if any."""
    return _BOM if line.startswith(_BOM) else b""


def parts(line: bytes) -> list[bytes]:
    """What a server has put into one line: the frames of a batch, byte for byte, or the line.

    Without a byte order mark: some readers skip it, so what stands behind it is judged.
    """
    line = line.removeprefix(_BOM)
    if not line.lstrip().startswith(b"["):
        return [line]
    try:
        text = line.decode().strip()
        found, at = [], _SPACE.match(text, 1).end()  # type: ignore[union-attr]
        while at < len(text) and text[at] != "]":
            end = _PLAIN.raw_decode(text, at)[1]
            found.append(text[at:end].encode())
            at = _COMMA.match(text, end).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        return [line]
    return found if found and text[at:] == "]" else [line]


def _is_folded(message: dict[str, Any]) -> bool:
    """Whether a reader that folds the case of keys could see other fields than we do."""
    folded = [key.casefold() for key in message]
    return len(set(folded)) < len(folded) or bool((set(folded) & _KEYS) - set(message))


def error(ident: Id | None, code: int, text: str, data: Any = None) -> bytes:
    """An error response, with its line end."""
    body: dict[str, Any] = {"code": code, "message": text}
    if data is not None:
        body["data"] = data
    return _line({"jsonrpc": "2.0", "id": ident, "error": body})


def cancelled(ident: Id, reason: str) -> bytes:
    """The notification that asks for a request to be given up, with its line end."""
    params = {"requestId": ident, "reason": reason}
    return _line({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_SPACE, _COMMA = re.compile(r"[ \t\r\n]*"), re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_PLAIN = json.JSONDecoder()
_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
