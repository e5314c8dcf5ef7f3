"""Why an agent does not run, in words: for people to read, never for a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from freezetag.live.authority.facts import Agent
from freezetag.live.authority.states import Incarnation
from freezetag.live.signed.records import Held, Start, read

LACKING = {
    "presence": "nobody has said since the server started that a person is here "
    "(freezetag status --present)",
}
WORDS = {
    "waiting": "an earlier incarnation of its gate has not ended yet",
    "limit": "a limit of it is reached",
    "locked": "the server is locked",
    "clone": "its gate seems to be a copy of another",
}


@final
class Reasons:
    """What holds back each agent, from the newest records and answers."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}
        self._answered: dict[str, str] = {}
        self._lacks: dict[str, list[str]] = {}

    def apply(self, kind: str, body: Mapping[str, Any]) -> None:
        """Takes in a record: why an agent was held, until it is started again."""
        match read(kind, body):
            case Held(agent=agent, why=why):
                self._held[agent] = str(why)
            case Start(agent=agent):
                self._held.pop(agent, None)
                self._answered.pop(agent, None)

    def lacks(self, agent: str, sensors: Iterable[str]) -> None:
        """What the limits of an agent ask for, and nobody tells."""
        self._lacks[agent] = list(sensors)

    def answered(self, agent: str, reason: str) -> None:
        """Why its newest renewal was refused; "" if it was granted."""
        self._answered[agent] = reason

    def of(self, agent: Agent, incarnations: Sequence[Incarnation], *, pressed: bool) -> str:
        """One clause, or "": it runs, or a press stands, which says why itself."""
        if pressed:
            return ""
        if not agent.started:
            new = "nobody has started it" if agent.epoch == 0 else "nobody has started it again"
            return self._held.get(agent.name, new)
        if not incarnations:
            return "started, but no gate of it has asked for a lease since"
        reason = self._answered.get(agent.name, "")
        if reason == "limit" and (lacks := self._lacks.get(agent.name)):
            return "; ".join(LACKING.get(each, f"{each} cannot be read") for each in lacks)
        return WORDS.get(reason, "")
