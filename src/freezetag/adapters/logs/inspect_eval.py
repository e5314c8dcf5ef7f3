"""Logs of Inspect AI: `.eval` archives and `.json`.

A sample is an episode. Where it has a transcript, each answer of a model and each call of a tool is
a turn of the innermost agent that it belongs to; where not, the messages tell. A call that an
approver rejected or terminated was refused; "terminate", an operator or a limit is a stop. The
first score is the reward of the last turn ("C" 1, "P" .5, "I" and "N" 0). An event of kind `info`
from the source "freezetag" is a turn in the form of a line of chat, which is how our own tasks
leave levels and rewards.

Read without inspect-ai. Source: its documentation of eval logs. Caveat: an approver tells what was
refused and not what a tool did; a log of an evaluation that was broken off holds what was written.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from freezetag.adapters.logs.reader import (
    HUGE,
    MOST_BYTES,
    Start,
    json_of,
    name_of,
    number,
    seconds,
    unpacked,
)
from freezetag.adapters.logs.told import Play, Stopped, Told, Turn, said
from freezetag.sim.foreign import BadAgent

NAME = "an Inspect log"
SOURCE = "freezetag"
_HEADERS = ("header.json", "_journal/start.json")
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def knows(start: Start) -> bool:
    """An archive with a header, or an object that begins as a log does."""
    if start.members:
        return any(name in start.members for name in _HEADERS)
    first = start.first
    if isinstance(first, dict):
        return "eval" in first and "version" in first
    return start.head[:4] == b"PK\x03\x04" or start.first_key == "version"


def read(start: Start) -> Told:
    """Raises `BadAgent`."""
    notes: list[str] = []
    if start.head[:4] == b"PK\x03\x04":
        header, samples = _archive(start, notes)
    else:
        header = json_of(start.text(), start.name)
        samples = iter(_listed(header, "samples"))
    if not isinstance(header, dict):
        raise BadAgent(f"{start.name} is not a log of Inspect: its header is no object.")
    about = header.get("eval")
    model = name_of(about.get("model") or "model") if isinstance(about, dict) else "model"
    if header.get("status", "started") not in ("success", "started"):
        notes.append(f"the evaluation ended as {name_of(header['status'])!r}")
    # An archive has them in the order in which they ended.
    plays = sorted(
        (
            (_place(sample), _Sample(sample, model).play())
            for sample in samples
            if isinstance(sample, dict)
        ),
        key=lambda each: each[0],
    )
    if not plays:
        raise BadAgent(f"{start.name} holds no sample: it is a header, or was broken off before.")
    return Told([play for _, play in plays], start.name, notes)


def _place(sample: Mapping[str, Any]) -> tuple[float, str, float]:
    """Where a sample stands among others: by its id, a number or a text, and its epoch."""
    number_, epoch = number(sample.get("id")), number(sample.get("epoch"))
    first = number_ if number_ == number_ else HUGE
    return first, str(sample.get("id"))[:200], epoch if epoch == epoch else 0.0


def _archive(start: Start, notes: list[str]) -> tuple[Any, Iterator[Any]]:
    names = start.members
    if not names:
        raise BadAgent(f"{start.name} is a damaged archive, or one that is cut short.")
    held = next((name for name in _HEADERS if name in names), "")
    if held != _HEADERS[0]:
        notes.append("the evaluation did not finish: its log has no header")
    with zipfile.ZipFile(start.path) as archive:
        content = unpacked(archive, held, MOST_BYTES, f"{start.name}, its header")
    return json_of(content, f"{start.name}, its header"), _samples(start)


def _samples(start: Start) -> Iterator[Any]:
    left = MOST_BYTES
    with zipfile.ZipFile(start.path) as archive:
        # The same sample may be written twice, when a run went on: the last one holds.
        names = dict.fromkeys(n for n in start.members if n.startswith("samples/"))
        for count, name in enumerate(names, 1):
            where = f"{start.name}, sample {count}"
            content = unpacked(archive, name, left, where)
            left -= len(content)
            yield json_of(content, where)


class _Sample:
    """One sample, which becomes a play."""

    def __init__(self, sample: Mapping[str, Any], model: str) -> None:
        self.sample, self.model = sample, model
        held = sample.get("attachments")
        self.attached = held if isinstance(held, dict) else {}
        self.events = _listed(sample, "events")
        self.decided: dict[str, str] = {}
        self.agents: dict[str, str] = {}
        self.steps: list[Any] = []

    def play(self) -> Play:
        ours = [event for event in self.events if _is_ours(event)]
        if ours:
            self._ours(ours)
        elif any(event.get("event") in ("model", "tool") for event in self.events):
            self._transcript()
        else:
            self._messages()
        self._score(own=bool(ours))
        return Play(self.steps)

    def _ours(self, events: list[dict[str, Any]]) -> None:
        at: Any = None
        for event in events:
            data = event["data"]
            turn = Turn.of({"time": event.get("timestamp"), **data}, self.model)
            together = data.get("step")
            if together is not None and together == at:
                self.steps[-1].append(turn)
            else:
                self.steps.append([turn])
            at = together

    def _transcript(self) -> None:
        for event in self.events:
            kind = event.get("event")
            if kind == "span_begin":
                own = event.get("name") if event.get("type") == "agent" else None
                above = self.agents.get(str(event.get("parent_id")), "")
                self.agents[str(event.get("id"))] = name_of(own) if own else above
            elif kind == "approval":
                self._approval(event)
        several = len({name for name in self.agents.values() if name}) > 1
        for event in self.events:
            kind, time = event.get("event"), seconds(event.get("timestamp"))
            inner = self.agents.get(str(event.get("span_id")), "") if several else ""
            agent = inner or self.model
            if kind == "model" and (text := self._text(_message(event))):
                self.steps.append([Turn(agent, text=text, time=time)])
            elif kind == "tool":
                call = str(event.get("id"))
                error = event.get("error")
                unapproved = isinstance(error, dict) and error.get("type") == "approval"
                refused = unapproved or self.decided.get(call) in ("reject", "terminate")
                name = name_of(event.get("function") or "tool")
                self.steps.append([Turn(agent, name, refused, time=time)])
            elif kind == "approval" and event.get("decision") == "terminate":
                # A call that was terminated has no event of its own.
                function = _dict(event, "call").get("function")
                self.steps.append([Turn(agent, name_of(function or "tool"), True, time=time)])
                self.steps.append(Stopped("closed", agent if several else "", time))
            elif kind == "sample_limit":
                by_hand = event.get("type") == "operator"
                self.steps.append(Stopped("press" if by_hand else "limit", "", time))

    def _approval(self, event: Mapping[str, Any]) -> None:
        self.decided[str(_dict(event, "call").get("id"))] = str(event.get("decision"))

    def _messages(self) -> None:
        for message in _listed(self.sample, "messages"):
            if message.get("role") != "assistant":
                continue
            if text := self._text(message):
                self.steps.append([Turn(self.model, text=text)])
            for call in _listed(message, "tool_calls"):
                self.steps.append([Turn(self.model, name_of(call.get("function") or "tool"))])

    def _text(self, message: Mapping[str, Any]) -> str:
        content = message.get("content")
        if isinstance(content, list):
            content = [p.get("text") for p in content if isinstance(p, dict) and "text" in p]
            return said([self._resolved(part) for part in content])
        return said(self._resolved(content))

    def _resolved(self, text: Any) -> Any:
        if isinstance(text, str) and text.startswith("attachment://"):
            return self.attached.get(text.removeprefix("attachment://"), "")
        return text

    def _score(self, own: bool) -> None:
        """The first score, where turns bring no rewards of their own."""
        scores = self.sample.get("scores")
        first = next(iter(scores.values()), None) if isinstance(scores, dict) else None
        value = first.get("value") if isinstance(first, dict) else None
        told = _VALUES[value] if isinstance(value, str) and value in _VALUES else number(value)
        turns = [step for step in self.steps if isinstance(step, list)]
        if turns and told == told and not own:
            turns[-1][-1].numbers["reward"] = told


def _is_ours(event: Mapping[str, Any]) -> bool:
    ours = event.get("event") == "info" and event.get("source") == SOURCE
    return ours and isinstance(event.get("data"), dict)


def _message(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = _listed(_dict(event, "output"), "choices")
    return _dict(choices[0], "message") if choices else {}


def _listed(given: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects; () for what is none."""
    found = given.get(name) if isinstance(given, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _dict(given: Any, name: str) -> dict[str, Any]:
    found = given.get(name) if isinstance(given, dict) else None
    return found if isinstance(found, dict) else {}
