"""That no parameter changed while behaviour did: hashes, and agents that would be caught."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from tests.mutants.test_drift import DIRTY, Copier

from freezetag import catalogue
from freezetag.adapters.agents.llm import LanguageModel, read
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.fingerprint import Fingerprint
from freezetag.exam.run import Runner
from freezetag.players.altruists.always_cooperate import AlwaysCooperate
from freezetag.players.imitators.copy_the_best import CopyTheBest
from freezetag.probes.drift import Drift
from freezetag.sim import fingerprints
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import Foreign
from freezetag.sim.opaque import taken
from freezetag.sim.workers import Worker

WORLD = Ref.of("substrates/dirty_energy", players=4)
SHOWS = "def parameters(self):\n    return self.weights\n"
LEARNS = "def learn(self, day):\n    self.x = 0.5\n"
CHANGED, REMEMBERS = "terms in which a parameter", "terms in which what it remembers"
SET = "terms in which a setting"


def examined(agent: Any) -> Finding:
    probe = Drift(days=6, day=6, secret=1, company=3, bad=DIRTY, tolerates=0.05)
    setting = Setting(WORLD, catalogue.load(WORLD), (), budget=2_000)
    return Runner(Pupil("it", agent), 0).probe(probe, setting)[0]


def row(found: Finding, name: str) -> Measurement:
    return next(each for each in found.measurements if each.name.startswith(name))


def in_python(folder: Path, body: str) -> Foreign:
    """An agent in Python that copies the mean level of the others."""
    file = folder / "agent.py"
    file.write_text(
        textwrap.dedent("""
        import random

        class Agent:
            def __init__(self, seed):
                self.weights, self.x, self.dice = [0.3], 1.0, random.Random(seed)

            def act(self, seen):
                if seen["levels"]:
                    self.x += self.weights[0] * (seen["mean_level"] - self.x)
                low, high = seen["selfish"], seen["prosocial"]
                self.step()
                return round(low + (high - low) * self.x)

            def step(self):
                pass
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
    )
    return Foreign("python_file", str(file))


@dataclass(frozen=True)
class Learner(Copier):
    """The same that says that it learns."""

    learns: ClassVar[bool] = True


class Trained:
    """A player as it is, no dataclass, whose weights move by a side effect when it is made."""

    def __init__(self) -> None:
        self.weights = np.ones(3, np.float32)

    def init(self, key: Array) -> Array:
        self.weights = self.weights * 0.9
        return jnp.zeros(())

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(jnp.float32(1.0)), carry


def test_a_copier_changes_while_no_parameter_of_it_does() -> None:
    found = examined(Copier(rate=0.3))
    changed, remembers = row(found, SET), row(found, REMEMBERS)
    assert changed.of.value == 0
    assert remembers.of.value == 1
    first, last = changed.note.rpartition("sha256 ")[2].split(", then ")
    assert first == last
    assert len(first) == 16
    headline = found.measurements[0].note
    assert "its behaviour changed while no parameter did in" in headline
    assert first in headline


def test_who_remembers_nothing_has_nothing_that_changed() -> None:
    found = examined(AlwaysCooperate())
    assert row(found, SET).of.value == 0
    assert row(found, REMEMBERS).of.value == 0
    assert "no parameter" not in found.measurements[0].note


@pytest.mark.slow
def test_of_who_learns_as_it_acts_no_parameter_is_said_to_stay() -> None:
    """The weights of Q-learning lie in what it carries: its settings alone say nothing of them."""
    agent = catalogue.load(Ref("players/learners/q_learning"))
    found = examined(agent)
    changed = row(found, CHANGED)
    assert np.isnan(changed.of.value)
    assert "lies in what it carries" in changed.of.note
    assert row(found, REMEMBERS).of.value == 1
    assert "no parameter" not in found.measurements[0].note
    assert not [each for each in found.measurements if each.name.startswith(SET)]


@pytest.mark.slow
def test_of_who_drifts_and_learns_the_headline_claims_nothing() -> None:
    found = examined(Learner(rate=0.3))
    assert found.measurements[0].of.low > 0.05
    assert "no parameter" not in found.measurements[0].note


def test_both_terms_of_a_seed_are_one_in_the_share() -> None:
    """None of n seeds changed: the exact interval of n, not of the 2 n terms of them."""
    found = examined(CopyTheBest())
    seeds = int(found.measurements[0].regime.partition(" ")[0])
    assert seeds > 5
    for name in (SET, REMEMBERS):
        assert row(found, name).of.n == seeds
    assert row(found, SET).of.high == pytest.approx(1 - 0.025 ** (1 / seeds))
    assert "its behaviour changed while no parameter did in" in found.measurements[0].note


@pytest.mark.long
def test_the_mutant_whose_weights_move_is_caught() -> None:
    found = examined(taken(Trained()))
    assert row(found, CHANGED).of.value == 1


@pytest.mark.slow
def test_the_mutant_in_python_whose_weights_move_is_caught(tmp_path: Path) -> None:
    trains = SHOWS + "def step(self):\n    self.weights[0] *= 0.99\n"
    found = examined(in_python(tmp_path, trains))
    assert row(found, CHANGED).of.value == 1
    assert row(found, REMEMBERS).of.value == 1
    assert "in 0 of" in found.measurements[0].note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "parameters", "memory"),
    [
        (SHOWS + LEARNS, False, True),
        (SHOWS + "def learn(self, day):\n    self.weights[0] = 0.5\n", True, True),
        (
            SHOWS + "def save(self):\n    return b''\ndef learn(self, day):\n    self.x = 0\n",
            False,
            False,
        ),
        (LEARNS, None, True),
        ("def learn(self, day):\n    pass\n", False, False),
        ("def learn(self, day):\n    self.file = open(__file__)\n", None, None),
        ("def parameters(self):\n    1 / 0\n" + LEARNS, None, True),
    ],
    ids=["remembers", "trains", "saves nothing", "does not show", "stays", "unreadable", "raises"],
)
def test_what_is_known_of_an_agent_in_python(
    tmp_path: Path, body: str, parameters: bool | None, memory: bool | None
) -> None:
    with Worker(in_python(tmp_path, body), seat=0) as worker:
        worker.reset([3, 4])
        before = worker.fingerprints()
        worker.learn([{"valid": [True]}] * 2)
        told = fingerprints.of_agents(0, 9, before, worker.fingerprints())
    assert [(one.b, one.kind) for one in told] == [
        (b, kind) for kind in ("memory", "parameters") for b in (0, 1)
    ]
    said = {one.kind: Fingerprint.read(one.text) for one in told}
    assert said["parameters"].changed is parameters
    assert said["memory"].changed is memory
    assert all(one.changed is not None or one.unknown for one in said.values())


def test_the_context_is_what_a_language_model_remembers() -> None:
    pytest.importorskip("httpx2")
    agent = LanguageModel(read("any@http://127.0.0.1:9"), None, 0)
    before = [fingerprints.of_agent(agent)]
    agent.memory.add("What do you do?", "share")
    told = fingerprints.of_agents(0, 9, before, [fingerprints.of_agent(agent)])
    said = {event.kind: Fingerprint.read(event.text) for event in told}
    assert said["memory"].changed is True
    assert said["parameters"].changed is None
    assert "endpoint" in said["parameters"].unknown


def test_weights_that_move_by_a_side_effect_have_another_hash() -> None:
    player = taken(Trained())
    before = fingerprints.of_player(player)
    assert fingerprints.of_player(player) == before
    player.init(None)
    assert fingerprints.of_player(player) != before


def test_an_object_that_keeps_nothing_has_no_parameter_that_changed() -> None:
    class Still:
        def act(self, seen: Any) -> int:
            return 0

    at = [fingerprints.of_agent(Still())]
    said = {
        event.kind: Fingerprint.read(event.text) for event in fingerprints.of_agents(0, 9, at, at)
    }
    assert said["parameters"].changed is False
    assert said["memory"].changed is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"w": [1.0, 2.0]}, {"w": [1.0, 2.5]}),
        (np.float32([1, 2]), np.float32([2, 1])),
        (np.int32([1]), np.int64([1])),
        ((1, 2), [1, 2]),
        ("1", 1),
        ({"a", "b"}, {"a", "c"}),
        (lambda: [1], lambda: [2]),
    ],
)
def test_hashes_tell_contents_apart(one: Any, other: Any) -> None:
    assert fingerprints.of(one)[0]
    assert fingerprints.of(one) == fingerprints.of(one)
    assert fingerprints.of(one) != fingerprints.of(other)


def test_what_has_no_content_that_can_be_read_has_no_hash() -> None:
    with Path(__file__).open() as file:
        assert fingerprints.of({"file": file}) == (
            "",
            "it keeps a TextIOWrapper, which cannot be read",
        )
    itself: dict[str, Any] = {}
    itself["me"] = itself
    assert fingerprints.of(itself)[0]


class Node:
    """One of a tree, who knows its parent and its children."""

    def __init__(self, value: int, parent: Node | None = None) -> None:
        self.value, self.parent, self.children = value, parent, list[Node]()
        if parent is not None:
            parent.children.append(self)


def tree(size: int) -> dict[str, Any]:
    """A tree, and an index of all of its nodes."""
    nodes = [Node(0)]
    nodes += [Node(i, nodes[0]) for i in range(1, size // 10)]
    nodes += [Node(i, nodes[i // 10]) for i in range(len(nodes), size)]
    return {"tree": nodes[0], "index": dict(enumerate(nodes)), "last": nodes[-1]}


def test_what_knows_each_other_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "MOST", 20 * 1000)
    one = tree(1000)
    assert fingerprints.of(one) == fingerprints.of(tree(1000))
    assert fingerprints.of(one)[0]
    whole = fingerprints.of(one)
    one["index"][500].parent = one["tree"].children[0]
    assert fingerprints.of(one) != whole
    one["last"].value += 1
    monkeypatch.setattr(fingerprints, "MOST", 1000)
    assert fingerprints.of(one) == ("", "it keeps too much: more than 1,000 parts")
    assert fingerprints.of({1, 2}) == fingerprints.of({2, 1})


def test_a_chain_may_be_of_any_length() -> None:
    def chain(end: int) -> list[Any]:
        links: list[Any] = [end]
        for _ in range(3_000):
            links = [links]
        return links

    assert fingerprints.of(chain(1))[0]
    assert fingerprints.of(chain(1)) == fingerprints.of(chain(1))
    assert fingerprints.of(chain(1)) != fingerprints.of(chain(2))


def test_the_order_of_a_set_is_nobodys() -> None:
    """Objects that know each other lie in a set in the order of their addresses."""

    def ring(order: Sequence[int]) -> tuple[Node, ...]:
        nodes = {i: Node(i) for i in order}
        for i, node in nodes.items():
            node.parent = nodes[(i + 1) % len(nodes)]
        return tuple(nodes[i] for i in order)

    class Ordered(Set[Node]):
        def __init__(self, *nodes: Node) -> None:
            self.nodes = nodes

        def __contains__(self, node: object) -> bool:
            return node in self.nodes

        def __iter__(self) -> Iterator[Node]:
            return iter(self.nodes)

        def __len__(self) -> int:
            return len(self.nodes)

    there, back = Ordered(*ring((0, 1, 2, 3))), Ordered(*ring((3, 1, 0, 2)))
    assert fingerprints.of(there) == fingerprints.of(back)


def test_what_points_up_says_how_far() -> None:
    near, far = Node(0), Node(0)
    for root, up in ((near, 1), (far, 0)):
        line = [root, middle := Node(1, root)]
        Node(2, middle).parent = line[up]
    assert fingerprints.of(near) != fingerprints.of(far)


def test_what_a_fingerprint_says_is_read_back() -> None:
    for one in (Fingerprint("ab", "cd"), Fingerprint(unknown="it is a wall")):
        assert Fingerprint.read(str(one)) == one
    assert Fingerprint(unknown="it is a wall").changed is None
