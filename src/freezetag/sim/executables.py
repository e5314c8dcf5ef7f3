"""Compiled programs, kept on disk: a second run of the same structure traces nothing.

A program is named by everything that shapes it (see `Program`); under that name stands a `.name`
file that points to the machine code in a `.code` file, which several names may share. What is
damaged, cut off, of another version or machine, or not this user's own is built anew.

Safety: to load a program is to run it. So only files are read that this user wrote and nobody else
may write to, from a folder of which the same holds; each carries a checksum of its content. Caveat:
that guards against accidents and other users, not against a program that runs with your rights.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pickle
import platform
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from importlib.metadata import version as distribution
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import serialize_executable

from freezetag.sim import engine
from freezetag.sim.identity import Nameless, identity, version

LARGEST = 512 << 20
"""Bytes of the folder; beyond them the programs that were not used for longest go."""
T = TypeVar("T")
_MAGIC = b"freezetag program 1\n"
_ABANDONED = 3600.0


@dataclass
class Spent:
    """Seconds that programs cost this process so far, and how many there were."""

    tracing: float = 0.0
    compiling: float = 0.0
    loading: float = 0.0
    keeping: float = 0.0
    traced: int = 0
    compiled: int = 0
    loaded: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextlib.contextmanager
    def on(self, what: str) -> Any:
        """Add the time of the block."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                setattr(self, what, getattr(self, what) + time.perf_counter() - begin)

    def count(self, what: str) -> None:
        with self._lock:
            setattr(self, what, getattr(self, what) + 1)


spent = Spent()


class Uncollected:
    """A block in which nobody looks for garbage. Tracing makes many objects and lets few of them
    go; to look through all of them again and again takes a tenth of the time and finds little."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._was_on:
                gc.enable()


uncollected = Uncollected()


class Program:
    """A function of arrays, compiled once per shapes of its arguments, here or in an earlier run.

    `shaped_by` is everything the function closes over. With name, shapes and types of arguments,
    compiler options, settings of JAX, versions, device and processor it names the program. What
    has no such name (`Nameless`, a class inside a function for instance) is compiled in each
    process. Calls are safe from several threads.
    """

    def __init__(
        self, function: Callable[..., Any], shaped_by: Any, options: Mapping[str, Any] | None = None
    ) -> None:
        self.options = dict(options or {})
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._shaped_by = shaped_by
        # Without its unused arguments two programs that differ could have one text.
        self._jitted = jax.jit(function, keep_unused=True)
        self._made: dict[Any, Any] = {}
        self._last: Any = None
        self._making: dict[Any, threading.Lock] = {}

    def __call__(self, *args: Any) -> Any:
        if self._last is not None:
            # Drivers call it step by step, and it compares shapes faster than we do.
            with contextlib.suppress(TypeError):  # they are others
                return self._last(*args)
        leaves, tree = jax.tree.flatten(args)
        shapes = tuple(map(_shape, leaves))
        if any(wide for *_, wide in shapes):  # 64 bits from NumPy are 32 in JAX, as in `jax.jit`
            args = jax.tree.unflatten(tree, map(_narrow, leaves))
        made = self._made.get((tree, shapes))
        if made is None:
            with self._making.setdefault((tree, shapes), threading.Lock()):
                made = self._made.get((tree, shapes))
                if made is None:
                    made = self._made[tree, shapes] = self._make(args, tree, shapes)
        self._last = made
        return made(*args)

    def _make(self, args: tuple[Any, ...], tree: Any, shapes: tuple[Any, ...]) -> Any:
        store = executables()
        try:
            words = identity(self._shaped_by)
            taken = (str(tree), repr(shapes), self._situation())
            name = _digest(self._name, words, version(), *taken)
        except (Nameless, OSError):
            store = None
        inside = jax.tree.structure((args, {}))
        if store is not None and (kept := store.load(name, inside)) is not None:
            return kept
        with spent.on("tracing"), uncollected:
            lowered = self._jitted.lower(*args)
        spent.count("traced")
        code = None
        if store is not None:
            # The version of this package is left out: what it makes of the function is in the text.
            text = lowered.as_text()
            if "__elided__" not in text:
                code = _digest(text, *taken)
            if code and (kept := store.share(name, code, inside, lowered.out_tree)) is not None:
                return kept
        with spent.on("compiling"):
            compiled = _compiled(lowered, self.options)
        spent.count("compiled")
        if store is not None and code is not None:
            store.keep(name, code, compiled)
        return compiled

    def _situation(self) -> str:
        return f"{sorted(self.options.items())}\0{_machine()}\0{_settings()}"


def made_once(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """`lru_cache` for functions that make programs: arms that run side by side ask for the same
    one at the same moment, and would compile it twice."""

    def wrap(function: Callable[..., T]) -> Callable[..., T]:
        kept = lru_cache(maxsize=most)(function)
        lock = threading.Lock()

        @wraps(function)
        def made(*args: Any) -> T:
            with lock:
                return kept(*args)

        return made

    return wrap


def _compiled(lowered: Any, options: Mapping[str, Any]) -> Any:
    """The machine code. An option that another version of XLA does not have is left out: options
    here only save time."""
    known = dict(options)
    while True:
        try:
            return lowered.compile(compiler_options=known or None)
        except jax.errors.JaxRuntimeError as error:
            unknown = [name for name in known if f"'{name}'" in str(error)]
            if not unknown:
                raise
            del known[unknown[0]]


class Executables:
    """The folder of kept programs. Whatever goes wrong with it, the answer is "there is none"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writes = True
        self._fresh = LARGEST  # bytes written since the folder was last looked over
        self._lock = threading.Lock()

    def load(self, name: str, inside: Any) -> Any:
        """The program of this name, for arguments of this tree; None if there is none."""
        with spent.on("loading"):
            pointer = self._read(f"{name}.name")
            if pointer is None:
                return None
            try:
                code, outside = pickle.loads(pointer)
            except Exception:
                return None
            return self._loaded(code, inside, outside)

    def share(self, name: str, code: str, inside: Any, outside: Any) -> Any:
        """The program compiled from the same code, under one more name; None if there is none."""
        with spent.on("loading"):
            kept = self._loaded(code, inside, outside)
            if kept is not None:
                self._point(name, code, outside)
            return kept

    def keep(self, name: str, code: str, compiled: Any) -> None:
        """Write a program down, if that is possible."""
        with spent.on("keeping"):
            # What JAX took from a cache of its own cannot be written down again: it comes out
            # damaged, and computes something else.
            if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
                return
            try:
                blob, _, outside = serialize_executable.serialize(compiled)
            except Exception:
                return
            if self._write(f"{code}.code", blob):
                self._point(name, code, outside)

    def _point(self, name: str, code: str, outside: Any) -> None:
        # A tree that holds a class without a name outside this process cannot be written.
        with contextlib.suppress(Exception):
            self._write(f"{name}.name", pickle.dumps((code, outside)))

    def _loaded(self, code: str, inside: Any, outside: Any) -> Any:
        blob = self._read(f"{code}.code")
        if blob is None:
            return None
        try:
            found = serialize_executable.deserialize_and_load(
                blob, inside, outside, execution_devices=jax.devices()[:1]
            )
        except Exception:
            self._drop(f"{code}.code")
            return None
        spent.count("loaded")
        return found

    def _read(self, file: str) -> bytes | None:
        """The content of a file that is whole and this user's own."""
        try:
            handle = os.open(self.folder / file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            with os.fdopen(handle, "rb") as opened:
                if not _own(os.fstat(opened.fileno())):
                    return None
                whole = opened.read()
        except OSError:
            return None
        content = whole[len(_MAGIC) + 32 :]
        if whole[: len(_MAGIC) + 32] != _MAGIC + _checksum(file, content):
            self._drop(file)
            return None
        with contextlib.suppress(OSError):
            os.utime(self.folder / file)
        return content

    def _write(self, file: str, content: bytes) -> bool:
        """Write a file whole or not at all; the first that cannot be written is the last."""
        if not self._writes:
            return False
        temporary = None
        try:
            self._trim(len(content))
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            with os.fdopen(handle, "wb") as opened:
                opened.write(_MAGIC + _checksum(file, content) + content)
            Path(temporary).replace(self.folder / file)
        except OSError:
            self._writes = False
            if temporary is not None:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
            return False
        return True

    def _trim(self, more: int) -> None:
        """Now and then: the files used longest ago go, until the folder has room again."""
        with self._lock:
            self._fresh += more
            if self._fresh < LARGEST // 8:
                return
            self._fresh = 0
        files = []
        for entry in os.scandir(self.folder):
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                files.append((found.st_mtime, found.st_size, entry.name))
        total = sum(size for _, size, _ in files)
        now = time.time()
        for used, size, name in sorted(files):
            abandoned = name.startswith(".new-") and now - used > _ABANDONED
            ours = name.endswith((".code", ".name"))
            if abandoned or (ours and total > LARGEST * 7 // 8):
                self._drop(name)
                total -= size

    def _drop(self, file: str) -> None:
        with contextlib.suppress(OSError):
            (self.folder / file).unlink()


@lru_cache(maxsize=1)
def executables() -> Executables | None:
    """The kept programs of this user; None where nothing can be kept."""
    cache = engine.start()
    if cache is None or not hasattr(os, "geteuid"):
        return None
    folder = cache / "programs"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError:
        return None
    return Executables(folder) if stat.S_ISDIR(found.st_mode) and _own(found) else None


def _own(found: os.stat_result) -> bool:
    """Written by this user, and nobody else may write to it."""
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _checksum(file: str, content: bytes) -> bytes:
    return hashlib.sha256(file.encode() + b"\0" + content).digest()


def _shape(leaf: Any) -> tuple[Any, ...]:
    """What of an argument shapes a program, and whether it must be narrowed."""
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return type(leaf).__name__, False
    wide = isinstance(leaf, np.ndarray | np.generic) and dtype.itemsize == 8
    return leaf.shape, str(dtype), getattr(leaf, "weak_type", False), wide


def _narrow(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic):
        return np.asarray(leaf, jax.dtypes.canonicalize_dtype(leaf.dtype))
    return leaf


def _settings() -> str:
    """JAX's settings, which decide what is traced and how it is compiled."""
    names = sorted(name for name in jax.config.values if "cache" not in name)
    values = [(name, getattr(jax.config, name, None)) for name in names]
    return f"{values}\0{os.environ.get('XLA_FLAGS')}"


@lru_cache(maxsize=1)
def _machine() -> str:
    """Versions, device and processor: machine code of another one may crash, or differ."""
    device = jax.devices()[0]
    return "\0".join(
        (
            *(sys.version, jax.__version__, distribution("jaxlib")),
            *(device.platform, device.device_kind, device.client.platform_version),
            *(platform.system(), platform.machine(), _processor()),
        )
    )


def _processor() -> str:
    """Model and features of the processor; where they cannot be read, this computer's name."""
    try:
        cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{platform.processor()} of {platform.node()}"
    first = cpus.split("\n\n")[0].splitlines()
    told = ("model", "flags", "Features", "vendor", "cpu family", "CPU", "isa", "uarch")
    return "\n".join(line for line in first if line.startswith(told))
