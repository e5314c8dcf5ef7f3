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


NOW = re.compile(r"There are ([\d.]+) now, at most [\d.]+, for (\d+) in all")


def _knows_commons(messages: Messages) -> str | None:
    """The right answer to a question about the rules of the commons."""
    rules, question = messages[0]["content"], messages[-1]["content"]
    numbers = [int(x) for x in re.findall(r"\d+", question.partition("Answer with")[0])]
    if "How many are left before" in question:
        people, full, _, each = numbers
        return str(full - people * each)
    if "How many are there in the next one" in question:
        return str(min(numbers[2], 2 * numbers[3]))
    if "Is it over?" in question:
        return "yes" if numbers[1] < numbers[0] else "no"
    if "What do you answer?" in question:
        there, wanted = numbers
        return str(there - wanted if "do not ask for" in rules else wanted)
    return None


def _asks(messages: Messages, share: float) -> str:
    """The answer that asks for an equal part of this share of the stock."""
    found = NOW.search(messages[-1]["content"])
    assert found is not None
    stock, people = int(float(found[1])), int(found[2])
    wanted = int(stock * share) // people
    return str(stock - wanted if "do not ask for" in messages[0]["content"] else wanted)


def shares(messages: Messages) -> str:
    """Asks for its part of half the stock, however many there are."""
    return _knows_commons(messages) or _asks(messages, 0.5)


def takes_all_in_a_crowd(messages: Messages) -> str:
    """Shares among few, and asks for its part of everything once the class is large."""
    if answer := _knows_commons(messages):
        return answer
    found = NOW.search(messages[-1]["content"])
    assert found is not None
    return _asks(messages, 1.0 if int(found[2]) > 10 else 0.5)
