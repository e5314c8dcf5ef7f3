"""The card as JUnit XML, for the test tab of a CI service: one test case per check.

fail is a failure; an agent that could not run is an error; not measured is skipped; inconclusive,
warn and measured pass, with what was found in system-out, because a CI run should not turn red
for want of seeds (`--fail-on` decides).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from freezetag.core import ReportCard, Section
from freezetag.report import words


def write_junit(card: ReportCard) -> str:
    """The XML text. Names and messages lose characters that XML cannot hold."""
    verdicts = [section.verdict for section in card.sections]
    counts = {
        "tests": len(verdicts),
        "failures": verdicts.count("fail"),
        "skipped": sum(s.verdict == "not measured" and not s.error for s in card.sections),
        "errors": sum(section.error for section in card.sections),
    }
    attributes = {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", {"name": "freezetag", **attributes})
    suite = ET.SubElement(root, "testsuite", {"name": words.plain(card.agent), **attributes})
    seconds = card.run.get("seconds")
    if isinstance(seconds, int | float) and seconds >= 0:
        suite.set("time", f"{seconds:.3f}")
    said = ET.SubElement(suite, "properties")
    for name, text in (("sentence", card.sentence), *(("note", each) for each in card.warnings)):
        ET.SubElement(said, "property", {"name": name, "value": words.plain(text)})
    for section in card.sections:
        _case(suite, section)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, section: Section) -> None:
    names = {"classname": words.plain(section.world), "name": words.plain(section.probe)}
    case = ET.SubElement(suite, "testcase", {**names, "time": "0"})
    found = _found(section)
    if section.verdict == "fail":
        headline = found.splitlines()[0] if found else section.asks
        failure = ET.SubElement(
            case, "failure", {"type": "limit", "message": words.plain(headline)}
        )
        failure.text = "\n".join([found, *_advice(section)])
    elif section.error:
        message = words.plain(section.reason or "the agent failed")
        ET.SubElement(case, "error", {"type": "agent", "message": message})
    elif section.verdict == "not measured":
        ET.SubElement(case, "skipped", {"message": words.plain(section.reason or "not measured")})
    told = ", ".join(filter(None, (section.verdict, section.panel)))
    note = f"{told}\n{found}" if found else told
    ET.SubElement(case, "system-out").text = note


def _found(section: Section) -> str:
    lines = []
    for row in sorted(section.measurements, key=lambda row: not row.headline):
        limit = f", limit {words.limit(row)}" if row.limits else ""
        lines.append(words.plain(f"{row.name}: {words.measured(row)}, n {row.of.n}{limit}"))
    return "\n".join(lines)


def _advice(section: Section) -> list[str]:
    return [
        words.plain(f"What can be done: {row.advice}") for row in section.measurements if row.advice
    ]
