"""Checks of what the kernel's log says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envkit.checks import host_log, kernel_log
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import Container, KernelLog
from envkit.findings import Finding
from envkit.kernel_messages import kernel_messages
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
PASTED = Facts(sources=["kernel log"])
HOST = Facts(container=absent("no sign of a container"))
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
NOTHING = KernelLog()


def log(*lines: str) -> KernelLog:
    return KernelLog(messages=kernel_messages("\n".join(f"[  12.5] {line}" for line in lines)))


def xid(code: int, address: str = "0000:3b:00", said: str = "") -> str:
    return f"NVRM: Xid (PCI:{address}): {code}, pid=1, name=python, {said}"


def gpus(*found: NvidiaGpu) -> Facts:
    return Facts(nvidia=ok(Nvidia(module_loaded=True, nvml=Nvml(outcome="ok"), gpus=list(found))))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


@pytest.mark.parametrize(
    ("lines", "start"),
    [
        ([xid(79)], "Xid 79: GPU has fallen off the bus"),
        ([xid(13), xid(48), xid(63)], "Xid 48"),
        ([xid(119), xid(79)], "Xid 79"),
        ([xid(154, said="GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)")], "Xid 154"),
    ],
)
def test_xid_hardware_fault_fires_with_the_worst_first(lines: list[str], start: str) -> None:
    finding = one(kernel_log.xid_hardware_fault(log(*lines), PASTED, ANY, KNOWLEDGE))
    assert (finding.status, finding.subject) == ("fail", "GPU at 0000:3b:00.0")
    assert finding.message.startswith(start)


def test_xid_hardware_fault_fires_for_the_gpu_at_that_address() -> None:
    facts = gpus(NvidiaGpu(index=0, pci_address="0000:18:00.0"), NvidiaGpu(index=1, error="GPU_IS_LOST"))
    assert one(kernel_log.xid_hardware_fault(log(xid(79)), facts, ANY, KNOWLEDGE)).subject == "GPU 1"


@pytest.mark.parametrize(
    "lines",
    [
        [xid(63)],
        [xid(13), xid(43)],
        [xid(154, said="changed from 0x1 (GPU Reset Required) to 0x0 (None)")],
        ["NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.133.20"],
    ],
)
def test_xid_hardware_fault_near_miss(lines: list[str]) -> None:
    assert not list(kernel_log.xid_hardware_fault(log(*lines), PASTED, ANY, KNOWLEDGE))
    assert not list(kernel_log.xid_hardware_fault(log(xid(79)), PASTED, CPU, KNOWLEDGE))


def test_xid_hardware_fault_near_miss_for_a_gpu_that_is_not_in_this_container() -> None:
    ours = gpus(NvidiaGpu(index=0, pci_address="0000:18:00.0"))
    facts = Facts(nvidia=ours.nvidia, container=IN_DOCKER.container)
    assert not list(kernel_log.xid_hardware_fault(log(xid(79)), facts, ANY, KNOWLEDGE))


def test_an_xid_that_no_table_has_is_unknown() -> None:
    finding = one(kernel_log.xid_hardware_fault(log(xid(999)), PASTED, ANY, KNOWLEDGE))
    assert (finding.status, finding.message) == ("unknown", "Xid 999 is in no table")


def test_xid_application_fault_fires() -> None:
    finding = one(kernel_log.xid_application_fault(log(xid(31), xid(13), xid(13)), PASTED, ANY, KNOWLEDGE))
    assert finding.status == "warn"
    assert "Xid 13: 2 in the kernel's log" in finding.evidence


def test_xid_application_fault_near_miss() -> None:
    assert not list(kernel_log.xid_application_fault(log(xid(79)), PASTED, ANY, KNOWLEDGE))


SXID = "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): {}, {}, Link 30 LTSSM Fault Up"


@pytest.mark.parametrize(("word", "status"), [("Fatal", "fail"), ("Non-fatal", "warn")])
def test_nvswitch_fault_fires(word: str, status: str) -> None:
    finding = one(kernel_log.nvswitch_fault(log(SXID.format(20034, word)), ANY))
    assert (finding.status, finding.subject) == (status, "NVSwitch 0000:c1:00.0")


def test_nvswitch_fault_near_miss() -> None:
    assert not list(kernel_log.nvswitch_fault(log("nvidia-nvswitch2: open (major=510)"), ANY))


UNSUPPORTED = (
    "NVRM: GPU 0000:01:00.0 (PCI ID: 10de:2b85) installed in this system is not supported by the NVIDIA 550.54"
)


def test_gpu_unsupported_by_driver_fires() -> None:
    assert one(kernel_log.gpu_unsupported_by_driver(log(UNSUPPORTED), PASTED, ANY)).status == "fail"


def test_gpu_unsupported_by_driver_near_miss_once_every_gpu_is_driven() -> None:
    pci = [PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2b85")]
    driven = Facts(nvidia=ok(Nvidia(pci_devices=pci, gpus=[NvidiaGpu(index=0)])))
    assert not list(kernel_log.gpu_unsupported_by_driver(log(UNSUPPORTED), driven, ANY))


INIT = "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x26:0x56:1463)"


def test_gpu_init_fails_fires() -> None:
    assert one(kernel_log.gpu_init_fails(log(INIT), PASTED, ANY)).status == "fail"


def test_gpu_init_fails_near_miss_where_all_gpus_answer() -> None:
    assert not list(kernel_log.gpu_init_fails(log(INIT), gpus(NvidiaGpu(index=0)), ANY))


KEY = "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"


def test_secure_boot_rejects_driver_fires() -> None:
    assert one(kernel_log.secure_boot_rejects_driver(log(KEY), PASTED, ANY)).remedy is not None


def test_secure_boot_rejects_driver_near_miss_where_the_driver_is_loaded() -> None:
    assert not list(kernel_log.secure_boot_rejects_driver(log(KEY), gpus(), ANY))


OOM = "Out of memory: Killed process 42 (python3) total-vm:1kB"
CGROUP_OOM = f"Memory cgroup o{OOM[1:]}"


def test_host_out_of_memory_fires() -> None:
    assert "python3" in one(kernel_log.host_out_of_memory(log(OOM), HOST)).message
    assert one(kernel_log.host_out_of_memory(log(CGROUP_OOM), PASTED)).status == "warn"


def test_host_out_of_memory_near_miss_for_other_cgroups_and_inside_containers() -> None:
    assert not list(kernel_log.host_out_of_memory(log(CGROUP_OOM), HOST))
    assert not list(kernel_log.host_out_of_memory(log(OOM), IN_DOCKER))


def test_host_memory_errors_fires() -> None:
    assert one(host_log.host_memory_errors(log("EDAC MC0: 1 UE memory read error on CPU_SrcID#0"), HOST)).status


def test_host_memory_errors_near_miss() -> None:
    corrected = log("EDAC MC0: 1 CE memory read error on CPU_SrcID#0")
    assert not list(host_log.host_memory_errors(corrected, HOST))


def test_disk_failing_fires() -> None:
    assert one(host_log.disk_failing(log("blk_update_request: I/O error, dev sda, sector 5"), HOST)).status == "warn"
    assert one(host_log.disk_failing(log("EXT4-fs (sda1): Remounting filesystem read-only"), HOST)).status == "fail"


def test_disk_failing_near_miss() -> None:
    assert not list(host_log.disk_failing(log("EXT4-fs (sda1): re-mounted. Opts: (null)"), HOST))
    assert not list(host_log.disk_failing(log("Buffer I/O error on dev sda"), IN_DOCKER))


def test_file_handles_exhausted_fires() -> None:
    assert one(host_log.file_handles_exhausted(log("VFS: file-max limit 1000000 reached"))).status == "fail"


def test_file_handles_exhausted_near_miss() -> None:
    assert not list(host_log.file_handles_exhausted(NOTHING))


def test_kernel_hangs_fires() -> None:
    assert "python" in one(host_log.kernel_hangs(log("INFO: task python:7 blocked for more than 120 s"), HOST)).message


def test_kernel_hangs_near_miss() -> None:
    assert not list(host_log.kernel_hangs(log("INFO: task python:7 started"), HOST))


def test_kernel_oops_fires() -> None:
    assert (
        one(host_log.kernel_oops(log("BUG: unable to handle kernel NULL pointer dereference"), HOST)).status == "warn"
    )


def test_kernel_oops_near_miss() -> None:
    assert not list(host_log.kernel_oops(NOTHING, HOST))


def test_pcie_errors_fires() -> None:
    said = "pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received: 0000:01:00.0"
    assert one(host_log.pcie_errors(log(said), HOST)).status == "warn"


def test_pcie_errors_near_miss() -> None:
    assert not list(host_log.pcie_errors(log("pcieport 0000:00:01.0: AER: Corrected error received: 0000:01"), HOST))
