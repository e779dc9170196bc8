"""What accelerators of every make have: files under /dev, functions on the PCI bus."""

from __future__ import annotations

import msgspec


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """One file under /dev and what this user may do with it."""

    path: str
    """"/dev/nvidia0", "/dev/kfd", "/dev/dri/renderD128"."""
    readable: bool | None = None
    """This process may open it for reading, the device cgroup of its container included."""
    writable: bool | None = None
    """This process may open it for writing."""
    group: str | None = None
    """The group that owns it ("render"), by name where /etc/group has one; only of AMD's and Intel's nodes."""
    in_group: bool | None = None
    """This process belongs to that group."""
    in_group_at_login: bool | None = None
    """/etc/group or /etc/passwd puts this user into that group: after a new login, if this process is not in it yet."""


class PciDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One PCI function, as /sys/bus/pci/devices shows it."""

    address: str
    """As sysfs has it: "0000:01:00.0"."""
    vendor_id: str
    """Who made it: "10de" NVIDIA, "1002" AMD, "8086" Intel, "1ae0" Google."""
    device_id: str
    """Which model of that vendor: "2330"; "" where it cannot be read."""
    subsystem_id: str | None = None
    """"004e": tells TPU v2 from v3, which share a device id."""
    class_id: str | None = None
    """"030200": display (03), 3D controller (02), interface 00."""
    kernel_driver: str | None = None
    """"nvidia", "nouveau", "vfio-pci"; None: no driver bound or not readable."""
    link_width: int | None = None
    """PCIe lanes in use."""
    link_width_max: int | None = None
    """PCIe lanes that the device has."""
    link_generation: int | None = None
    """PCIe generation in use, 1 to 6: an idle device may use an older one to save power."""
    link_generation_max: int | None = None
    """The newest PCIe generation that the device can use."""
    errors_fatal: int | None = None
    """Fatal PCIe errors (AER) that the device has noted since it was found."""
    errors_nonfatal: int | None = None
    """Uncorrectable PCIe errors (AER) that left the link working."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""
