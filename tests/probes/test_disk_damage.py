"""What the kernel knows of damaged file systems and disks, from files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts.machine import Disk
from envkit.probes import disk

MDSTAT = """\
Personalities : [raid1] [raid6] [raid5] [raid4]
md127 : active raid1 sdb1[1] sda1[0]
      976630464 blocks super 1.2 [2/2] [UU]
      bitmap: 3/8 pages [12KB], 65536KB chunk

md0 : active raid5 sdc1[0] sdd1[1](F)
      3906764800 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/2] [UU_]

md1 : active raid0 sde1[0] sdf1[1]
      1953260544 blocks super 1.2 512k chunks

unused devices: <none>
"""


def observe(folder: Path, files: dict[str, str]) -> Disk:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    facts = disk.observe(str(folder), target="/data/.venv").facts
    assert facts is not None
    return facts


def test_an_array_that_lacks_a_disk_is_named(tmp_path: Path) -> None:
    assert observe(tmp_path, {"proc/mdstat": MDSTAT}).degraded_arrays == ["md0"]


def test_without_the_driver_nothing_is_known_of_arrays(tmp_path: Path) -> None:
    assert observe(tmp_path, {}).degraded_arrays is None
    assert observe(tmp_path, {"proc/mdstat": "\0\xff md0 : [1"}).degraded_arrays == []


def test_errors_that_ext4_has_counted(tmp_path: Path) -> None:
    files = {"sda1": "3\n", "dm-0": "0\n", "sdb1": "?\n"}
    facts = observe(tmp_path, {f"sys/fs/ext4/{device}/errors_count": text for device, text in files.items()})
    assert facts.errors == {"sda1": 3}


def test_without_ext4_nothing_is_known_of_errors(tmp_path: Path) -> None:
    assert observe(tmp_path, {}).errors is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("27 1 254:0 / / rw,relatime - ext4 /dev/vda ro,errors=remount-ro", True),
        ("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,emergency_ro", True),
        ("27 1 254:0 / / ro,relatime - ext4 /dev/vda ro", False),  # somebody wanted it so
        ("27 1 254:0 / / ro,relatime - ext4 /dev/vda rw", False),
        ("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw", False),
        ("27 1 254:0 / / rw,relatime - squashfs /dev/loop0 ro", False),  # never anything else
    ],
)
def test_a_file_system_that_the_kernel_has_made_read_only(tmp_path: Path, line: str, expected: bool) -> None:
    facts = observe(tmp_path, {"proc/self/mountinfo": f"{line}\n"})
    assert facts.volumes[0].read_only_after_error is expected
