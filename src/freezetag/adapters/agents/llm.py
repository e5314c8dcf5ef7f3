"""Language models behind an OpenAI-compatible endpoint: `llm:MODEL@URL`.

`llm:gpt-5-mini` is asked at OPENAI_BASE_URL, or at OpenAI; `llm:any@http://127.0.0.1:8080` at a
server of your own. The key is read from the environment (OPENAI_API_KEY, or the variable that
`key=` names). Settings:

    memory=window     what it remembers of an episode: window, summary or none
    window=20         how many steps
    api=chat          or responses
    temperature=...   the server's own if it is not given
    max_tokens=256    of an answer
    grammar=True      send the legal answers as a GBNF grammar (llama.cpp's server)
    tools=False       ask in words where a world has tools; else they are offered as functions
    seconds=60        for an answer; at_once=16 questions on their way; pause=0.5 before a retry
    usd_in=, usd_out= dollars a million tokens, for --budget-usd
    key=MY_KEY        the variable that holds the key

It plays worlds that can be told in words. An answer that is empty, names no answer or several, or
names one that is not allowed is given one more turn; if that fails too, the seat rests and it is
counted. Caveat: no two calls of a model need agree, whatever the seed; answers are kept, so that a
repeated exam asks nothing twice and says the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from freezetag.adapters.agents._named import parse
from freezetag.adapters.language import opened
from freezetag.adapters.language.ledger import Spent, Unanswered
from freezetag.adapters.language.memory import SUMMARY, Memory
from freezetag.adapters.language.opened import Model, Opened
from freezetag.adapters.language.tools import Call, offered
from freezetag.adapters.language.tools import read as understood
from freezetag.core import Speaks
from freezetag.core.speech import EMPTY, ILLEGAL, UNANSWERED, Reply, Unread, Value
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent, Outside

STEPS = 12
"""Steps of an episode at most: calls are dear."""
_AT = re.compile(r"(.*)@([a-z][a-z0-9+.-]*://.*)")
_HOST = re.compile(r"@(?=[\w.-]+(:\d+|/v\d))")
_WITH = "@http://"
_KEY = re.compile(r"[(,]\s*key\s*=\s*['\"]?([^,)'\"]*)")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
SUMMED = "Say in at most 60 words what happened so far and what you want to remember of it."

_opened = Opened()
configure = _opened.configure


def read(name: str) -> Model:
    """What a name says. Raises `BadAgent`."""
    from freezetag.adapters.language.endpoint import OPENAI, Access

    if (given := _KEY.search(name)) and not _VARIABLE.fullmatch(given[1]):
        # Whatever stands there is not repeated: it may be the key.
        raise BadAgent(
            "key= names the variable of the environment that holds the key, in capitals, such as "
            "key=MY_KEY. A key itself would be read by all who see this machine's processes: if "
            "this was one, change it."
        )
    head, settings = parse(name)
    model, url = head, os.environ.get("OPENAI_BASE_URL", "") or OPENAI
    if found := _AT.fullmatch(head):
        model, url = found.groups()
    elif _HOST.search(head):
        raise BadAgent(f"an address begins with http:// or https://: {_HOST.sub(_WITH, head)}")
    url = url.rstrip("/")
    if url.count("/") == 2:
        url += "/v1"
    if not model:
        raise BadAgent("no model is named: llm:MODEL@URL, for instance llm:any@http://127.0.0.1:80")
    return Model.of(Access, settings, model=model, url=url)


def factory(name: str) -> Callable[[int], LanguageModel]:
    """`make(seed) -> agent`. Raises `BadAgent`; `ModuleNotFoundError` without the extra."""
    from freezetag.adapters.language.endpoint import Endpoint

    model = read(name)
    endpoint = _opened.endpoint(name, model, Endpoint)
    return lambda seed: LanguageModel(model, endpoint, seed)


def ready(name: str, folder: Path | None) -> None:
    """Raises `BadAgent` where nobody answers, or the key is not accepted, before anything is made
    for an exam; not where answers of this endpoint are kept, which may be all that is asked for."""
    from freezetag.adapters.language.endpoint import knock

    access = read(name).access
    if not opened.kept(folder, access.url):
        knock(access)


class LanguageModel:
    """One model in one episode. Its carry is what it remembers; its parameters are elsewhere."""

    reads_words = True

    def __init__(self, model: Model, endpoint: Any, seed: int) -> None:
        self.model, self.endpoint, self.seed = model, endpoint, seed
        self.memory = model.fresh()
        self.asked = 0
        self.thought = ""
        """Before the last answer, where its server tells that apart."""

    async def act(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        """An answer: the action, and what was odd about how it was found."""
        words = seen.get("words")
        if not words:
            raise BadAgent("this world cannot be told in words, and a language model only reads.")
        heard = "".join(f" Player {who} says: {text}" for who, text in seen["said"].items())
        question = f"{words['text']}{heard}\n{words['reply'].ask}"
        text, value, kinds = await self._answer(words["rules"], question, words["reply"])
        thought = self.thought
        await self._remember(words["rules"], question, text, value, words["reply"])
        call = Call.read(text)
        note = text if call is None else call.shown
        found: dict[str, Any] = {"action": value, "note": note} if note else {"action": value}
        if thought:
            found["thought"] = thought
        if value is None:
            found["unreadable"] = kinds[-1]
        if len(kinds) > (value is None):
            found["repaired"] = kinds[0]
        return found

    async def answer(self, rules: str, check: Any) -> dict[str, Any]:
        """The answer to a question about the rules, without a second turn."""
        question = f"{check.text}\n{check.reply.ask}"
        text, read = await self._once(self._told(rules, question), check.reply)
        return {"value": read if isinstance(read, int) else None, "text": text}

    async def _answer(
        self, rules: str, question: str, reply: Reply
    ) -> tuple[str, Value | None, list[str]]:
        """(text, value, what was wrong with the answers before it or with all of them)."""
        messages = self._told(rules, question)
        text, value = await self._once(messages, reply)
        if not isinstance(value, Unread):
            return text, value, []
        wrong = [value.kind]
        if value.kind == UNANSWERED:
            return text, None, wrong
        messages += [
            {"role": "assistant", "content": _shown(text)},
            {"role": "user", "content": repair(value, reply)},
        ]
        text, value = await self._once(messages, reply)
        if not isinstance(value, Unread):
            return text, value, wrong
        return text, None, [*wrong, value.kind]

    def _told(self, rules: str, question: str) -> list[dict[str, Any]]:
        """Rules, what is remembered, and the question."""
        return [{"role": "system", "content": rules}, *self.memory.messages(question)]

    async def _once(self, messages: list[dict[str, Any]], reply: Reply) -> tuple[str, Any]:
        text = await self._asked(messages, reply.grammar, offered(reply))
        return ("", Unread(UNANSWERED)) if text is None else (text, understood(text, reply))

    async def _asked(
        self, messages: list[dict[str, Any]], grammar: str = "", tools: Sequence[Any] = ()
    ) -> str | None:
        """The text of an answer, None where there is none after all tries."""
        draw, self.asked = (self.seed, self.asked), self.asked + 1
        self.thought = ""
        try:
            answer = await self.endpoint.ask(messages, draw, grammar, tools)
        except Spent as spent:
            raise Outside(f"{spent}. --budget-calls and --budget-usd raise it.") from None
        except Unanswered:
            return None
        self.thought = str(answer.thought)
        return str(answer.text)

    async def _remember(
        self, rules: str, question: str, text: str, value: Value | None, reply: Reply
    ) -> None:
        """What it said, as it was understood; a model that rambles does not fill its own memory."""
        said = reply.say(value) if value is not None else _shown(text)[:200]
        if value is not None and Call.read(text) is not None:
            said = text
        old = self.memory.add(question, said)
        if not old or self.memory.kind != SUMMARY:
            return
        past = replace(self.memory, turns=list(old))
        messages = [{"role": "system", "content": rules}, *past.messages(SUMMED)]
        summary = await self._asked(messages)
        self.memory.summary = (summary or self.memory.summary)[:1000]

    def save(self) -> bytes:
        """Its carry: what it remembers."""
        return self.memory.save()

    def load(self, state: bytes) -> None:
        """Remember what another one saved."""
        self.memory = Memory.load(state)


def _shown(text: str) -> str:
    """An answer as a text, also where it was a call of a tool."""
    call = Call.read(text)
    return (text if call is None else call.shown) or "(nothing)"


def repair(wrong: Unread, reply: Reply) -> str:
    """The second turn: what was wrong, and what is asked for, in the same words and order."""
    if wrong.kind == EMPTY:
        said = "Your answer was empty."
    elif wrong.kind == ILLEGAL:
        said = f"{wrong.text} is not among the answers."
    elif wrong.text:
        said = f"Your answer named {wrong.text}; one is needed."
    else:
        said = "No answer could be found in what you wrote."
    return f"{said} {reply.ask}"


def account(
    name: str, folder: str, run: str, calls: int | None = None, usd: float | None = None
) -> dict[str, Any]:
    """What a run has cost so far, read from outside of its processes."""
    return opened.account(read(name).budget, folder, run, calls, usd)


ADAPTER = Adapter(
    factory=factory,
    extra="llm",
    needs=(Speaks,),
    longest=STEPS,
    seconds=1800.0,  # for five tries of a minute each, their pauses, and a second turn
    ready=ready,
    calls=500,
    read=read,
    configure=configure,
    account=account,
)
