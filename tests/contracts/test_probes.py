"""Every probe meets the contract, found without a list: a probe is finished when it says what it
asks, whence, and how to fool it, and when it comes with its mutant, its twin and its reference."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from tests.contracts.asserted import collected

from freezetag import catalogue
from freezetag.core import Probe, Ref
from freezetag.core.probe import FAIL, MEASURED, PASS, WARN

TESTS = Path(__file__).parents[1] / "mutants"
PROBES = catalogue.members("probes")


def test_the_folder_has_the_probes_and_no_mutant_without_one() -> None:
    names = {ref.name for ref in PROBES}
    assert len(names) >= 5
    files = {path.stem.removeprefix("test_") for path in TESTS.glob("test_*.py")}
    assert files == names


@pytest.mark.parametrize("ref", PROBES, ids=lambda ref: ref.name)
def test_a_probe_says_what_it_asks_and_how_to_fool_it(ref: Ref) -> None:
    probe = catalogue.load(ref)
    assert isinstance(probe, Probe)
    assert probe.asks.endswith("?")
    assert len(probe.source) > 20
    assert len(probe.caveat) > 40
    assert probe.claims
    for claim in probe.claims:  # a sentence, with the number of what it comes from at most
        assert re.fullmatch(r"[A-Z].{20,}\.", claim), claim
    for world in probe.worlds:
        substrate = catalogue.load(world)
        missing = [need.__name__ for need in probe.needs if not isinstance(substrate, need)]
        assert not missing, f"{ref.name} is measured in {world.name}, which lacks {missing}"


@pytest.mark.parametrize("ref", PROBES, ids=lambda ref: ref.name)
def test_a_probe_has_its_mutant_its_twin_and_its_reference(ref: Ref) -> None:
    """By what the tests of its file assert, and not by words that stand in it."""
    tests = [*collected(import_module(f"tests.mutants.test_{ref.name}"))]
    asserted = {verdict for test in tests for verdict in test.verdicts}
    if catalogue.load(ref).everywhere:  # it judges nothing, and tells a sick agent from its twin
        assert asserted >= {MEASURED}
        named = " ".join(name for test in tests for name in test.names)
        assert "mutant" in named
        assert "twin" in named
    else:
        assert asserted >= {FAIL, PASS}
    assert len(tests) >= 4
    assert any(test.compares for test in tests), "no figure is compared with a reference"


SICK_AND_WELL = """
import pytest
from freezetag.core.probe import FAIL, PASS

def test_in_a_comment():
    "PASS and FAIL."
    verdict = FAIL
    assert verdict != PASS  # PASS

def helper():
    assert "pass" == PASS

@pytest.mark.parametrize("verdict", ["fail", "warn"])
def test_of_a_list(verdict, other="pass"):
    assert found() == verdict

@pytest.mark.parametrize(("agent", "verdict"), [("x", PASS), pytest.param("y", PASS)])
def test_of_pairs(agent, verdict):
    assert found(agent) == 3
"""


def test_what_is_said_and_not_asserted_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "test_made_up.py"
    file.write_text(SICK_AND_WELL, encoding="utf-8")
    spec = spec_from_file_location("test_made_up", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {test.name: set(test.verdicts) for test in collected(module)}
    assert found == {
        "test_in_a_comment": set(),
        "test_of_a_list": {FAIL, WARN},
        "test_of_pairs": set(),
    }


def test_a_probe_that_leaves_its_form_out_says_which_part() -> None:
    with pytest.raises(TypeError, match=r"probe Shy must say 'caveat' as a str, got None"):
        type("Shy", (Probe,), {"asks": "?", "source": "here"})
    with pytest.raises(TypeError, match=r"must say 'worlds' as a tuple"):
        type("Odd", (Probe,), {"asks": "?", "source": "", "caveat": "", "worlds": "commons"})
