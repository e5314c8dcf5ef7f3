"""Every source that the code cites is on the page of sources, and no paper that readers lack."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
KEYS = set(re.findall(r'^<a id="\w+"></a>\*\*([A-Z]\d+[a-d]?) ', PAGE, re.M))
WORKS = re.findall(r'^- <a id="[\w-]+"></a>\*\*([^*]+)\*\*: (.*)$', PAGE, re.M)
KEY = r"[CDFLNPRTW]\d{1,2}[a-d]?"
CITED = re.compile(rf"docs/sources\.md\s+({KEY}(?:(?:,| to| and)?\s+{KEY}\b)*)")
BARE = re.compile(r"\b[CTF]\d{1,2}[a-d]?\b")  # as in "(C10)", "(T8c)"
FILES = [
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "docs").rglob("*.py"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.py"),
    ROOT / "README.md",
]
PRIVATE = re.compile(r"\b(PROBES|THEORY|OVERSIGHT|DESIGN|HOUSE|design notes)\b")
YEAR = re.compile(r"(?:19|20)\d\d")


def written(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_every_key_that_is_cited_is_explained() -> None:
    cited = {}
    for file in FILES:
        for hit in CITED.findall(written(file)):
            cited |= dict.fromkeys(re.findall(KEY, hit), file.name)
    assert len(cited) > 30
    assert not {key: name for key, name in cited.items() if key not in KEYS}


def test_a_key_alone_is_explained_too() -> None:
    # Only in prose: a comment, a docstring or a sentence.
    unknown = {
        (key, file.name)
        for file in (ROOT / "src").rglob("*.py")
        for key in BARE.findall(written(file))
        if key not in KEYS
    }
    assert not unknown


def test_no_paper_is_named_that_a_reader_does_not_have() -> None:
    named = {(hit, file.name) for file in FILES for hit in PRIVATE.findall(written(file))}
    assert not named


def test_what_a_source_names_with_a_year_is_in_the_bibliography() -> None:
    """Name and year of each `Source:` and of each probe's `source` are of one entry."""
    entries = [(key, set(re.findall(r"[A-Z]\w+", f"{key} {text}"))) for key, text in WORKS]
    missing = []
    for file in (ROOT / "src").rglob("*.py"):
        text = written(file)
        told = re.findall(r"Source: (.{,400}?)(?:\n\s*\n|\"\"\"|Caveat|Errors:|Raises)", text, re.S)
        told += re.findall(r"source: ClassVar\[str\] = (\(.*?\n    \)|\".*?\")", text, re.S)
        for source in told:
            for hit in YEAR.finditer(source):
                near = source[max(0, hit.start() - 120) : hit.start()]
                before = set(re.findall(r"[A-Z]\w+", near))
                if not any(hit[0] in key and before & names for key, names in entries):
                    missing.append((file.name, source[max(0, hit.start() - 60) : hit.end()]))
    assert not missing


def test_keys_and_anchors_are_one_each() -> None:
    anchors = re.findall(r'<a id="([\w-]+)">', PAGE)
    assert len(anchors) == len(set(anchors)) == len(KEYS) + len(WORKS)
    keys = re.findall(r"</a>\*\*(\w+) ", PAGE)[: len(KEYS)]
    assert [key.lower() for key in keys] == anchors[: len(KEYS)]


def test_all_claims_propositions_and_probes_are_there() -> None:
    wanted = {f"C{n}" for n in range(1, 25)} | {f"T{n}" for n in range(1, 20)}
    assert wanted | {f"F{n}" for n in range(1, 12)} | {f"P{n}" for n in range(1, 16)} <= KEYS
