"""Fabric manager, IMEX and what the driver is told to leave alone, from trees of files."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from envkit.facts.accelerators import Nvidia, NvidiaGpu, NvLink
from envkit.probes import nvidia
from envkit.probes.fabric import with_fabric

LINKED = Nvidia(gpus=[NvidiaGpu(index=0, nvlinks=[NvLink(index=0, active=True)])])
SWITCHED = Nvidia(nvswitches=4)
RACK = Nvidia(
    gpus=[NvidiaGpu(index=0, fabric_state="completed", fabric_cluster="5d000000-0000-0000-0000-000000000000")]
)
STATUS = "Package: {name}\nStatus: {status}\nPriority: optional\nArchitecture: amd64\nVersion: {version}\n\n"


def tree(root: Path, **texts: str) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def dpkg(root: Path, *packages: tuple[str, str, str]) -> None:
    text = "".join(STATUS.format(name=name, status=status, version=version) for name, status, version in packages)
    tree(root, **{"var/lib/dpkg/status": text})


INSTALLED, REMOVED = "install ok installed", "deinstall ok config-files"


@pytest.mark.parametrize(
    ("packages", "version"),
    [
        ([("nvidia-fabricmanager-570", INSTALLED, "570.133.20-0ubuntu0.24.04.1")], "570.133.20"),
        ([("zlib1g", INSTALLED, "1:1.3"), ("nvidia-fabricmanager", INSTALLED, "580.95.05-1")], "580.95.05"),
        ([("nvidia-fabricmanager-535", REMOVED, "535.54.03-1")], None),
        ([("nvidia-fabricmanager-dev-570", INSTALLED, "570.133.20-1")], None),
        (
            [
                ("nvidia-fabricmanager-550", INSTALLED, "550.54.15-1"),
                ("nvidia-fabricmanager-570", INSTALLED, "570.86.15-1"),
            ],
            "570.86.15",
        ),
        ([], None),
    ],
)
def test_the_fabric_managers_version_is_dpkgs(
    tmp_path: Path, packages: list[tuple[str, str, str]], version: str | None
) -> None:
    dpkg(tmp_path, *packages)
    assert with_fabric(str(tmp_path), LINKED).fabric_manager_version == version


def header(**texts: Any) -> bytes:
    """A package's header as rpm keeps it: 1000 is the tag of the name, 1001 of the version."""
    data = b"".join(f"{text}\0".encode() for text in texts.values())
    index, at = b"", 0
    for tag, text in zip((1000, 1001), texts.values(), strict=True):
        index += b"".join(number.to_bytes(4, "big") for number in (tag, 6, at, 1))
        at += len(text) + 1
    return (2).to_bytes(4, "big") + len(data).to_bytes(4, "big") + index + data


def rpm(path: Path, blob: bytes) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
        database.execute("CREATE TABLE Name (key TEXT, hnum INTEGER, idx INTEGER)")
        database.execute("INSERT INTO Packages VALUES (7, ?)", (blob,))
        database.execute("INSERT INTO Name VALUES ('nvidia-fabric-manager', 7, 0)")
    database.close()


@pytest.mark.parametrize("path", ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"])
def test_or_rpms_whose_database_is_left_as_it_is(tmp_path: Path, path: str) -> None:
    rpm(tmp_path / path, header(name="nvidia-fabric-manager", version="570.124.06"))
    assert with_fabric(str(tmp_path), LINKED).fabric_manager_version == "570.124.06"
    assert [found.name for found in (tmp_path / path).parent.iterdir()] == ["rpmdb.sqlite"]


@pytest.mark.parametrize("blob", [b"", b"\0" * 7, (2**31 - 1).to_bytes(4, "big") * 4, b"\xff" * 40])
def test_a_broken_header_tells_no_version(tmp_path: Path, blob: bytes) -> None:
    rpm(tmp_path / "var/lib/rpm/rpmdb.sqlite", blob)
    assert with_fabric(str(tmp_path), LINKED).fabric_manager_version is None


def test_a_file_that_is_no_database_tells_no_version(tmp_path: Path) -> None:
    tree(tmp_path, **{"var/lib/rpm/rpmdb.sqlite": "no database"})
    assert with_fabric(str(tmp_path), LINKED).fabric_manager_version is None


def test_without_nvlink_nobody_looks(tmp_path: Path) -> None:
    dpkg(tmp_path, ("nvidia-fabricmanager-570", INSTALLED, "570.133.20-1"))
    seen = with_fabric(str(tmp_path), Nvidia(gpus=[NvidiaGpu(index=0, fabric_state="not-supported")], nvswitches=0))
    assert (seen.fabric_manager_version, seen.fabric_manager_running, seen.imex_channels) == (None, None, None)


@pytest.mark.parametrize(("comm", "running"), [("nv-fabricmanage\n", True), ("systemd\n", False)])
def test_the_fabric_manager_is_known_by_its_process(tmp_path: Path, comm: str, running: bool) -> None:
    tree(tmp_path, **{"proc/1/comm": "systemd\n", "proc/812/comm": comm, "proc/self/comm": "nv-fabricmanage\n"})
    assert with_fabric(str(tmp_path), SWITCHED).fabric_manager_running is running
    assert with_fabric(str(tmp_path), LINKED).fabric_manager_running is None


def test_without_proc_nobody_can_tell_whether_it_runs(tmp_path: Path) -> None:
    assert with_fabric(str(tmp_path), SWITCHED).fabric_manager_running is None


def test_imex_is_looked_for_beside_gpus_of_a_domain(tmp_path: Path) -> None:
    tree(
        tmp_path,
        **{
            "dev/nvidia-caps-imex-channels/channel0": "",
            "dev/nvidia-caps-imex-channels/channels": "",
            "etc/nvidia-imex/nodes_config.cfg": "# the rack\n10.0.0.1\n\n  10.0.0.2\n",
        },
    )
    seen = with_fabric(str(tmp_path), RACK)
    assert (seen.imex_channels, seen.imex_nodes) == (1, 2)
    assert with_fabric(str(tmp_path), LINKED).imex_channels is None


def test_imex_that_is_not_there(tmp_path: Path) -> None:
    seen = with_fabric(str(tmp_path), RACK)
    assert (seen.imex_channels, seen.imex_nodes) == (0, None)


def test_gpus_that_the_driver_was_told_to_leave_alone(tmp_path: Path) -> None:
    gpus = "proc/driver/nvidia/gpus"
    tree(
        tmp_path,
        **{
            "sys/module/nvidia/version": "570.133.20\n",
            f"{gpus}/0000:1a:00.0/information": "Model: \t\t NVIDIA A10\nGPU Excluded:\t No\n",
            f"{gpus}/0000:1b:00.0/information": "Model: \t\t NVIDIA A10\nGPU Excluded:\t Yes\n",
            f"{gpus}/0000:1c:00.0/registry": "",
        },
    )
    facts = nvidia.observe(str(tmp_path)).facts
    assert facts is not None
    assert facts.excluded_gpus == ["0000:1b:00.0"]
