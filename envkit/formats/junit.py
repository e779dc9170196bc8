"""The report as JUnit XML for Jenkins, GitLab and others: a test suite for each area, a test case for each finding.

There is no published standard; what is written here is valid by the schema of Jenkins' xunit plugin (junit-10.xsd).
No host name is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from envkit.facts import Facts
from envkit.findings import Finding, Report, said
from envkit.formats import Style
from envkit.formats._shared import Outcome, areas, lines, outcome
from envkit.redact import plain

# https://www.w3.org/TR/xml/#charsets: not even a reference may stand for another character.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED: dict[str, Outcome] = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(report: Report, style: Style, facts: Facts) -> str:  # noqa: ARG001 - the protocol of every format
    """The report as one XML document. GitLab shows the text of a failure, Jenkins its message too: both are there."""
    root = Element("testsuites", name="envkit")
    ends: Counter[Outcome] = Counter()
    for area in areas(report):
        suite, its = _suite(area, [finding for finding in report.findings if finding.area == area], report, style)
        root.append(suite)
        ends += its
    if report.status == "unknown" and not ends["failure"] + ends["error"]:  # no finding says so
        finding = Finding(check="verdict", area="doctor", status="unknown", message=report.headline)
        suite, its = _suite("doctor", [finding], report, style)
        root.append(suite)
        ends += its
    root.set("tests", str(ends.total()))
    for name in ("failures", "errors"):
        root.set(name, str(ends[_COUNTED[name]]))
    indent(root)
    return "<?xml version='1.0' encoding='UTF-8'?>\n" + tostring(root, encoding="unicode") + "\n"


def _suite(area: str, findings: list[Finding], report: Report, style: Style) -> tuple[Element, Counter[Outcome]]:
    suite = Element("testsuite", name=f"envkit.{area}", tests=str(len(findings)))
    ends = Counter(outcome(finding, report, style) for finding in findings)
    for name, counted in _COUNTED.items():
        suite.set(name, str(ends[counted]))
    if report.taken_at:
        suite.set("timestamp", _xml(plain(report.taken_at)))
    properties = SubElement(suite, "properties")
    values = {"envkit": report.envkit, "profile": report.profile, "verdict": report.status}
    for name, value in (values | {"summary": report.summary.get(area, "")}).items():
        if value:
            SubElement(properties, "property", name=name, value=_xml(plain(value)))
    for name, finding in _named(findings):
        case = SubElement(suite, "testcase", classname=f"envkit.{area}", name=_xml(plain(name)))
        _fill(case, finding, outcome(finding, report, style))
    return suite, ends


def _named(findings: list[Finding]) -> list[tuple[str, Finding]]:
    """Names that are the same in every run and differ within one: GitLab shows only the first of a name."""
    of_check = Counter(finding.check for finding in findings)
    seen: Counter[str] = Counter()
    named = []
    for finding in findings:
        several = of_check[finding.check] > 1 and finding.subject
        name = f"{finding.check} [{finding.subject}]" if several else finding.check
        seen[name] += 1
        named.append((f"{name} ({seen[name]})" if seen[name] > 1 else name, finding))
    return named


def _fill(case: Element, finding: Finding, end: Outcome) -> None:
    cause = [plain(f"caused by {finding.caused_by}")] if finding.caused_by else []
    text = "\n".join([*lines(finding, []), *cause])
    match end:
        case "failure" | "error":
            child = SubElement(case, end, type=finding.status, message=_xml(plain(said(finding))))
            child.text = _xml(text)
        case "skipped":
            prefix = "unknown: " if finding.status == "unknown" else ""
            SubElement(case, "skipped", message=_xml(plain(prefix + said(finding))))
            if finding.status == "unknown":
                SubElement(case, "system-out").text = _xml(text)
        case "passed" if finding.status == "warn":
            SubElement(case, "system-out").text = _xml(f"warning: {text}")
        case "passed":
            pass


def _xml(text: str) -> str:
    """The text without characters that XML cannot have."""
    return _NOT_XML.sub("", text)
