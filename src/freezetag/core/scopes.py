"""Whom a press stops: the one rule for authorities, gates, pages and who reads their ledgers.

The offline verifier spells the rule again, since it stands without freezetag; a test holds both to
one table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

CAPABILITY = "capability"
SCOPES = frozenset({"agent", "group", "closure", CAPABILITY})
"""The kinds of scope that a name comes after."""
EVERYONE = "not understood, so everyone"
"""What is said beside a scope that nobody understands."""


def covers(
    scope: str, agent: str, groups: Collection[str] = (), upstream: Collection[str] = ()
) -> bool:
    """Whether a press of `scope` stops `agent`; `upstream` are the agents it depends on.

    Scopes: `fleet`, `group:NAME`, `agent:NAME`, `closure:NAME`, and `capability:NAME`, which stops
    no agent and bars one tool of all (`bars`). Any other text covers everyone: a stop that cannot
    be understood is not a smaller stop.
    """
    if scope == "fleet" or not understood(scope):
        return True
    kind, _, name = scope.partition(":")
    if kind == "group":
        return name in groups
    if kind == CAPABILITY:
        return False
    return name == agent or (kind == "closure" and name in upstream)


def understood(scope: str) -> bool:
    """Whether a press of `scope` stops what it names, and not everyone because nobody understands
    it.

    >>> [understood(each) for each in ("fleet", "agent:writer", "agent:", "gruop:team")]
    [True, True, False, False]
    """
    kind, _, name = scope.partition(":")
    return scope == "fleet" or (kind in SCOPES and bool(name))


def with_reach(scope: str) -> str:
    """The scope, and that it covers everyone where nobody understands it."""
    return scope if understood(scope) else f"{scope} ({EVERYONE})"


def is_bar(scope: str) -> bool:
    """Whether a press of `scope` stops no agent, and bars one tool of all of them."""
    kind, _, name = scope.partition(":")
    return kind == CAPABILITY and bool(name)


def bars(scope: str, action: str) -> bool:
    """Whether a press of `scope` bars `action`, which a gate calls by the tool's name alone, or
    with words before it.

    >>> bars("capability:pay", "pay"), bars("capability:pay", "tools/call pay")
    (True, True)
    """
    name = scope.partition(":")[2]
    return is_bar(scope) and (action == name or action.endswith(f" {name}"))


def upstream(agent: str, depends_on: Callable[[str], Collection[str]]) -> frozenset[str]:
    """All that `agent` depends on, through others too.

    >>> needs = {"a": ["b"], "b": ["c"], "c": [], "d": ["a"]}
    >>> sorted(upstream("a", needs.__getitem__))
    ['b', 'c']
    """
    found: set[str] = set()
    edge = [agent]
    while edge:
        fresh = set(depends_on(edge.pop())) - found
        found |= fresh
        edge += fresh
    return frozenset(found)
