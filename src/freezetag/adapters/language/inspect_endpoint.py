"""A model of Inspect AI as an endpoint: one question, one answer, by any of its providers.

Written for inspect-ai 0.3.285. What Inspect would try again by itself is tried here, so that every
call is counted; it decides which failures are worth another try. Its own cache is not used: answers
are kept in the ledger, as those of other endpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from freezetag.adapters.language.asker import Asker, Refused
from freezetag.adapters.language.ledger import MOST_THOUGHT, Answer, Ledger, key_of
from freezetag.adapters.logs.reader import without_secrets
from freezetag.core.errors import printable
from freezetag.sim.foreign import BadAgent

PLACE = "inspect:"


@dataclass(frozen=True)
class InspectAccess:
    """Which model is asked, and how; what is None is the provider's own. `model` is
    PROVIDER/NAME, `base_url` another address of the provider. seconds: for one answer. at_once:
    questions on their way at the same time. pause: seconds before the second try, doubled before
    each further one."""

    model: str
    base_url: str | None = None
    temperature: float | None = None
    max_tokens: int = 256
    seconds: float = 60.0
    at_once: int = 16
    pause: float = 0.5

    def __post_init__(self) -> None:
        provider, slash, name = self.model.partition("/")
        if not (provider and slash and name):
            raise BadAgent(
                f"{printable(self.model, 60)!r} names no model: inspect:PROVIDER/MODEL, for "
                "instance inspect:mockllm/model."
            )
        if self.max_tokens < 1 or self.at_once < 1 or not self.seconds > 0:
            raise BadAgent("max_tokens, at_once and seconds must be above 0.")

    @property
    def url(self) -> str:
        """What the ledger knows the answers by."""
        return PLACE + self.model

    def opened(self) -> Any:
        """Inspect's model. Raises `BadAgent` where the provider or Inspect itself is not there, or
        a key is wanted."""
        try:
            inspect = import_module("inspect_ai.model")
        except ModuleNotFoundError:
            raise BadAgent(
                "Inspect AI is not installed. Install it, in an environment of its own: "
                "pip install 'freezetag[inspect]'."
            ) from None
        try:
            return inspect.get_model(self.model, base_url=self.base_url)
        except Exception as error:  # each provider raises its own
            raise BadAgent(f"Inspect cannot open {self.model}: {said(error)}") from None


class InspectEndpoint:
    """One model of Inspect. Answers are looked up in the ledger first. `model` is one that is open
    already."""

    def __init__(self, access: InspectAccess, ledger: Ledger, model: Any = None) -> None:
        self.access = access
        self._asker = Asker(access, ledger, access.model, access.url)
        self._given = model

    @cached_property
    def _model(self) -> Any:
        """Opened when it is first asked: where all answers are kept, that takes no key."""
        return self.access.opened() if self._given is None else self._given

    async def ask(
        self,
        messages: Sequence[Mapping[str, str]],
        draw: Sequence[Any],
        grammar: str = "",
        tools: Sequence[Any] = (),
    ) -> Answer:
        """The answer to a conversation. `draw` says which draw from the model it is: the same
        conversation and draw are asked once. A grammar is not sent: providers have none in common;
        nor are a world's tools, for which it is asked in words.

        Raises `Unanswered`, or `Outside` where nothing more can be asked.
        """
        shaped = {k: v for k, v in asdict(self.access).items() if k not in _UNSHAPED}
        key = key_of(PLACE, shaped, list(messages), list(draw))
        most = (len(json.dumps(list(messages))), self.access.max_tokens)
        # What cannot be opened is no call.
        return await self._asker.asked(
            key, most, lambda: self._tried(messages, draw), lambda: self._model
        )

    async def _tried(self, messages: Sequence[Mapping[str, str]], draw: Sequence[Any]) -> Answer:
        """One try. What it made before it failed nobody knows."""
        try:
            return await self._one(messages, draw)
        except TimeoutError:
            raise
        except Exception as error:  # each provider raises its own
            again = bool(self._model.api.should_retry(error))
            raise Refused(said(error), known=False, again=again) from error

    async def _one(self, messages: Sequence[Mapping[str, str]], draw: Sequence[Any]) -> Answer:
        inspect: Any = import_module("inspect_ai.model")
        kinds = {
            "system": inspect.ChatMessageSystem,
            "user": inspect.ChatMessageUser,
            "assistant": inspect.ChatMessageAssistant,
        }
        config = inspect.GenerateConfig(
            max_tokens=self.access.max_tokens,
            temperature=self.access.temperature,
            seed=int(key_of(list(draw))[:7], 16),
            max_retries=0,
        )
        asked = [kinds[message["role"]](content=message["content"]) for message in messages]
        output = await self._model.generate(asked, config=config, cache=False)
        if output.error:
            raise RuntimeError(output.error)
        reason = output.choices[0].stop_reason if output.choices else "no choices"
        usage = output.usage
        return Answer(
            text=output.completion or "",
            note="" if reason == "stop" else str(reason),
            prompt=None if usage is None else usage.input_tokens,
            completion=None if usage is None else usage.output_tokens,
            served=key_of(output.model)[:12] if output.model else "",
            thought=_thought(output),
        )


def _thought(output: Any) -> str:
    """What a model thought before it answered, where its provider tells it apart."""
    content = output.choices[0].message.content if output.choices else ""
    parts = content if isinstance(content, list) else []
    return "\n".join(without_secrets(part.reasoning) for part in parts if part.type == "reasoning")[
        :MOST_THOUGHT
    ]


_UNSHAPED = ("seconds", "at_once", "pause")


def said(error: BaseException) -> str:
    """What an error says, for people: one line, without keys and paths."""
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    return printable(without_secrets(" ".join(text.split())), 200)
