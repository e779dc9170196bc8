"""Checks of what the kernel's log says of devices and the programs that use them."""

from __future__ import annotations

import pytest

from envkit.checks import device_log, kernel_log
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, PciDevice
from envkit.facts.machine import Container, KernelLog
from envkit.findings import Finding, Findings
from envkit.kernel_messages import kernel_messages
from envkit.profile import Profile

ANY, CPU = Profile(), Profile(name="cpu")
PASTED = Facts(sources=["kernel log"])
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
OFF_BUS = "NVRM: GPU at PCI:0000:3b:00: GPU-1111 has fallen off the bus."
CRASH = "trainer[77]: segfault at 7f00 ip 00007f7c sp 00007f7d error 4 in libnccl.so.2[7f7c+a]"
OPCODE = "traps: trainer[77] trap invalid opcode ip:7f00 sp:7f01 error:0 in libtorch_cpu.so[7f00+1]"
PEERMEM = "nvidia-peermem nv_get_p2p_free_callback:99 ERROR detected invalid context, skipping"
ADAPTER = "mlx5_core 0000:5c:00.0: Port module event[error]: module 0, Cable error, High Temperature"
AMD = "amdgpu 0000:83:00.0: amdgpu:"


def log(*lines: str) -> KernelLog:
    return KernelLog(messages=kernel_messages("\n".join(f"[  12.5] {line}" for line in lines)))


def with_gpus(*errors: str | None) -> Facts:
    gpus = [NvidiaGpu(index=index, error=error) for index, error in enumerate(errors)]
    devices = [PciDevice(address=f"{index}", vendor_id="10de", device_id="20b0") for index in range(len(errors))]
    return Facts(nvidia=ok(Nvidia(gpus=gpus, pci_devices=devices)))


def test_gpu_fallen_off_bus_fires_without_a_code() -> None:
    (found,) = device_log.gpu_fallen_off_bus(log(OFF_BUS), PASTED, ANY)
    assert found.status == "fail"
    assert list(device_log.gpu_fallen_off_bus(log(OFF_BUS), with_gpus(None, "GPU_IS_LOST"), ANY))


@pytest.mark.parametrize(
    ("lines", "facts", "profile"),
    [
        ((OFF_BUS, "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus."), PASTED, ANY),  # told by its code
        ((OFF_BUS,), with_gpus(None, None), ANY),  # of an earlier boot: all GPUs answer
        ((OFF_BUS,), PASTED, CPU),
        (("NVRM: RmInitAdapter failed!",), PASTED, ANY),
    ],
)
def test_gpu_fallen_off_bus_near_miss(lines: tuple[str, ...], facts: Facts, profile: Profile) -> None:
    assert not list(device_log.gpu_fallen_off_bus(log(*lines), facts, profile))


def test_gpu_library_crashed_fires_for_each_library() -> None:
    first, second = device_log.gpu_library_crashed(log(CRASH, CRASH, OPCODE))
    assert (first.message, second.message) == (
        "trainer crashed in libnccl.so.2",
        "trainer crashed in libtorch_cpu.so",
    )
    assert second.remedy
    assert "instruction" in second.remedy.text


def test_gpu_library_crashed_near_miss_another_programs_crash() -> None:
    assert not list(device_log.gpu_library_crashed(log(CRASH.replace("libnccl.so.2", "libc.so.6"))))


def test_peermem_errors_fires() -> None:
    (found,) = device_log.peermem_errors(log(PEERMEM), ANY)
    assert found.status == "warn"


def test_peermem_errors_near_miss() -> None:
    assert not list(device_log.peermem_errors(log(PEERMEM), CPU))
    assert not list(device_log.peermem_errors(log("nvidia-peermem nv_mem_client_init: registered"), ANY))


def test_network_adapter_troubled_fires() -> None:
    (found,) = device_log.network_adapter_troubled(log(ADAPTER), PASTED)
    assert (found.status, found.subject) == ("warn", "adapter at 0000:5c:00.0")


def test_network_adapter_troubled_near_miss_in_a_container_or_plugged() -> None:
    assert not list(device_log.network_adapter_troubled(log(ADAPTER), IN_DOCKER))
    assert not list(device_log.network_adapter_troubled(log(ADAPTER.replace("[error]", "")), PASTED))


def only(findings: Findings) -> Finding:
    (found,) = findings
    return found


def test_amd_reset_logged_fires() -> None:
    found = only(device_log.amd_reset_logged(log(f"{AMD} ring gfx timeout, signaled seq=3"), ANY))
    assert (found.status, found.subject) == ("warn", "GPU at 0000:83:00.0")


def test_amd_reset_logged_near_miss() -> None:
    assert not list(device_log.amd_reset_logged(log(f"{AMD} GPU reset begin!"), CPU))
    assert not list(device_log.amd_reset_logged(log(f"{AMD} reset domain created"), ANY))


def test_amd_memory_errors_logged_fires() -> None:
    found = only(
        device_log.amd_memory_errors_logged(log(f"{AMD} 1 uncorrectable hardware errors detected in umc"), ANY)
    )
    assert found.status == "fail"


def test_amd_memory_errors_logged_near_miss() -> None:
    lines = (f"{AMD} 0 uncorrectable hardware errors detected in umc", f"{AMD} 3 correctable hardware errors detected")
    assert not list(device_log.amd_memory_errors_logged(log(*lines), ANY))


def test_amd_init_fails_fires() -> None:
    assert only(device_log.amd_init_fails(log(f"{AMD} Fatal error during GPU init"), ANY)).status == "fail"


def test_amd_init_fails_near_miss() -> None:
    assert not list(device_log.amd_init_fails(log(f"{AMD} Fatal error during GPU init"), CPU))
    assert not list(device_log.amd_init_fails(log(f"{AMD} initializing kernel modesetting"), ANY))


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: The NVIDIA probe routine failed for 1 device(s).",
        "NVRM: This PCI I/O region assigned to your NVIDIA device",
    ],
)
def test_a_gpu_whose_probe_failed_was_not_started(line: str) -> None:
    assert list(kernel_log.gpu_init_fails(log(line), PASTED, ANY))


REMAP = "NVRM: Xid (PCI:0000:10:1c): 63, pid=7, Row Remapper: New row marked for remapping, reset gpu to activate."


def pending(waits: bool | None) -> Facts:
    return Facts(nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=0, remapped_rows_pending=waits)])))


@pytest.mark.parametrize("facts", [PASTED, pending(True)])
def test_row_remap_logged_fires(facts: Facts) -> None:
    assert only(device_log.row_remap_logged(log(REMAP), facts, ANY)).subject == "GPU at 0000:10:1c.0"


def test_row_remap_logged_near_miss_replaced_since_or_recorded_only() -> None:
    assert not list(device_log.row_remap_logged(log(REMAP), pending(False), ANY))
    assert not list(device_log.row_remap_logged(log(REMAP), PASTED, CPU))
    recorded = REMAP.replace(", reset gpu to activate", "")
    assert not list(device_log.row_remap_logged(log(recorded), PASTED, ANY))
