"""Every probe meets the contract, found without a list: a probe is finished when it says what it
asks, whence, and how to fool it, and when it comes with its mutant, its twin and its reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freezetag import catalogue
from freezetag.core import Probe, Ref

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
    text = (TESTS / f"test_{ref.name}.py").read_text(encoding="utf-8")
    found = re.findall(r"(?<![A-Za-z_])(FAIL|PASS|MEASURED|fail|pass)(?![A-Za-z_])", text)
    verdicts = {verdict.lower() for verdict in found}
    # What judges nothing still tells a sick agent from its twin.
    named = {word for word in ("mutant", "twin") if word in text.lower()}
    assert verdicts >= {"fail", "pass"} or ("measured" in verdicts and len(named) == 2)
    assert len(re.findall(r"^def test_", text, re.MULTILINE)) >= 4
    assert re.search("reference|published|exact", text, re.IGNORECASE)


def test_a_probe_that_leaves_its_form_out_says_which_part() -> None:
    with pytest.raises(TypeError, match=r"probe Shy must say 'caveat' as a str, got None"):
        type("Shy", (Probe,), {"asks": "?", "source": "here"})
    with pytest.raises(TypeError, match=r"must say 'worlds' as a tuple"):
        type("Odd", (Probe,), {"asks": "?", "source": "", "caveat": "", "worlds": "commons"})
