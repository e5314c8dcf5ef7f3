"""Every shell and Python block of the documents runs: from the wheel, in an empty folder, without
a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import CONTINUED, ELSEWHERE, EXIT, FILE, FRAMEWORKS, Block, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "docs/tutorial.md",
    *(str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/how-to/*.md"))),
]
EXAM = re.compile(r"freezetag (check|examine (?!log:|prices:)|sweep|plan )|ft\.examine")
"""What takes ten seconds and more. Of it the README's exam and the probes' own tests say most."""
TRY_THE_NETWORK = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except TimeoutError:
    print("a packet left")
except OSError as error:
    print("cut")
"""


def runs(block: Block) -> bool:
    return block.kind in ("sh", "python") and block.mark not in (ELSEWHERE, FRAMEWORKS)


def ran(installed, page: Path, folder: Path) -> str:
    """Run the blocks of a page in order; everything they printed."""
    printed, script = [], ""
    for number, block in enumerate(blocks(page)):
        if not runs(block):
            continue
        if block.kind == "sh":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
        else:
            script = (script if block.mark == CONTINUED else "") + block.text
            # Beside what the shell blocks wrote, so that its imports are found.
            name = block.said if block.mark == FILE else f"block_{number}.py"
            file = folder / name
            file.write_text(script)
            command = ["python", file.name]
        done = installed.run(command, folder)
        assert done.returncode == (int(block.said) if block.mark == EXIT else 0), (
            f"{page.name}:{block.line} ended with {done.returncode}\n{block.text}\n"
            f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        printed.append(done.stdout)
    return "\n".join(printed)


def tiers() -> Iterator[Any]:
    for name in PAGES:
        plays = any(runs(block) and EXAM.search(block.text) for block in blocks(ROOT / name))
        marks = [pytest.mark.slow] if plays and name != "README.md" else []
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", list(tiers()))
def test_blocks_run(name: str, installed, tmp_path: Path) -> None:
    printed = ran(installed, ROOT / name, tmp_path)
    for block in blocks(ROOT / name):
        if block.kind == "text":
            missing = stable(block.text) - stable(printed)
            assert not missing, f"{name}:{block.line} shows what no command printed: {missing}"


def stable(text: str) -> set[str]:
    """What an output shows whatever the numbers are: the heading, and the names of its rows."""
    lines = [line.strip() for line in text.splitlines()]
    heads = [" ".join(line.split()) for line in lines if line.startswith("probe ")]
    named = [hit[1] for line in lines if (hit := re.match(r"([a-z][\w ]+(?:, \w+)?): ", line))]
    keys = re.findall(r"^\s*[{ ]'(\w+)':", text, re.M)
    return {*heads, *named, *keys}


def test_the_wheel_runs_and_not_this_tree(installed, tmp_path: Path) -> None:
    code = "import freezetag, sys; print(freezetag.__file__)"
    done = installed.run(["python", "-c", code], tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(installed.home), done


def test_the_network_is_cut(installed, tmp_path: Path) -> None:
    done = installed.run(["python", "-c", TRY_THE_NETWORK], tmp_path)
    assert done.stdout.strip() == "cut", (installed.how, done)


def test_what_runs_elsewhere_are_the_three_commands() -> None:
    """And what needs Inspect, which has an environment of its own: `make inspect` tests that."""
    marked = [
        block
        for page in PAGES
        for block in blocks(ROOT / page)
        if block.mark == ELSEWHERE and "inspect" not in block.text
    ]
    assert [block.text.split("\n")[:-1] for block in marked] == [
        ["make examine", "make live", "make test"]
    ]
    targets = re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"examine", "live", "test"} <= set(" ".join(targets).split())


@pytest.mark.parametrize("name", PAGES)
def test_no_block_hides(name: str) -> None:
    """Every fence has a kind that the tests know, so that none is left out by a typing error."""
    source = (ROOT / name).read_text()
    fences = re.findall(r"^```(.*)$", source, re.M)
    assert fences[1::2] == [""] * (len(fences) // 2)
    assert set(fences[::2]) <= {"sh", "python", "text"}
    assert len(blocks(ROOT / name)) == len(fences) // 2


@pytest.mark.parametrize("page", ["README.md", *map(str, ROOT.glob("docs/**/*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target, anchor in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", file.read_text()):
        other = (file.parent / target) if target else file
        assert other.exists(), f"{file.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", other.read_text(), re.M)
            slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            slugs |= set(re.findall(r'<a id="([\w-]+)">', other.read_text()))
            assert anchor[1:] in slugs, f"{file.name}: {target}{anchor}"


def test_the_index_lists_every_page() -> None:
    docs = ROOT / "docs"
    listed = set(re.findall(r"\]\(([\w./-]+\.md)", (docs / "index.md").read_text()))
    there = {str(page.relative_to(docs)) for page in docs.glob("**/*.md")} - {"index.md"}
    assert there <= listed


def test_pictures_are_shown_and_small() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert {f"docs/pictures/{each.name}" for each in pictures} == set(
        re.findall(r"\((docs/pictures/[\w.]+)\)", (ROOT / "README.md").read_text())
    )
    assert all(each.stat().st_size < 200_000 for each in pictures)


def test_words_that_promise_too_much() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        text = page.read_text().replace("FREEZETAG_CERTIFICATES", "")
        promises = r"\b(complian\w+|certifi(?!cate\b|cates\b)\w+)\b"  # TLS has certificates
        assert not re.search(promises, text, re.I), page
