"""The table of `nvidia-smi`, of every age, and how it says that something is wrong."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import GpuProcess, Nvidia
from envkit.readers import nvidia_smi_failure, nvidia_smi_table

OLD = """\
+------------------------------------------------------+
| NVIDIA-SMI 340.29     Driver Version: 340.29         |
|-------------------------------+----------------------+----------------------+
|   0  Tesla K40m          Off  | 0000:03:00.0     Off |                    2 |
| N/A   31C    P8    20W / 235W |     22MiB / 11519MiB |      0%   E. Process |
+-------------------------------+----------------------+----------------------+
|   1  Tesla K40m          On   | 0000:84:00.0     Off |                  Off |
| N/A   ERR!   ERR!  ERR! / 235W|  Unknown Error / N/A | Unknown Error  N/A   |
+-------------------------------+----------------------+----------------------+
| Compute processes:                                               GPU Memory |
|    0      4711    C   python                                          20MiB |
"""
WITH_MIG = """\
| NVIDIA-SMI 565.57.01              Driver Version: 565.57.01      CUDA Version: 12.7     |
|-----------------------------------------+------------------------+----------------------+
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:18:00.0 Off |                   On |
| N/A   29C    P0             69W /  700W |      40MiB /  81559MiB |     N/A      Default |
|                                         |                        |              Enabled |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:2A:00.0 Off |                    0 |
| N/A   30C    P0             70W /  700W |       1MiB /  81559MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
| GPU  GI  CI  MIG |              Shared Memory-Usage |        Vol|        Shared         |
|  0    1   0   0  |              20MiB / 40448MiB    | 60      0 |  3   0    3    0    3 |
|                  |               0MiB / 65535MiB    |           |                       |
|  0    2   0   1  |              20MiB / 40448MiB    | 60      0 |  3   0    3    0    3 |
| Processes:                                                                              |
|  No running processes found                                                             |
"""
WINDOWS = """\
| NVIDIA-SMI 560.94                 Driver Version: 560.94         CUDA Version: 12.6     |
|   0  NVIDIA GeForce RTX 4070      WDDM  |   00000000:01:00.0  On |                  N/A |
|  0%   38C    P8             12W /  200W |    1100MiB /  12282MiB |      4%      Default |
|    0   N/A  N/A            1200    C+G   ...crosoft\\Edge\\Application\\msedge.exe      N/A      |
|    0   N/A  N/A            1300      C   C:\\Python\\python.exe                 N/A      |
"""


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def test_an_old_table_gives_its_gpus_and_no_cuda_version() -> None:
    seen = nvidia(nvidia_smi_table.read(OLD))
    assert (seen.driver_version, seen.cuda_driver_version, seen.nvml.outcome) == ("340.29", None, "ok")
    gpu = (seen.gpus or [])[0]
    assert (gpu.name, gpu.pci_address, gpu.persistence_mode) == ("Tesla K40m", "0000:03:00.0", False)
    assert (gpu.memory_used_bytes, gpu.memory_total_bytes) == (22 << 20, 11519 << 20)
    assert (gpu.temperature_celsius, gpu.performance_state, gpu.power_watts, gpu.power_limit_watts) == (
        31,
        "P8",
        20,
        235,
    )
    assert (gpu.ecc_mode, gpu.ecc_uncorrected, gpu.compute_mode) == ("enabled", 2, "exclusive-process")
    assert gpu.processes == [GpuProcess(pid=4711, kind="compute", memory_used_bytes=20 << 20)]
    assert gpu.fan_percent is None
    assert gpu.unreadable["fan_percent"] == "N/A"


def test_a_gpu_whose_sensors_all_fail_has_an_error_and_no_zeros() -> None:
    gpu = (nvidia(nvidia_smi_table.read(OLD)).gpus or [])[1]
    assert gpu.error == "UNKNOWN"
    assert gpu.ecc_mode == "disabled"
    for field in (
        "temperature_celsius",
        "power_watts",
        "memory_used_bytes",
        "memory_total_bytes",
        "utilization_percent",
    ):
        assert getattr(gpu, field) is None, field
        assert gpu.unreadable[field] in {"ERR!", "Unknown Error", "N/A"}, field


def test_one_sensor_in_error_is_unreadable_and_no_broken_gpu() -> None:
    gpu = (nvidia(nvidia_smi_table.read(OLD.replace("| N/A   31C", "|ERR!   31C"))).gpus or [])[0]
    assert (gpu.error, gpu.fan_percent, gpu.unreadable["fan_percent"]) == (None, None, "ERR!")


def test_mig_devices_are_counted_for_the_gpu_that_has_them() -> None:
    first, second = nvidia(nvidia_smi_table.read(WITH_MIG)).gpus or []
    assert (first.mig_mode, first.mig_devices, first.utilization_percent) == ("enabled", 2, None)
    assert (second.mig_mode, second.mig_devices, second.processes) == ("disabled", None, [])


def test_windows_is_told_by_its_driver_model_and_desktop_programs_do_not_compute() -> None:
    found = nvidia_smi_table.read(WINDOWS)
    (gpu,) = nvidia(found).gpus or []
    assert found
    assert found.system.facts
    assert found.system.facts.os == "windows"
    assert gpu.persistence_mode is None
    assert [(p.pid, p.kind, p.memory_used_bytes) for p in gpu.processes or []] == [
        (1200, "graphics", None),
        (1300, "compute", None),
    ]


def test_without_a_table_of_processes_they_are_unknown() -> None:
    (gpu,) = nvidia(nvidia_smi_table.read("".join(WINDOWS.splitlines(keepends=True)[:3]))).gpus or []
    assert gpu.processes is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\n".join(line.strip() for line in text.split("\n")),
        lambda text: "\n".join(f"2025-01-01T10:00:00Z worker-0 {line}" for line in text.split("\n")),
        lambda text: "\n".join(f"      {line}   " for line in text.split("\n")),
    ],
    ids=["stripped", "in a log", "indented"],
)
def test_indentation_and_log_prefixes_do_not_matter(change: object) -> None:
    assert callable(change)
    assert nvidia(nvidia_smi_table.read(change(WITH_MIG))) == nvidia(nvidia_smi_table.read(WITH_MIG))


@pytest.mark.parametrize("length", range(0, len(WITH_MIG), 37))
def test_a_table_cut_off_anywhere_gives_what_is_there(length: int) -> None:
    found = nvidia_smi_table.read(WITH_MIG[:length])
    for gpu in (found.nvidia.facts.gpus or []) if found and found.nvidia.facts else []:
        assert gpu.memory_total_bytes != 0


def test_a_second_table_of_the_same_gpus_adds_nothing() -> None:
    later = WITH_MIG.replace("29C", "80C")
    assert nvidia(nvidia_smi_table.read(WITH_MIG + later)) == nvidia(nvidia_smi_table.read(WITH_MIG))


@pytest.mark.parametrize(
    ("said", "outcome", "error"),
    [
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that",
            "error",
            "DRIVER_NOT_LOADED",
        ),
        ("Failed to initialize NVML: Driver/library version mismatch", "error", "LIB_RM_VERSION_MISMATCH"),
        ("Failed to initialize NVML: Unknown Error", "error", "UNKNOWN"),
        ("Failed to initialize NVML: Insufficient Permissions", "error", "NO_PERMISSION"),
        ("Failed to initialize NVML: GPU access blocked by the operating system", "error", "OPERATING_SYSTEM"),
        (
            "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
            "library-missing",
            "libnvidia-ml.so: not found by nvidia-smi",
        ),
    ],
)
def test_an_error_of_nvidia_smi_is_nvmls_outcome(said: str, outcome: str, error: str) -> None:
    seen = nvidia(nvidia_smi_failure.read(f"$ nvidia-smi\n{said}\n$ "))
    assert (seen.nvml.outcome, seen.nvml.error, seen.gpus) == (outcome, error, None)


def test_the_version_of_nvmls_library_is_kept() -> None:
    text = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161\n"
    assert nvidia(nvidia_smi_failure.read(text)).nvml.library_version == "535.161"


def test_no_devices_found_is_an_answer_of_no_gpus() -> None:
    seen = nvidia(nvidia_smi_failure.read("# nvidia-smi\nNo devices were found\n"))
    assert (seen.nvml.outcome, seen.gpus) == ("ok", [])


@pytest.mark.parametrize(
    ("said", "index", "error"),
    [
        ("GPU 0000:3B:00.0: Unknown Error", 0, "UNKNOWN"),
        ("GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU", 0, "GPU_IS_LOST"),
        ("GPU5: 0000:3B:00.0: Not Found", 5, "NOT_FOUND"),
        ("gpu 0000:3B:00.0: GPU requires reset", 0, "RESET_REQUIRED"),
    ],
)
def test_a_gpu_that_cannot_be_opened_has_its_error(said: str, index: int, error: str) -> None:
    (gpu,) = nvidia(nvidia_smi_failure.read(f"Unable to determine the device handle for {said}\n")).gpus or []
    assert (gpu.index, gpu.pci_address, gpu.error) == (index, "0000:3b:00.0", error)


def test_a_corrupted_inforom_is_told_of_its_gpu() -> None:
    (gpu,) = nvidia(nvidia_smi_failure.read("WARNING: infoROM is corrupted at gpu 0008:00:00.0\n")).gpus or []
    assert (gpu.pci_address, gpu.inforom_corrupted, gpu.error) == ("0008:00:00.0", True, None)
