"""`envkit doctor --fix`: says what can be done and by whom, does what is safe, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Envkit = Callable[..., Any]

TINY = "description: Tiny.\nrequires: {python: '>=3.10'}\npackages: [alpha==1.0]\n"


@pytest.fixture
def torn(envkit: Envkit, world: dict[str, str], tmp_path: Path) -> Path:
    """An environment that lacks what its profile asks for."""
    profile = tmp_path / "tiny.yaml"
    profile.write_text(TINY)
    assert envkit("setup", "--profile", profile, "--no-smoke", env=world).status == 0
    folder = tmp_path / "here/.venv"
    (metadata,) = folder.glob("lib/python*/site-packages/alpha-1.0.dist-info")
    metadata.rename(metadata.with_name("gone"))
    return folder


def test_a_dry_run_says_what_it_would_mend_and_changes_nothing(
    envkit: Envkit, torn: Path, world: dict[str, str], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("here/**/*"))
    ran = envkit("doctor", "--python", torn, "--fix", "--dry-run", env=world)
    assert ran.status == 1
    assert (
        f"envkit builds {torn} anew by profile tiny, which mends:\n  · alpha of profile tiny is not installed"
        in ran.out
    )
    assert sorted(tmp_path.rglob("here/**/*")) == before


def test_it_builds_the_environment_anew_and_keeps_the_old_one(
    envkit: Envkit, torn: Path, world: dict[str, str]
) -> None:
    ran = envkit("doctor", "--python", torn, "--fix", env=world)
    assert ran.status == 0, ran.out + ran.err
    assert envkit("doctor", "--python", torn, env=world).status == 0
    assert torn.with_name(".venv.previous").exists()


def test_what_it_may_not_do_it_prints_for_whoever_may(envkit: Envkit, bare: Path) -> None:
    ran = envkit("doctor", "--python", bare, "--fix")
    assert ran.status == 1
    assert "for you: neither PyTorch nor TensorFlow nor JAX is installed [frameworks-missing]" in ran.out
    assert "      envkit setup --profile cpu\n" in ran.out


def test_it_mends_this_machine_only(envkit: Envkit) -> None:
    assert envkit("doctor", "--facts", "x", "--fix").error().startswith("--fix mends this machine")
    assert envkit("doctor", "--dry-run").error() == "--dry-run belongs to --fix"
