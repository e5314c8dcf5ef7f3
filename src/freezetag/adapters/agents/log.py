"""What was recorded of agents that ran, as an agent to examine: `log:FILE`.

A gate's journal, an authority's ledger, an Inspect log (.eval or .json), spans of OpenTelemetry in
JSON, chat lines, episodes of PettingZoo and RLlib in JSON, or the folder of a run of freezetag. A
format is known by what is in the file; `adapters/logs` has a reader for each, and a package may
announce its own under the entry point `freezetag.logs`.

Caveat: a log says what its writer saw, and nobody can ask a log what it would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from freezetag.adapters import logs
from freezetag.adapters.logs.reader import Start
from freezetag.catalogue import announced
from freezetag.core.errors import printable
from freezetag.core.log import Log
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent

_NO_FORMATS = ("__init__", "reader", "told")


def names() -> tuple[str, ...]:
    """The logs of the current folder."""
    here = Path.cwd()
    kinds = ("*.jsonl", "*.db", "*.eval")
    return tuple(sorted(file.name for kind in kinds for file in here.glob(kind)))


def factory(name: str) -> Callable[[int], Any]:
    """Raises `BadAgent`: a log sits in no seat."""
    raise BadAgent(
        f"a log cannot be asked to act. `freezetag examine log:{name}` examines what it holds."
    )


def recorded(name: str) -> Log:
    """The log in a file, or of an authority's or a guard's folder.

    Raises `BadAgent` or `JournalError`.
    """
    path = Path(name).expanduser()
    start = Start.of(_in_folder(path) if path.is_dir() else path)
    for reader in _readers():
        if reader.knows(start):
            found: Log = reader.read(start)
            return found
    known = ", ".join(reader.NAME for reader in _readers())
    raise BadAgent(
        f"{printable(path.name, 80)} is none of the logs that can be read: {known}. "
        "docs/how-to/examine-a-log.md says what each looks like."
    )


def _readers() -> Iterator[Any]:
    """Those of the folder by name, then those that packages announce."""
    folder = Path(str(logs.__file__)).parent
    for file in sorted(folder.glob("*.py")):
        if file.stem not in _NO_FORMATS and file.stem[0] != "_":
            yield import_module(f"{logs.__name__}.{file.stem}")
    for one in announced.of("logs"):
        module, _, attribute = one.value.partition(":")
        found = import_module(module)
        yield getattr(found, attribute) if attribute else found


def _in_folder(folder: Path) -> Path:
    """The ledger; under a server a guard's folder has its journal alone."""
    found = [folder / name for name in ("ledger.db", "journal.jsonl")]
    for path in found:
        if path.exists():
            return path
    if (folder / "spec.toml").exists():
        raise BadAgent(
            f"the run in {folder} is not finished, or kept no records.zip: finish it first, with "
            f"freezetag examine --resume {folder}."
        )
    raise BadAgent(f"there is no log in {folder}: neither ledger.db nor journal.jsonl.")


ADAPTER = Adapter(factory=factory, names=names, recorded=recorded)
