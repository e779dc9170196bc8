"""`envkit doctor`: verdict, causes, formats, and the same judgement from a file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]

without_gpu = pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is an NVIDIA GPU here")
FINDING = {"check", "area", "status", "subject", "message", "evidence", "remedy", "caused_by"}


def on_terminal(argv: list[str], environ: dict[str, str], columns: int) -> str:
    """What a command writes on a terminal that is so wide."""
    ours, its = pty.openpty()
    subprocess.run(["stty", "cols", str(columns)], stdin=its, check=True)
    process = subprocess.Popen(argv, env=environ, stdin=its, stdout=its, stderr=its)
    os.close(its)
    text = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not chunk:
            break
        text += chunk
    os.close(ours)
    assert process.wait(10) == 0
    return text.decode().replace("\r\n", "\n")


def as_judged(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "taken_at"}


def test_a_matching_environment_is_healthy(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack)
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line == "✓ healthy: this machine can train with profile cpu"
    assert "PyTorch 2." in ran.out
    assert "TensorFlow 2." in ran.out
    assert len(ran.out.splitlines()) < 15, "healthy areas take a line each"


def test_every_check_is_shown_with_v(envkit: Envkit, cpu_stack: Path) -> None:
    report = envkit("doctor", "--python", cpu_stack, "--format", "json").json
    shown = envkit("doctor", "--python", cpu_stack, "-v").out
    assert [f["check"] for f in report["findings"] if f["check"] not in shown] == []


@without_gpu
def test_a_missing_gpu_is_said_first_and_once_with_what_follows_and_what_to_do(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cuda12", "--python", cpu_stack, env={"COLUMNS": "200"})
    assert (ran.status, ran.err) == (1, "")
    problem = "there is no NVIDIA GPU, which profile cuda12 needs"
    assert ran.first_line == f"✗ cannot train with profile cuda12: {problem}"
    lines = [line.strip() for line in ran.out.splitlines()[1:]]
    told = [number for number, line in enumerate(lines) if problem in line]
    assert len(told) == 1
    below = lines[told[0] :]
    for consequence in ("[torch-trains-on-cpu]", "[tensorflow-trains-on-cpu]"):
        (line,) = [line for line in lines if consequence in line]
        assert line.startswith("so ")
        assert line in below
    assert "envkit setup --profile cpu" in below


@without_gpu
def test_json_names_the_cause_of_each_consequence(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cuda12", "--python", cpu_stack, "--format", "json")
    assert (ran.status, ran.err) == (1, "")
    assert (ran.json["schema"], ran.json["status"]) == ("envkit.report/1", "unhealthy")
    findings = ran.json["findings"]
    assert all(finding.keys() == FINDING for finding in findings)
    assert (findings[0]["check"], findings[0]["caused_by"]) == ("nvidia-gpu-missing", None)
    assert ["envkit", "setup", "--profile", "cpu"] in findings[0]["remedy"]["commands"]
    caused = {f["check"]: f["caused_by"] for f in findings if f["caused_by"]}
    assert caused["torch-trains-on-cpu"] == "nvidia-gpu-missing"


def test_select_and_ignore_take_checks_and_areas(envkit: Envkit, cpu_stack: Path) -> None:
    def checks(*options: str) -> dict[str, str]:
        found = envkit("doctor", "--python", cpu_stack, "--format", "json", *options).json["findings"]
        return {f["check"]: f["area"] for f in found}

    assert checks("--select", "disk-low,shm-small") == {"disk-low": "machine", "shm-small": "container"}
    selected = checks("--select", "machine", "--select", "python", "--ignore", "disk-low")
    assert set(selected.values()) == {"machine", "python"}
    assert "disk-low" not in selected


def test_fail_on_decides_the_exit_status(envkit: Envkit, bare: Path) -> None:
    judge = ("doctor", "--profile", "cpu", "--python", bare)
    assert envkit(*judge).status == 1
    assert envkit(*judge, "--fail-on", "never").status == 0
    assert envkit(*judge, "--ignore", "profile,frameworks", "--fail-on", "warn").status in {0, 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--select", "disk-lo"], "no check or area is called 'disk-lo', did you mean 'disk-low'?"),
        (["--ignore", "nope"], "no check or area is called 'nope'"),
        (["--format", "jsn"], "--format: 'jsn' is no format, did you mean 'json'?"),
        (["--fail-on", "fial"], "Invalid value for '--fail-on'"),
        (["--profile", "cpuu"], "did you mean `cpu`?"),
        (["--timeout", "0"], "Invalid value for '--timeout'"),
        (["--timeout", "soon"], "Invalid value for '--timeout'"),
        (["extra"], "unexpected extra argument"),
        (["--timeout", "inf"], "--timeout"),
    ],
)
def test_an_unknown_value_is_one_line_with_the_nearest(
    envkit: Envkit, bare: Path, options: list[str], said: str
) -> None:
    ran = envkit("doctor", "--python", bare, *options)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()


def test_colours_on_a_terminal_only_and_never_with_no_color(
    envkit: Envkit, cpu_stack: Path, environ: dict[str, str]
) -> None:
    argv = [sys.executable, "-m", "envkit", "doctor", "--profile", "cpu", "--python", str(cpu_stack)]
    environ |= {"TERM": "xterm"}
    plain = envkit(*argv[3:]).out
    assert "\x1b" not in plain
    coloured = on_terminal(argv, environ, 100)
    assert "\x1b[32m✓\x1b[0m" in coloured
    assert on_terminal(argv, environ | {"NO_COLOR": "1"}, 100) == plain
    assert "\x1b" not in on_terminal(argv, environ | {"TERM": "dumb"}, 100)


def test_no_line_is_wider_than_the_terminal_except_commands(
    envkit: Envkit, cpu_stack: Path, environ: dict[str, str]
) -> None:
    ran = envkit("doctor", "--profile", "cuda12", "--python", cpu_stack, "-v", env={"COLUMNS": "60"})
    assert [line for line in ran.out.splitlines() if len(line) > 60 and not line.startswith(" " * 10)] == []
    argv = [sys.executable, "-m", "envkit", "doctor", "--python", str(cpu_stack)]
    shown = on_terminal(argv, environ | {"NO_COLOR": "1"}, 60)
    assert max(map(len, shown.splitlines())) <= 60


def test_a_file_of_probe_is_judged_as_the_machine_itself(envkit: Envkit, cpu_stack: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(envkit("probe", "--python", cpu_stack).out)
    for profile in ("cpu", "cuda12"):
        judge = ("doctor", "--profile", profile, "--format", "json")
        here = envkit(*judge, "--python", cpu_stack)
        there = envkit(*judge, "--facts", facts)
        assert (there.status, there.err) == (here.status, here.err)
        assert as_judged(there.json) == as_judged(here.json)
    piped = envkit("doctor", "--profile", "cpu", "--facts", "-", stdin=facts.read_text())
    assert (piped.status, piped.first_line) == (0, "✓ healthy: this machine can train with profile cpu")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "facts.json: No such file or directory"),
        (b"", "not JSON"),
        (b"GPU 0: NVIDIA A10\n", "not JSON"),
        (bytes(range(128, 256)) * 9, "not JSON"),
        (b'{"schema": "envkit.facts/1", "cpu": {"outc', "not JSON"),
        (b"[1, 2]", "expected 'envkit.facts/1'"),
        (b'{"schema": "envkit.facts/2"}', "schema is 'envkit.facts/2', expected 'envkit.facts/1'"),
        (b'{"schema": "envkit.facts/1", "cpu": 3}', "Expected `object`, got `int` - at `$.cpu`"),
    ],
)
def test_a_file_that_is_no_facts_is_one_line(envkit: Envkit, tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "facts.json"
    if content is not None:
        file.write_bytes(content)
    ran = envkit("doctor", "--facts", file)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.error()


def test_a_folder_of_facts_and_a_second_machine_are_refused(envkit: Envkit, tmp_path: Path, bare: Path) -> None:
    assert envkit("doctor", "--facts", tmp_path).error() == f"{tmp_path}: Is a directory"
    ran = envkit("doctor", "--facts", tmp_path / "x", "--python", bare)
    assert (ran.status, ran.error().split(":")[0]) == (2, "--facts judges a file")
