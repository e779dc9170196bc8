"""The log of a GitHub Actions step, read as the runner reads it (actions/runner: ActionCommandManager.cs)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from envkit.facts import Facts
from envkit.findings import FailOn, Finding, Report
from envkit.formats import Style
from envkit.formats.github import LIMIT, render

Command = tuple[str, dict[str, str], str]
COMMANDS = {"error", "warning", "notice", "debug", "group", "endgroup", "set-output", "set-env", "add-mask"}


def unescaped(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def parsed(line: str, known: set[str]) -> Command | None:
    """A line with `::command k=v,k=v::data` in front, or the old `##[command k=v;k=v]data` anywhere."""
    new = re.match(r"\s*::(.*?)::(.*)", line)
    old = re.search(r"##\[([^\]]*)\](.*)", line)
    for found, separator, in_property in ((new, ",", "\r\n:,%"), (old, ";", ";\r\n]%")):
        if not found:
            continue
        name, _, properties = found[1].partition(" ")
        if name in known:
            pairs = [pair.split("=", 1) for pair in properties.split(separator) if pair]
            return name, {key: unescaped(value, in_property) for key, value in pairs}, unescaped(found[2], "\r\n%")
    return None


def commands(log: str) -> Iterator[Command]:
    """What the runner does with a log."""
    known, stopped_until = {*COMMANDS, "stop-commands"}, ""
    for line in re.split(r"\r\n|\r|\n", log):
        command = parsed(line, known | ({stopped_until} - {""}))
        if command and stopped_until:
            stopped_until = "" if command[0] == stopped_until else stopped_until
        elif command and command[0] == "stop-commands":
            stopped_until = command[2]
        elif command:
            yield command
    assert not stopped_until, "commands are left stopped"


def run(report: Report, fail_on: FailOn = "fail") -> list[Command]:
    return list(commands(render(report, Style(fail_on=fail_on), Facts())))


def test_the_whole_report_is_folded_and_each_problem_is_annotated(report: Report) -> None:
    group, end, *annotations = run(report)
    assert group == ("group", {}, "✗ cannot train with profile cuda12: driver 470 is too old")
    assert end == ("endgroup", {}, "")
    assert [(level, properties["title"]) for level, properties, _ in annotations] == [
        ("error", "driver-too-old"),
        ("error", "driver-too-old"),
        ("error", "jax-broken (crash)"),
        ("warning", "memory-low"),
        ("warning", "clock-off (unknown)"),
        ("notice", "envkit"),
    ]
    assert annotations[0][2].splitlines() == [
        "GPU 0, A10: driver 470 is too old",
        "· /sys/module/nvidia/version: 470.82",
        "· CUDA 12.8 needs 570",
        "→ Install a newer driver. (needs an administrator)",
        "    envkit setup --profile 'my cpu'",
        "    nvidia-smi",
        "    https://example.com/drivers",
        "so PyTorch uses the CPU [torch-on-cpu]",
    ]
    assert "PyTorch" not in annotations[1][2], "what follows is told once"
    assert "driver 470 is too old [driver-too-old]" in render(report, Style(), Facts())


def test_warnings_are_errors_where_they_are_to_fail(report: Report) -> None:
    assert ("error", "memory-low") in [(c[0], c[1].get("title")) for c in run(report, "warn")]


def test_no_text_of_a_machine_becomes_a_command(hostile: Report) -> None:
    found = run(hostile)
    assert [name for name, _, _ in found] == ["group", "endgroup", "error", "warning", "warning", "notice"]
    assert [set(properties) for _, properties, _ in found] == [set(), set(), *[{"title"}] * 4]
    assert "::stop-commands::x ::set-output name=a::b" in found[0][2]
    assert "%25 %milestone" in found[2][2]


def test_a_text_in_the_log_that_would_be_a_command_by_itself_is_none(report: Report) -> None:
    """A wrapped line, or the old kind of command, which may stand anywhere in a line."""
    for evil in ("::error::x", "##[error]x", "##[add-mask]e", "word " * 30 + "::set-env name=PATH::/tmp"):
        finding = msgspec.structs.replace(report.findings[0], message=evil, evidence=[evil] * 3, subject="")
        names = [c[0] for c in run(msgspec.structs.replace(report, headline=evil, findings=[finding]))]
        assert names == ["group", "endgroup", "error", "notice"]


def test_of_many_problems_the_last_annotation_names_those_that_github_would_drop(report: Report) -> None:
    many = [
        Finding(check=f"check-{number}", area="machine", status=status, message="x")
        for number in range(14)
        for status in ("fail", "warn")
    ]
    annotations = run(msgspec.structs.replace(report, findings=many))[2:]
    for level in ("error", "warning"):
        here = [(properties["title"], data) for name, properties, data in annotations if name == level]
        assert len(here) == LIMIT
        assert here[-1][0] == "5 more"
        assert here[-1][1].endswith("check-9, check-10, check-11, check-12, check-13")


def test_a_verdict_that_no_finding_tells_is_an_error_itself(report: Report, judged: Callable[..., Report]) -> None:
    assert [c[0] for c in run(judged(report, "unknown"))] == ["group", "endgroup", "error"]
    assert [c[0] for c in run(judged(report, "healthy", "disk-low"))] == ["group", "endgroup", "notice"]
