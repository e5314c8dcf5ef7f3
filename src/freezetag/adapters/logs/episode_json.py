"""Episodes in JSON: dictionaries by agent as PettingZoo's `step` returns them, and RLlib's batches.

    {"steps": [{"actions": {"a": 1, "b": 0}, "rewards": {"a": 3.0, "b": 0.0}}, ...]}

alone, as lines, or as a list under "episodes", beside which "levels" (action -> 0 to 1), "nash" and
"monopoly" may stand; other dictionaries by agent ("levels", "signal", "emitted", "reported",
"secret", "infos") may stand in a step. Of RLlib, lines that its `JsonWriter` writes: "SampleBatch"
and "MultiAgentBatch". Its packed columns are not unpacked: what is inside is Python's pickle, which
would run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from freezetag.adapters.logs.chat_lines import levels_of
from freezetag.adapters.logs.reader import Start, json_values, name_of, number
from freezetag.adapters.logs.told import FACTS, FIELDS, Play, Told, Turn, numbers
from freezetag.sim.foreign import BadAgent

NAME = "episodes of PettingZoo or RLlib"
BATCH, MANY = "SampleBatch", "MultiAgentBatch"
_PLURAL = {"levels": "level", "rewards": "reward", **{name: name for name in FIELDS}}


def knows(start: Start) -> bool:
    """An object with steps or episodes, or a batch."""
    first = start.first[0] if isinstance(start.first, list) and start.first else start.first
    if isinstance(first, dict):
        return "steps" in first or "episodes" in first or first.get("type") in (BATCH, MANY)
    return start.first_key in ("steps", "episodes", "levels", "type", *FACTS)


def read(start: Start) -> Told:
    """Raises `BadAgent`."""
    values, cut = json_values(start.text(), start.name)
    notes = ["the last episode is cut short, and left out"] if cut else []
    plays: list[Play] = []
    batches = _Batches(start.name)
    for value in _flat(values):
        if not isinstance(value, dict):
            raise BadAgent(f"{start.name}: an episode is a JSON object.")
        if value.get("type") in (BATCH, MANY):
            batches.add(value)
        elif isinstance(value.get("episodes"), list):
            for each in value["episodes"]:
                plays.append(_play({**value, **each} if isinstance(each, dict) else {}, start.name))
        else:
            plays.append(_play(value, start.name))
    return Told([*plays, *batches.plays()], start.name, [*notes, *batches.notes])


def _flat(values: list[Any]) -> list[Any]:
    return [each for v in values for each in (v if isinstance(v, list) else [v])]


def _play(given: Mapping[str, Any], where: str) -> Play:
    steps = given.get("steps")
    if not isinstance(steps, list):
        raise BadAgent(f"{where}: an episode has steps, a list.")
    levels = levels_of(given)
    play = Play(facts={name: number(given[name]) for name in FACTS if name in given})
    for t, step in enumerate(steps):
        actions = step.get("actions") if isinstance(step, dict) else None
        if not isinstance(actions, dict):
            raise BadAgent(f"{where}: step {t} has no actions by agent.")
        turns = []
        for agent, action in actions.items():
            told = {
                name: step[many][agent]
                for many, name in _PLURAL.items()
                if isinstance(step.get(many), dict) and agent in step[many]
            }
            info = step["infos"].get(agent) if isinstance(step.get("infos"), dict) else None
            found = numbers(info) if isinstance(info, dict) else {}
            turns.append(_turn(agent, action, found | numbers(told), levels))
        if "day" in step:
            for turn in turns:
                turn.numbers["day"] = number(step["day"])
        play.steps.append(turns)
    return play


def _turn(agent: Any, action: Any, told: dict[str, float], levels: Mapping[str, float]) -> Turn:
    # None is what a finished agent of PettingZoo is given to do.
    called = "" if action is None else name_of(action)
    if called in levels:
        told.setdefault("level", levels[called])
    return Turn(name_of(agent), action=called, numbers=told)


class _Batches:
    """Rows of RLlib's batches, by episode and time."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.notes: list[str] = []
        self._rows: dict[Any, dict[Any, list[Turn]]] = defaultdict(lambda: defaultdict(list))
        self._alone = 0

    def add(self, value: Mapping[str, Any]) -> None:
        if value["type"] == BATCH:
            self._batch("agent", value, many=False)
            return
        policies = value.get("policy_batches")
        if not isinstance(policies, dict):
            raise BadAgent(f"{self.where}: a {MANY} has policy_batches.")
        for name, batch in policies.items():
            if isinstance(batch, dict):
                self._batch(name, batch, many=True)

    def _batch(self, policy: str, batch: Mapping[str, Any], many: bool) -> None:
        actions, rewards = batch.get("actions"), batch.get("rewards")
        if isinstance(actions, str) or isinstance(rewards, str):
            self.notes.append(
                "packed columns of RLlib are not read (compress_columns=[] writes them)"
            )
        actions = actions if isinstance(actions, list) else []
        rewards = rewards if isinstance(rewards, list) else []
        size = max(len(actions), len(rewards))
        if not size:
            raise BadAgent(f"{self.where}: a batch of RLlib holds neither actions nor rewards.")

        def column(name: str) -> list[Any]:
            found = batch.get(name)
            return found if isinstance(found, list) and len(found) == size else []

        episodes, times, who = column("eps_id"), column("t"), column("agent_index")
        infos = column("infos")
        ends = column("dones") or column("terminateds")
        for i in range(size):
            info = infos[i] if infos and isinstance(infos[i], dict) else {}
            told = numbers(info)
            if i < len(rewards):
                told["reward"] = number(rewards[i])
            agent = f"{policy} {who[i]}" if many and who else policy
            action = actions[i] if i < len(actions) else None
            key = str(episodes[i]) if episodes else self._alone
            rows = self._rows[key]
            at = (0, times[i]) if times and isinstance(times[i], int | float) else (1, len(rows))
            rows[at].append(_turn(agent, action, told, {}))
            if not episodes and ends and ends[i] is True:
                self._alone += 1
        self._alone += not episodes

    def plays(self) -> list[Play]:
        found = []
        for rows in self._rows.values():
            steps: list[Any] = []
            for at in sorted(rows):
                seen: set[str] = set()
                steps.append([])
                for turn in rows[at]:
                    if turn.agent in seen:  # two rows of one agent at one time
                        steps.append([])
                        seen = set()
                    seen.add(turn.agent)
                    steps[-1].append(turn)
            found.append(Play(steps))
        return found
