"""Checks of the file systems."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import disk as disk_checks
from envkit.facts import Facts, ok
from envkit.facts.machine import Disk, Volume
from envkit.facts.software import Torch
from envkit.findings import Finding
from envkit.profile import Profile, Requires

GIB, MIB = 1024**3, 1024**2
ANY, NO_FACTS = Profile(), Facts()
WITH_TORCH = Facts(torch=ok(Torch(version="2.13.0+cpu")))
BIG = Profile(name="p", requires=Requires(disk=4 * GIB))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def disk(purpose: Any = "target", **changes: Any) -> Disk:
    return Disk(volumes=[Volume(purpose=purpose, path="/data", mount_point="/", **changes)])


@pytest.mark.parametrize(
    ("volumes", "facts", "status"),
    [
        (disk(free_bytes=3 * GIB), NO_FACTS, "fail"),  # 4 GiB have yet to come
        (disk(free_bytes=GIB), WITH_TORCH, "warn"),
        (disk("tmp", free_bytes=10 * MIB), NO_FACTS, "fail"),
    ],
)
def test_disk_low_fires(volumes: Disk, facts: Facts, status: str) -> None:
    assert one(disk_checks.disk_low(volumes, facts, BIG)).status == status


def test_disk_low_near_miss() -> None:
    assert not list(disk_checks.disk_low(disk(free_bytes=3 * GIB), WITH_TORCH, BIG))
    assert not list(disk_checks.disk_low(disk("cache", free_bytes=3 * GIB), NO_FACTS, BIG))
    assert not list(disk_checks.disk_low(disk(free_bytes=0, read_only=True), NO_FACTS, BIG))
    assert not list(disk_checks.disk_low(disk(free_bytes=None), NO_FACTS, BIG))


def test_disk_low_fires_once_for_a_file_system_that_serves_several_purposes() -> None:
    volumes = [*disk("tmp", free_bytes=3 * GIB).volumes, *disk(free_bytes=3 * GIB).volumes]
    assert one(disk_checks.disk_low(Disk(volumes=volumes), NO_FACTS, BIG)).subject == "/data (the environment)"


def test_inodes_low_fires() -> None:
    assert one(disk_checks.inodes_low(disk(inodes_total=10**6, inodes_free=10_000), NO_FACTS)).status == "warn"
    assert one(disk_checks.inodes_low(disk("tmp", inodes_total=10**6, inodes_free=9), WITH_TORCH)).status == "fail"


def test_inodes_low_near_miss() -> None:
    assert not list(disk_checks.inodes_low(disk(inodes_total=10**6, inodes_free=10_000), WITH_TORCH))
    assert not list(disk_checks.inodes_low(disk(inodes_total=None, inodes_free=None), NO_FACTS))
    assert not list(disk_checks.inodes_low(disk(inodes_total=0, inodes_free=0), NO_FACTS))


@pytest.mark.parametrize(
    ("volumes", "facts", "status"),
    [
        (disk(writable=False), NO_FACTS, "fail"),
        (disk(read_only=True), WITH_TORCH, "warn"),
        (disk("tmp", read_only=True), WITH_TORCH, "fail"),
        (disk("cache", writable=False), NO_FACTS, "warn"),
    ],
)
def test_disk_not_writable_fires(volumes: Disk, facts: Facts, status: str) -> None:
    assert one(disk_checks.disk_not_writable(volumes, facts)).status == status


def test_disk_not_writable_near_miss() -> None:
    assert not list(disk_checks.disk_not_writable(disk(writable=None, read_only=None), NO_FACTS))


def test_target_noexec_fires() -> None:
    assert one(disk_checks.target_noexec(disk(noexec=True))).status == "fail"


def test_target_noexec_near_miss() -> None:
    assert not list(disk_checks.target_noexec(disk("tmp", noexec=True)))


def test_tmp_noexec_fires() -> None:
    assert one(disk_checks.tmp_noexec(disk("tmp", noexec=True))).status == "warn"


def test_tmp_noexec_near_miss() -> None:
    assert not list(disk_checks.tmp_noexec(disk("tmp", noexec=None)))
