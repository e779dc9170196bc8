"""One fault of a GPU is one problem, however many checks see it."""

from __future__ import annotations

import pytest

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import DeviceNode, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import KernelLog
from envkit.kernel_messages import kernel_messages
from envkit.knowledge import Knowledge
from envkit.profile import Profile

PCI = [PciDevice(address=f"0000:{bus}:00.0", vendor_id="10de", device_id="2330") for bus in ("3b", "5e")]
SOUND = NvidiaGpu(index=0, name="NVIDIA H100 PCIe", pci_address="0000:3b:00.0", compute_capability="9.0")


def primary(nvidia: Nvidia, log: str) -> list[str]:
    facts = Facts(
        nvidia=ok(nvidia),
        container=absent("no sign of one"),
        kernel_log=ok(KernelLog(messages=kernel_messages(log))),
    )
    report = examine(facts, Profile(), Knowledge(), discover())
    return [f.check for f in report.findings if f.status in {"fail", "warn"} and f.caused_by is None]


def machine(*gpus: NvidiaGpu, nvml: Nvml | None = None, loaded: bool = True) -> Nvidia:
    nodes = [DeviceNode(path=f"/dev/nvidia{n}", readable=True, writable=True) for n in ("0", "ctl", "-uvm")]
    known = {
        "device_nodes": nodes,
        "module_loaded": loaded,
        "pci_devices": PCI,
        "uvm_loaded": loaded,
        "libcuda_path": "/usr/lib/libcuda.so.1",
    }
    return Nvidia(**known, nvml=nvml or Nvml(outcome="ok"), gpus=list(gpus) or None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nvidia", "log", "expected"),
    [
        (
            machine(SOUND, NvidiaGpu(index=1, error="GPU_IS_LOST")),
            "NVRM: Xid (PCI:0000:5e:00): 79, pid=1, GPU has fallen off the bus.",
            ["gpu-lost"],
        ),
        (
            machine(nvml=Nvml(outcome="timeout", seconds=10)),
            "NVRM: Xid (PCI:0000:5e:00): 119, pid=1, Timeout waiting for RPC",
            ["xid-hardware-fault"],
        ),
        (
            machine(nvml=Nvml(outcome="error", error="DRIVER_NOT_LOADED"), loaded=False),
            "nvidia: Loading of module with unavailable key is rejected",
            ["secure-boot-rejects-driver"],
        ),
        (
            machine(SOUND),
            "NVRM: GPU 0000:5e:00.0 installed in this system is not supported by the NVIDIA 550.54 driver",
            ["gpu-unsupported-by-driver"],
        ),
    ],
)
def test_what_the_kernel_logged_and_what_the_driver_shows_is_one_problem(
    nvidia: Nvidia, log: str, expected: list[str]
) -> None:
    assert primary(nvidia, log) == expected


def test_faults_of_two_gpus_are_two_problems() -> None:
    pending = NvidiaGpu(index=1, pci_address="0000:5e:00.0", remapped_rows_pending=True, remapped_rows_uncorrectable=1)
    log = "NVRM: Xid (PCI:0000:3b:00): 74, pid=1, NVLink error"
    assert sorted(primary(machine(SOUND, pending), log)) == ["row-remap-pending", "xid-hardware-fault"]
