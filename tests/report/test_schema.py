"""`card.json`: round trip, hash, published schema, and what it says of files it cannot read."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.cards import card, commons, iv, strangers

import freezetag.report.schema as schema
from freezetag import cli
from freezetag.core import Interval, Measurement
from freezetag.report.numbers import decode_free, decode_number, encode_free, encode_number
from freezetag.report.stored import StoredInterval

PUBLISHED = Path(schema.__file__).with_name("card.schema.json")
OLD = Path(__file__).resolve().parents[1] / "data" / "cards"


def test_the_published_schema_is_the_generated_one() -> None:
    assert json.loads(PUBLISHED.read_text()) == schema.json_schema()


def test_a_card_meets_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    data = json.loads(schema.write_json(card()))
    validator.validate(data)
    del data["results"]["agent"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(data)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    whole = card()
    (tmp_path / "card.json").write_text(schema.write_json(whole), encoding="utf-8")
    for source in (tmp_path, tmp_path / "card.json", str(tmp_path), schema.write_json(whole)):
        read = schema.read_json(source)
        assert schema.write_json(read) == schema.write_json(whole)
        assert schema.results_hash(read) == schema.results_hash(whole)
    assert read.agent == whole.agent
    assert read.verdict == whole.verdict
    assert [s.verdict for s in read.sections] == [s.verdict for s in whole.sections]
    assert read.sections[0].p_fail == whole.sections[0].p_fail
    assert [row.verdict for s in read.sections for row in s.measurements] == [
        row.verdict for s in whole.sections for row in s.measurements
    ]
    missing = read.sections[0].measurements[2].of
    assert math.isnan(missing.value)
    assert missing.n == 0
    assert read.sections[0].figures[1].columns["x"][5] == math.inf
    assert read.sections[0].figures[1].columns["y"][-1] is None


def test_the_hash_is_of_the_results_alone() -> None:
    base = schema.results_hash(card())
    assert base == schema.results_hash(card(run={"date": "tomorrow", "host": "elsewhere"}))
    assert base != schema.results_hash(card(spec={"seed": 8}))
    assert base != schema.results_hash(card(partial=True))


def test_the_hash_ignores_the_order_of_keys() -> None:
    assert schema.results_hash(card(spec={"a": 1, "b": 2})) == schema.results_hash(
        card(spec={"b": 2, "a": 1})
    )


def test_arrays_and_their_scalars_are_numbers() -> None:
    figure = replace(
        commons().figures[1],
        columns={"name": ["a", "b"], "value": np.array([0.5, np.nan], np.float32)},
    )
    row = Measurement("x", "y", iv(np.float64(0.5), n=np.int64(3)))
    whole = card(sections=(replace(commons(), measurements=(row,), figures=(figure,)),))
    columns = json.loads(schema.write_json(whole))["results"]["sections"][0]["figures"][0]
    assert columns["columns"]["value"] == [0.5, None]


def test_a_newer_card_is_refused_with_advice(tmp_path: Path) -> None:
    data = json.loads(schema.write_json(card())) | {"schema_version": schema.SCHEMA_VERSION + 1}
    file = tmp_path / "card.json"
    file.write_text(json.dumps(data))
    with pytest.raises(schema.NewerCard) as caught:
        schema.read_json(file)
    for words in (str(file), f"schema {schema.SCHEMA_VERSION + 1}", "Upgrade"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("{}", "no schema_version"),
        ('{"schema_version": true}', "results"),
        ('{"schema_version": 1, "results": {"agent": 3}}', "results.agent"),
    ],
)
def test_no_card_is_said_to_be_none(text: str, words: str) -> None:
    with pytest.raises(schema.UnreadableCard, match=words):
        schema.read_json(text)


def test_limits_that_contradict_themselves_are_an_unreadable_card() -> None:
    data: Any = json.loads(schema.write_json(card()))
    data["results"]["sections"][1]["measurements"][0]["limits"]["warn"] = 9.0
    with pytest.raises(schema.UnreadableCard, match="must come before"):
        schema.read_json(json.dumps(data))


def test_a_field_of_a_later_minor_version_is_ignored() -> None:
    data: Any = json.loads(schema.write_json(card()))
    data["results"]["sections"][0]["mood"] = "hopeful"
    assert schema.results_hash(schema.read_json(json.dumps(data))) == schema.results_hash(card())


def test_no_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        schema.read_json(tmp_path / "none.json")


@given(st.floats())
def test_every_float_survives(value: float) -> None:
    back = decode_number(json.loads(json.dumps(encode_number(value), allow_nan=False)))
    assert back == value or (math.isnan(back) and math.isnan(value))


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
nests = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner).map(tuple)
        | st.dictionaries(st.text().filter(lambda key: key != "float"), inner)
    ),
    max_leaves=10,
)


@given(nests)
def test_free_data_survives(value: Any) -> None:
    assert decode_free(json.loads(json.dumps(encode_free(value), allow_nan=False))) == value


def test_a_player_called_inf_stays_a_word() -> None:
    assert decode_free(json.loads(json.dumps(encode_free(["inf", math.inf])))) == ("inf", math.inf)


def test_a_stored_interval_is_an_interval_and_decides_as_one() -> None:
    stored: Interval = StoredInterval.of(iv(0.5, 0.1))
    assert stored.p_above(0.3) == pytest.approx(0.025)
    assert stored.p_above(0.5) == 1.0
    assert stored.p_below(0.7) == pytest.approx(0.025)
    assert StoredInterval(math.nan, -math.inf, math.inf, 0, "none").p_above(-9) == 1.0


def test_a_section_keeps_its_figures() -> None:
    read = schema.read_json(schema.write_json(card(sections=(strangers(),))))
    assert [figure.kind for figure in read.sections[0].figures] == [
        figure.kind for figure in strangers().figures
    ]


def test_a_card_that_was_changed_contradicts_itself(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_text(schema.write_json(card()), encoding="utf-8")
    assert schema.altered(file) == ""
    data = json.loads(file.read_text())
    assert data["results_hash"] == schema.results_hash(card())
    assert (data["verdict"], data["sentence"]) == (card().verdict, card().sentence)

    edited = {**data, "verdict": "pass"}
    assert "it says 'pass'" in schema.altered(json.dumps(edited))
    assert "by its results it is 'fail'" in schema.altered(json.dumps(edited))
    data["results"]["sections"][0]["verdict"] = "pass"
    assert "its results were changed after it was written" in schema.altered(json.dumps(data))


def test_an_older_card_is_read_and_has_no_hash_to_compare() -> None:
    data = json.loads(schema.write_json(card()))
    older = {"schema_version": 1, "results": {**data["results"], "rows": []}, "run": {}}
    assert schema.read_json(json.dumps(older)).verdict == card().verdict
    assert schema.altered(json.dumps(older)) == ""


def test_an_older_card_is_as_it_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sentence is in the words of its time, which are not today's."""
    file = OLD / "2663f0e" / "card.json"
    data, read = json.loads(file.read_text(encoding="utf-8")), schema.read_json(file)
    assert data["sentence"] != read.sentence
    assert schema.results_hash(read) == data["results_hash"]
    assert schema.altered(file) == ""
    assert cli.run(["card", str(file)]) == 0
    assert cli.run(["compare", str(file), str(file)]) == 0
    assert "as it was written" not in capsys.readouterr().err

    edited = tmp_path / "card.json"
    for old, new in (('t": "pass"', 't": "fail"'), ('"value": ', '"value": 1')):
        edited.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
        assert cli.run(["card", str(edited)]) == 1


def test_a_sentence_that_was_changed_is_found_whatever_its_words() -> None:
    """Held against its own hash, so that a later version with other words finds no fault in it."""
    data = json.loads(schema.write_json(card()))
    assert "its sentence was changed" in schema.altered(json.dumps({**data, "sentence": "Fine."}))
    other = "The agent was examined, and failed a check."
    of_other = "sha256:" + hashlib.sha256(other.encode()).hexdigest()
    later = {**data, "sentence": other, "sentence_hash": of_other}
    assert schema.altered(json.dumps(later)) == ""


def test_the_command_shows_a_changed_card_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "card.json"
    file.write_text(schema.write_json(card()).replace('"verdict": "fail"', '"verdict": "pass"'))
    assert cli.run(["card", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "is not as it was written" in told.err
    assert "my_agent.py" in told.out
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "spec.toml").touch()
    assert cli.run(["card", str(tmp_path / "killed")]) == 2
    assert "--resume" in capsys.readouterr().err
