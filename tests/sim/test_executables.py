"""Kept programs: loaded without tracing, never trusted when damaged, foreign or of another kind."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.players.reciprocators.tit_for_tat import TitForTat
from freezetag.sim import engine, executables, keys
from freezetag.sim.executables import Program, made_once, spent
from freezetag.sim.identity import Nameless, identity
from freezetag.sim.template import split

ARGS = (np.arange(6, dtype=np.float32), np.float32(2.0))


def scaled(x: Any, by: Any) -> Any:
    return {"all": x * by, "sum": (x * by).sum()}


def first(x: Any, y: Any) -> Any:
    return x * 2


def second(x: Any, y: Any) -> Any:
    return y * 2


@dataclass(frozen=True)
class Size:
    number: int = 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, this test's own; the programs lie in `programs` inside it."""
    monkeypatch.setenv("FREEZETAG_CACHE", str(tmp_path / "cache"))
    fresh_process()
    yield tmp_path / "cache"
    monkeypatch.undo()
    fresh_process()


def fresh_process() -> None:
    engine.start.cache_clear()
    executables.executables.cache_clear()


def run(**options: Any) -> Any:
    """A program made anew, as a new process makes it, and called; whether it was traced."""
    before = spent.traced
    fresh_process()
    found = Program(scaled, Size(), **options)(*ARGS)
    np.testing.assert_array_equal(found["all"], ARGS[0] * 2)
    assert float(found["sum"]) == 30.0
    return spent.traced > before


def kept(folder: Path, kind: str) -> Path:
    (file,) = (folder / "programs").glob(f"*.{kind}")
    return file


def test_a_second_run_traces_nothing(folder: Path) -> None:
    assert run()
    assert not run()
    assert (folder / "programs").stat().st_mode & 0o777 == 0o700


def test_other_structures_shapes_types_and_options_are_other_programs(
    folder: Path,
) -> None:
    assert run()
    fresh_process()
    before = spent.compiled
    one = Program(scaled, Size())
    one(*ARGS)
    assert spent.compiled == before
    one(ARGS[0][:3], ARGS[1])
    one(ARGS[0].astype(np.int32), ARGS[1])
    Program(scaled, Size(), {"xla_backend_optimization_level": 1})(*ARGS)
    names = len(list((folder / "programs").glob("*.name")))
    Program(scaled, Size(2))(*ARGS)
    assert len(list((folder / "programs").glob("*.name"))) == names + 1
    assert spent.compiled == before + 3  # the last one has the first one's text


def test_an_option_that_this_xla_does_not_have_is_left_out(folder: Path) -> None:
    options = {"xla_backend_optimization_level": 0, "xla_cpu_of_tomorrow": True}
    assert float(Program(scaled, Size(), options)(*ARGS)["sum"]) == 30.0
    with pytest.raises(jax.errors.JaxRuntimeError, match="of_tomorrow"):
        jax.jit(scaled, compiler_options=options)(*ARGS)


@pytest.mark.parametrize("kind", ["code", "name"])
@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other", "written by others"])
def test_a_damaged_file_is_built_anew(folder: Path, kind: str, damage: str) -> None:
    run()
    file = kept(folder, kind)
    whole = file.read_bytes()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(whole[:-7])
    elif damage == "flipped":
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif damage == "other":  # a whole file, of another program
        fresh_process()
        Program(first, Size())(ARGS[0], ARGS[0])
        other = next(f for f in (folder / "programs").glob(f"*.{kind}") if f != file)
        file.write_bytes(other.read_bytes())
    else:
        file.chmod(0o666)
    assert run()
    file.chmod(0o600)
    assert not run()


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path) -> None:
    run()
    (folder / "programs").chmod(0o777)
    assert run()
    assert run()


def test_a_link_in_the_place_of_the_folder_is_not_followed(folder: Path) -> None:
    run()
    (folder / "programs").rename(folder / "elsewhere")
    (folder / "programs").symlink_to(folder / "elsewhere")
    assert run()


@pytest.mark.parametrize("fault", ["full", "a file", "off"])
def test_without_a_folder_that_can_be_written_it_runs(
    folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "full":

        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
    elif fault == "a file":
        folder.write_text("")
    else:
        monkeypatch.setenv("FREEZETAG_CACHE", "off")
    assert run()
    assert run()
    assert not list(folder.parent.rglob(".new-*"))


@pytest.mark.parametrize("error", [RuntimeError, KeyError])
def test_a_user_without_a_home_runs_without(
    error: type[Exception], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise error("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("FREEZETAG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert run()
    assert engine.start() is None


def test_programs_that_were_not_used_for_longest_go_when_the_folder_is_full(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    size = sum(file.stat().st_size for file in (folder / "programs").iterdir())
    for file in (folder / "programs").iterdir():
        os.utime(file, (0, 0))
    (folder / "programs" / "notes.txt").write_text("mine")
    monkeypatch.setattr(executables, "LARGEST", size)
    fresh_process()
    for number in range(4):
        Program(first, Size(number))(np.zeros(number + 1), np.zeros(number + 1))
    files = list((folder / "programs").iterdir())
    assert sum(file.stat().st_size for file in files) < 2.5 * size
    assert (folder / "programs" / "notes.txt").exists()
    assert run()


def test_programs_with_one_text_but_other_arguments_stay_apart(folder: Path) -> None:
    x, y = np.array([1.0], np.float32), np.array([5.0], np.float32)
    for _ in range(2):
        fresh_process()
        assert float(Program(first, Size())(x, y)[0]) == 2.0
        assert float(Program(second, Size())(x, y)[0]) == 10.0


def test_wide_numbers_and_python_numbers_are_taken_as_jit_takes_them(folder: Path) -> None:
    for args in [(np.arange(3), 2), (np.arange(3.0), 2.5), (jnp.arange(3), np.int64(2))]:
        expected = jax.jit(scaled)(*args)
        for _ in range(2):
            fresh_process()
            found = Program(scaled, Size())(*args)
            assert found["all"].dtype == expected["all"].dtype
            np.testing.assert_array_equal(found["all"], expected["all"])


def test_what_jax_took_from_a_cache_of_its_own_is_not_written_down(
    folder: Path, tmp_path: Path
) -> None:
    """Written down again it would compute something else."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))  # type: ignore[no-untyped-call]
    try:
        assert run()
    finally:
        jax.config.update("jax_compilation_cache_dir", None)  # type: ignore[no-untyped-call]
    assert not list((folder / "programs").glob("*.code"))


def test_a_class_inside_a_function_has_no_name_and_is_not_kept(folder: Path) -> None:
    @dataclass(frozen=True)
    class Local:
        number: int = 1

    with pytest.raises(Nameless, match="cannot be imported"):
        identity(Local())
    Program(scaled, Local())(*ARGS)
    assert not list((folder / "programs").iterdir())


def test_a_class_of_ours_that_was_changed_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(TitForTat())
    monkeypatch.setattr(TitForTat, "act", lambda self, key, carry, obs: (0, carry))
    with pytest.raises(Nameless, match="act was replaced"):
        identity(TitForTat())
    monkeypatch.undo()
    assert identity(TitForTat()) == before


def test_equal_things_have_one_name_and_different_things_have_others() -> None:
    values: list[Any] = [
        *(None, True, 1, 1.0, "1", b"1", (1,), (1, 1), ((1,), 1), {"a": 1}, {"a": 2}),
        *(Size(), Size(2), Size, scaled, first, frozenset({1, 2}), np.zeros(2), np.zeros((2, 1))),
        *(np.zeros(2, np.float32), np.ones(2), -0.0, 0.0, float("nan")),
        *(Fraction(1), Fraction(1, 10), "1/10"),
    ]
    names = [identity(value) for value in values]
    assert len(set(names)) == len(names)
    assert identity(frozenset({2, 1})) == identity(frozenset({1, 2}))
    for value in (object(), lambda: 0, open):
        with pytest.raises(Nameless):
            identity(value)


EXAM = """
import sys
from freezetag.exam.examine import run_spec
from freezetag.exam.spec import Spec
from freezetag.report import schema
from freezetag.sim.executables import spent
card = run_spec(Spec("grudger", seed=5, probes=("commons_collapse",), size=0.05)).card
print(schema.results_hash(card), spent.traced, spent.loaded)
"""


@pytest.mark.slow
def test_another_process_loads_everything_and_finds_the_same(folder: Path) -> None:
    printed = []
    for salt in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": salt}
        done = subprocess.run(
            [sys.executable, "-c", EXAM], env=env, capture_output=True, text=True, check=True
        )
        printed.append(done.stdout.split())
    (one, traced, _), (other, traced_again, loaded) = printed
    assert one == other
    assert int(traced) > 0
    assert (int(traced_again), int(loaded)) == (0, int(traced))


@pytest.mark.parametrize("kind", ["substrates", "players"])
def test_every_world_and_player_has_a_name(kind: str) -> None:
    """What has none is compiled in every run."""
    for ref in catalogue.members(kind):
        with contextlib.suppress(TypeError):  # made from what it learned, and named by that
            template, _ = split(catalogue.member_class(ref)())
            assert identity(template)


def test_who_asks_at_the_same_moment_gets_the_same_program() -> None:
    together = threading.Barrier(8)

    @made_once(4)
    def slow(number: int) -> object:
        time.sleep(0.05)
        return object()

    def ask(_: int) -> object:
        together.wait()
        return slow(1)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_keys_are_those_of_jax() -> None:
    for seed, number in [(0, 0), (1, 7), (2**31 - 1, 2**32 - 1), (2**32 - 1, 3)]:
        expected = jax.random.fold_in(jax.random.key(seed), number)
        np.testing.assert_array_equal(
            keys.fold_in(keys.root(seed), number), jax.random.key_data(expected)
        )
    base = keys.fold_in(keys.root(5), 3)
    many = jax.vmap(lambda n: jax.random.fold_in(jax.random.wrap_key_data(base), n))(np.arange(9))
    np.testing.assert_array_equal(keys.fold_in(base, np.arange(9)), keys.raw(many))
    drawn = jax.vmap(lambda key: jax.numpy.argsort(jax.random.uniform(key, (31,))))(many)
    np.testing.assert_array_equal(keys.shuffled(keys.raw(many), 31), drawn)
