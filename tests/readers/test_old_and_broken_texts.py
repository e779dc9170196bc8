"""Tables of drivers long gone, GPUs that cannot be opened, lines that a terminal or a log has broken or prefixed."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import Amd, Nvidia
from envkit.facts.gpus import AmdErrors
from envkit.readers import (
    accelerate_env,
    amd_smi,
    collect_env,
    lscpu,
    mmengine_env,
    nvidia_smi_csv,
    nvidia_smi_failure,
    nvidia_smi_list,
    nvidia_smi_table,
    rocm_smi,
)

OF_2012 = """\
| NVIDIA-SMI 3.301.10   Driver Version: 301.10         |
| GPU  Name                     | Bus-Id        Disp.  | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap| Memory-Usage         | GPU-Util  Compute M. |
|   0  Tesla T20                | 0000:02:00.0     Off |                    0 |
| 30%   55C    P0   149W / 225W |   1%   69MB / 5375MB |     99%      Default |
|   1  GeForce GT 500           | 0000:84:00.0     N/A |                  N/A |
| 42%   60C  N/A     N/A /  N/A |   5%   53MB / 1023MB |     N/A      Default |
| Compute processes:                                               GPU Memory |
|    0      4242  ./a.out                                                57MB |
|    1            Not Supported                                               |
"""
FLAGS = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 lm avx avx2 aes"
)
REPORT = "Architecture:  x86_64\nCPU(s):  4\nModel name:  A CPU\n"
ROCM_TABLE = """\
============================ ROCm System Management Interface ============================
Device  [Model : Revision]    Temp        Power     Partitions      SCLK    MCLK    Fan  Perf  PwrCap  VRAM%  GPU%
        Name (20 chars)       (Junction)  (Socket)  (Mem, Compute)
==========================================================================================
0       [0x74a1 : 0x00]       41.0°C      121.0W    NPS1, SPX       131Mhz  900Mhz  0%   auto  750.0W  0%   0%
        Instinct Test
1       [0x74a1 : 0x00]       42.0°C      121.0W    NPS1, SPX       131Mhz  900Mhz  0%   auto  750.0W  0%   0%
        Instinct Test
==========================================================================================
"""
ROCM_JSON = (
    '{"card0": {"Card series": "Instinct Test", "Unique ID": "0xab1234cd", "Temperature (Sensor junction) (C)": "47.0",'
    ' "Temperature (Sensor memory) (C)": "46.0", "Average Graphics Package Power (W)": "N/A (Secondary die)",'
    ' "Max Graphics Package Power (W)": "211.0", "pcie clock level": "1 (16.0GT/s x8)", "(Topology) Numa Node": "1",'
    ' "Compute Partition": "SPX", "Memory Partition": "Not supported on the given system"}}'
)
AMD_TEXT = """\
GPU: 0
    ASIC:
        MARKET_NAME: Instinct Test
    POWER:
        SOCKET_POWER: 133 W
    TEMPERATURE:
        EDGE: N/A
        HOTSPOT: 45 °C
        MEM: 37 °C
    ECC:
        TOTAL_CORRECTABLE_COUNT: 4
        TOTAL_UNCORRECTABLE_COUNT: 2
        TOTAL_DEFERRED_COUNT: 0
    ECC_BLOCKS:
        UMC:
            CORRECTABLE_COUNT: 4
            UNCORRECTABLE_COUNT: 2
            DEFERRED_COUNT: 0
    PARTITION:
        COMPUTE_PARTITION: SPX
        MEMORY_PARTITION: NPS1
"""
AMD_JSON = (
    '[{"gpu": 0, "asic": {"market_name": "Instinct Test"}, "temperature": {"hotspot": {"value": 45, "unit": "C"},'
    ' "mem": "N/A"}, "power": {"socket_power": {"value": 133, "unit": "W"}}, "ecc": {"total_correctable_count": 0,'
    ' "total_uncorrectable_count": 7, "total_deferred_count": "N/A"}}]'
)


def nvidia(found: Facts | None) -> Nvidia:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts


def amd(found: Facts | None) -> Amd:
    assert found
    assert found.amd.facts
    return found.amd.facts


def flags(text: str) -> list[str] | None:
    found = lscpu.read(text)
    assert found
    assert found.cpu.facts
    return found.cpu.facts.flags


def test_a_table_of_2012_is_read() -> None:
    seen = nvidia(nvidia_smi_table.read(OF_2012))
    first, second = seen.gpus or []
    assert seen.driver_version == "301.10"
    assert (first.name, first.pci_address, first.memory_used_bytes, first.memory_total_bytes) == (
        "Tesla T20",
        "0000:02:00.0",
        69 << 20,
        5375 << 20,
    )
    assert (first.power_limit_watts, first.utilization_percent, first.persistence_mode) == (225.0, 99, None)
    assert [(process.pid, process.kind) for process in first.processes or []] == [(4242, "compute")]
    assert (second.name, second.memory_total_bytes, second.processes) == ("GeForce GT 500", 1023 << 20, [])


@pytest.mark.parametrize(
    ("line", "index", "address"),
    [
        ("Unable to determine the device handle for GPU1: 0000:34:00.0: Unknown Error", 1, "0000:34:00.0"),
        ("Unable to determine the device handle for GPU0000:CB:00.0: Unknown Error", 0, "0000:cb:00.0"),
        ("Unable to determine the device handle for GPU 3: Unknown Error", 3, None),
        ("Unable to determine the device handle for GPU2: Unknown Error", 2, None),
    ],
)
def test_a_gpu_that_cannot_be_opened_is_named_in_several_ways(line: str, index: int, address: str | None) -> None:
    (gpu,) = nvidia(nvidia_smi_failure.read(line)).gpus or []
    assert (gpu.index, gpu.pci_address, gpu.error) == (index, address, "UNKNOWN")


def test_the_errors_of_nvlinks_are_summed() -> None:
    text = (
        "GPU 0: NVIDIA Test (UUID: GPU-1111)\n\t Link 0: 25 GB/s\n\t Link 0: Replay Errors: 1\n"
        "\t Link 0: Recovery Errors: 0\n\t Link 0: CRC Errors: 2\n\t Link 1: CRC Errors: 0\n"
    )
    (gpu,) = nvidia(nvidia_smi_list.read(text)).gpus or []
    assert [(link.index, link.active, link.errors) for link in gpu.nvlinks or []] == [(0, True, 3), (1, None, 0)]
    twice = nvidia(nvidia_smi_list.read(text + text)).gpus or []
    assert twice == [gpu]


def test_rows_that_repeat_by_uuid_are_one_gpu() -> None:
    text = "uuid, memory.used [MiB]\nGPU-1, 5 MiB\nGPU-2, 6 MiB\nGPU-1, 7 MiB\n"
    assert [gpu.memory_used_bytes for gpu in nvidia(nvidia_smi_csv.read(text)).gpus or []] == [5 << 20, 6 << 20]


def test_a_header_needs_a_column_that_only_this_tool_has() -> None:
    assert nvidia_smi_csv.read("index, name\n0, NVIDIA Test\n") is None


def test_flags_that_lscpu_broke_within_words_are_put_together() -> None:
    words = f"Flags:  {FLAGS}"
    wrapped = "\n        ".join([words[:60], words[60:112], words[112:]])
    assert flags(f"{REPORT}{wrapped}\nL1d cache:  32K\n") == FLAGS.split()


def test_flags_that_lost_the_blanks_at_their_ends_are_put_together() -> None:
    at = FLAGS.index("mce")  # broken right before a word, and the blank before it is gone
    lines = [FLAGS[:at].rstrip(), FLAGS[at : 2 * at], FLAGS[2 * at :]]
    assert flags(f"{REPORT}Flags:  " + "\n        ".join(lines) + "\n") == FLAGS.split()


def test_flags_that_a_terminal_broke_go_on_at_the_left() -> None:
    at = FLAGS.index("pge")
    assert flags(f"{REPORT}Flags:  {FLAGS[:at].strip()}\n{FLAGS[at:]}\n\nVersions: 1\n") == FLAGS.split()


def test_flags_that_were_cut_off_are_unknown() -> None:
    assert flags(f"{REPORT}Flags:  {FLAGS[: FLAGS.index(' lm')]}\n") is None
    assert flags(f"{REPORT}Flags:  {FLAGS[: FLAGS.index(' avx')]}\n") is not None
    assert flags(f"{REPORT}Flags:  {FLAGS[: FLAGS.index(' avx')]} fma\n") is None


def test_lscpu_tells_memory_nodes_also_those_without_processors() -> None:
    found = lscpu.read(f"{REPORT}NUMA node(s): 2\nNUMA node0 CPU(s):  0-1,4\nNUMA node250 CPU(s):\n")
    assert found
    assert found.topology.facts
    nodes = found.topology.facts.numa_nodes or []
    assert [(node.index, node.cpus) for node in nodes] == [(0, "0-1,4"), (250, "")]


def test_a_rocm_smi_table_that_names_models_is_read() -> None:
    gpus = amd(rocm_smi.read(ROCM_TABLE)).gpus or []
    assert [(gpu.name, gpu.temperature_celsius) for gpu in gpus] == [("Instinct Test", 41), ("Instinct Test", 42)]


def test_rocm_smi_tells_warmth_power_link_and_partition() -> None:
    (gpu,) = amd(rocm_smi.read(ROCM_JSON)).gpus or []
    assert (gpu.uuid, gpu.temperature_celsius, gpu.memory_temperature_celsius) == ("GPU-00000000ab1234cd", 47, 46)
    assert (gpu.power_watts, gpu.power_limit_watts, gpu.numa_node) == (None, 211.0, 1)
    assert (gpu.pcie_generation, gpu.pcie_width, gpu.compute_partition, gpu.memory_partition) == (4, 8, "SPX", None)


def test_amd_smi_tells_errors_by_block_else_in_total() -> None:
    (told,) = amd(amd_smi.read(AMD_TEXT)).gpus or []
    assert told.errors == [AmdErrors(block="umc", correctable=4, uncorrectable=2, deferred=0)]
    assert (told.temperature_celsius, told.memory_temperature_celsius, told.power_watts) == (45, 37, 133)
    assert (told.compute_partition, told.memory_partition) == ("SPX", "NPS1")
    (found,) = amd(amd_smi.read(AMD_JSON)).gpus or []
    assert found.errors == [AmdErrors(block="all", correctable=0, uncorrectable=7, deferred=None)]
    assert (found.temperature_celsius, found.memory_temperature_celsius, found.power_watts) == (45, None, 133)


def test_sglang_on_amd_tells_its_gpus() -> None:
    text = (
        "Python: 3.12.1 (main)\nROCM available: True\nGPU 0,1: Instinct Test\nGPU 0,1 Compute Capability: 9.4\n"
        "ROCM Driver Version: 6.9.0\nPyTorch: 2.9.0+git1234567\nnumpy: 2.1.0\n"
    )
    found = mmengine_env.read(text)
    assert [gpu.name for gpu in amd(found).gpus or []] == ["Instinct Test"] * 2
    assert amd(found).driver_version == "6.9.0"
    assert found
    assert found.nvidia.facts is None
    assert found.torch_deep.facts
    assert [device.kind for device in found.torch_deep.facts.devices] == ["cpu", "rocm", "rocm"]


def test_a_compute_capability_that_is_none_is_left_out() -> None:
    text = (
        "CUDA available: True\nGPU 0: NVIDIA Test\nGPU 0 Compute Capability: 9        CUDA_HOME: /usr\n"
        "PyTorch: 2.9.0\nPython: 3.12.1\n"
    )
    (gpu,) = nvidia(mmengine_env.read(text)).gpus or []
    assert gpu.compute_capability is None


def test_a_list_that_lost_its_marks_is_read_as_far_as_the_names_are_known() -> None:
    found = accelerate_env.read(
        "Platform: Linux-5.15.0-43-generic-x86_64-with-glibc2.35\nPython version: 3.12.9\nAccelerate version: 1.5.2\n"
        "PyTorch version (GPU?): 2.9.0+cu128 (True)\nCUDA version: 12.8\nGPU type: NVIDIA Test\n"
    )
    assert found
    assert found.python.facts
    assert {package.name for package in found.python.facts.packages} == {"accelerate", "torch"}
    assert found.system.facts
    assert accelerate_env.read("PyTorch version: 2.9.0\nPython version: 3.12\n") is None


def test_a_vllm_without_a_version_is_no_package() -> None:
    found = collect_env.read("PyTorch version: 2.9.0\nIs CUDA available: False\nvLLM Version: N/A (dev)\n")
    assert found
    assert found.python.facts is None
