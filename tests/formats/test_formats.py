"""What holds for every format, and for those that others parse whatever stands in a report."""

from __future__ import annotations

import inspect
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from envkit.errors import InputError
from envkit.facts import Facts
from envkit.findings import Finding, Remedy, Report
from envkit.formats import Style, find, names

MARKUP = (
    "<",
    ">",
    "&",
    "]]>",
    "::",
    "##[error]",
    "\n",
    "\r",
    "%0A",
    "`",
    "|",
    "*",
    "_",
    "[a](b)",
    "@x",
    "#1",
    "\\",
    "\x00",
)
TEXTS = st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=5)), max_size=12).map("".join)


def saying(text: str) -> Report:
    """A report with this text wherever one can be."""
    remedy = Remedy(text=text, commands=[[text]], url="https://example.com")
    finding = Finding(
        check="a", area="machine", status="fail", subject=text, message=text, evidence=[text], remedy=remedy
    )
    return Report(status="unhealthy", headline=text, profile=text, summary={"machine": text}, findings=[finding])


def test_a_file_of_the_folder_is_a_format_and_its_name_an_option() -> None:
    assert {"github", "json", "junit", "markdown", "text"} <= set(names())
    for name in names():
        assert list(inspect.signature(find(name).render).parameters) == ["report", "style", "facts"]
    with pytest.raises(InputError, match="'_shared' is no format"):
        find("_shared")


@pytest.mark.parametrize("name", names())
def test_a_format_prints_any_report(name: str, report: Report, hostile: Report, judged: Callable[..., Report]) -> None:
    encodable = msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(hostile)).replace("\\ud800", "")), Report)
    for one in (report, encodable, judged(report, "unknown")):
        text = find(name).render(one, Style(), Facts())
        assert text.endswith("\n")
        assert text.strip()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_whatever_a_machine_says_the_document_keeps_its_form(text: str) -> None:
    suite = ET.fromstring(find("junit").render(saying(text), Style(), Facts())).find("testsuite")
    assert suite is not None
    assert [child.tag for child in suite] == ["properties", "testcase"]
    log = find("github").render(saying(text), Style(), Facts()).split("\n")
    token = log[1].removeprefix("::stop-commands::")
    assert log.index(f"::{token}::") == len(log) - 5
    assert [line.split("::")[1].split()[0] for line in log[-4:-1]] == ["endgroup", "error", "notice"]
    blocks = MarkdownIt("commonmark").enable("table").parse(find("markdown").render(saying(text), Style(), Facts()))
    assert [block.type for block in blocks if block.type == "html_block"] == ["html_block"] * 2
    assert [block.type for block in blocks].count("fence") == 2
    assert [block.type for block in blocks].count("td_open") == 3
