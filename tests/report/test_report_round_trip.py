"""A report that was pasted into an issue or a chat is read as the file itself is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.errors import InputError
from envkit.facts import Facts, decode
from envkit.knowledge import load
from envkit.profile import Profile
from envkit.readers import attachment, read_all
from envkit.redact import Identity, Redactor
from envkit.report.facts import redacted
from envkit.report.markdown import listed, render
from envkit.smoke.types import RunResult, SmokeReport

MACHINES = Path(__file__).parents[1] / "machines"
XID = "[   12.345678] NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.\n"


@pytest.fixture(scope="module")
def facts() -> Facts:
    text = (MACHINES / "h100x8-one-gpu-lost/facts.json").read_bytes()
    return redacted(decode(text, "facts"), Redactor(Identity()))


@pytest.fixture(scope="module")
def report(facts: Facts) -> str:
    run = RunResult(
        framework="torch", model="mlp", device="cuda:0", status="fail", message="lost ```` @everyone </details>"
    )
    judged = examine(facts, Profile(), load(), discover())
    return render(judged, facts, SmokeReport(status="unhealthy", runs=[run]), "", {"token": 3, "host": 1, "e-mail": 2})


def as_rendered(text: str) -> str:
    """What is copied from the page that GitHub makes of it."""
    text = re.sub(r"</?(?:details|summary|code)>", "", text)
    return re.sub(r"^(?:#+ |`{3,}\w*\n?)", "", text, flags=re.MULTILINE)


PASTED: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "by Windows": lambda text: text.replace("\n", "\r\n"),
    "quoted": lambda text: "".join(f"> {line}\n" for line in text.split("\n")),
    "in a list": lambda text: text.replace("\n", "\n    "),
    "from the page": as_rendered,
    "with words around it": lambda text: f"Hello,\n\nit does not train:\n\n{text}\nWhat is wrong?\n\n-- \nAda\n",
    "without lines' ends of Markdown": lambda text: text.replace("\n\n", "\n"),
    "with no-break spaces": lambda text: text.replace("  ", "\u00a0\u00a0"),
}


@pytest.mark.parametrize("way", PASTED)
def test_the_facts_of_a_pasted_report_are_those_of_the_machine(way: str, report: str, facts: Facts) -> None:
    again = read_all(PASTED[way](report))
    assert examine(again, Profile(), load(), discover()) == examine(facts, Profile(), load(), discover())
    assert again.nvidia == facts.nvidia


def test_it_may_be_utf_16_as_powershell_writes_it(report: str, facts: Facts) -> None:
    assert read_all(report.encode("utf-16")).nvidia == facts.nvidia


def test_what_another_tool_printed_beside_it_is_read_too(report: str) -> None:
    both = read_all(f"{report}\nand dmesg says\n{XID}")
    assert both.sources == ["envkit report", "kernel log"]


def test_of_two_reports_the_first_is_judged_and_the_other_not_read_as_a_log(report: str, facts: Facts) -> None:
    for other in (report, report.replace("```", ""), report[: len(report) // 2]):
        both = read_all(f"{report}\nand the other machine:\n\n{other}")
        assert both.sources in ([], facts.sources)
        assert both.kernel_log == facts.kernel_log


def test_the_verdict_comes_first_and_what_was_removed_is_told(report: str) -> None:
    lines = report.split("\n")
    assert lines[0] == "# envkit report: unhealthy"
    assert "Nothing was sent anywhere." in lines[2]
    assert "Removed: 3 tokens, 1 host name, 2 e-mail addresses." in lines[3]
    assert (
        report.index("cannot train")
        < report.index("### Versions")
        < report.index("### Smoke")
        < report.index("### Data")
    )
    assert listed({}) == "nothing"


def test_no_fence_is_closed_by_what_stands_in_it(report: str) -> None:
    opened = ""
    for line in report.split("\n"):
        fence = re.fullmatch(r"(`{3,})(\w*)", line)
        if fence and not opened:
            opened = fence[1]
        elif fence and len(fence[1]) >= len(opened) and not fence[2]:
            opened = ""
    assert opened == ""
    assert report.rstrip().endswith("End of the envkit report.")


def test_a_later_or_broken_report_is_refused_with_a_reason(report: str) -> None:
    later = report.replace("envkit.attachment/1", "envkit.attachment/2")
    facts_of_later = report.replace("envkit.facts/1", "envkit.facts/7")
    cut = report[: report.index('"facts"') + 2000]
    bare = '{"schema": "envkit.attachment/1"}'
    empty = '{"schema": "envkit.attachment/1", "facts": {"schema": "envkit.facts/1"}}'
    curly = report.replace('"', "\u201d")
    for text, reason in (
        (later, "envkit.attachment/2"),
        (facts_of_later, "envkit.facts/7"),
        (cut, "cut off"),
        (bare, "no facts"),
        (empty, "no facts"),
        (curly, "quotation marks"),
    ):
        with pytest.raises(InputError, match=reason):
            read_all(text)
        assert attachment.read(text) is None


def test_every_kind_of_what_is_removed_has_its_noun(report: str) -> None:
    source = "".join(path.read_text() for path in Path(attachment.__file__).parents[1].glob("redact/*.py"))
    kinds = set(re.findall(r'(?:secret|named|name)\("([\w -]+)"', source))
    assert {"token", "user", "host", "ip"} <= kinds
    assert [kind for kind in kinds if listed({kind: 2}) == f"2 {kind}"] == []
