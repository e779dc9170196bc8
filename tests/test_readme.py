"""What README.md says is true: its examples run, its profile is valid, every command has an example."""

from __future__ import annotations

import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import envkit.cli
from envkit.checks import discover
from envkit.profile import load

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
_BLOCK = README.partition("## Examples")[2].partition("## Profiles")[0]
EXAMPLES = re.findall(r"^(?:envkit|echo) .*$", _BLOCK, re.MULTILINE)
# What a machine's state decides: any verdict is right, as long as there is one.
OK_TO_FAIL = {"--fail-on warn", "envkit diff"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples are run, one after the other: some read what another wrote."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs(line: str, folder: Path, cpu_stack: Path) -> None:
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "envkit"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envkit "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(cpu_stack.parent.parent),
    }
    ran = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    allowed = {0, 1} if any(part in line for part in OK_TO_FAIL) else {0}
    assert ran.returncode in allowed, ran.stdout + ran.stderr
    assert ran.stdout or ">" in line


def test_there_are_examples_of_every_command() -> None:
    commands = {info.name for info in pkgutil.iter_modules(envkit.cli.__path__) if not info.name.startswith("_")}
    assert commands == {line.split()[1] for line in EXAMPLES if line.startswith("envkit")}


def test_the_profile_in_it_is_valid(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "lab.yaml"
    path.write_text(block)
    profile = load(str(path), checks={check.id: check.thresholds for check in discover().values()})
    assert profile.requires.accelerators_min == 8
    assert profile.requires.accelerator == "nvidia"
    assert profile.checks["shm-small"].thresholds == {"minimum_bytes": 8 << 30}


def test_nothing_tells_anyone_to_install_the_other_envkit() -> None:
    texts = [path for path in ROOT.rglob("*") if path.suffix in {".md", ".py", ".yaml", ".toml"} and path.is_file()]
    texts = [path for path in texts if not {".venv", ".envkit", ".git", ".test-stack"} & set(path.parts)]
    wrong = re.compile(r"(pip|uv|pipx|uvx)( tool| pip)? (install|run)( -\S+)* envkit(?![-\w])")
    assert len(texts) > 100
    assert not [path for path in texts if wrong.search(path.read_text(errors="replace"))]
