"""PCI devices from trees of files."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from envkit.facts.accelerators import PciDevice
from envkit.probes import files, pci


def plug_in(root: Path, address: str, **texts: str) -> Path:
    device = root / "sys/bus/pci/devices" / address
    device.mkdir(parents=True)
    for name, text in texts.items():
        (device / name.removesuffix("_")).write_text(text + "\n")
    return device


def test_a_device_is_told_in_full(tmp_path: Path) -> None:
    device = plug_in(
        tmp_path,
        "0000:3b:00.0",
        vendor="0x10DE",
        device="0x2236",
        subsystem_device="0x1482",
        class_="0x030200",
        current_link_width="8",
        max_link_width="16",
        current_link_speed="2.5 GT/s PCIe",
        max_link_speed="16.0 GT/s PCIe",
        numa_node="1",
    )
    (device / "driver").symlink_to("../../../bus/pci/drivers/nvidia")
    assert pci.devices(str(tmp_path), "10de") == [
        PciDevice(
            address="0000:3b:00.0",
            vendor_id="10de",
            device_id="2236",
            subsystem_id="1482",
            class_id="030200",
            kernel_driver="nvidia",
            link_width=8,
            link_width_max=16,
            link_generation=1,
            link_generation_max=4,
            numa_node=1,
        )
    ]


def test_what_sysfs_does_not_know_is_none(tmp_path: Path) -> None:
    plug_in(
        tmp_path,
        "0000:01:00.0",
        vendor="0x10de",
        device="0x2236",
        current_link_width="0",
        max_link_width="255",
        current_link_speed="Unknown",
        max_link_speed="",
        numa_node="-1",
    )
    (device,) = pci.devices(str(tmp_path), "10de") or []
    assert device == PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236")


def test_the_speed_that_an_older_kernel_prints_without_a_point_is_read(tmp_path: Path) -> None:
    plug_in(tmp_path, "0000:01:00.0", vendor="0x10de", current_link_speed="8 GT/s")
    (device,) = pci.devices(str(tmp_path), "10de") or []
    assert device.link_generation == 3


IDS = """# a list
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX]
\t\t1002 0e3b  Radeon RX 7900 XTX
\t1638  Cezanne
1003  Another
\t9999  Other
"""


@pytest.mark.parametrize(
    ("vendor", "device", "name"),
    [
        ("1002", "744c", "Radeon RX 7900 XT/7900 XTX"),
        ("1002", "1638", "Cezanne"),
        ("1002", "9999", None),
        ("1002", "", None),
        ("1002", ".*", None),
        ("8086", "744c", None),
    ],
)
def test_the_machines_own_list_names_a_device(tmp_path: Path, vendor: str, device: str, name: str | None) -> None:
    (tmp_path / "usr/share/misc").mkdir(parents=True)
    (tmp_path / "usr/share/misc/pci.ids").write_text(IDS)
    assert pci.model(str(tmp_path), vendor, device) == name


def test_without_a_list_no_device_has_a_name(tmp_path: Path) -> None:
    assert pci.model(str(tmp_path), "1002", "744c") is None


def test_pcie_errors_are_the_totals_that_the_kernel_counts(tmp_path: Path) -> None:
    plug_in(
        tmp_path,
        "0000:01:00.0",
        vendor="0x10de",
        device="0x2236",
        aer_dev_fatal="Undefined 0\nDLP 2\nTOTAL_ERR_FATAL 2",
        aer_dev_nonfatal="UnsupReq 1\nTOTAL_ERR_NONFATAL 1",
    )
    (device,) = pci.devices(str(tmp_path), "10de") or []
    assert (device.errors_fatal, device.errors_nonfatal) == (2, 1)


NONSENSE = ["", "\0\0\0", "\ufffd\x1b[31m", "0x", "0xzz", "sixteen", "TOTAL_ERR_FATAL", "TOTAL_ERR_FATAL x", "9" * 30]


@pytest.mark.parametrize("text", NONSENSE)
def test_files_that_make_no_sense_are_unknown(tmp_path: Path, text: str) -> None:
    names = ("device", "class_", "subsystem_device", "current_link_width", "max_link_width", "numa_node")
    errors = ("aer_dev_fatal", "aer_dev_nonfatal", "current_link_speed", "max_link_speed")
    plug_in(tmp_path, "0000:01:00.0", vendor="0x10de", **dict.fromkeys((*names, *errors), text))
    assert pci.devices(str(tmp_path), "10de") == [PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="")]


def test_a_huge_file_is_unknown(tmp_path: Path) -> None:
    device = plug_in(tmp_path, "0000:01:00.0", vendor="0x10de", device="0x2236")
    with (device / "class").open("wb") as file:
        file.truncate(1 << 30)
    assert [found.class_id for found in pci.devices(str(tmp_path), "10de") or []] == [None]


def test_a_device_that_vanishes_while_it_is_read_is_told_as_far_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = plug_in(tmp_path, "0000:01:00.0", vendor="0x10de", device="0x2236")
    plug_in(tmp_path, "0000:02:00.0", vendor="0x10de", device="0x2236")
    read_line = files.read_line

    def read_and_unplug(root: str, path: str) -> str | None:
        text = read_line(root, path)
        if path.endswith("0000:01:00.0/vendor"):
            shutil.rmtree(gone)
        return text

    monkeypatch.setattr(files, "read_line", read_and_unplug)
    assert [(found.address, found.device_id) for found in pci.devices(str(tmp_path), "10de") or []] == [
        ("0000:01:00.0", ""),
        ("0000:02:00.0", "2236"),
    ]


def test_a_file_that_cannot_be_read_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path, "0000:01:00.0", vendor="0x10de", device="0x2236", class_="0x030200")
    opened = os.open

    def fail(path: Path, *options: int) -> int:
        if str(path).endswith("/class"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *options)

    monkeypatch.setattr(os, "open", fail)
    assert [found.class_id for found in pci.devices(str(tmp_path), "10de") or []] == [None]


def test_only_the_vendor_asked_for_is_listed(tmp_path: Path) -> None:
    plug_in(tmp_path, "0000:00:01.0", vendor="0x8086", device="0x1237")
    plug_in(tmp_path, "0000:00:02.0", device="0x10de")
    assert pci.devices(str(tmp_path), "10de") == []
    assert pci.addresses(str(tmp_path)) == ["0000:00:01.0", "0000:00:02.0"]


def test_a_machine_without_pci_differs_from_one_without_sysfs(tmp_path: Path) -> None:
    assert pci.devices(str(tmp_path), "10de") is None
    (tmp_path / "sys/bus/virtio").mkdir(parents=True)
    assert pci.devices(str(tmp_path), "10de") == []
