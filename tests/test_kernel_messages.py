"""Lines of the kernel's log that matter, among those that do not."""

from __future__ import annotations

import time

import pytest

from envkit.kernel_messages import kernel_messages


@pytest.mark.parametrize(
    ("line", "kind", "code", "address"),
    [
        ("NVRM: Xid (PCI:0000:9b:00): 119, pid=7, name=x, Timeout", "xid", 119, "0000:9b:00.0"),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", "xid", 14, "0000:03:00.0"),
        ("NVRM: Xid (PCI:0000:38:00): 13, pid='<unknown>', name=<unknown>, Graphics", "xid", 13, "0000:38:00.0"),
        ("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30", "sxid", 20034, "0000:c1:00.0"),
        ("NVRM: API mismatch: the client has the version 535.104.05, but", "driver-mismatch", None, None),
        ("nvidia-peermem nv_get_p2p_free_callback:99 ERROR detected invalid context", "peermem", None, None),
        (
            "python[77]: segfault at 7f00 ip 00007f7c sp 00007f7d error 4 in libnccl.so.2[7f7c+a]",
            "segfault",
            None,
            None,
        ),
        (
            "traps: train[77] trap invalid opcode ip:7f00 sp:7f01 error:0 in libtorch_cpu.so[7f00+1]",
            "segfault",
            None,
            None,
        ),
        ("amdgpu 0000:83:00.0: amdgpu: ring sdma0 timeout, signaled seq=5", "amdgpu-hang", None, "0000:83:00.0"),
        ("amdgpu 0000:83:00.0: amdgpu: GPU reset begin!", "amdgpu-hang", None, "0000:83:00.0"),
        ("amdgpu 0000:83:00.0: 2 uncorrectable hardware errors detected in umc", "amdgpu-memory", None, "0000:83:00.0"),
        ("amdgpu 0000:83:00.0: amdgpu: Fatal error during GPU init", "amdgpu-init", None, "0000:83:00.0"),
        (
            "mlx5_core 0000:5c:00.0: Port module event[error]: module 0, High Temp",
            "network-adapter",
            None,
            "0000:5c:00.0",
        ),
        ("nvme nvme1: controller is down; will reset: CSTS=0xffffffff", "io-error", None, None),
        ("rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "soft-lockup", None, None),
        ("kernel BUG at mm/slub.c:4001!", "oops", None, None),
        ("Memory failure: 0x3fe1: recovery action for dirty LRU page: Recovered", "mce", None, None),
        ("NVRM: The NVIDIA probe routine failed for 1 device(s).", "nvrm", None, None),
        ("nvidia: Loading of module with unavailable key is rejected", "key-rejected", None, None),
        ("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x26:0x56:1463)", "nvrm", None, "0000:01:00.0"),
        ("VFS: file-max limit 1000000 reached", "file-max", None, None),
        ("INFO: task python:12 blocked for more than 120 seconds.", "hung-task", None, None),
    ],
)
@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "[   12.500000] ",
        "<4>[   12.500000] ",
        "[Sun Feb 23 16:24:18 2025] ",
        "Nov 23 10:00:00 gpu1 kernel: [   12.500000] ",
    ],
)
def test_a_line_is_recognised_behind_any_kind_of_time(
    line: str, kind: str, code: int | None, address: str | None, prefix: str
) -> None:
    (message,) = kernel_messages(f"usb 1-1: new device\n{prefix}{line}\nusb 1-2: new device")
    assert (message.kind, message.code, message.pci_address) == (kind, code, address)
    assert message.seconds_since_boot == (12.5 if "12.5" in prefix else None)


@pytest.mark.parametrize(
    ("line", "process"),
    [
        ("Out of memory: Killed process 42 (python3) total-vm:1kB", "python3"),
        ("INFO: task pt_main:7 blocked for more than 120 seconds.", "pt_main"),
    ],
)
def test_whose_process_it_was_is_told(line: str, process: str) -> None:
    assert kernel_messages(line)[0].process == process


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.133.20",
        "nvidia-nvswitch2: open (major=510)",
        "EDAC MC0: Giving out device to module skx_edac",
        "INFO: task started",
        "",
    ],
)
def test_a_harmless_line_is_none(line: str) -> None:
    assert kernel_messages(line) == []


def test_many_alike_are_kept_up_to_a_thousand_in_linear_time() -> None:
    line = "NVRM: Xid (PCI:0000:38:00): 13, pid=1, name=x\n"
    started = time.process_time()
    assert len(kernel_messages(line * 100_000)) == 1000
    kernel_messages("NVRM: Xid (" * 100_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "line",
    [
        "nvidia-peermem nv_mem_client_init: registered with the peer memory client",
        "python[77]: segfault at 0 ip 00007f7c sp 00007f7d error 4 in editor[55+a]",
        "amdgpu 0000:83:00.0: 0 uncorrectable hardware errors detected in umc block",
        "mlx5_core 0000:5c:00.0: Port module event: module 0, Cable plugged",
        "mlx5_core 0000:5c:00.0: mlx5_pcie_event: Detected insufficient power on the PCIe slot (27W).",
        "Memory failure: 0x3fe1: already hardware poisoned",
        "gitlab-runner: job timeout, signaled seq=1 and gone",
    ],
)
def test_lines_like_those_of_faults_that_tell_of_none_are_left_out(line: str) -> None:
    assert kernel_messages(line) == []
