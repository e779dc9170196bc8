from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from envkit.profile import Profile
from envkit.setup.state import STATE_FILE, State, digest, read, up_to_date

PROFILE = Profile(name="tiny", packages=["ml-dtypes==0.5"])


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "lib/python3.12/site-packages/ml_dtypes-0.5.dist-info").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    state = State(
        profile="tiny",
        digest=digest(PROFILE),
        packages={"ml-dtypes": "0.5"},
        python="/usr/bin/python3.12",
        python_version="3.12.4",
        made_at="2026-01-01T00:00:00+00:00",
        verdict="proved",
    )
    (tmp_path / STATE_FILE).write_bytes(msgspec.json.encode(state))
    return tmp_path


def test_nothing_is_to_be_done_for_what_is_installed(built: Path) -> None:
    assert up_to_date(built, PROFILE)
    (built / "lib/python3.12/site-packages/pandas-3.0.dist-info").mkdir()
    assert up_to_date(built, PROFILE), "what the user adds does not matter"


@pytest.mark.parametrize(
    ("python", "same"), [("3.12", True), ("3.1", False), ("3.12.4", True), ("/other/python", False)]
)
def test_another_python_is_another_environment(built: Path, python: str, same: bool) -> None:
    assert bool(up_to_date(built, PROFILE, python=python)) is same


@pytest.mark.parametrize("change", [{"packages": ["ml-dtypes==0.6"]}, {"torch_backend": "cpu"}])
def test_a_changed_profile_is_noticed(built: Path, change: dict[str, object]) -> None:
    assert not up_to_date(built, msgspec.structs.replace(PROFILE, **change))


def test_a_changed_installation_is_noticed(built: Path) -> None:
    packages = built / "lib/python3.12/site-packages"
    (packages / "ml_dtypes-0.4.dist-info").mkdir()
    assert not up_to_date(built, PROFILE), "torn: two versions"
    (packages / "ml_dtypes-0.5.dist-info").rmdir()
    assert not up_to_date(built, PROFILE), "another version"


def test_a_vanished_interpreter_is_noticed(built: Path) -> None:
    (built / "bin/python").unlink()
    (built / "bin/python").symlink_to("/no/such/python")
    assert not up_to_date(built, PROFILE)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": "envkit.environment/9"}'])
def test_a_record_that_cannot_be_read_is_none(built: Path, text: str) -> None:
    (built / STATE_FILE).write_text(text)
    assert read(built) is None
    assert up_to_date(built, PROFILE) is None
