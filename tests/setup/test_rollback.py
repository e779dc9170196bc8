"""Going back to the previous environment, and forward again; ending what a killed run began."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from envkit.errors import InputError, SetupError
from envkit.setup import swap
from envkit.setup.plan import building_folder, previous_folder
from envkit.setup.rollback import describe, recover, rollback
from envkit.setup.state import STATE_FILE, State
from envkit.setup.swap import FINISHED, MARKER
from envkit.setup.target import lock_file, only_one


def environment(folder: Path, profile: str) -> Path:
    """An environment that runs."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    state = State(
        profile=profile,
        digest="",
        packages={},
        python=sys.executable,
        python_version="3.11.7",
        made_at="2026-11-20T08:00:00+00:00",
        verdict="proved",
    )
    (folder / STATE_FILE).write_bytes(msgspec.json.encode(state))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    environment(tmp_path / "env.previous", "cuda12")
    return environment(tmp_path / "env", "cuda13")


def profiles(target: Path) -> list[str]:
    folders = (target, previous_folder(target))
    return [msgspec.json.decode((folder / STATE_FILE).read_bytes())["profile"] for folder in folders]


def entries(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("exchanges", [True, False])
def test_twice_back_is_forward(target: Path, monkeypatch: pytest.MonkeyPatch, *, exchanges: bool) -> None:
    if not exchanges:
        monkeypatch.setattr(swap, "_exchange", lambda _first, _second: False)
    back = rollback(target)
    assert (describe(back.now), describe(back.before)) == (
        "profile cuda12, proved, made 2026-11-20",
        "profile cuda13, proved, made 2026-11-20",
    )
    assert profiles(target) == ["cuda12", "cuda13"]
    rollback(target)
    assert profiles(target) == ["cuda13", "cuda12"]
    assert entries(target) == ["env", "env.previous"]


def test_an_environment_that_was_deleted_comes_back_from_the_previous_one(target: Path) -> None:
    subprocess.run(["rm", "-r", str(target)], check=True)
    back = rollback(target)
    assert (back.previous, back.before, entries(target)) == ("", None, ["env"])


def test_an_environment_that_envkit_did_not_build_is_said_to_be_one(target: Path) -> None:
    (previous_folder(target) / STATE_FILE).unlink()
    assert describe(rollback(target).now) == "not built by envkit"


def test_without_a_previous_one_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    environment(tmp_path / "env", "cpu")
    with pytest.raises(InputError, match=r"has no previous environment to go back to"):
        rollback(tmp_path / "env")
    with pytest.raises(InputError, match=r"has no previous environment to go back to"):
        rollback(tmp_path / "no/such/env")
    assert entries(tmp_path / "env") == ["env"]


def test_what_is_no_environment_or_cannot_run_is_not_put_in_place(target: Path) -> None:
    (previous_folder(target) / "bin/python").unlink()
    (previous_folder(target) / "bin/python").symlink_to("/no/such/python")
    with pytest.raises(InputError, match=r"env\.previous cannot run: .* is left as it is"):
        rollback(target)
    (previous_folder(target) / "pyvenv.cfg").unlink()
    with pytest.raises(InputError, match=r"env\.previous is no environment"):
        rollback(target)
    assert profiles(target) == ["cuda13", "cuda12"]
    assert entries(target) == ["env", "env.previous"]


def test_it_does_not_go_back_while_a_setup_is_at_work(target: Path) -> None:
    with only_one(target), pytest.raises(SetupError, match=f"another envkit setup .* {os.getpid()}"):
        rollback(target)
    assert profiles(target) == ["cuda13", "cuda12"]


def test_a_run_that_died_between_two_renames_is_brought_to_its_end(target: Path) -> None:
    target.rename(building_folder(target))
    (building_folder(target) / MARKER).write_text(FINISHED)
    lock_file(target).touch()
    recover(target)
    assert profiles(target) == ["cuda13", "cuda12"]
    assert entries(target) == ["env", "env.previous"]
    assert not (target / MARKER).exists()


def test_a_previous_one_that_was_removed_halfway_is_none(target: Path) -> None:
    (previous_folder(target) / MARKER).touch()
    (previous_folder(target) / "bin/python").unlink()
    with pytest.raises(InputError, match="is no environment"):
        rollback(target)
    assert entries(target) == ["env"]
