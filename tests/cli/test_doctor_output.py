"""`envkit doctor --format X --output FILE`: which form goes where, and what is said where it cannot."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from envkit.cli._output import redacted
from envkit.findings import Finding, Report

Envkit = Callable[..., Any]

MACHINE = Path(__file__).parents[1] / "machines/h100-passed-through/facts.json"
JUDGE = ("doctor", "--profile", "cuda12", "--facts", MACHINE)
FIRST_BYTES = {"text": "✗ ", "json": "{", "junit": "<?xml ", "github": "::group::", "markdown": "### "}


def as_nobody() -> list[str]:
    """Words before a command that take from root the right to write anywhere."""
    return ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("name", FIRST_BYTES)
def test_the_file_has_the_format_and_the_terminal_the_text(envkit: Envkit, tmp_path: Path, name: str) -> None:
    file = tmp_path / "out/report"
    file.parent.mkdir()
    plain = envkit(*JUDGE)
    ran = envkit(*JUDGE, "--format", name, "--output", file)
    assert (ran.status, ran.out, ran.err) == (plain.status, plain.out, "")
    assert file.read_text().startswith(FIRST_BYTES[name])
    assert os.listdir(file.parent) == ["report"]
    printed = envkit(*JUDGE, "--format", name)
    assert (printed.status, printed.out) == (plain.status, file.read_text())


def test_a_new_file_can_be_read_by_others_and_an_old_one_keeps_its_mode_and_its_link(
    envkit: Envkit, tmp_path: Path
) -> None:
    before = ["sh", "-c", 'umask 022; exec "$@"', "sh"]
    file, link = tmp_path / "report.json", tmp_path / "link"
    link.symlink_to(file)
    envkit(*JUDGE, "--format", "json", "--output", link, before=before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    file.write_text("x" * 1_000_000)
    file.chmod(0o600)
    envkit(*JUDGE, "--format", "json", "--output", link, before=before)
    assert (link.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == (True, 0o600)
    assert json.loads(file.read_text())["schema"] == "envkit.report/1"


def test_a_place_that_cannot_be_written_is_a_line_before_anything_is_asked(
    envkit: Envkit, tmp_path: Path, program: Callable[[str], Path]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    python = program(f"touch {tmp_path}/asked")
    for place, said in (
        (closed / "x", "it may not be written there"),
        (tmp_path / "no/x", f"there is no folder {tmp_path}/no"),
        (tmp_path, "this is a folder"),
    ):
        ran = envkit("doctor", "--python", python, "--format", "json", "--output", place, before=as_nobody())
        assert (ran.status, ran.out, ran.error()) == (2, "", f"--output {place}: {said}")
    assert not (tmp_path / "asked").exists()


def test_a_full_disk_is_a_line_after_the_verdict(envkit: Envkit, in_mounts: Callable[[str], list[str]]) -> None:
    fill = "mount -t tmpfs -o size=4k none /mnt; echo old > /mnt/report"
    check = ["sh", "-c", '"$@"; status=$?; cat /mnt/report; ls -A /mnt; exit $status', "sh"]
    ran = envkit(*JUDGE, "--format", "json", "--output", "/mnt/report", before=[*in_mounts(fill), *check])
    assert (ran.status, ran.error()) == (2, "--output /mnt/report: No space left on device")
    assert ran.first_line.startswith("✗ cannot train")
    assert ran.out.endswith("\nold\nreport\n"), "the old file is there as it was, and nothing beside it"


def test_a_pipe_is_written_into(envkit: Envkit) -> None:
    assert envkit(*JUDGE, "--format", "junit", "--output", "/dev/null").status == 1
    assert Path("/dev/null").is_char_device()


def test_a_format_that_is_none_is_named_with_those_that_are(envkit: Envkit) -> None:
    ran = envkit(*JUDGE, "--format", "junitt")
    assert (ran.status, ran.error()) == (2, "--format: 'junitt' is no format, did you mean 'junit'?")
    assert {"github", "json", "junit", "markdown", "text"} <= set(re.findall(r"\w+", ran.err.splitlines()[1]))


def test_the_step_summary_is_appended_to(envkit: Envkit, tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    ran = envkit(*JUDGE, "--format", "github", env={"GITHUB_STEP_SUMMARY": str(file)})
    assert (ran.status, ran.err) == (1, "")
    assert file.read_text() == "before\n" + envkit(*JUDGE, "--format", "markdown").out + "\n"
    assert "### " not in ran.out
    envkit(*JUDGE, "--format", "json", env={"GITHUB_STEP_SUMMARY": str(file)})
    assert file.read_text().count("### ") == 1, "only the format for GitHub writes it"


@pytest.mark.parametrize(
    ("place", "why"),
    [("/no/such/folder/x", "No such file or directory"), ("/dev/full", "No space left on device"), ("full", "1 MiB")],
)
def test_a_step_summary_that_cannot_be_written_takes_nothing_from_the_verdict(
    envkit: Envkit, tmp_path: Path, place: str, why: str
) -> None:
    (tmp_path / "full").write_bytes(b"x" * (1 << 20))
    ran = envkit(*JUDGE, "--format", "github", env={"GITHUB_STEP_SUMMARY": str(tmp_path / place)})
    assert (ran.status, ran.out) == (1, envkit(*JUDGE, "--format", "github").out)
    assert ran.err.startswith("warning: GITHUB_STEP_SUMMARY: the step summary is not written: ")
    assert ran.err.endswith(f"{why}\n")


@pytest.mark.parametrize("host", ["testsuite", "unknown-host", "details"])
def test_what_is_taken_out_breaks_no_markup(envkit: Envkit, tmp_path: Path, host: str) -> None:
    """A host that is called as an element of XML is, and a home that is everywhere in the report."""
    if subprocess.run(["unshare", "-u", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -u, which takes root")
    before = ["unshare", "-u", "sh", "-c", f'hostname {host} && exec "$@"', "sh"]
    facts = tmp_path / "facts.json"
    facts.write_text(MACHINE.read_text().replace("/usr/bin/python3", f"/home/jo/{host}/x?token=abc"))
    judge = ("doctor", "--profile", "cuda12", "--facts", facts)
    xml = envkit(*judge, "--format", "junit", before=before, env={"HOME": "/home/jo"}).out
    assert ET.fromstring(xml).find("testsuite") is not None
    assert "/home/jo" not in xml
    report = envkit(*judge, "--format", "json", before=before, env={"HOME": "/home/jo"}).json
    assert report["status"] == "unhealthy"


@pytest.mark.parametrize("odd", ["", "\n\x1e\n"])
def test_every_text_of_a_report_is_redacted_and_no_word_of_envkits(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """Also where a text has what they are joined with in it."""
    monkeypatch.setenv("HOME", "/home/machine")
    text = f"{odd}'https://jo:pw@example.com/x?token=abc' in /home/machine/x"
    finding = Finding(check="home", area="machine", status="fail", subject=text, message=text, evidence=[text])
    report = Report(status="unhealthy", headline=text, python="/home/machine/x", findings=[finding] * 2)
    clean = redacted(report)
    assert [(f.check, f.area, f.status) for f in clean.findings] == [("home", "machine", "fail")] * 2
    written = msgspec.json.encode(clean).decode()
    assert not [word for word in ("/home/machine", "abc", "jo:pw") if word in written]
    assert clean.findings[1].evidence[0].startswith(f"{odd}'https://")
    assert clean.python == "~/x"


def test_no_format_is_imported_before_there_is_something_to_print() -> None:
    """`envkit doctor` starts fast: what printing needs is imported while the inspected Python works."""
    code = "import sys; from envkit.cli import _output; from envkit.formats import Style; "
    code += "_output.printer('text', '', Style()); print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    assert "envkit.formats" in loaded
    assert not loaded & {"xml.etree.ElementTree", "envkit.formats.text", "envkit.redact", "hashlib", "rich.console"}
