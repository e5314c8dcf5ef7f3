"""Every command and option is in the reference, with help; and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freezetag import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference.md"
OPTION = re.compile(r"--[a-z][a-z-]*")


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.*)$", PAGE.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run([command, "--help"]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("command", cli.available())
def test_command_has_help_and_a_section(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = cli.available()[command]
    assert line.endswith(".")
    shown = help_of(command, capsys)
    section = sections()[command]
    assert f"freezetag {command}" in section
    in_help, in_page = set(OPTION.findall(shown)), set(OPTION.findall(section))
    assert in_help <= in_page, f"not in the reference: {in_help - in_page}"
    assert in_page <= in_help, f"in the reference, but no option: {in_page - in_help}"


@pytest.mark.parametrize("command", cli.available())
def test_every_option_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for row in help_of(command, capsys).splitlines():
        if found := re.match(r"│ \*?\s*(--[a-z-]+|[A-Z]+)(?: [A-Z]+(?:\.\.\.)?)?(.*)│", row):
            words = re.sub(r"\[.*?\]", "", found[2]).split()
            assert len(words) >= 2, row


def test_sections_are_commands_or_about_all() -> None:
    extra = set(sections()) - set(cli.available())
    assert extra == {"Environment", "From Python"}


def test_public_names_are_in_the_reference() -> None:
    import freezetag

    shown = set(re.findall(r"ft\.(\w+)", sections()["From Python"]))
    assert shown == set(freezetag.__all__)


def test_exit_codes_are_in_the_reference() -> None:
    assert re.findall(r"^\| (\d+) \|", sections()["examine"], re.M) == ["0", "1", "2", "3", "130"]
