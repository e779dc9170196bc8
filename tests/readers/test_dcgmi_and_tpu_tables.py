"""The tables of dcgmi and tpu-info."""

from __future__ import annotations

from envkit.facts import Facts
from envkit.facts.accelerators import DcgmTest, Nvidia
from envkit.readers import dcgmi_table, tpu_info

THIRD = """\
Successfully ran diagnostic for group.
| Diagnostic                | Result                                         |
|-----  Metadata  ----------+------------------------------------------------|
| DCGM Version              | 3.9.9                                          |
| Driver Version Detected   | 555.10                                         |
|-----  Deployment  --------+------------------------------------------------|
| Denylist                  | Pass                                           |
| Persistence Mode          | Fail                                           |
| Warning                   | Persistence mode for GPU 4 is disabled.        |
| Inforom                   | Pass                                           |
| Info                      | nothing to see                                 |
| PCIe                      | Pass - All                                     |
| GPU Memory                | Fail - GPUs: 1, 3                              |
| Targeted Power            | Warn - GPU: 2                                  |
"""
FOURTH = """\
Successfully ran diagnostic for group.
| Diagnostic                | Result                                         |
| DCGM Version              | 4.9.9                                          |
| software                  | Pass                                           |
|                           | GPU0: Pass                                     |
| memory                    | Fail                                           |
|                           | GPU5: Fail                                     |
| Warning: GPU5             | Pass                                           |
"""
DISCOVERY = """\
2 GPUs found.
| GPU ID | Device Information                                                   |
| 0      | Name: NVIDIA Test                                                    |
|        | PCI Bus ID: 00000000:07:00.0                                         |
|        | Device UUID: GPU-1111                                                |
| 1      | Name: NVIDIA Test                                                    |
"""


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def test_tests_that_did_not_pass_are_read_with_gpu_and_message() -> None:
    seen = nvidia(dcgmi_table.read(THIRD))
    assert seen.driver_version == "555.10"
    assert seen.dcgm_failures == [
        DcgmTest(name="Persistence Mode", status="fail", gpu=4, message="Persistence mode for GPU 4 is disabled."),
        DcgmTest(name="GPU Memory", status="fail", gpu=1),
        DcgmTest(name="GPU Memory", status="fail", gpu=3),
        DcgmTest(name="Targeted Power", status="warn", gpu=2),
    ]


def test_dcgm_4_names_the_gpus_below_the_test() -> None:
    assert nvidia(dcgmi_table.read(FOURTH)).dcgm_failures == [
        DcgmTest(name="memory", status="fail", gpu=5, message="GPU5: Fail")
    ]


def test_a_run_without_failures_has_none() -> None:
    passed = "\n".join(line for line in THIRD.split("\n") if "Fail" not in line and "Warn" not in line)
    assert nvidia(dcgmi_table.read(passed)).dcgm_failures == []


def test_discovery_lists_gpus_and_tells_of_no_test() -> None:
    seen = nvidia(dcgmi_table.read(DISCOVERY))
    assert [(gpu.index, gpu.name, gpu.pci_address, gpu.uuid) for gpu in seen.gpus or []] == [
        (0, "NVIDIA Test", "0000:07:00.0", "GPU-1111"),
        (1, "NVIDIA Test", None, None),
    ]
    assert seen.dcgm_failures is None


def test_health_is_a_test_of_its_own() -> None:
    assert nvidia(dcgmi_table.read("| Overall Health | Failure |\n")).dcgm_failures == [
        DcgmTest(name="health", status="fail")
    ]
    assert nvidia(dcgmi_table.read("| Overall Health | Healthy |\n")).dcgm_failures == []
    assert dcgmi_table.read("| a | b |\n") is None


def test_chips_of_a_slice_have_their_memory_though_its_rows_are_numbered_otherwise() -> None:
    rows = "| /dev/vfio/0 | TPU test chip | 1 | 7 |\n| /dev/vfio/1 | TPU test chip | 1 | 7 |\n"
    found = tpu_info.read(f"TPU Chips\n{rows}| 12 | 1.00 GiB / 32.00 GiB | 5 |\n| 13 | 2.00 GiB / 32.00 GiB | 5 |\n")
    assert found
    assert found.tpu.facts
    chips = found.tpu.facts.chips or []
    assert [chip.memory_used_bytes for chip in chips] == [1 << 30, 2 << 30]
    assert {chip.memory_total_bytes for chip in chips} == {32 << 30}


def test_processes_alone_tell_chips_and_who_holds_them() -> None:
    found = tpu_info.read("TPU Process Info\n| Chip | PID | Name |\n| /dev/vfio/0 | 799 | python3 |\n")
    assert found
    assert found.tpu.facts
    assert [(chip.device, chip.pid) for chip in found.tpu.facts.chips or []] == [("/dev/vfio/0", 799)]
