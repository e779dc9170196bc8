"""PCI devices from trees of files."""

from __future__ import annotations

from pathlib import Path

from envkit.facts.accelerators import PciDevice
from envkit.probes import pci


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
        numa_node="-1",
    )
    (device,) = pci.devices(str(tmp_path), "10de") or []
    assert device == PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236")


def test_only_the_vendor_asked_for_is_listed(tmp_path: Path) -> None:
    plug_in(tmp_path, "0000:00:01.0", vendor="0x8086", device="0x1237")
    plug_in(tmp_path, "0000:00:02.0", device="0x10de")
    assert pci.devices(str(tmp_path), "10de") == []
    assert pci.addresses(str(tmp_path)) == ["0000:00:01.0", "0000:00:02.0"]


def test_a_machine_without_pci_differs_from_one_without_sysfs(tmp_path: Path) -> None:
    assert pci.devices(str(tmp_path), "10de") is None
    (tmp_path / "sys/bus/virtio").mkdir(parents=True)
    assert pci.devices(str(tmp_path), "10de") == []
