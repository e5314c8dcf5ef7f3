"""Conversations in JSON lines: a message a line, or a whole conversation a line.

The schema is `chat_lines.schema.json` beside this file. A first line may tell what holds for all:

    {"freezetag": "chat/1", "levels": {"share": 1, "take": 0}, "nash": 0.2, "monopoly": 0.3}
    {"conversation": "a", "agent": "bob", "text": "I will share.", "action": "share", "reward": 3}
    {"conversation": "a", "stop": "press", "agent": "bob", "time": 12.5}

Lines of `{"messages": [{"role": "assistant", "content": ...}]}` are read too: there "assistant" is
the agent, and other roles are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag.adapters.logs.reader import Start, json_of, name_of, number, seconds
from freezetag.adapters.logs.told import FACTS, Play, Stopped, Told, Turn, said
from freezetag.sim.foreign import BadAgent

NAME = "chat lines"
VERSION = "chat/1"
CAUSES = ("press", "limit", "closed")


def knows(start: Start) -> bool:
    """A first line with our mark, a message of somebody, or a whole conversation."""
    first = start.first
    if not isinstance(first, dict):
        return start.first_key in ("messages", "conversation", "freezetag")
    if "freezetag" in first:
        return str(first["freezetag"]).startswith("chat/")
    if isinstance(messages := first.get("messages"), list):
        return all(isinstance(each, dict) and "role" in each for each in messages)
    return "conversation" in first and bool({"agent", "stop"} & first.keys())


def read(start: Start) -> Told:
    """Raises `BadAgent`, which names the line."""
    plays: dict[str, Play] = {}
    levels: dict[str, float] = {}
    facts: dict[str, float] = {}
    notes: list[str] = []
    lines = list(start.lines())
    for count, (number_, line) in enumerate(lines, 1):
        where = f"{start.name}, line {number_}"
        try:
            given = json_of(line, where)
        except BadAgent:
            if count == len(lines) > 1:
                notes.append(f"the last line ({number_}) is cut short, and left out")
                break
            raise
        if not isinstance(given, dict):
            raise BadAgent(f"{where}: a line is a JSON object.")
        if "freezetag" in given:
            _head(given, where, levels, facts)
        elif isinstance(given.get("messages"), list):
            key = f"line {number_}"
            plays[key] = Play(facts=facts)
            for message in given["messages"]:
                _message(message, plays[key], where)
        else:
            key = str(given.get("conversation", ""))[:200]
            _line(given, plays.setdefault(key, Play(facts=facts)), levels, where)
    return Told(list(plays.values()), start.name, notes)


def _head(
    given: Mapping[str, Any], where: str, levels: dict[str, float], facts: dict[str, float]
) -> None:
    if given["freezetag"] != VERSION:
        raise BadAgent(f"{where}: this freezetag reads {VERSION}, and the line names another form.")
    levels |= levels_of(given)
    facts |= {name: number(given[name]) for name in FACTS if name in given}


def levels_of(given: Mapping[str, Any]) -> dict[str, float]:
    """How prosocial an action of a name is, from 0 to 1, as a log says it."""
    told = given.get("levels")
    found = {name_of(k): number(v) for k, v in told.items()} if isinstance(told, dict) else {}
    return {name: level for name, level in found.items() if 0.0 <= level <= 1.0}


def _line(given: Mapping[str, Any], play: Play, levels: Mapping[str, float], where: str) -> None:
    agent = given.get("agent")
    if "stop" in given or "acknowledged" in given:
        cause = str(given.get("stop", ""))
        play.steps.append(
            Stopped(
                cause if cause in CAUSES else name_of(cause) or "unknown",
                name_of(agent) if agent else "",
                seconds(given.get("time")),
                "stop" not in given,
            )
        )
        return
    if not isinstance(agent, str) or not agent.strip():
        raise BadAgent(f"{where}: a line names its agent, or a stop.")
    turn = Turn.of(given)
    if turn.action in levels:
        turn.numbers.setdefault("level", levels[turn.action])
    together = given.get("step")
    last = play.steps[-1] if play.steps else None
    if (
        together is not None
        and isinstance(last, list)
        and play.at == together
        and all(other.agent != turn.agent for other in last)
    ):
        last.append(turn)
    else:
        play.steps.append([turn])
    play.at = together


def _message(message: Any, play: Play, where: str) -> None:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadAgent(f"{where}: a message has a role and a content.")
    if message["role"] != "assistant":
        return
    agent = name_of(message.get("name") or message.get("model") or "assistant")
    if text := said(message.get("content")):
        play.steps.append([Turn(agent, text=text, time=seconds(message.get("time")))])
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function", call) if isinstance(call, dict) else {}
        name = function.get("name") if isinstance(function, dict) else function
        if name:
            play.steps.append([Turn(agent, action=name_of(name))])
