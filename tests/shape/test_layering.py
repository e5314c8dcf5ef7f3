"""Imports point down: cli -> sweep -> exam, live, report -> sim, probes, adapters -> … -> core.

The table is checked against every import in the folder, those inside functions and under
``TYPE_CHECKING`` too. A folder that the table does not name fails, so that somebody decides.
Within `live` a second table does the same for its rooms.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "freezetag"

LEVELS = (
    {"core"},
    {"players", "planning", "substrates", "estimators", "catalogue"},
    {"sim", "probes", "adapters", "contracts", "two_worlds"},
    {"exam", "live", "report"},
    {"sweep"},
    {"cli"},
    {"", "__main__"},  # the package itself: its lazy public list names everything
)
LEVEL = {name: height for height, names in enumerate(LEVELS) for name in names}
# Narrower than "everything below, and beside without a cycle".
ONLY = {
    "core": set(),
    "estimators": {"core"},
    "substrates": {"core"},
    "planning": {"core"},
    "players": {"core", "planning"},
    "probes": {"core", "estimators"},
    "two_worlds": {"core", "planning", "catalogue"},  # what it says of itself in words is report's
    "live": {"core"},
    "catalogue": {"core"},  # reads folders and loads by reference, so it names no member
}
# What the rooms of a house may import of each other: written out, since nobody may come to depend
# on the server by accident, and a gate on more than it needs.
HOUSES: dict[str, dict[str, set[str]]] = {
    "planning": {
        "worlds": set(),
        "solvers": {"worlds"},
        "policies": {"worlds", "solvers"},
        "learning": {"worlds", "solvers"},
        "prices": {"worlds", "solvers", "learning"},
    },
    "live": {
        "signed": set(),
        "authority": {"signed"},
        "gate": {"signed"},
        "console": {"authority", "signed"},
        "remote": {"authority", "gate"},
        "guard": {"authority", "gate", "signed"},
        "server": {"authority", "console", "gate", "remote", "signed"},
    },
}
# Where a name is put together at run time, and may reach up or in a circle: (file, how it begins).
PLUGS = {
    ("catalogue/__init__.py", "freezetag."): "members are loaded by the folder that they lie in",
    ("catalogue/hosted.py", "freezetag.adapters.worlds."): "worlds of others, by their scheme",
    ("two_worlds/place.py", "freezetag.adapters.worlds."): "worlds of others that tell a model",
    ("sim/adapter.py", "freezetag.adapters.agents."): "an adapter, by the scheme of its agents",
    ("sim/outside/_stage.py", "freezetag.adapters.worlds."): "a process makes its own world",
}
# No clock, no I/O, no randomness in core.
EFFECTS = {
    *("asyncio", "datetime", "http", "multiprocessing", "os", "random", "secrets", "shutil"),
    *("socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib"),
}
EFFECTFUL_CALLS = {"open", "print", "input"}


def imported(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of each import in ``file``, wherever it stands.

    Of a name that is put together at run time the beginning, as far as it is written there.
    """
    here = ("freezetag", *file.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            # Dots climb from the file: one dot is its folder, also for __init__.py.
            above = here[: len(here) - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in {"import_module", "__import__"} and (name := beginning(node.args[0])):
                yield node.lineno, name


def beginning(name: ast.expr) -> str:
    """What of a text is written where it is put together: "a." of f"a.{b}" and of "a." + b."""
    while isinstance(name, ast.BinOp | ast.JoinedStr):
        if isinstance(name, ast.JoinedStr) and not name.values:
            return ""
        name = name.left if isinstance(name, ast.BinOp) else name.values[0]
    return str(name.value) if isinstance(name, ast.Constant) else ""


def layer_of(dotted: str) -> str | None:
    """The layer of a freezetag name; None for other packages; "" for the package itself."""
    top, _, rest = dotted.partition(".")
    if top != "freezetag":
        return None
    layer = rest.partition(".")[0]
    # `from freezetag import equip` takes a public name from the package itself.
    return layer if layer in LEVEL else ""


def violations(package: Path) -> list[str]:
    """Every import of ``package`` that the table forbids, as ``file:line message``."""
    found: list[str] = []
    beside: dict[str, set[str]] = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        source = "" if parts[0] == "__init__" else parts[0]
        if source not in LEVEL:
            found.append(f"{file}:1 {source} has no layer; give it one in {Path(__file__).name}")
            continue
        if source == "core":
            found += [f"{file}:{line} core {what}" for line, what in effects(file, package)]
        for line, name in imported(file, package):
            target = layer_of(name)
            if target is None or target == source:
                continue
            if (file.relative_to(package).as_posix(), name) in PLUGS:
                continue
            below = LEVEL[target] <= LEVEL[source]
            if not below or target not in ONLY.get(source, {target}):
                found.append(f"{file}:{line} {source} must not import {name}")
            elif LEVEL[target] == LEVEL[source]:
                beside.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(beside).prepare()
    except CycleError as error:
        found.append(f"layers import each other: {' -> '.join(error.args[1])}")
    return found


def through_walls(package: Path, house: str) -> list[str]:
    """Every import between the rooms of `house` that its table forbids, every room that the table
    does not name, and every room that the house itself imports."""
    table, wrong = HOUSES[house], []
    for file in sorted((package / house).rglob("*.py")):
        room, *rest = file.relative_to(package / house).with_suffix("").parts
        inside = room == "__init__" and not rest
        if room not in table and not inside:
            wrong.append(f"{file}:1 {room} is not in the table of {house}")
            continue
        allowed = set() if inside else {room, *table[room]}
        for line, name in imported(file, package):
            parts = name.split(".")
            if parts[:2] == ["freezetag", house] and len(parts) > 2 and parts[2] not in allowed:
                wrong.append(f"{file}:{line} {house}/{room} must not import {name}")
    return wrong


def effects(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """What a core file does that core must not: third parties, clocks, I/O, randomness."""
    for line, name in imported(file, package):
        top = name.partition(".")[0]
        if top != "freezetag" and (top not in sys.stdlib_module_names or top in EFFECTS):
            yield line, f"must not import {top}"
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in EFFECTFUL_CALLS:
            yield node.lineno, f"must not call {ast.unparse(node.func)}"


def test_imports_point_down() -> None:
    assert not (found := violations(PACKAGE)), "\n".join(found)


def test_every_plug_is_there() -> None:
    for path, name in PLUGS:
        assert name in [found for _, found in imported(PACKAGE / path, PACKAGE)], path


@pytest.mark.parametrize("house", HOUSES)
def test_rooms_keep_to_their_table_which_has_no_circle(house: str) -> None:
    assert not (wrong := through_walls(PACKAGE, house)), "\n".join(wrong)
    TopologicalSorter(HOUSES[house]).prepare()  # raises CycleError
    there = {folder.name for folder in (PACKAGE / house).iterdir() if folder.is_dir()}
    assert there - {"__pycache__"} == set(HOUSES[house])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("live/gate/gate.py", "from freezetag.live.authority.authority import Authority"),
        ("live/gate/gate.py", "def f():\n    from ..server import service"),
        ("live/signed/keys.py", "if TYPE_CHECKING:\n    from freezetag.live.gate import gate"),
        ("live/authority/home.py", "import freezetag.live.server.service"),
        ("live/console/page.py", "from ..server.handlers import console"),
        ("live/guard/guard.py", "import_module('freezetag.live.server.server')"),
        ("live/server/app.py", "from freezetag.live.guard.guard import Guard"),
        ("live/server/handlers/press.py", "from ...guard import guard"),
        ("live/attic/thing.py", ""),
        ("live/thing.py", ""),
        ("live/__init__.py", "from freezetag.live.gate.gate import Gate"),
        ("planning/worlds/model.py", "from freezetag.planning.solvers import planner"),
        (
            "planning/solvers/dense.py",
            "def f():\n    from freezetag.planning.prices.power import power",
        ),
        ("planning/attic/box.py", ""),
        ("planning/loose.py", ""),
    ],
)
def test_a_planted_arrow_between_rooms_is_caught(tmp_path: Path, path: str, code: str) -> None:
    plant(tmp_path / "freezetag" / path, code)
    assert through_walls(tmp_path / "freezetag", path.split("/")[0])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (
            "live/gate/gate.py",
            "from freezetag.live.gate.latch import Latch\nfrom ..signed import keys",
        ),
        ("live/server/handlers/press.py", "from freezetag.live.console.page import console"),
        ("live/__init__.py", ""),
    ],
)
def test_an_allowed_arrow_between_rooms_passes(tmp_path: Path, path: str, code: str) -> None:
    plant(tmp_path / "freezetag" / path, code)
    assert through_walls(tmp_path / "freezetag", path.split("/")[0]) == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core/panel.py", "import numpy as np"),
        ("core/panel.py", "def f():\n    from time import monotonic"),
        ("core/panel.py", "from ..sim import rollout"),
        ("core/panel.py", "print('tripped')"),
        ("core/deep/panel.py", "from ...players import tit_for_tat"),
        ("core/__init__.py", "from freezetag import examine"),
        ("probes/strangers.py", "def f():\n    import freezetag.sim.rollout"),
        ("probes/strangers.py", "from freezetag.substrates.commons import Commons"),
        ("probes/strangers.py", "import_module('freezetag.exam.run')"),
        ("substrates/x.py", "import_module(f'freezetag.cli.{name}')"),
        ("substrates/x.py", "import_module(f'{home}.cli')\nimport_module('freezetag.' + name)"),
        ("two_worlds/other.py", "import_module(f'freezetag.adapters.worlds.{scheme}')"),
        ("live/gate/gate.py", "from freezetag.estimators import intervals"),
        ("players/x.py", "if TYPE_CHECKING:\n    from freezetag import substrates"),
        ("sim/rollout.py", "from freezetag.report import card"),
        ("report/card.py", "import freezetag.cli"),
        ("helpers/misc.py", ""),
        (
            "exam/run.py",
            "from freezetag.report import card\n#;report/card.py\nimport freezetag.exam",
        ),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, path: str, code: str) -> None:
    package = tmp_path / "freezetag"
    first, _, second = code.partition("#;")
    plant(package / path, first)
    if second:
        plant(package / second.partition("\n")[0], second.partition("\n")[2])
    assert violations(package)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core/panel.py", "import math\nfrom .admit import admit\nfrom freezetag.core import x"),
        ("probes/strangers.py", "from freezetag.core import Probe\nfrom ..estimators import a"),
        ("players/planners/si.py", "from ...planning import planner\nimport jax"),
        ("exam/run.py", "from freezetag.report import card\nfrom freezetag.sim import rollout"),
        ("cli.py", "def f():\n    from freezetag.exam import run"),
        ("__init__.py", "import_module('freezetag.exam.run')"),
        ("catalogue/hosted.py", "import_module(f'freezetag.adapters.worlds.{scheme}')"),
        ("substrates/x.py", "import_module(f'freezetag.core.{name}')\nimport_module(name)"),
        ("substrates/x.py", "import_module(f'')\nimport_module(f'{name}')"),
    ],
)
def test_an_allowed_import_passes(tmp_path: Path, path: str, code: str) -> None:
    plant(tmp_path / "freezetag" / path, code)
    assert violations(tmp_path / "freezetag") == []


def plant(file: Path, code: str) -> None:
    """Write ``code`` where a package would have it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code, encoding="utf-8")
