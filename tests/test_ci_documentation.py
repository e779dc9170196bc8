"""What docs/ci.md says is true: its commands run, in shell and in YAML, and its table of formats is complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from envkit import formats

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands_in(value: Any) -> Iterator[str]:
    """Whatever a job of YAML runs."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key in {"run", "script"}:
            yield from [inner] if isinstance(inner, str) else inner
        elif isinstance(inner, (dict, list)):
            yield from commands_in(inner)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines()]
COMMANDS += [line for block in blocks("yaml") for line in commands_in(yaml.safe_load(block))]
COMMANDS += [line for block in blocks("groovy") for line in re.findall(r"sh '(.*)'", block)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are run, one after the other."""
    folder = tmp_path_factory.mktemp("ci")
    shutil.copytree(ROOT / "docs/schemas", folder / "docs/schemas")
    (folder / "bin").mkdir()
    command = folder / "bin/envkit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envkit "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize("line", dict.fromkeys(COMMANDS))
def test_a_command_runs(line: str, folder: Path, cpu_stack: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(cpu_stack.parents[1]),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    ran = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr if "doctor" in line else "") == (0, ""), ran.stdout + ran.stderr
    for file in re.findall(r"(?:--output|>) (\S+)", line):
        assert (folder / file).stat().st_size > 500
    if "--format github" in line:
        assert (folder / "summary.md").read_text().startswith("### ")


def test_the_report_that_was_written_is_valid_as_the_page_says(folder: Path) -> None:
    (code,) = blocks("python")
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def test_there_are_commands_for_shell_github_gitlab_and_jenkins() -> None:
    assert len(COMMANDS) == 8
    assert sum("--format github" in line for line in COMMANDS) == 1


def test_every_format_is_on_the_page() -> None:
    table = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## A form")[2], re.MULTILINE)
    assert set(table) >= set(formats.names()) - {"prometheus"}
    assert len(table) == len(set(table))
