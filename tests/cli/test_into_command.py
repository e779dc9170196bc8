"""The course of `envkit setup --into` and `--system`, from the look at what is there to the last line."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.cli._into import Into
from envkit.errors import InputError
from envkit.formats import Style
from envkit.profile import Profile

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    folder = tmp_path / "here/env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


@pytest.fixture
def run(world: dict[str, str], environ: dict[str, str]) -> Run:
    def go(path: Path, *, dry_run: bool = False, **changes: Any) -> tuple[int, str]:
        told: list[str] = []
        into = Into(
            profile=Profile(name="tiny", packages=["alpha==1.0"]),
            path=str(path),
            **{"system": False, "doctor": True, "smoke": True, **changes},
            environ={**environ, **world},
            style=Style(),
            say=told.append,
            progress_to=io.StringIO(),
        )
        return into.run(dry_run=dry_run), "".join(told)

    return go


def test_a_profile_is_shown_then_put_into_an_environment_and_then_nothing_is_to_do(run: Run, venv: Path) -> None:
    status, told = run(venv, dry_run=True)
    assert (status, sorted(path.name for path in venv.parent.iterdir())) == (0, ["env"])
    assert "alpha none → 1.0" in told
    assert "Judging it" in told
    status, told = run(venv)
    assert status == 0, told
    assert f"ready: {venv} has profile tiny" in told
    assert f"as it was before: {venv}.previous" in told
    ran = subprocess.run([venv / "bin/alpha-where"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{venv}\n", "its scripts run from where it is"
    assert run(venv) == (0, f"✓ nothing to do: {venv} has what profile tiny asks for\n")


def test_a_python_that_is_broken_is_named(run: Run, tmp_path: Path) -> None:
    python = tmp_path / "env/bin/python"
    python.parent.mkdir(parents=True)
    python.write_bytes(b"\x7fELF of another platform")
    python.chmod(0o755)
    with pytest.raises(InputError, match=r"--into .*env: no usable Python: "):
        run(tmp_path / "env")


def test_an_environment_is_no_system(run: Run, venv: Path) -> None:
    with pytest.raises(InputError, match=r"for containers only|is an environment, not the system's Python"):
        run(venv / "bin/python", system=True)
