from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit import harness, target
from envkit.facts.software import SetUp
from envkit.profile import Profile
from envkit.setup.state import STATE_FILE, State, confirm, digest, read, renew, up_to_date

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


def test_a_record_without_the_newer_fields_is_read(built: Path) -> None:
    newer = ("added", "left_out", "lock_sha256", "assumptions", "deferred", "profile_path")
    record = msgspec.json.decode((built / STATE_FILE).read_bytes())
    (built / STATE_FILE).write_bytes(msgspec.json.encode({k: v for k, v in record.items() if k not in newer}))
    state = read(built)
    assert state
    assert (state.added, state.lock_sha256, state.assumptions) == ([], "", {})
    assert up_to_date(built, PROFILE) == state


def test_the_name_of_a_profile_is_not_what_it_installs(built: Path) -> None:
    assert up_to_date(built, msgspec.structs.replace(PROFILE, name="other", path="/elsewhere.yaml"))


def test_an_environment_is_recorded_as_another_profile_s_with_its_options(built: Path) -> None:
    state = read(built)
    assert state
    other = msgspec.structs.replace(PROFILE, name="other", left_out=["torch"])
    confirm(built, state, other, "judged", assumptions={"driver": "570"}, deferred=["smoke torch cuda"])
    now = read(built)
    assert now
    assert (now.profile, now.left_out, now.verdict, now.made_at) == ("other", ["torch"], "judged", state.made_at)
    assert (now.assumptions, now.deferred) == ({"driver": "570"}, ["smoke torch cuda"])


def test_a_mended_package_is_recorded_and_one_changed_by_hand_is_not(built: Path) -> None:
    packages = built / "lib/python3.12/site-packages"
    record = msgspec.json.decode((built / STATE_FILE).read_bytes())
    record["packages"] |= {"numpy": "2.2.6", "gone": "1.0"}
    (built / STATE_FILE).write_bytes(msgspec.json.encode(record))
    (packages / "ml_dtypes-0.5.dist-info").rename(packages / "ml_dtypes-0.6.dist-info")
    (packages / "numpy-2.3.0.dist-info").mkdir()
    (packages / "new-1.0.dist-info").mkdir()
    state = renew(built, "judged", ["ml-dtypes", "gone", "new"])
    assert state
    assert state.packages == {"ml-dtypes": "0.6", "numpy": "2.2.6", "new": "1.0"}


def told(environment: Path) -> Any:
    """The fact `setup`, as the inspected Python of an environment tells it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    child = harness.run([str(environment / "bin/python"), "-"], stdin=target.program(["python"]), deadline_seconds=30)
    return child.records[0]["facts"]["setup"]


def test_doctor_reads_what_setup_left(built: Path, tmp_path: Path) -> None:
    state = read(built)
    assert state
    assert msgspec.convert(told(tmp_path), SetUp) == SetUp(
        **{field.name: getattr(state, field.name) for field in msgspec.structs.fields(SetUp)}
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[1]",
        '{"schema": "other/1", "profile": "x"}',
        '{"schema": 1}',
        '{"schema": "envkit.environment/1"}',
    ],
)
def test_a_broken_or_foreign_record_is_no_fact(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    assert told(tmp_path) is None
