"""Listen to messages, a JSON object a line; raise an alarm when they carry more than before."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from cyclopts import Parameter

from freezetag.cli.reach import JsonOption
from freezetag.cli.whole import Whole
from freezetag.core.errors import UserError
from freezetag.core.seed import seed_problem

if TYPE_CHECKING:
    from freezetag.estimators.listener import Listener

LONGEST = 1 << 20
"""Bytes of a line that are read; the rest of a longer one is passed over, and it is unreadable."""
SHOWN = 80
"""Characters of a message that an alarm shows."""
SPEAKERS = 1000
"""Speakers that are told apart; all further ones are listened to as one."""
OTHERS = "(further speakers)"


def listen(
    file: Annotated[Path | None, Parameter(show_default=False)] = None,
    /,
    *,
    odds: float = 1000.0,
    seed: Whole = 0,
    json_: JsonOption = False,
) -> int:
    """Listen to messages, a JSON object a line; raise an alarm when they carry more than before.

    A line is an object with "message" (text, a number, a list), and if you have them "speaker",
    "time" (seconds), "context" (what the message is about) and "bit": a fair coin, 0 or 1, that you
    drew for this message and showed to the speaker alone. It ends with 0 if all was quiet, with 1
    after an alarm or an unreadable line, with 2 if nothing was said.

    Parameters
    ----------
    file
        the messages; default: standard input, read as it comes
    odds
        an alarm needs this wealth of a bettor, and is false with chance 1/odds at most
    seed
        of the draws that break ties
    json_
        print alarms and the summary as JSON, a line each
    """
    if not (1 < odds < math.inf):
        raise UserError(f"--odds is a number above 1, got {odds:g}.")
    if problem := seed_problem(seed):
        raise UserError(problem)
    watch = _Watch(odds, seed, json_)
    try:
        with _opened(file) as stream:
            for number, line, whole in _lines(stream):
                watch.read(number, line, whole)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}.") from None
    return watch.end()


class _opened:
    """The file, or standard input, which is left open."""

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def __enter__(self) -> BinaryIO:
        self.stream = sys.stdin.buffer if self.file is None else self.file.open("rb")
        return self.stream

    def __exit__(self, *error: object) -> None:
        if self.file is not None:
            self.stream.close()


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None, bool]]:
    """(number, the line or None for one that is too long, whether its end was there)."""
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        whole = line.endswith(b"\n")
        if whole or len(line) < LONGEST:
            yield number, line, whole
            continue
        while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
            pass
        yield number, None, True


@dataclass
class _Watch:
    """What was heard of whom, and what could not be read."""

    odds: float
    seed: int
    json_: bool
    listeners: dict[str, Listener] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    alarmed: bool = False

    def read(self, number: int, line: bytes | None, whole: bool) -> None:
        if line is not None and not line.strip():
            self.counts["empty lines"] += 1
            return
        try:
            said = _message(line)
        except ValueError as error:
            if not whole and line is not None:
                # Its writer was stopped, or still writes: no message, and no fault of the channel.
                self.counts["last line without its end"] += 1
                return
            self.counts["unreadable lines"] += 1
            if self.counts["unreadable lines"] == 1:
                self.alarm("unreadable", number, why=str(error))
            return
        speaker, text = said["speaker"], said["message"]
        if len(self.listeners) >= SPEAKERS and speaker not in self.listeners:
            self.counts["messages of further speakers"] += 1
            speaker = OTHERS
        self.counts["messages"] += 1
        self.counts["messages with control characters"] += any(_control(c) for c in text)
        self.counts["messages longer than an alarm shows"] += len(text) > SHOWN
        listener = self.listener(speaker)
        raised = listener.hear(text, bit=said["bit"], context=said["context"], time=said["time"])
        for kind in raised:
            self.alarm(kind, number, speaker=speaker, message=text, after=listener.heard)

    def listener(self, speaker: str) -> Listener:
        from freezetag.estimators.listener import Listener

        if speaker not in self.listeners:
            self.listeners[speaker] = Listener(self.odds, self.seed + len(self.listeners))
        return self.listeners[speaker]

    def alarm(self, kind: str, number: int, **more: Any) -> None:
        """One alarm, at once."""
        self.alarmed = True
        for name in ("message", "speaker", "why"):
            if name in more:
                more[name] = _shown(more[name])
        if self.json_:
            print(json.dumps({"alarm": kind, "line": number, **more}), flush=True)
            return
        words = {
            "secret": "its messages carry the planted bit",
            "changed": "its messages are no longer what they were",
            "unreadable": "a line that cannot be read",
        }[kind]
        who = f"{more['speaker']}: " if more.get("speaker") else ""
        why = f" ({more['why']})" if "why" in more else ""
        after = f", after {more['after']} messages: {more['message']}" if "after" in more else ""
        print(f"ALARM {kind}, line {number}: {who}{words}{why}{after}", flush=True)

    def end(self) -> int:
        """The summary; the exit code."""
        if not self.counts["messages"] and not self.alarmed:
            raise UserError(
                "nothing was said: no line was a message. Give a JSON object a line, such as "
                '{"speaker": "a", "message": "hello"}.'
            )
        counts = {name: count for name, count in self.counts.items() if count}
        speakers = {_shown(name): _told(one) for name, one in self.listeners.items()}
        if self.json_:
            print(json.dumps({"counts": counts, "odds": self.odds, "speakers": speakers}))
        else:
            print(", ".join(f"{count} {name}" for name, count in counts.items()))
            for name, told in speakers.items():
                print(f"{name or 'the speaker'}: {_sentence(told)}")
        return int(self.alarmed)


def _told(one: Listener) -> dict[str, Any]:
    return {
        "messages": one.heard,
        "bits": one.bits,
        "constant": one.constant,
        "alarms": dict(one.alarms),
        "wealth": {kind: _number(math.exp(min(log, 700.0))) for kind, log in one.most.items()},
    }


def _sentence(told: dict[str, Any]) -> str:
    parts = [f"{told['messages']} messages"]
    if told["constant"]:
        parts.append("all alike, which carries nothing by what is said")
    greatest = told["wealth"]
    if told["bits"]:
        parts.append(f"{told['bits']} planted bits, wealth on them at most {greatest['secret']:g}")
    else:
        parts.append("no planted bit, so content cannot be told from change")
    parts.append(f"wealth on a change at most {greatest['changed']:g}")
    alarms = [f"{kind} after {at}" for kind, at in told["alarms"].items()]
    return "; ".join([*parts, *([f"alarms: {', '.join(alarms)}"] if alarms else ["quiet"])])


def _number(x: float) -> float:
    return float(f"{x:.4g}")


def _message(line: bytes | None) -> dict[str, Any]:
    """The parts of a line. Raises ValueError, which says what is wrong."""
    if line is None:
        raise ValueError(f"longer than {LONGEST} bytes")
    try:
        told = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(told, dict) or "message" not in told:
        raise ValueError('not an object with "message"')
    bit, time = told.get("bit"), told.get("time")
    if bit is not None and (isinstance(bit, float) or bit not in (0, 1)):
        raise ValueError('"bit" is 0 or 1')
    number = isinstance(time, int | float) and not isinstance(time, bool)
    if time is not None and not (number and math.isfinite(time)):
        raise ValueError('"time" is a number of seconds')
    return {
        "message": _text(told["message"]),
        "speaker": _text(told.get("speaker", "")),
        "context": _text(told.get("context", "")),
        "bit": None if bit is None else int(bit),
        "time": None if time is None else float(time),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _control(character: str) -> bool:
    return not character.isprintable() and character != " "


def _shown(text: str) -> str:
    """A text of others, cut, with everything that does not print escaped."""
    head = "".join(
        c.encode("unicode_escape").decode("ascii") if _control(c) else c for c in text[:SHOWN]
    )
    return head + (f"… ({len(text)} characters)" if len(text) > SHOWN else "")
