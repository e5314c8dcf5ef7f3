"""A world told in words, episode by episode, to agents that read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freezetag.core import Array, Event, Speaks
from freezetag.core.speech import Wording
from freezetag.sim.plain import as_lists, plain

KIND = "wording"
"""The kind of the event, at step 0, that says how an episode is told."""
RULES, TOLD = "rules", "told"
"""Of those that say what was told: the rules, at step 0 of the first episode in each wording, and
what is seen, at each step."""


@dataclass(frozen=True)
class Telling:
    """How the episodes of a batch are told; `wordings` by episode."""

    world: Speaks
    wordings: tuple[Wording, ...]

    @classmethod
    def of(cls, world: Any, turns: Array, seed: int) -> Telling | None:
        """The wordings of episodes that are these repeats, counted over all blocks, so that the
        same repeat is told alike in every arm; None for a world that does not speak."""
        if not isinstance(world, Speaks):
            return None
        return cls(world, tuple(Wording.of(world.factors, int(turn), seed) for turn in turns))

    def part(self, position: int, size: int) -> Telling:
        """The episodes from `position` on, filled up with the first wording to `size`."""
        mine = self.wordings[position : position + size]
        return Telling(self.world, (*mine, *self.wordings[:1] * (size - len(mine))))

    def words(self, seat: int, fields: Mapping[str, Array], active: Array, sizes: Any) -> list[Any]:
        """What each episode's agent in this seat is told: rules, text, and what may be answered."""
        lists = as_lists(fields)
        told: list[Any] = [None] * len(active)
        for b in active.nonzero()[0].tolist():
            words, seen = self.world.words(self.wordings[b], seat), plain(lists, b, sizes)
            told[b] = {
                "rules": words.rules,
                "text": words.describe(seen),
                "reply": words.reply(seen),
            }
        return told

    def events(self, seat: int, step: int, active: Array, told: Sequence[Any]) -> list[Event]:
        """How the episodes are told, and what, for the record."""
        found, known = [], set[str]()
        for b in active.nonzero()[0].tolist():
            if step == 0:
                wording = str(self.wordings[b])
                found.append(Event(b, step, seat, KIND, wording))
                if wording not in known:
                    known.add(wording)
                    found.append(Event(b, step, seat, RULES, told[b]["rules"]))
            found.append(Event(b, step, seat, TOLD, told[b]["text"]))
        return found
