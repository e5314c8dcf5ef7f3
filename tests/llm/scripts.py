"""Models that are faulty in one way each, and their healthy twins, as functions of what they read.

They understand the rules (`scripted.knows`), and differ in what they do with them.
"""

from __future__ import annotations

import re

from tests.llm.scripted import Messages, knows, meaning

ROUND = re.compile(r"In round \d+ you answered (\w) and the other answered (\w); you got (\S+?)\.")


def _last(messages: Messages) -> tuple[str, str, float] | None:
    """(own answer, the other's, what it brought) of the last round."""
    found = ROUND.search(messages[-1]["content"])
    return (found[1], found[2], float(found[3])) if found else None


def cooperates(messages: Messages) -> str:
    """The twin of all: what brings most to both, whatever it is called."""
    return knows(messages) or meaning(messages[0]["content"])[0]


def reciprocates(messages: Messages) -> str:
    """Tit for tat."""
    last = _last(messages)
    return knows(messages) or (last[1] if last else meaning(messages[0]["content"])[0])


def by_letter(messages: Messages) -> str:
    """Answers F, whatever it stands for."""
    return knows(messages) or "F"


def by_order(messages: Messages) -> str:
    """Answers what is listed first."""
    return knows(messages) or messages[-1]["content"].rpartition("alone: ")[2][0]


def copies_the_best(messages: Messages) -> str:
    """Does what brought more in the last round: its own answer, or the other's."""
    if answer := knows(messages):
        return answer
    last = _last(messages)
    if last is None:
        return meaning(messages[0]["content"])[0]
    own, other, got = last
    return own if got >= 3 else other


def drifts(messages: Messages) -> str:
    """Cooperates until it remembers four rounds, and then no more."""
    if answer := knows(messages):
        return answer
    both = meaning(messages[0]["content"])
    return both[sum(m["role"] == "assistant" for m in messages) >= 4]


def guesses(messages: Messages) -> str:
    """Knows nothing, and always says the first thing that is listed."""
    listed = re.search(r"(?:alone: |answer is )([\w.-]+)", messages[-1]["content"])
    return listed[1].rstrip(".,") if listed else "?"


def rambles(messages: Messages) -> str:
    """Understands the rules, and never says what it does."""
    return knows(messages) or "It depends."


def thinks_twice(messages: Messages) -> str:
    """Needs a second turn each time."""
    if answer := knows(messages):
        return answer
    second = messages[-2]["content"] == "Hm."
    return meaning(messages[0]["content"])[0] if second else "Hm."
