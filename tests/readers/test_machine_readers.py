"""The kernel's log, the NVIDIA module, lspci, dcgmi, envkit's own facts."""

from __future__ import annotations

import json

import pytest

from envkit import facts
from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia
from envkit.facts.machine import KernelLog, KernelMessage, Memory
from envkit.readers import dcgmi, dmesg, facts_json, lspci, nvidia_module, read_all


def messages(text: str) -> list[KernelMessage]:
    found = dmesg.read(text)
    assert found
    assert found.kernel_log.facts
    return found.kernel_log.facts.messages


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def test_an_xid_has_its_code_gpu_process_and_time() -> None:
    line = "[ 1234.567890] NVRM: Xid (PCI:0000:3b:00): 31, pid=77, name=python3, Ch 00000008, MMU Fault"
    (message,) = messages(f"noise\n{line}\nnoise")
    assert (message.kind, message.code, message.pci_address) == ("xid", 31, "0000:3b:00.0")
    assert (message.process, message.seconds_since_boot, message.text) == ("python3", 1234.56789, line)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("NVRM: Xid (0000:03:00): 79, GPU has fallen off the bus.", "xid"),
        ("nvidia-nvswitch3: SXid (PCI:0000:c4:00.0): 12028, Non-fatal, Link 32 egress", "sxid"),
        ("Out of memory: Killed process 4242 (python) total-vm:1kB", "oom-kill"),
        (
            "NVRM: API mismatch: the client has the version 1, but this kernel module has the version 2",
            "driver-mismatch",
        ),
        ("NVRM: installed in this system is not supported by the NVIDIA 535.1 driver release.", "unsupported-gpu"),
        ("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service", "key-rejected"),
        ("pcieport 0000:00:01.0: PCIe Bus Error: severity=Corrected, type=Physical Layer", "aer"),
        ("mce: [Hardware Error]: Machine check events logged", "mce"),
        ("INFO: task python:99 blocked for more than 120 seconds.", "hung-task"),
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [python:1]", "soft-lockup"),
        ("EXT4-fs (sda1): Remounting filesystem read-only", "read-only-remount"),
        ("blk_update_request: I/O error, dev nvme0n1, sector 7", "io-error"),
        ("VFS: file-max limit 1000 reached", "file-max"),
    ],
)
def test_each_kind_of_message_is_told_apart(line: str, kind: str) -> None:
    prefixes = ("", "Nov 23 10:00:00 node1 kernel: ", "kern  :warn  : 2025-01-01T00:00:00,1+00:00 ", "6,12,3400000,-;")
    for prefix in prefixes:
        assert [message.kind for message in messages(prefix + line)] == [kind]


def test_a_log_without_trouble_is_a_log_and_prose_is_none() -> None:
    assert messages("".join(f"[    {i}.000000] usb 1-1: new device\n" for i in range(5))) == []
    assert dmesg.read("my kernel log shows nothing\n[1] see there\n") is None


def test_the_version_of_the_module_is_the_last_that_was_loaded() -> None:
    text = (
        "[    9.1] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n"
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version: 12\n"
    )
    seen = nvidia(nvidia_module.read(text))
    assert (seen.module_version, seen.driver_version, seen.open_module, seen.module_loaded) == (
        "570.86.15",
        "570.86.15",
        True,
        True,
    )


def test_a_list_of_modules_tells_which_are_missing() -> None:
    text = "Module                  Size  Used by\nnvidia_drm   77824  1\nnvidia  56000000  40 nvidia_drm\nnfs  1  0\n"
    seen = nvidia(nvidia_module.read(text))
    assert (seen.module_loaded, seen.uvm_loaded, seen.nouveau_loaded) == (True, False, False)
    filtered = nvidia(nvidia_module.read("nvidia  56000000  40 nvidia_drm\n"))
    assert (filtered.module_loaded, filtered.uvm_loaded, filtered.nouveau_loaded) == (True, None, None)


LSPCI = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:09a2]
17:00.0 3D controller [0302]: NVIDIA Corporation GA100 [10de:20b0] (rev a1)
\tSubsystem: NVIDIA Corporation Device [10de:144e]
\tNUMA node: 1
\t\tLnkCap:\tPort #0, Speed 16GT/s, Width x16, ASPM not supported
\t\tLnkSta:\tSpeed 16GT/s, Width x8 (downgraded)
\tKernel driver in use: nouveau
\tKernel modules: nouveau, nvidia
00:04.0 Bridge [0680]: NVIDIA Corporation Device [10de:1af1]
\tKernel driver in use: nvidia-nvswitch
0001:00:05.0 Processing accelerators [1200]: Google, Inc. Device [1ae0:0063]
00:06.0 Ethernet controller [0200]: Google, Inc. Compute Engine Virtual Ethernet [gVNIC] [1ae0:0042]
"""


@pytest.mark.parametrize(
    "text", [LSPCI, "\n".join(line.strip() for line in LSPCI.split("\n"))], ids=["as is", "stripped"]
)
def test_accelerators_on_the_bus_have_their_driver_and_link(text: str) -> None:
    found = lspci.read(text)
    seen = nvidia(found)
    (gpu,) = seen.pci_devices or []
    assert (gpu.address, gpu.device_id, gpu.class_id, gpu.subsystem_id) == ("0000:17:00.0", "20b0", "030200", "144e")
    assert (gpu.kernel_driver, gpu.link_width, gpu.link_width_max, gpu.numa_node) == ("nouveau", 8, 16, 1)
    assert seen.module_loaded is False
    assert found
    assert found.tpu.facts
    assert [device.address for device in found.tpu.facts.pci_devices or []] == ["0001:00:05.0"]


def test_a_whole_bus_without_nvidia_says_absent_and_a_part_of_it_nothing() -> None:
    others = [f"00:0{i}.0 Ethernet controller: Intel Corporation Device 1{i}00" for i in range(6)]
    found = lspci.read("\n".join(others))
    assert found
    assert found.nvidia.outcome == "absent"
    assert lspci.read(others[0]) is None


def test_the_names_of_classes_stand_in_for_their_numbers() -> None:
    seen = nvidia(
        lspci.read(
            "$ lspci | grep -i nvidia\n01:00.0 VGA compatible controller: NVIDIA Corporation Device 2684 (rev a1)\n"
        )
    )
    (gpu,) = seen.pci_devices or []
    assert (gpu.device_id, gpu.class_id, gpu.kernel_driver, seen.module_loaded) == ("2684", "030000", None, None)


def diag(*results: dict[str, object]) -> str:
    tests = [{"name": "Memory", "results": list(results)}]
    return json.dumps({"DCGM Diagnostic": {"test_categories": [{"category": "Hardware", "tests": tests}]}})


def test_tests_of_dcgm_that_did_not_pass_are_listed() -> None:
    text = diag(
        {"gpu_id": "0", "status": "Pass"},
        {"gpu_id": "1", "status": "Fail", "warnings": [{"warning": "a DBE"}]},
        {"status": "Warn", "info": "persistence"},
    )
    failures = nvidia(dcgmi.read(f"$ dcgmi diag -r 1 -j\n{text}\n$")).dcgm_failures or []
    assert [(test.name, test.status, test.gpu, test.message) for test in failures] == [
        ("Memory", "fail", 1, "a DBE"),
        ("Memory", "warn", None, "persistence"),
    ]
    assert nvidia(dcgmi.read(diag({"status": "Pass"}))).dcgm_failures == []


def test_errors_of_links_are_added_up() -> None:
    children = {"CRC FLIT Error": {"value": "2"}, "Replay Error": {"value": "1"}, "Recovery Error": {"value": "N/A"}}
    body = {"Link 3": {"children": children}, "Link 4": {"children": {"CRC Data Error": {"value": "N/A"}}}}
    (gpu,) = nvidia(dcgmi.read(json.dumps({"body": body, "header": ["NVLINK Error Counts", "GPU 5"]}))).gpus or []
    assert [(gpu.index, link.index, link.errors) for link in gpu.nvlinks or []] == [(5, 3, 3), (5, 4, None)]


def test_what_envkits_facts_quote_is_not_read_once_more() -> None:
    message = KernelMessage(kind="xid", text="NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", code=79)
    own = Facts(envkit="1.0", kernel_log=facts.ok(KernelLog(messages=[message])))
    assert read_all(facts.encode(own)) == own, "the very facts, which no other text adds to"
    assert read_all(f"Here:\n{facts.encode(own)}\nbye").sources == [facts_json.NAME]


@pytest.mark.parametrize(
    "text", ['{"DCGM Diagnostic": []}', '{"DCGM Diagnostic": {"test_categories": [1, {"tests": 2}]}}']
)
def test_another_shape_of_dcgms_answer_is_survived(text: str) -> None:
    assert nvidia(dcgmi.read(text)).dcgm_failures == []
    assert dcgmi.read(text[:-3]) is None


def test_envkits_facts_are_found_within_a_paste() -> None:
    own = Facts(envkit="1.0", memory=facts.ok(Memory(memory_total_bytes=7)))
    assert facts_json.read(f"Here:\n```json\n{facts.encode(own)}\n```\nbye {{}}") == own
    assert facts_json.read(facts.encode(own)[:-20]) is None
    assert facts_json.read(facts.encode(own).replace(": 7", ': "seven"')) is None


@pytest.mark.parametrize(
    "line",
    [
        "05:00.0 Bridge: NVIDIA Corporation Device 22a3 (rev a1)",
        "05:00.0 Bridge [0680]: NVIDIA Corporation [10de:22a3]",
    ],
)
def test_lspci_counts_nvswitches_of_a_machine_with_gpus(line: str) -> None:
    gpu = "0a:00.0 3D controller [0302]: NVIDIA Corporation Test [10de:20b0]\n"
    for text, counted in ((gpu + line, 1), (gpu, None)):
        found = lspci.read(text)
        assert found
        assert found.nvidia.facts
        assert (len(found.nvidia.facts.pci_devices or []), found.nvidia.facts.nvswitches) == (1, counted)
