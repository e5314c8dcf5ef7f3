"""What a sweep was asked to do: agents, seeds, and the spec that they share; `sweep.toml`."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from freezetag.core.seed import seed_problem
from freezetag.exam.files import unchanged, with_files
from freezetag.exam.resolve import adapter_of
from freezetag.exam.spec import BadSpec, Spec
from freezetag.report import toml
from freezetag.sweep.agents import Note, agents_named
from freezetag.sweep.cell import Cell

SEEDS = 3
"""How many, where nobody says."""
_OWN = ("agents", "seeds")
_OF_A_CELL = ("agent", "seed")


@dataclass(frozen=True)
class Request:
    """Every choice of a sweep. `shared` is the spec of any cell but for agent, seed and files;
    `files` are those that the names stand for, as in a spec."""

    agents: tuple[str, ...]
    seeds: tuple[int, ...]
    shared: Spec
    files: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, agents: tuple[str, ...], seeds: Any, shared: Spec, note: Note = lambda text: None
    ) -> Request:
        """Patterns written out, files by content. Raises `UnknownAgent`, `BadSpec`, and what
        finding worlds, probes and classmates raises."""
        seeds = seeds_of(seeds, note)
        names = agents_named(agents, note)
        specs = [with_files(spec) for spec in _specs(shared, names)]
        files = dict.fromkeys(line for spec in specs for line in spec.files)
        return cls(names, seeds, shared, tuple(files))

    def cells(self) -> tuple[Cell, ...]:
        """Agents in order, the seeds of one after the other. Raises `BadSpec` for files that have
        changed since the request was made."""
        unchanged(replace(self.shared, files=self.files))
        filed = map(with_files, _specs(self.shared, self.agents))
        return tuple(Cell(replace(spec, seed=seed)) for spec in filed for seed in self.seeds)

    def to_toml(self) -> str:
        """`sweep.toml`, every default written out."""
        shared = asdict(self.shared)
        data = {
            "agents": self.agents,
            "seeds": self.seeds,
            **{name: value for name, value in shared.items() if name not in _OF_A_CELL},
            "files": self.files,
        }
        return "# freezetag sweep sweep.toml runs this sweep again\n" + toml.dumps(data)

    @classmethod
    def read(cls, file: Path, note: Note = lambda text: None, written_out: bool = False) -> Request:
        """The request in a file; `written_out` says that a sweep wrote it, so that its agents are
        names that were found already. Raises `BadSpec`, and as `of` does."""
        try:
            given: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadSpec(f"cannot read {file}: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadSpec(f"{file} is not TOML: {error}.") from None
        known = [*_OWN, *(f.name for f in fields(Spec) if f.name not in _OF_A_CELL)]
        if wrong := [name for name in _OF_A_CELL if name in given]:
            raise BadSpec(
                f"{file} has {' and '.join(wrong)}: a sweep has agents = [...] and seeds = [...]; "
                "`freezetag examine --spec` runs a single exam."
            )
        if unknown := sorted(set(given) - set(known)):
            raise BadSpec(
                f"{file} has unknown entries: {', '.join(unknown)}. Known are: {', '.join(known)}."
            )
        agents = given.get("agents", [])
        agents = [agents] if isinstance(agents, str) else agents
        if not isinstance(agents, list) or not all(isinstance(one, str) for one in agents):
            raise BadSpec(f"{file}: agents must be a list of names, got {given['agents']!r}.")
        rest = {name: value for name, value in given.items() if name not in _OWN}
        files = tuple(rest.pop("files", ()))
        shared = Spec.of({**rest, "agent": "", "seed": 0})
        unchanged(replace(shared, files=files))
        seeds = given.get("seeds", SEEDS)
        if written_out:
            return cls(tuple(agents), seeds_of(seeds), shared, files)
        return cls.of(tuple(agents), seeds, shared, note)


def _specs(shared: Spec, agents: tuple[str, ...]) -> list[Spec]:
    """The spec of each agent. What a call may cost is said of those that are paid by the call; if
    none is, of all, so that it is refused."""
    free = replace(shared, budget_calls=None, budget_usd=None)
    paid = {name for name in agents if adapter_of(name).calls is not None}
    return [replace(shared if name in paid or not paid else free, agent=name) for name in agents]


def seeds_of(given: Any, note: Note = lambda text: None, first: int = 0) -> tuple[int, ...]:
    """The seeds: of a number so many from `first` on, or those of a list. Raises `BadSpec`."""
    if isinstance(given, str):
        parts = given.split(",") if "," in given else given
        try:
            given = [int(part) for part in parts] if "," in given else int(given)
        except ValueError:
            raise BadSpec(
                f"--seeds is how many (5), or which (3,8,21); got {','.join(parts)!r}."
            ) from None
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise BadSpec(f"a sweep has at least one seed, got {given}.")
        given = range(first, first + given)
    if not isinstance(given, list | tuple | range) or not given:
        raise BadSpec(f"seeds must be a number or a list of whole numbers, got {given!r}.")
    for seed in given:
        if problem := seed_problem(seed):
            raise BadSpec(problem)
    for seed, times in Counter(given).items():
        if times > 1:
            note(f"seed {seed} is given {times} times and used once.")
    return tuple(dict.fromkeys(given))
