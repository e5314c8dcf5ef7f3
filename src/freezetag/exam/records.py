"""`records.zip`: every array of every record, so that a probe can be scored again.

`episodes.parquet` is for people who look at steps: long arms are cut off there, and empty seats are
left out. Here an arm is whole, with what names it in any later version of this package, and with
the setting that its probe was given. One archive of JSON and NumPy's own format, without pickles:
to read it runs nothing.

An arm is named by its content: scenario, treatments, seeds, and those of the arms that it refers
to, without its label and without what has its default value, so that an entry that a later version
adds changes no name. Policies after learning are not kept: no probe reads them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import freezetag.core as core
from freezetag import catalogue
from freezetag.catalogue import source
from freezetag.core import Arm, Episode, Event, Record, Ref, Setting, UserError
from freezetag.core.probe import label
from freezetag.sim.identity import version

FILE = "records.zip"
"""Its name in a run's folder."""
FORM = 1
INDEX = "index.json"
RECORD = Ref("record")
"""Where logs are measured: no world of the catalogue, but whatever the agent ran in."""
MOST = 4 * 2**30
"""Bytes that a section may unpack to."""
PACKAGE = "freezetag"
"""The path of the whole package, in `sources`."""
_LEVEL = 1  # of compression: moves repeat, so that more would take time and save little


class BadRecords(UserError, ValueError):
    """A file of records that is damaged, or of a newer form."""


@dataclass(frozen=True)
class Stored:
    """What was kept of one section: the setting of its probe, and its records by name of the arm.

    `labels` are what people call these arms; `sources` the hash of the source, when it was
    examined, of the probe, of the world and of the players, by path.
    """

    probe: str
    world: str
    setting: Setting
    records: Mapping[str, Record]
    labels: Mapping[str, str]
    sources: Mapping[str, str]


def name_of(arm: Arm, seen: Mapping[str, Record]) -> str:
    """The name of an arm by its content; "" for one that holds what has no name outside this
    process. `seen` holds the arms that it may refer to, by label."""
    try:
        return hashlib.sha256(_named(arm, seen).encode()).hexdigest()
    except _Nameless:
        return ""


class _Nameless(Exception):
    pass


def _named(arm: Arm, seen: Mapping[str, Record]) -> str:
    entries = (*arm.scenario.cast, *arm.scenario.treatments)
    donors = [label(entry.arm) for entry in entries if hasattr(entry, "arm")]
    words = [_words(arm)]
    for donor in donors:
        if donor in seen:
            words.append(_named(seen[donor].arm, seen))
    return "\n".join(words)


def _words(value: Any) -> str:
    """The content of frozen data as text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return repr(value)
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_words, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_words(k)}:{_words(v)}' for k, v in value.items())}}}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [
            f"{field.name}={_words(mine)}"
            for field in dataclasses.fields(value)
            if field.compare and not _is_default(field, mine := getattr(value, field.name))
        ]
        return f"{type(value).__qualname__}({','.join(parts)})"
    if isinstance(value, type) or callable(value):
        return str(getattr(value, "__qualname__", ""))
    try:
        return f"{type(value).__qualname__}:{value.numerator}/{value.denominator}"
    except AttributeError:
        raise _Nameless from None


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(type(value) is type(field.default) and value == field.default)
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return False


def sources(probe: str, setting: Setting) -> dict[str, str]:
    """path -> hash of the source, of the probe, of the world and of the classmates as they are
    now, and of this whole package. What acts in a process of its own is left out: nobody reads it
    here."""
    refs = [setting.world, *setting.classmates]
    with contextlib.suppress(UserError):
        refs.append(catalogue.find("probes", probe))
    found = {ref.path: _source(ref) for ref in refs if not catalogue.is_given(ref)}
    return {PACKAGE: version(), **{path: digest for path, digest in found.items() if digest}}


def _source(ref: Ref) -> str:
    """The hash of a member's file, or of all of its folder; "" where there is none."""
    if ref.foreign:
        return ""
    if source.is_outside(ref.path):
        return source.digest(ref.path if ref.path.endswith(".py") else source.parts(ref.path)[0])
    file = catalogue.file_of(ref)
    folder = file.parent if file.stem == file.parent.name else None
    files = sorted(folder.glob("*.py")) if folder is not None else [file]
    if not all(each.is_file() for each in files):
        return ""
    found = hashlib.sha256()
    for each in files:
        found.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    return "sha256:" + found.hexdigest()


def write(
    target: Path,
    probe: str,
    world: str,
    setting: Setting,
    records: Mapping[str, Record],
    read: Mapping[str, str],
) -> None:
    """Keep the records of one section, by label. Raises `OSError`."""
    arrays: dict[str, Any] = {}
    arms = []
    for number, (called, record) in enumerate(records.items()):
        days = [
            _episode(episode, f"{number}/{day}", arrays) for day, episode in enumerate(record.days)
        ]
        arms.append(
            {
                "name": name_of(record.arm, records),
                "label": called,
                "certain": list(record.certain),
                "days": days,
            }
        )
    index = {
        "form": FORM,
        "probe": probe,
        "world": world,
        "setting": _encoded(dataclasses.replace(setting, substrate=None)),
        "sources": dict(read),
        "arms": arms,
    }
    with (
        _whole(target) as made,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        _put(archive, INDEX, json.dumps(index).encode())
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, array, allow_pickle=False)
            _put(archive, f"{name}.npy", held.getbuffer())


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside `target` to write to, which becomes it only if it was written whole."""
    made = target.with_name(f".{target.name}-new")
    try:
        yield made
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


def _put(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    # A fixed date: the same records are the same bytes.
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined]
    archive.writestr(entry, content)


def merge(parts: Sequence[Path], target: Path) -> Path:
    """One archive that holds the parts as they are, by their names. Raises `OSError`."""
    with _whole(target) as made, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for part in parts:
            entry = zipfile.ZipInfo(part.name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, part.read_bytes())
    return target


class Records(Mapping[tuple[str, str], Stored]):
    """What `merge` wrote, by (probe, world): a section is read when it is asked for. Raises
    `BadRecords`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._parts: dict[tuple[str, str], str] = {}
        with _opened(file) as archive:
            for name in archive.namelist():
                with archive.open(name) as held, zipfile.ZipFile(held) as part:
                    index = _index(part)
                    self._parts[index["probe"], index["world"]] = name

    @classmethod
    def of(cls, path: Path) -> Records | None:
        """Those of a run's folder, or of such a file by any name; None for a folder without them,
        and for another file."""
        file = path / FILE if path.is_dir() else path
        if not file.is_file() or not (path.is_dir() or _is_records(file)):
            return None
        return cls(file)

    def __getitem__(self, key: tuple[str, str]) -> Stored:
        name = self._parts[key]
        with (
            _opened(self.file) as archive,
            archive.open(name) as held,
            zipfile.ZipFile(held) as part,
        ):
            return _section(part)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def arm(self, called: str) -> tuple[Stored, Record] | None:
        """The section and the record of the arm "probe/world/label"; None where it has none."""
        for key in self:
            if called.startswith(prefix := "/".join(key) + "/"):
                one = self[key]
                for name, label_ in one.labels.items():
                    if prefix + label_ == called:
                        return one, one.records[name]
        return None


def _is_records(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return bool(names) and all(name.endswith(".zip") and "/" not in name for name in names)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise BadRecords(f"{file} is damaged: {type(error).__name__}: {error}.") from None
    except zipfile.BadZipFile as error:
        raise BadRecords(f"{file} is damaged: {error}.") from None


def read_part(file: Path) -> dict[str, Record]:
    """What `write` wrote of one section, by "probe/world/label". Raises `BadRecords`."""
    with _opened(file) as part:
        index = _index(part)
        prefix = f"{index['probe']}/{index['world']}"
        return {f"{prefix}/{arm['label']}": one for arm, one in _arms(part, index)}


def _section(part: zipfile.ZipFile) -> Stored:
    index = _index(part)
    setting: Setting = _decoded(index["setting"])
    records, labels = {}, {}
    for number, (arm, record) in enumerate(_arms(part, index)):
        name = arm["name"] or f"nameless {number}"
        records[name], labels[name] = record, arm["label"]
    return Stored(index["probe"], index["world"], setting, records, labels, index["sources"])


def _index(part: zipfile.ZipFile) -> dict[str, Any]:
    if sum(info.file_size for info in part.infolist()) > MOST:
        raise BadRecords(f"a section of it unpacks to more than {MOST // 2**30} GiB.")
    index: dict[str, Any] = json.loads(part.read(INDEX))
    if index["form"] > FORM:
        raise BadRecords("it was written by a newer freezetag: upgrade this one.")
    return index


def _arms(part: zipfile.ZipFile, index: Mapping[str, Any]) -> Iterator[tuple[Any, Record]]:
    for number, arm in enumerate(index["arms"]):
        days = tuple(
            _read_episode(part, f"{number}/{day}", about) for day, about in enumerate(arm["days"])
        )
        # Whoever reads it gives the record the arm that it asked for.
        nothing: Any = None
        yield arm, Record(nothing, days, tuple({} for _ in days), tuple(arm["certain"]))


_MAPPINGS = ("world", "readings")


def _episode(episode: Episode, prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """What an episode batch is beside its arrays, which are put into `arrays`."""
    types: dict[str, str] = {}

    def keep(name: str, value: Any) -> None:
        array = np.asarray(value)
        types[name] = array.dtype.str
        arrays[f"{prefix}/{name}"] = _small(array)

    for field in dataclasses.fields(episode):
        value = getattr(episode, field.name)
        if field.name in _MAPPINGS:
            for name, inner in value.items():
                keep(f"{field.name}/{name}", inner)
        elif field.name not in ("players", "events") and value is not None:
            keep(field.name, value)
    return {
        "players": list(episode.players),
        "events": [dataclasses.astuple(event) for event in episode.events],
        "types": types,
    }


def _small(array: Any) -> Any:
    """Whole numbers in the smallest type that holds them: they are restored to their own."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    low, high = int(array.min()), int(array.max())
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def _read_episode(part: zipfile.ZipFile, prefix: str, about: Mapping[str, Any]) -> Episode:
    fields: dict[str, Any] = {name: {} for name in _MAPPINGS}
    for name, kind in about["types"].items():
        content = io.BytesIO(part.read(f"{prefix}/{name}.npy"))
        array = np.lib.format.read_array(content, allow_pickle=False).astype(kind)
        head, _, rest = name.partition("/")
        if rest:
            fields[head][rest] = array
        else:
            fields[name] = array
    events = tuple(Event(*event) for event in about["events"])
    return Episode(**fields, players=tuple(about["players"]), events=events)


def _encoded(value: Any) -> Any:
    """Frozen data of `core` as JSON: a class by its name, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _encoded(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, tuple | list):
        return [_encoded(item) for item in value]
    if isinstance(value, Mapping):
        return {"is": "", **{str(k): _encoded(v) for k, v in value.items()}}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "numerator"):
        return {"is": "Fraction", "of": [int(value.numerator), int(value.denominator)]}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_decoded, value))
    if not isinstance(value, dict):
        return value
    kind = value["is"]
    fields = {name: _decoded(inner) for name, inner in value.items() if name != "is"}
    if kind == "Fraction":
        from fractions import Fraction

        return Fraction(*fields["of"])
    if not kind:
        return fields
    cls = getattr(core, kind)
    known = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: inner for name, inner in fields.items() if name in known})
