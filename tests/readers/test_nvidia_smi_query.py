"""`nvidia-smi -q`, whole, in parts and cut off."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess, MigDevice, NvidiaGpu
from envkit.readers import nvidia_smi_query

TEXT = """\
==============NVSMI LOG==============
Driver Version                            : 560.35.03
CUDA Version                              : 12.6
Attached GPUs                             : 2
GPU 00000000:17:00.0
    Product Name                          : NVIDIA A100-SXM4-40GB
    Display Mode                          : Requested functionality has been deprecated
    Display Active                        : Disabled
    Persistence Mode                      : Enabled
    MIG Mode
        Current                           : Enabled
        Pending                           : Disabled
    MIG Device
        Index                             : 0
        ECC Errors
            Volatile
                SRAM Uncorrectable        : 5
        Shared FB Memory Usage
            Total                         : 9856 MiB
    Accounting Mode                       : Disabled
    Driver Model
        Current                           : N/A
    GPU UUID                              : GPU-aaaa
    GPU Virtualization Mode
        Virtualization Mode               : Pass-Through
    GPU Recovery Action                   : GPU Reset
    PCI
        GPU Link Info
            PCIe Generation
                Max                       : 4
                Current                   : 1
                Device Current            : 1
            Link Width
                Max                       : 16x
                Current                   : 8x
        Replays Since Reset               : 12
    Fan Speed                             : ERR!
    Performance State                     : P0
    Clocks Event Reasons
        Idle                              : Not Active
        HW Slowdown                       : Active
            HW Thermal Slowdown           : Active
        SW Thermal Slowdown               : Not Active
    Clocks Event Reasons Counters
        SW Thermal Slowdown               : 12 us
    FB Memory Usage
        Total                             : 40960 MiB
        Used                              : 100 MiB
    BAR1 Memory Usage
        Total                             : 65536 MiB
    Conf Compute Protected Memory Usage
        Total                             : 0 MiB
    Compute Mode                          : Exclusive_Process
    Utilization
        Gpu                               : N/A
        Memory                            : 7 %
    ECC Mode
        Current                           : Enabled
        Pending                           : Enabled
    ECC Errors
        Volatile
            SRAM Correctable              : 1
            SRAM Uncorrectable Parity     : 2
            DRAM Correctable              : 3
            DRAM Uncorrectable            : 4
        Aggregate
            DRAM Correctable              : 100
            DRAM Uncorrectable            : 200
            SRAM Threshold Exceeded       : Yes
    Retired Pages
        Single Bit ECC                    : N/A
        Pending Page Blacklist            : N/A
    Remapped Rows
        Correctable Error                 : 1
        Uncorrectable Error               : 2
        Pending                           : Yes
        Remapping Failure Occurred        : No
    Temperature
        GPU Current Temp                  : 41 C
        GPU Slowdown Temp                 : 89 C
        Memory Current Temp               : [N/A]
    GPU Power Readings
        Average Power Draw                : N/A
        Instantaneous Power Draw          : 61.50 W
        Current Power Limit               : 400.00 W
        Default Power Limit               : 400.00 W
    Module Power Readings
        Current Power Limit               : 999.00 W
    Clocks
        SM                                : 1095 MHz
    Applications Clocks
        SM                                : 7 MHz
    Max Clocks
        SM                                : 1410 MHz
    Fabric
        State                             : In Progress
        Status                            : N/A
    Processes
        GPU instance ID                   : 3
        Process ID                        : 4242
            Type                          : C
            Name                          : python
            Used GPU Memory               : 90 MiB

GPU 00000000:65:00.0
    Product Name                          : NVIDIA A100-SXM4-40GB
    Remapped Rows                         : N/A
    Processes                             : None
"""
OLD_ECC = """\
GPU 0000:03:00.0
    ECC Errors
        Volatile
            Single Bit
                Device Memory             : 6
                Total                     : 7
            Double Bit
                Total                     : 1
        Aggregate
            Double Bit
                Total                     : 50
    Retired Pages
        Single Bit ECC                    : 3
        Double Bit ECC                    : 1
        Pending                           : No
"""


EXPECTED = NvidiaGpu(
    index=0,
    name="NVIDIA A100-SXM4-40GB",
    uuid="GPU-aaaa",
    pci_address="0000:17:00.0",
    memory_total_bytes=40960 << 20,
    memory_used_bytes=100 << 20,
    bar1_total_bytes=65536 << 20,
    mig_mode="enabled",
    mig_mode_pending="disabled",
    mig_devices=1,
    mig=[MigDevice(index=0, memory_total_bytes=9856 << 20)],
    ecc_mode="enabled",
    ecc_mode_pending="enabled",
    ecc_corrected=4,
    ecc_uncorrected=6,
    ecc_sram_threshold_exceeded=True,
    remapped_rows_correctable=1,
    remapped_rows_uncorrectable=2,
    remapped_rows_pending=True,
    remapped_rows_failure=False,
    recovery_action="reset",
    fabric_state="in-progress",
    performance_state="P0",
    pcie_replays=12,
    display_active=False,
    virtualization_mode="pass-through",
    temperature_celsius=41,
    temperature_slowdown_celsius=89,
    power_watts=61.5,
    power_limit_watts=400.0,
    power_limit_default_watts=400.0,
    clock_sm_megahertz=1095,
    clock_sm_max_megahertz=1410,
    throttle_reasons=["hw_slowdown", "hw_thermal_slowdown"],
    pcie_generation=1,
    pcie_generation_max=4,
    pcie_width=8,
    pcie_width_max=16,
    persistence_mode=True,
    compute_mode="exclusive-process",
    processes=[GpuProcess(pid=4242, kind="compute", memory_used_bytes=90 << 20)],
    unreadable={
        "fan_percent": "ERR!",
        "utilization_percent": "N/A",
        "retired_pages": "N/A",
        "retired_pages_pending": "N/A",
        "memory_temperature_celsius": "N/A",
        "fabric_status": "N/A",
    },
)


def gpus(found: Facts | None) -> list[NvidiaGpu]:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts.gpus or []


def test_everything_that_is_told_of_a_gpu_is_read() -> None:
    found = nvidia_smi_query.read(TEXT)
    first, second = gpus(found)
    assert found
    assert found.nvidia.facts
    assert (found.nvidia.facts.driver_version, found.nvidia.facts.cuda_driver_version) == ("560.35.03", "12.6")
    assert first == EXPECTED
    assert (second.index, second.pci_address, second.processes) == (1, "0000:65:00.0", [])
    assert second.unreadable == {"remapped_rows_correctable": "N/A"}


def test_errors_of_old_gpus_are_the_totals_since_the_driver_was_loaded() -> None:
    (gpu,) = gpus(nvidia_smi_query.read(OLD_ECC))
    assert (gpu.ecc_corrected, gpu.ecc_uncorrected) == (7, 1)
    assert (gpu.retired_pages, gpu.retired_pages_pending) == (4, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\n".join(line.strip() for line in text.split("\n")),
        lambda text: "\n".join(f"worker-0  | {line}" for line in text.split("\n")),
        lambda text: f"See this:\n```\n{text}```\nWhat is wrong?",
    ],
    ids=["stripped", "in a log", "in prose"],
)
def test_neither_indentation_nor_prefixes_matter(change: object) -> None:
    assert callable(change)
    assert gpus(nvidia_smi_query.read(change(TEXT))) == gpus(nvidia_smi_query.read(TEXT))


@pytest.mark.parametrize("length", range(0, len(TEXT), 211))
def test_what_is_cut_off_anywhere_gives_what_is_there(length: int) -> None:
    found = nvidia_smi_query.read(TEXT[:length])
    for gpu in gpus(found) if found else []:
        assert gpu.memory_total_bytes in {None, 40960 << 20}
        assert gpu.ecc_uncorrected in {None, 2, 6}


def test_versions_alone_are_facts() -> None:
    found = nvidia_smi_query.read(
        "NVIDIA-SMI version  : 590.48.01\nDRIVER version      : 590.48.01\nCUDA Version        : 13.1\n"
    )
    assert found
    assert found.nvidia.facts
    assert (found.nvidia.facts.driver_version, found.nvidia.facts.cuda_driver_version) == ("590.48.01", "13.1")
    assert found.nvidia.facts.gpus is None


def test_a_fragment_without_a_heading_is_of_one_gpu() -> None:
    (gpu,) = gpus(nvidia_smi_query.read("    Remapped Rows\n        Uncorrectable Error : 3\n        Pending : Yes\n"))
    assert (gpu.remapped_rows_uncorrectable, gpu.remapped_rows_pending) == (3, True)
