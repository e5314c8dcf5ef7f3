"""What an adapter of agents says of them: whom it makes, what they need, what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from freezetag.core import Ref
from freezetag.sim.foreign import BadAgent

Names = Callable[[], Sequence[str]]
Make = Callable[[int], Any]


@dataclass(frozen=True)
class Adapter:
    """A file in `adapters/agents` has one of these, as `ADAPTER`; what it does not say is as here.

    factory     name -> `make(seed) -> agent`, in the agent's own process; raises `BadAgent`, and
                `ModuleNotFoundError` where the library is not installed
    names       the names that there are, where they can be listed
    extra       the extra of this package that brings the library; None where it needs none
    slow        what is said before its library is imported, if that takes long; or name -> that
    needs       Protocols that a world must meet for its agents to be told it
    world       the one world that its agents play
    horizon     name -> the steps that this agent plays there, and no more
    classmates  the population that it brings, for that world
    longest     steps of an episode at most, where acts are dear
    seconds     for one act at least
    asked       probes that its agents are asked where nobody names one
    learns      its agents learn, whatever they say of it
    recorded    name -> a record of an agent that ran, which nobody can ask to act
    examined    (policy, name) -> the policy to examine, of an adapter whose prefix says what is
                asked of an agent that has a name by itself; raises `BadAgent`
    must_offer  raises `BadAgent` for (name, offers, save) of an agent that lacks what is asked
    nobody      what is said of a name that no agent has
    ready       raises `BadAgent` where nobody answers to (name, the folder of kept answers)
    calls       calls of an exam at its quick size, of agents that are paid by the call; such an
                adapter has the three that follow too
    read        name -> the model that it names, with its budget
    configure   is told, in the agent's process, where calls are kept and what they may cost
    account     what a run has cost so far
    """

    factory: Callable[[str], Make] | None = None
    names: Names | None = None
    extra: str | None = None
    slow: str | Callable[[str], str] = ""
    needs: tuple[type, ...] = ()
    world: Ref | None = None
    horizon: Callable[[str], int] | None = None
    classmates: Callable[[], tuple[Ref, ...]] | None = None
    longest: int | None = None
    seconds: float = 0.0
    asked: tuple[str, ...] = ()
    learns: bool = False
    recorded: Callable[[str], Any] | None = None
    examined: Callable[[Any, str], Any] | None = None
    must_offer: Callable[..., None] | None = None
    nobody: Callable[[str], str] | None = None
    ready: Callable[[str, Any], None] | None = None
    calls: int | None = None
    read: Callable[[str], Any] | None = None
    configure: Callable[..., None] | None = None
    account: Callable[..., dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        paid = (self.read, self.configure, self.account)
        if self.calls is not None and None in paid:
            raise ValueError("agents that are paid by the call need read, configure and account.")

    def notice(self, name: str) -> str:
        """What is said before the agent of this name is made; "" if nothing."""
        return self.slow if isinstance(self.slow, str) else self.slow(name)

    def made(self, name: str) -> Make:
        """`factory(name)`. Raises `BadAgent`, also for a library that is not installed."""
        if self.factory is None:
            raise BadAgent("it makes no agents: its prefix says what is asked of one.")
        with self.library():
            return self.factory(name)

    @contextmanager
    def library(self) -> Iterator[None]:
        """Raises `BadAgent` where what it brings is not installed, with what to install."""
        try:
            yield
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise BadAgent(
                f"it needs the package {error.name!r}, which is not installed. "
                f"Install it with: pip install 'freezetag[{self.extra}]'"
            ) from None


NONE = Adapter()
"""Of agents that are no adapter's: players, and objects of the caller's."""


def adapter(scheme: str) -> Adapter:
    """The adapter of a scheme, the name of its file."""
    found: Adapter = import_module(f"freezetag.adapters.agents.{scheme}").ADAPTER
    return found
