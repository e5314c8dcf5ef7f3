"""Whether enough people signed what a ledger says that they signed, record by record.

A part of the offline verifier, loaded where the people are known. Like `verify.py` and
`browser_key.py`, which lie beside it, it imports nothing of freezetag.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

GRACE = 60_000
"""Milliseconds between the last moment of a text and its record, for the record to be written."""


def beside(name: str) -> Any:
    """The module in the file of that name in this folder, whether or not it is in a package."""
    known = f"_freezetag_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        if spec is None or spec.loader is None:
            raise OSError(f"{name}.py does not lie beside {Path(__file__).name}")
        sys.modules[known] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[known]
            raise
    return sys.modules[known]


class Judge:
    """Of one authority. `breaks` tells of lines that were lost, in sentences; `lost` has the heads
    that people gave up, `taken_up` those that they went on with: (size, root)."""

    def __init__(self, authority: str, people: Mapping[str, bytes], quorum: int) -> None:
        self._authority, self._people, self._quorum = authority, people, quorum
        self._browser = beside("browser_key")
        self._keys = self._browser.BrowserKeys(authority, people, quorum)
        self.breaks: list[str] = []
        self.lost: set[tuple[int, str]] = set()
        self.taken_up: list[tuple[int, str]] = []

    def good(self, prefix: bytes, body: Mapping[str, Any], at: int) -> tuple[int, list[str]]:
        """How many people signed the text of a record; what is wrong with their signatures."""
        text, signatures = body["text"], body["signatures"]
        message = prefix + text.encode()
        names, wrong = set(), []
        by_id = {hashlib.sha256(key).hexdigest()[:16]: name for name, key in self._people.items()}
        for name, signature in signatures.items():
            if self._browser.is_assertion(signature):
                try:
                    names |= {
                        made.person for made in self._keys.record(message, [(name, signature)])
                    }
                except self._browser.BrowserKeyError as error:
                    wrong.append(f"a browser's signature does not count: {error}")
            elif name in by_id and self._browser.fits(
                self._people[by_id[name]], message, signature
            ):
                names.add(by_id[name])
            else:
                wrong.append("")
        told = json.loads(text)
        if "until" in told and not at <= told["until"] + GRACE:
            wrong.append("it was entered after the last moment that its text allows")
            names = set()
        return len(names), wrong

    def kinds(
        self, at: Callable[[], tuple[int, int]]
    ) -> dict[str, Callable[[dict[str, Any]], list[str]]]:
        """What judges the body of a record, by its kind; `at` gives its number and time."""
        return {
            "revoke": lambda body: self.revoke(body, at()[1]),
            "browser_key": lambda body: self.browser_key(body),
            "handover": lambda body: self.handover(body, *at()),
        }

    def revoke(self, body: Mapping[str, Any], at: int) -> list[str]:
        told = json.loads(body["text"])
        good, wrong = self.good(b"freezetag revocation\n", body, at)
        self._keys.take_back(told["digest"])
        return self._few("a token taken back", told, good, wrong)

    def browser_key(self, body: Mapping[str, Any]) -> list[str]:
        why = self._keys.enrol(body["text"], body["signatures"])
        return [f"a browser's key that does not count: {why}"] if why else []

    def handover(self, body: Mapping[str, Any], i: int, at: int) -> list[str]:
        told = json.loads(body["text"])
        good, wrong = self.good(b"freezetag handover\n", body, at)
        problems = self._few("a handover", told, good, wrong)
        size, root = told["new"]
        if size > i:
            problems.append(f"a handover of {size} records, of which only {i} were there")
        if problems:
            return problems
        heads = {(int(each[0]), str(each[1])) for each in told["old"]}
        most = max(each[0] for each in heads)
        self.lost |= heads
        self.taken_up.append((size, root))
        least = f"at least {most - size}" if most > size else "how many is not known"
        self.breaks.append(
            f"BREAK at record {i}: gates saw up to {most} records of another line, and {good} of "
            f"the people took up this one over {size}. Records of that line are lost, {least}: "
            f"presses, tokens taken back and starts among them are not known. Why: {told['why']!r}"
        )
        return []

    def settle(self, report: Any, batches: Iterable[list[bytes]], checkpoint: str) -> None:
        """What the verifier could not know before the end: a checkpoint kept elsewhere that people
        gave up by name is of the line that was lost, and no problem of this one."""
        report.breaks = self.breaks
        report.problems += self.unfit(batches)
        lines = checkpoint.split("\n")
        if len(lines) > 2 and lines[1].isdecimal():
            size, root = int(lines[1]), base64.b64decode(lines[2]).hex()
            if (size, root) in self.lost:
                # These two sentences and no other: what a record says stands in problems, too.
                gone = f"the first {size} records do not give the root of the kept checkpoint"
                cut = f"the kept checkpoint covers {size} records, but only "
                report.problems = [p for p in report.problems if not p.startswith((gone, cut))]

    def unfit(self, batches: Iterable[list[bytes]]) -> Iterator[str]:
        """The handovers whose new head is not that of the records before them."""
        wanted: dict[int, set[str]] = {}
        for taken, root in self.taken_up:
            wanted.setdefault(taken, set()).add(root)
        stack: list[tuple[int, bytes]] = []  # (height, root) of full subtrees
        last = 0
        for size, leaf in enumerate(each for batch in batches for each in batch):
            yield from self._differs(size, stack, wanted)
            height, digest = 0, hashlib.sha256(b"\x00" + leaf).digest()
            while stack and stack[-1][0] == height:
                digest = hashlib.sha256(b"\x01" + stack.pop()[1] + digest).digest()
                height += 1
            stack.append((height, digest))
            last = size + 1
        yield from self._differs(last, stack, wanted)
        for size in wanted:
            yield f"a handover took up the first {size} records, which are not here"

    def _differs(
        self, size: int, stack: list[tuple[int, bytes]], wanted: dict[int, set[str]]
    ) -> Iterator[str]:
        if size not in wanted:
            return
        digest = stack[-1][1] if stack else hashlib.sha256(b"").digest()
        for _, left in reversed(stack[:-1]):
            digest = hashlib.sha256(b"\x01" + left + digest).digest()
        if wanted.pop(size) != {digest.hex()}:
            yield f"a handover took up other records than the first {size}: changed"

    def _few(self, what: str, told: Mapping[str, Any], good: int, wrong: list[str]) -> list[str]:
        if told["authority"] != self._authority:
            return [f"{what} at another authority"]
        if good >= self._quorum:
            return [f"{what}: {each}" for each in wrong if each]
        why = "".join(f"; {each}" for each in wrong if each)
        return [f"{what} with {good} good signatures of {self._quorum}{why}"]
