"""Scenarios as a task of Inspect AI: the model that is evaluated sits in a class.

    inspect eval freezetag/classroom --model openai/NAME -T world=commons -T classmates=greedy

A sample is one episode: the model is told the world in words and acts in seat 0, classmates are
players of freezetag. In a world for two it meets one classmate a sample, in turn; in others all of
them. Wordings (labels, order, story) are balanced over samples. Each turn of each seat is written
into the log, so that `freezetag examine log:FILE.eval` makes a card of it.

Written for inspect-ai 0.3.285. Caveat: an episode is no exam: there is no class of 1 beside it, no
comprehension screen and no limit; `freezetag examine inspect:PROVIDER/MODEL` has these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import transcript
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from freezetag import catalogue
from freezetag.adapters.agents import llm
from freezetag.adapters.language.ledger import Answer
from freezetag.adapters.language.opened import Model
from freezetag.adapters.logs.inspect_eval import SOURCE
from freezetag.core import Arm, Episode, Setting, Speaks, UserError
from freezetag.core.speech import Wording
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.inside import SCHEME, Inside

_KINDS: dict[str, Any] = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
FOUND = "freezetag"
"""Where a sample's metadata has what was found."""


@task  # type: ignore[untyped-decorator]
def classroom(
    world: str = "matrix_game",
    classmates: str | Sequence[str] = ("tit_for_tat", "always_cooperate", "always_defect"),
    episodes: int = 24,
    horizon: int = llm.STEPS,
    seed: int = 0,
    memory: str = "window",
    max_tokens: int = 256,
) -> Task:
    """Episodes of a world that can be told in words, beside classmates. Raises `UserError` for one
    that cannot, or for a classmate that nobody knows."""
    names = classmates.split(",") if isinstance(classmates, str) else classmates
    if not names or episodes < 1 or horizon < 1:
        raise UserError("classroom needs a classmate, an episode and a step at least.")
    ref = catalogue.find("substrates", world)
    substrate: Any = catalogue.load(ref)
    try:
        if not isinstance(substrate, Speaks):
            raise ValueError("it does not offer Speaks.")
        substrate.words(Wording.of(substrate.factors, 0), 0)
    except ValueError as error:
        raise UserError(f"{ref.name} cannot be told in words: {error}") from None
    mates = tuple(catalogue.find("players", name.strip()) for name in names)
    setting = Setting(ref, substrate, mates, horizon=horizon, seed=seed)
    about = {"world": ref.text, "classmates": ", ".join(mate.name for mate in mates)}
    samples = [
        Sample(input=f"{ref.name}, episode {i}", id=i + 1, metadata={**about, "episode": i})
        for i in range(episodes)
    ]
    return Task(
        dataset=MemoryDataset(samples, name=ref.name),
        solver=plays(setting, seed, memory),
        scorer=conduct(),
        config=GenerateConfig(max_tokens=max_tokens),
        name=f"classroom_{ref.name}",
    )


class _Active:
    """The model that is being evaluated, as an endpoint; Inspect tries again, counts and keeps."""

    async def ask(
        self,
        messages: Sequence[Mapping[str, str]],
        draw: Sequence[Any],
        grammar: str = "",
        tools: Sequence[Any] = (),
    ) -> Answer:
        asked = [_KINDS[message["role"]](content=message["content"]) for message in messages]
        output = await get_model().generate(asked)
        return Answer(output.completion or "")


class _Evaluated(llm.LanguageModel):
    """A language model whose answers come from the loop of the evaluation."""

    def __init__(self, memory: str, seed: int, loop: asyncio.AbstractEventLoop) -> None:
        model = Model(None, memory)
        super().__init__(model, _Active(), seed)
        self.loop = loop

    def act(self, seen: Mapping[str, Any]) -> Any:
        """The answer, waited for in the thread that plays."""
        return asyncio.run_coroutine_threadsafe(super().act(seen), self.loop).result()


@solver  # type: ignore[untyped-decorator]
def plays(setting: Setting, seed: int, memory: str) -> Solver:
    """Play the sample's episode, and write its turns into the transcript."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        loop, number = asyncio.get_running_loop(), int(state.metadata["episode"])

        class Model:
            reads_words = True

            def __init__(self, seed: int = 0) -> None:
                self.inner = _Evaluated(memory, seed, loop)

            def act(self, seen: Mapping[str, Any]) -> Any:
                return self.inner.act(seen)

        name = str(state.model)
        pupil = Pupil(name, Inside(SCHEME, name, given=Model))
        arm = _arm(setting, number)
        record = await asyncio.to_thread(run_arm, arm, pupil, {}, seed)
        turns = list(_turns(record.episode, name))
        for turn in turns:
            transcript().info(turn, source=SOURCE)
        state.metadata[FOUND] = _found(record.episode)
        state.output.completion = "\n".join(
            f"step {turn['step']}: {turn['action']}" for turn in turns if turn["agent"] == name
        )
        state.completed = True
        return state

    return solve


def _arm(setting: Setting, number: int) -> Arm:
    """One episode; its block is its number, so that wordings go round."""
    if setting.substrate.players == 2:
        scenario = setting.pairs()
        rows = scenario.seating
        scenario = replace(scenario, seating=(rows[number % len(rows)],))
    else:
        scenario = setting.class_of(len(setting.classmates))
    return Arm(scenario, 1, block=number, equipped=False)


def _turns(episode: Episode, name: str) -> Iterator[dict[str, Any]]:
    """Every turn of every seat, in the form of a line of chat."""
    notes = {(e.t, e.n): e.text for e in episode.events if e.kind in ("say", "note")}
    signal = episode.world.get("signal")
    for t in np.flatnonzero(episode.valid[0]).tolist():
        for n in np.flatnonzero(episode.seats[0] >= 0).tolist():
            turn = {
                "agent": name if n == 0 else f"{episode.players[int(episode.seats[0, n])]} {n}",
                "step": t,
                "action": " ".join(map(str, episode.executed[0, t, n].tolist())),
                "level": _plain(episode.levels[0, t, n]),
                "reward": _plain(episode.rewards[0, t, n]),
                "text": notes.get((t, n)),
            }
            if signal is not None and signal.ndim == 3:
                turn["signal"] = _plain(signal[0, t, n])
            yield {key: value for key, value in turn.items() if value is not None}


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _found(episode: Episode) -> dict[str, float]:
    """What the model did in its episode: means over its steps."""
    valid = episode.valid[0]
    unread = [event for event in episode.events if event.n == 0 and event.kind == "unreadable"]
    return {
        "level": float(np.mean(episode.levels[0, valid, 0])),
        "return": float(np.mean(episode.rewards[0, valid, 0])),
        "unread": len(unread) / int(valid.sum()),
    }


@scorer(metrics={"*": [mean(), stderr()]})  # type: ignore[untyped-decorator]
def conduct() -> Scorer:
    """Level (0 selfish, 1 prosocial), return a step, and the share of answers that could not be
    read: an action at rest stands in their place."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=dict(state.metadata[FOUND]), answer=state.output.completion)

    return score
