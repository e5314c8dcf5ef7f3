"""The user's own files that a spec names, by content: so that a run can be repeated, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from freezetag import catalogue
from freezetag.catalogue import hosted, source
from freezetag.core.named import parse
from freezetag.exam.population import population
from freezetag.exam.resolve import FILE, UnknownAgent, agent_ref
from freezetag.exam.spec import BadSpec, Spec


def with_files(spec: Spec) -> Spec:
    """The spec with a line "my_world.py sha256:..." for each file or module from outside that its
    agent, worlds, probes and classmates are read from. Raises as finding these does."""
    found = {}
    for path in _paths(spec):
        if not source.is_outside(path):
            continue
        where, _ = source.parts(path) if not path.endswith(".py") else (path, "")
        file = source.file_of(where)
        if file is not None and not file.resolve().is_relative_to(catalogue.HERE):
            found[where] = source.digest(where)
    return replace(spec, files=tuple(f"{where} {digest}" for where, digest in found.items()))


def _paths(spec: Spec) -> Iterator[str]:
    for kind, names in (("substrates", spec.worlds), ("probes", spec.probes)):
        yield from (hosted.inner(catalogue.find(kind, name).path) for name in names)
    agents = [] if isinstance(spec.classmates, int) else [*population(spec.classmates)]
    # The name of an object is nobody's, and what is refused is refused when it is resolved.
    with suppress(UnknownAgent):
        agents.append(agent_ref(spec.agent))
    for ref in agents:
        path = ref.path.removeprefix(f"{FILE}:")
        if not ref.foreign or path != ref.path:
            yield parse(path)[0]


def unchanged(spec: Spec) -> Spec:
    """The spec, if each file still has the content that it names. Raises `BadSpec`."""
    for line in spec.files:
        where, _, digest = line.rpartition(" ")
        if (now := source.digest(where)) != digest:
            gone = not now and not Path(where).exists()
            raise BadSpec(
                f"{where} {'is not there any more' if gone else 'has changed'} since this spec was "
                "written, so its figures would be of something else. Bring the file back, or take "
                "the entry files out of the spec to run it with what there is."
            )
    return spec
