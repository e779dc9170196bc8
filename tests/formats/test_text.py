"""The report as people see it."""

from __future__ import annotations

import re

from envkit.facts import Facts
from envkit.findings import Finding, Remedy, Report
from envkit.formats import Style
from envkit.formats.text import render

FACTS = Facts()
REPORT = Report(
    status="unhealthy",
    headline="cannot train with profile cuda12: no NVIDIA GPU in this machine",
    summary={"machine": "Debian, 2 CPUs", "accelerators": "none found"},
    findings=[
        Finding(
            check="gpu-missing",
            area="accelerators",
            status="fail",
            message="no NVIDIA GPU in this machine, where the profile wants at least one of compute capability 7.0",
            evidence=["none of 14 PCI devices is NVIDIA's"],
            remedy=Remedy(text="For the CPU:", commands=[["envkit", "setup", "--profile", "my cpu"]], who="admin"),
        ),
        Finding(
            check="torch-on-cpu",
            area="frameworks",
            status="fail",
            message="PyTorch uses the CPU",
            caused_by="gpu-missing",
        ),
        Finding(check="memory-low", area="machine", status="pass", message="Little memory"),
        Finding(check="gpu-hot", area="accelerators", status="skip", message="nvidia: absent"),
    ],
)


def test_the_verdict_is_the_first_line_and_a_healthy_area_takes_one() -> None:
    lines = render(REPORT, Style(width=80), FACTS).split("\n")
    assert lines[0].startswith("✗ cannot train with profile cuda12")
    assert "✓ machine       Debian, 2 CPUs" in lines


def test_a_consequence_stands_once_under_its_cause() -> None:
    text = render(REPORT, Style(width=80), FACTS)
    assert text.count("PyTorch uses the CPU") == 1
    assert text.index("no NVIDIA GPU in this machine, where") < text.index("so PyTorch uses the CPU")


def test_commands_are_quoted_for_the_shell_and_not_wrapped() -> None:
    assert "envkit setup --profile 'my cpu'\n" in render(REPORT, Style(width=40), FACTS)


def test_what_comes_from_a_machine_or_a_file_cannot_drive_the_terminal() -> None:
    evil = "NVIDIA\x1b]0;owned\x07 \x9b31mA100\nx"
    finding = Finding(
        check="gpu-lost",
        area="accelerators",
        status="fail",
        subject=evil,
        message=evil,
        evidence=[evil],
        remedy=Remedy(text=evil, commands=[["echo", evil]]),
    )
    report = Report(status="unhealthy", headline=evil, summary={"accelerators": evil}, findings=[finding])
    text = render(report, Style(width=80), FACTS)
    assert not [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
    assert "A100" in text


def test_the_width_is_kept() -> None:
    for width in (60, 80, 120):
        assert all(len(line) <= width for line in render(REPORT, Style(width=width), FACTS).split("\n"))


def test_colour_changes_nothing_but_escape_codes() -> None:
    for verbose in (False, True):
        coloured = render(REPORT, Style(width=60, colour=True, verbose=verbose), FACTS)
        assert "\x1b[31m✗" in coloured
        assert re.sub(r"\x1b\[\d+m", "", coloured) == render(REPORT, Style(width=60, verbose=verbose), FACTS)


def test_verbose_shows_passed_and_skipped_checks_as_what_they_are() -> None:
    text = render(REPORT, Style(width=100, verbose=True), FACTS)
    assert re.search(r"✓ memory-low", text)
    assert re.search(r"- gpu-hot +nvidia: absent", text)


def test_verbose_shows_the_checks_of_an_area_of_which_nothing_else_is_to_say() -> None:
    skipped = Finding(check="profile-python", area="profile", status="skip", message="no profile")
    report = Report(status="healthy", headline="healthy", findings=[skipped])
    assert "profile" not in render(report, Style(), FACTS)
    assert "- profile\n    - profile-python " in render(report, Style(verbose=True), FACTS)
