"""`envkit setup` without network, space or permission, and interrupted: one line, and the old environment is whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

Envkit = Callable[..., Any]
InMounts = Callable[[str], list[str]]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text("requires: {python: '>=3.10'}\npackages: [alpha==1.0]\n")
    return file


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An environment of the user's, which must stay whole."""
    folder = tmp_path / "here/.venv"
    folder.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("old")
    return folder


def whole(old: Path) -> bool:
    """The old environment is there, as it was, and nothing beside it."""
    return [path.name for path in old.parent.iterdir()] == [old.name] and (old / "pyvenv.cfg").read_text() == "old"


def test_no_network_is_one_line(envkit: Envkit, world: dict[str, str], tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare -n, which takes root")
    profile = tmp_path / "far.yaml"
    profile.write_text("packages: [envkit-test-nowhere==1.0]\n")
    del world["PIP_NO_INDEX"]
    world["PIP_INDEX_URL"] = "https://index.invalid/simple"
    ran = envkit("setup", "--profile", profile, env=world, before=["unshare", "-n"])
    assert ran.status == 1
    (line,) = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert "cannot be reached" in line
    assert "index.invalid" in line
    assert list((tmp_path / "here").iterdir()) == []


def test_a_package_that_no_source_has_is_named_with_the_sources(
    envkit: Envkit, world: dict[str, str], tmp_path: Path, old: Path
) -> None:
    profile = tmp_path / "far.yaml"
    profile.write_text("packages: [envkit-test-nowhere==1.0]\n")
    ran = envkit("setup", "--profile", profile, env=world)
    assert ran.status == 1
    assert "no source offers envkit-test-nowhere==1.0 (asked: find-links " in ran.err
    assert whole(old)


def test_a_full_disk_is_one_line_and_leaves_nothing(
    envkit: Envkit, world: dict[str, str], tiny: Path, tmp_path: Path, in_mounts: InMounts
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    ran = envkit(
        *("setup", "--profile", tiny, "--venv", disk / "env", "--no-smoke", "--no-doctor"),
        env=world,
        before=in_mounts(f"mount -t tmpfs -o size=40k tmpfs {disk}"),
    )
    assert ran.status == 1
    (line,) = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert "the disk is full" in line


def test_a_disk_too_small_for_the_plan_is_refused_before_anything_is_built(
    envkit: Envkit, world: dict[str, str], tmp_path: Path, in_mounts: InMounts
) -> None:
    profile = tmp_path / "big.yaml"
    profile.write_text("requires: {disk: 3 GiB}\npackages: [alpha==1.0]\n")
    disk = tmp_path / "disk"
    disk.mkdir()
    setup = ("setup", "--profile", profile, "--venv", disk / "env", "--no-smoke")
    little = in_mounts(f"mount -t tmpfs -o size=1m tmpfs {disk}")
    ran = envkit(*setup, env=world, before=little)
    assert ran.status == 1
    told = " ".join(ran.out.split())
    assert "✗ cannot train with profile big: " in told
    assert "are free, profile big needs 3.0 GiB" in told
    assert "Installing" not in ran.err
    small = in_mounts(f"mount -t tmpfs -o size=40k tmpfs {disk}")
    ran = envkit(*setup, "--no-doctor", env=world | {"UV_LINK_MODE": "copy"}, before=small)
    assert ran.status == 1
    assert "disk" in ran.err


def test_a_read_only_file_system_is_named(
    envkit: Envkit, world: dict[str, str], tiny: Path, tmp_path: Path, in_mounts: InMounts
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    ran = envkit(
        *("setup", "--profile", tiny, "--venv", disk / "env", "--no-smoke"),
        env=world,
        before=in_mounts(f"mount -t tmpfs -o ro tmpfs {disk}"),
    )
    assert ran.status == 2
    assert ran.error() == f"{disk} is on a read-only file system: no environment can be made in it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(
    envkit: Envkit, world: dict[str, str], tiny: Path, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    ran = envkit("setup", "--profile", tiny, "--venv", closed / "env", env=world)
    assert (ran.status, ran.error()) == (2, f"{closed} is not writable: no environment can be made in it")


def test_a_cache_that_cannot_be_written_is_named(
    envkit: Envkit, world: dict[str, str], tiny: Path, tmp_path: Path, old: Path
) -> None:
    (tmp_path / "file").touch()
    ran = envkit("setup", "--profile", tiny, env=world | {"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert ran.status == 1
    assert f"the cache folder {tmp_path}/file/envkit cannot be made" in ran.err
    assert whole(old)


@pytest.fixture
def hanging(world: dict[str, str]) -> Iterator[dict[str, str]]:
    """Variables of a machine whose index takes connections and never answers."""
    del world["PIP_NO_INDEX"], world["PIP_FIND_LINKS"]
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield world | {"PIP_INDEX_URL": f"http://127.0.0.1:{server.getsockname()[1]}/simple"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_130_and_leaves_no_child(
    environ: dict[str, str], hanging: dict[str, str], tiny: Path, old: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "envkit", "setup", "--profile", str(tiny)],
        cwd=old.parent,
        env=environ | hanging,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (children := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert whole(old)


def test_ctrl_c_is_said(environ: dict[str, str], hanging: dict[str, str], tiny: Path) -> None:
    argv = ["timeout", "-s", "INT", "1", sys.executable, "-m", "envkit", "setup", "--profile", str(tiny)]
    ran = subprocess.run(argv, cwd=tiny.parent, env=environ | hanging, capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == "interrupted"
