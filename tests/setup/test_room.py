"""What a plan takes of which disk, and what is said where it is not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from envkit.errors import SetupError
from envkit.profile import Profile
from envkit.setup.plan import Plan, Step
from envkit.setup.resolving.pylock import Package
from envkit.setup.room import Need, check_room, is_cached, needs
from envkit.setup.sources.configured import Sources, read_sources
from envkit.setup.uv import run_uv

MakePlan = Callable[[Profile, Path], Plan]
TORCH = Package(name="torch", version="2.10.0", size_bytes=900_000_000)
CUDNN = Package(name="nvidia-cudnn-cu12", version="9.10.2.21", size_bytes=700_000_000)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        profile="cuda12",
        target=str(tmp_path / "env"),
        building=str(tmp_path / "env.envkit-new"),
        replaces=False,
        python="/usr/bin/python3.11",
        python_version="3.11.7",
        packages=[TORCH, CUDNN],
        download_bytes=0,
        disk_bytes=20_000_000_000,
        lock="",
        sources=[],
        steps=[],
    )


def cached(cache: Path, package: Package, tags: str) -> None:
    (cache / f"wheels-v8/pypi/{package.name}/{package.version}-{tags}").mkdir(parents=True)


def test_linked_files_are_counted_once_and_only_where_the_cache_lacks_them(plan: Plan, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    unpacked, folders = needs(plan, cache, linked=True)
    assert (unpacked.where, unpacked.bytes) == (cache, 3_750_000_000)
    assert (folders.where, folders.bytes) == (tmp_path, 0)
    assert folders.files < unpacked.files / 5
    cached(cache, TORCH, "cp311-cp311-manylinux_2_28_x86_64")
    cached(cache, CUDNN, "py3-none-manylinux_2_27_x86_64")
    assert [need.bytes for need in needs(plan, cache, linked=True)] == [0]


def test_copied_files_are_counted_on_both_disks(plan: Plan, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert [need.bytes for need in needs(plan, cache, linked=False)] == [3_750_000_000, 3_750_000_000]
    cached(cache, TORCH, "cp311-cp311-manylinux_2_28_x86_64")
    assert [need.bytes for need in needs(plan, cache, linked=False)] == [1_050_000_000, 3_750_000_000]


def test_the_profile_s_word_counts_where_a_size_is_not_known(plan: Plan, tmp_path: Path) -> None:
    unsure = replace(plan, packages=[replace(TORCH, size_bytes=None), CUDNN])
    assert [need.bytes for need in needs(unsure, tmp_path, linked=True)] == [20_000_000_000, 0]


def test_a_wheel_for_another_python_is_not_the_one(tmp_path: Path) -> None:
    cached(tmp_path, TORCH, "cp310-cp310-manylinux_2_28_x86_64")
    assert not is_cached(TORCH, tmp_path, "3.11.7")
    assert is_cached(TORCH, tmp_path, "3.10.4")


def test_a_copy_takes_what_the_environment_takes(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "env/lib").mkdir(parents=True)
    (tmp_path / "env/lib/big").write_bytes(bytes(5000))
    mending = replace(plan, packages=[], steps=[Step(title="Copying it", kind="copy", argv=[])])
    *_, copy = needs(mending, tmp_path / "cache", linked=True)
    assert copy == Need("a copy of the environment", tmp_path, 5000, 2)


def test_what_uv_has_installed_once_is_known_to_be_there(
    plan_for: MakePlan, profile: Profile, environ: dict[str, str], tmp_path: Path
) -> None:
    plan = plan_for(profile, tmp_path / "env")
    cache = Path(environ["UV_CACHE_DIR"])
    for step in plan.steps:
        if step.kind == "run":
            assert run_uv(step.argv, sources=read_sources(environ), environ=environ).succeeded
    assert all(is_cached(package, cache, plan.python_version) for package in plan.packages)


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (
            {"f_bavail": 1_000_000},
            r"not enough disk space in .*: 1\.00 GB free, about 3\.75 GB needed \(3\.75 GB for 2 ",
        ),
        (
            {"f_favail": 100},
            r"not enough inodes in .*: 100 free, about \d+ needed \(\d+ for 2 packages to unpack in uv's",
        ),
    ],
)
def test_too_little_is_refused_with_what_needs_it(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: dict[str, int], message: str
) -> None:
    plenty: Any = {"f_bavail": 10**9, "f_frsize": 1000, "f_files": 10**9, "f_favail": 10**9}
    environ = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**plenty))
    check_room(plan, sources=Sources(), environ=environ)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**plenty | room))
    with pytest.raises(SetupError, match=message):
        check_room(plan, sources=Sources(), environ=environ)
