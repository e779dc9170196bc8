"""`envkit doctor --python`: an interpreter that is not there, too old, or broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]
Program = Callable[[str], Path]


def test_what_is_no_interpreter_is_wrong_usage(envkit: Envkit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for asked, said in (
        (tmp_path / "gone", "no such file"),
        ("no-such-python", "no such file, and no such command on PATH"),
        (tmp_path, "this folder is no environment: it has no bin/python"),
        (tmp_path / "file", "is not an executable file"),
    ):
        ran = envkit("doctor", "--python", asked)
        assert (ran.status, ran.out) == (2, "")
        assert ran.error().startswith(f"--python {asked}: ")
        assert said in ran.error()


def test_an_environment_whose_base_python_is_gone_is_told_as_that(envkit: Envkit, bare: Path, tmp_path: Path) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").write_text((bare / "pyvenv.cfg").read_text())
    (tmp_path / "env/bin/python").symlink_to(tmp_path / "removed/python3.11")
    for asked in (tmp_path / "env", tmp_path / "env/bin/python"):
        ran = envkit("doctor", "--python", asked)
        assert ran.status == 2
        assert str(tmp_path / "removed/python3.11") in ran.error()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("echo hello", "ended without an answer: is it a Python?"),
        ("echo cannot >&2; exit 7", "ended with exit status 7: cannot"),
        ("sleep 60", "no answer within 1 s"),
    ],
)
def test_a_mute_interpreter_is_unknown_with_its_reason_once_and_the_machine_is_judged(
    envkit: Envkit, program: Program, script: str, why: str
) -> None:
    started = time.monotonic()
    judge = ("doctor", "--python", program(script), "--timeout", "1")
    text, report = envkit(*judge), envkit(*judge, "--format", "json").json
    assert time.monotonic() - started < 6, "two runs with a deadline of 1 s each"
    assert (text.status, text.err, report["status"]) == (3, "", "unknown")
    assert text.out.startswith("? could not tell whether this machine can train: ")
    assert why in report["headline"]
    assert [f["check"] for f in report["findings"] if f["status"] == "unknown"] == ["python-unknown"]
    assert "✓ machine" in text.out


def python_2() -> Path:
    found = next(iter(sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python"))), None)
    return found or pytest.skip("no Python 2.7 here")


def test_python_2_is_named_as_too_old(envkit: Envkit) -> None:
    ran = envkit("doctor", "--python", python_2())
    assert (ran.status, ran.err) == (1, "")
    assert ran.first_line.startswith("✗ cannot train: Python 2.7.")
    assert ran.first_line.endswith(" is too old for every current framework")


def test_a_profile_is_not_as_required_with_the_wrong_python(envkit: Envkit) -> None:
    assert "as required" not in envkit("doctor", "--profile", "cpu", "--python", python_2()).out


def test_a_profile_is_not_as_required_where_the_interpreter_is_mute(envkit: Envkit, program: Program) -> None:
    assert "as required" not in envkit("doctor", "--profile", "cpu", "--python", program("exit 1")).out


def test_noise_at_start_changes_no_verdict_and_no_json(envkit: Envkit, program: Program, cpu_stack: Path) -> None:
    loud = program(f'echo "noise {{"; echo noise >&2; exec {cpu_stack} "$@"')
    ran = envkit("doctor", "--profile", "cpu", "--python", loud, "--format", "json")
    assert (ran.status, ran.json["status"]) == (0, "healthy")
    facts = envkit("probe", "--python", loud).json
    assert "noise {" in facts["python"]["facts"]["started_with_noise"]


def test_without_frameworks_the_remedy_is_a_command(envkit: Envkit, bare: Path) -> None:
    ran = envkit("doctor", "--python", bare, "--profile", "cpu")
    assert ran.status == 1
    assert ran.first_line.startswith("✗ cannot train with profile cpu: torch, ")
    assert f"envkit setup --profile cpu --venv {bare}" in [line.strip() for line in ran.out.splitlines()]
