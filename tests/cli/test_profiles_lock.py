"""`envkit profiles lock` and `freeze`: what is written, what is said, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envkit.setup.resolving.platforms import PLATFORMS, own_platform
from tests.setup.conftest import zip_wheel

Envkit = Callable[..., Any]
HERE = own_platform()
pytestmark = pytest.mark.skipif(HERE not in PLATFORMS, reason="no locks are made for this platform")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine that knows one wheelhouse: alpha 1.0, which needs beta 2.0."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    zip_wheel(wheels, "alpha", "1.0", ("beta",))
    zip_wheel(wheels, "beta", "2.0")
    cache = {"HOME": str(tmp_path / "home"), "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_NO_CONFIG": "1"}
    return cache | {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(
        "packages: [alpha==1.0]\nrequires: {python: '==3.12.*'}\noptions: {more: {packages: [gamma==1.0]}}\n"
    )
    return path


def test_a_profile_is_locked_for_every_platform_and_found_current(
    envkit: Envkit, env: dict[str, str], lab: Path
) -> None:
    made = envkit("profiles", "lock", lab, env=env)
    assert made.status == 0
    assert made.out == "".join(f"✓ lab 3.12 {word}: made\n" for word in PLATFORMS)
    assert {path.name for path in lab.parent.glob("locks/lab/*")} == {f"py312-{word}.txt" for word in PLATFORMS}
    again = envkit("profiles", "lock", lab, "--check", env=env)
    assert (again.status, again.out.count("current")) == (0, len(PLATFORMS))


def test_a_check_shows_the_difference_and_ends_with_1(
    envkit: Envkit, env: dict[str, str], lab: Path, tmp_path: Path
) -> None:
    target = ("--platform", "linux-aarch64", "--python", "3.12")
    assert envkit("profiles", "lock", lab, *target, "--check", env=env).out == (
        "▲ lab 3.12 linux-aarch64: there is no lock\n"
    )
    envkit("profiles", "lock", lab, *target, env=env)
    zip_wheel(tmp_path / "wheels", "beta", "3.0")
    checked = envkit("profiles", "lock", lab, *target, "--check", env=env)
    told = "▲ lab 3.12 linux-aarch64: not what would be locked now\n    beta 2.0 → 3.0\n"
    assert (checked.status, checked.out) == (1, told)


def test_what_cannot_be_locked_is_said_and_the_rest_is_locked_all_the_same(
    envkit: Envkit, env: dict[str, str], lab: Path
) -> None:
    other = lab.with_name("other.yaml")
    other.write_text("packages: [gamma==1.0]\nrequires: {python: '==3.12.*'}\n")
    ran = envkit("profiles", "lock", other, lab, "--platform", HERE, env=env)
    assert ran.status == 1
    assert "✗ other 3.12" in ran.out
    assert "gamma" in ran.out
    assert f"✓ lab 3.12 {HERE}: made" in ran.out
    assert "error: 1 could not be locked" in ran.err


def test_an_option_has_a_lock_of_its_own(envkit: Envkit, env: dict[str, str], lab: Path, tmp_path: Path) -> None:
    zip_wheel(tmp_path / "wheels", "gamma", "1.0")
    assert envkit("profiles", "lock", lab, "--platform", HERE, "--with", "more", env=env).status == 0
    assert "gamma==1.0" in (tmp_path / f"locks/lab/with-more/py312-{HERE}.txt").read_text(encoding="utf-8")


def test_an_unknown_python_is_wrong_usage(envkit: Envkit, env: dict[str, str], lab: Path) -> None:
    ran = envkit("profiles", "lock", lab, "--python", "3.9", env=env)
    assert (ran.status, ran.error()) == (2, "profile lab does not allow Python 3.9, but 3.12")


def test_a_frozen_environment_must_have_a_name_to_stand_under(envkit: Envkit, env: dict[str, str]) -> None:
    assert envkit("profiles", "freeze", "-o", "a:b", env=env).status == 2
