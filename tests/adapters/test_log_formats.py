"""Logs of other people's formats: what each tells, and that whatever else comes is a sentence."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters import log_samples as samples

from freezetag import cli
from freezetag.adapters.agents import log
from freezetag.adapters.logs import chat_lines, reader
from freezetag.adapters.logs.told import FACTS, FIELDS
from freezetag.core import Episode, Setting, UserError
from freezetag.core.log import Log, ReadsLogs
from freezetag.exam.records import RECORD


def told(folder: Path, content: str | bytes, name: str = "file.of.no.kind") -> Any:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return log.recorded(str(file))


def spoken(episode: Episode) -> list[tuple[int, int, str]]:
    return [(event.b, event.t, event.text) for event in episode.events if event.kind == "say"]


def acted(episode: Episode) -> list[str]:
    """All actions that were asked for, by name, "!" before one that was not let through."""
    names = {0: ""}
    for event in episode.events:
        if event.kind == "action":
            names[int(episode.proposed[event.b, event.t, event.n, 0])] = event.text
    return [
        ("" if episode.executed[b, t, n, 0] else "!") + names[int(episode.proposed[b, t, n, 0])]
        for b, t, n in zip(*episode.proposed[..., 0].nonzero(), strict=True)
    ]


def test_chat_lines(tmp_path: Path) -> None:
    found = told(tmp_path, samples.CHAT)
    episode = found.recorded
    assert isinstance(found, Log)
    assert episode.players == ("bob", "ann")
    assert episode.lengths.tolist() == [2, 1]
    assert episode.seats.tolist() == [[0, 1], [1, -1]]
    assert spoken(episode) == [(0, 0, "I share."), (0, 1, "I take."), (1, 0, "I share.")]
    assert acted(episode) == ["share", "take", "share"]
    np.testing.assert_array_equal(episode.levels[0, :, :], [[1, np.nan], [np.nan, 0]])
    np.testing.assert_array_equal(episode.rewards[0, :, :], [[3, np.nan], [np.nan, 5]])
    assert not set(episode.world)  # nothing of it is told


SCHEMA = json.loads(
    Path(chat_lines.__file__).with_name("chat_lines.schema.json").read_text(encoding="utf-8")
)


def test_the_schema_of_chat_lines_is_what_is_read() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(SCHEMA)
    stops = samples.lines({"conversation": "a", "stop": "press"})
    for line in (samples.CHAT + samples.TRAINING + stops).splitlines():
        check.validate(json.loads(line))
    for bad in ({"agent": "x"}, {"conversation": "a", "agent": "x", "level": 2}, {"freezetag": 1}):
        assert not check.is_valid(bad)
    turn = set(SCHEMA["$defs"]["turn"]["properties"])
    assert turn == {*FIELDS, "conversation", "agent", "step", "text", "action", "refused", "time"}
    assert set(SCHEMA["$defs"]["head"]["properties"]) == {*FACTS, "freezetag", "levels"}


def test_turns_of_one_step_are_taken_together(tmp_path: Path) -> None:
    turns = [
        {"conversation": "a", "step": t, "agent": who, "reward": t}
        for t in range(3)
        for who in ("x", "y")
    ]
    assert told(tmp_path, samples.lines(*turns)).recorded.rewards.shape == (1, 3, 2)


def test_conversations_as_models_are_trained_on(tmp_path: Path) -> None:
    episode = told(tmp_path, samples.TRAINING).recorded
    assert (spoken(episode), acted(episode)) == ([(0, 0, "Good day.")], ["pay"])
    assert episode.players == ("assistant",)


@pytest.mark.parametrize(
    "content",
    [
        samples.EPISODE,
        json.dumps([json.loads(samples.EPISODE)]),
        json.dumps({"episodes": [{"steps": samples.STEPS}], "levels": {"1": 1, "0": 0}}),
    ],
)
def test_episodes_by_agent(tmp_path: Path, content: str) -> None:
    episode = told(tmp_path, content).recorded
    assert episode.players == ("x", "y")
    assert episode.rewards[0].tolist() == [[2, 1], [4, 1]]
    np.testing.assert_array_equal(episode.levels[0], [[1, 0], [1, np.nan]])
    assert acted(episode) == ["1", "0", "1"]


def test_batches_of_rllib(tmp_path: Path) -> None:
    one = told(tmp_path, samples.BATCH).recorded
    assert one.lengths.tolist() == [2, 1]
    assert one.rewards[:, 0, 0].tolist() == [1, 3]
    many = told(tmp_path, samples.MANY).recorded
    assert many.players == ("p 0", "p 1")
    assert many.rewards[0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("content", [samples.NEW, samples.OLD, samples.OLDER])
def test_spans_of_all_conventions(tmp_path: Path, content: str) -> None:
    episode = told(tmp_path, content).recorded
    assert episode.players == ("clerk",)
    assert (spoken(episode), acted(episode)) == ([(0, 0, "Done.")], ["pay"])
    assert episode.world["time"][0].tolist() == [1.7e9 + 2, 1.7e9 + 3]


def test_spans_of_several_traces_and_agents_in_lines(tmp_path: Path) -> None:
    again = samples.exported(
        samples.span(
            9, 0, "t2", gen_ai__operation__name="chat", gen_ai__agent__name="boss",
            freezetag__level=0.5, freezetag__reward=2,
        )
    )  # fmt: skip
    found = told(tmp_path, samples.NEW + "\n" + again)
    assert found.recorded.players == ("clerk", "boss")
    assert found.recorded.levels[1, 0, 0] == 0.5
    assert found.recorded.rewards[1, 0, 0] == 2
    assert any("1 answers of models without their text" in note for note in found.notes)


def test_calls_of_our_own_gate_as_spans(tmp_path: Path) -> None:
    given = {"freezetag__agent": "writer", "freezetag__action": "pay"}
    spans = [
        samples.span(1, freezetag__outcome="done", **given),
        samples.span(2, freezetag__outcome="refused", **given),
    ]
    episode = told(tmp_path, samples.exported(*spans)).recorded
    assert (episode.players, acted(episode)) == (("writer",), ["pay", "!pay"])


def test_spans_that_the_real_sdk_wrote_give_a_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    with (tmp_path / "spans").open("w") as out:
        provider = trace.TracerProvider()
        writes = export.ConsoleSpanExporter(out=out)
        provider.add_span_processor(export.SimpleSpanProcessor(writes))
        tracer = provider.get_tracer("test")
        about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
        with tracer.start_as_current_span("invoke_agent clerk", attributes=about):
            answers = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m",
                "gen_ai.output.messages": samples.ANSWER,
            }
            with tracer.start_as_current_span("chat m", attributes=answers):
                pass
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay"}
            with tracer.start_as_current_span("execute_tool pay", attributes=tool):
                pass
    episode = log.recorded(str(tmp_path / "spans")).recorded
    assert episode.players == ("clerk",)
    assert (spoken(episode), acted(episode)) == ([(0, 0, "Done.")], ["pay"])
    assert np.isfinite(episode.world["time"][0]).all()
    out = tmp_path / "run"
    asked = ["examine", f"log:{tmp_path / 'spans'}", "--out", str(out), "--seed", "1"]
    assert cli.run(asked) == 0
    assert cli.run(["watch", str(out)]) == 0  # what it does not tell is no number there
    assert "2 steps, – per step" in capsys.readouterr().out
    assert cli.run(["watch", str(out), "--html", str(tmp_path / "page.html")]) == 0
    assert "clerk" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("packed", [False, True])
def test_logs_of_inspect(tmp_path: Path, packed: bool) -> None:
    if packed:
        found = log.recorded(str(samples.inspect_eval(tmp_path / "one")))
    else:
        found = told(tmp_path, samples.inspect_json())
    episode = found.recorded
    assert episode.players == ("mock/model",)
    assert spoken(episode) == [(0, 1, "I pay.")]
    assert acted(episode) == ["pay", "pay", "!pay", "read"]
    assert [event.text for event in episode.events if event.kind == "stop"] == ["closed"]
    assert episode.world["late"][0][episode.proposed[0, :, 0, 0] > 0].tolist() == [0, 0, 0, 1]
    assert np.nansum(episode.rewards) == 1.0


def test_a_log_of_inspect_without_a_transcript(tmp_path: Path) -> None:
    episode = told(tmp_path, samples.inspect_json(samples.sample(transcript=False))).recorded
    assert (spoken(episode), acted(episode)) == ([(0, 0, "I pay.")], ["pay", "pay"])
    assert "kind" not in episode.world


def test_an_evaluation_that_was_broken_off_is_read_as_far_as_it_went(tmp_path: Path) -> None:
    file = samples.inspect_eval(tmp_path / "one", header="_journal/start.json")
    found = log.recorded(str(file))
    assert "the evaluation did not finish" in found.notes[0]


def test_agents_of_a_sample_are_told_apart_by_their_spans(tmp_path: Path) -> None:
    def of(name: str) -> list[dict[str, Any]]:
        return [
            {"event": "span_begin", "id": name, "type": "agent", "name": name},
            {"event": "span_begin", "id": f"{name}1", "parent_id": name, "type": "solver"},
            {"event": "tool", "id": "c", "function": "pay", "span_id": f"{name}1"},
        ]

    one = {**samples.sample(), "events": [*of("buyer"), *of("seller")]}
    assert told(tmp_path, samples.inspect_json(one)).recorded.players == ("buyer", "seller")


def test_what_is_cut_short_at_its_end_is_left_out_and_said(tmp_path: Path) -> None:
    for content in (samples.CHAT, samples.NEW + "\n" + samples.NEW, samples.BATCH * 2):
        found = told(tmp_path, content.rstrip()[:-3])
        assert any("cut short" in note for note in found.notes), content[:40]


def bomb(folder: Path) -> bytes:
    file = folder / "bomb"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(samples.HEADER))
        archive.writestr("samples/1_epoch_1.json", b" " * (reader.MOST_LINE + 2))
    return file.read_bytes()


def zstandard(folder: Path, member: str, content: Any) -> bytes:
    """An archive as Inspect packs it: DuckDB packs, and the member's method is written over."""
    with duckdb.connect() as db:
        file = folder / "member.zst"
        told = json.dumps(content)
        db.execute(
            f"copy (select $1 as told) to '{file}' (format csv, header false, quote '', "
            "escape '', delimiter '\x01', compression zstd)",
            [told],
        )
    with zipfile.ZipFile(folder / "packed", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(member, file.read_bytes())
        if member != "header.json":
            archive.writestr("header.json", json.dumps(samples.HEADER))
    packed = bytearray((folder / "packed").read_bytes())
    method = reader.ZSTANDARD.to_bytes(2, "little")
    packed[8:10] = method
    central = packed.index(b"PK\x01\x02")
    packed[central + 10 : central + 12] = method
    return bytes(packed)


def test_an_archive_in_zstandard(tmp_path: Path) -> None:
    packed = zstandard(tmp_path, "samples/1_epoch_1.json", samples.sample())
    episode = told(tmp_path, packed).recorded
    assert acted(episode) == ["pay", "pay", "!pay", "read"]


def bomb_in_zstandard(folder: Path) -> bytes:
    return zstandard(folder, "samples/1_epoch_1.json", {"id": " " * (reader.MOST_LINE + 2)})


def deep(folder: Path) -> str:
    return '{"conversation": "a", "agent": ' + "[" * 100_000


BAD: dict[str, tuple[Any, str]] = {
    "half a JSON": (samples.inspect_json()[:-40], "is not JSON .*cut short"),
    "half an episode": (samples.EPISODE[:-5], "is not whole JSON"),
    "a bad line between good ones": (
        samples.CHAT.replace('{"conversation": "b"', "{conversation: b")
        + samples.lines({"conversation": "b", "agent": "x"}),
        "line 4 is not JSON",
    ),
    "another version": ('{"freezetag": "chat/9"}\n', "this freezetag reads chat/1"),
    "two versions": (
        samples.CHAT + samples.lines({"freezetag": "chat/2"}, {"conversation": "b", "agent": "x"}),
        "line 5: this freezetag reads chat/1",
    ),
    "nobody acts": ('{"freezetag": "chat/1"}\n', "holds no turn of an agent"),
    "nobody acts in Inspect": (
        samples.inspect_json({"id": 1, "messages": [], "events": []}),
        "holds no turn of an agent",
    ),
    "no samples": (json.dumps(samples.HEADER), "holds no sample"),
    "no spans of agents": (samples.exported(samples.span(1, http__route="x")), "holds no turn"),
    "a turn of nobody": (samples.lines({"conversation": "a", "agent": ""}), "names its agent"),
    "a list for an agent": (samples.lines({"conversation": "a", "agent": []}), "names its agent"),
    "a message that is none": ('{"messages": [{"role": "user"}, {"role": 3}]}', "has a role"),
    "an archive that is cut short": (b"PK\x03\x04 and no more", "damaged archive"),
    "no archive of a log": (b"PK\x05\x06" + b"\0" * 18, "none of the logs"),
    "not text": (b'{"steps": "\xff\xfe"', "is not text in UTF-8"),
    "nothing of all this": (b"\x00\x01\x02", "none of the logs"),
    "a bomb in Zstandard": (bomb_in_zstandard, "unpacks to more than 1 MiB"),
    "a zip bomb": (bomb, "unpacks to more than 1 MiB"),
    "nested beyond all bounds": (deep, "is not JSON that can be read"),
    "steps that are none": ('{"steps": 3}', "has steps, a list"),
    "a step without actions": ('{"steps": [3]}', "step 0 has no actions"),
    "a batch of nothing": ('{"type": "SampleBatch"}', "neither actions nor rewards"),
    "too many agents": (
        json.dumps({"steps": [{"actions": {str(i): 0 for i in range(300)}}]}),
        "too much to lay out",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, why = BAD[what]
    monkeypatch.setattr(reader, "MOST_LINE", 2**20)
    content = content(tmp_path) if callable(content) else content
    with pytest.raises(UserError, match=why) as error:
        told(tmp_path, content)
    assert len(str(error.value).splitlines()) == 1
    assert str(tmp_path) not in str(error.value)


def test_a_line_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_LINE", 50)
    with pytest.raises(UserError, match="line 1: longer than"):
        told(tmp_path, samples.CHAT)


def test_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 50)
    with pytest.raises(UserError, match="is larger than"):
        told(tmp_path, samples.CHAT)


SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz"
PLACE = "/home/somebody/work/private/notes.txt"


def test_keys_and_paths_go_no_further(tmp_path: Path) -> None:
    line = {
        "conversation": PLACE,
        "agent": f"bob {SECRET}",
        "action": f"{PLACE}",
        "text": f"my key is {SECRET}, it lies in {PLACE}",
    }
    found = told(tmp_path, samples.lines(line))
    shown = repr((found.recorded, found.notes))
    assert SECRET not in shown
    assert PLACE not in shown
    assert acted(found.recorded) == ["notes.txt"]


SAMPLES = {
    "chat": samples.CHAT,
    "training": samples.TRAINING,
    "episode": samples.EPISODE,
    "batch": samples.BATCH,
    "many": samples.MANY,
    "new": samples.NEW,
    "older": samples.OLDER,
    "inspect": samples.inspect_json(),
}
ANY = st.sampled_from(
    [None, True, -1, 10**400, 1e308, "x", [], {}, [[]], [{}], {"a": 1}, "\ud800", [None], ""]
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


@settings(max_examples=80)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_whatever_stands_in_a_field_is_read_or_refused(
    tmp_path_factory: Any, which: str, data: Any
) -> None:
    """One field of a good log holds anything at all."""
    whole = [json.loads(line) for line in SAMPLES[which].splitlines()]
    place = data.draw(st.sampled_from(places(whole)[1:]))
    holder: Any = whole
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = data.draw(ANY)
    folder, said = tmp_path_factory.mktemp("logs"), "no error\n"
    try:
        found = told(folder, samples.lines(*whole))
    except UserError as error:
        found, said = None, str(error)
    assert len(said.splitlines()) == 1
    if found is None:
        return
    assert found.recorded.valid.any()
    for probe in reading_probes():
        if not probe.unsaid(found.recorded):
            probe.from_log(found.recorded, Setting(RECORD, None, ()))


def reading_probes() -> list[Any]:
    from freezetag import catalogue

    loaded = [catalogue.load(ref) for ref in catalogue.members("probes")]
    return [probe for probe in loaded if isinstance(probe, ReadsLogs)]
