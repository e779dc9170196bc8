"""AMD GPUs and TPUs from the tools of their makers, and every recording of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import Amd, AmdGpu, Tpu
from envkit.readers import amd_smi, plain_text, proc_cpuinfo, rocm_smi, rocminfo, tpu_info

RECORDINGS = Path(__file__).parents[2] / "../shared/hardware"
ROCMINFO = """\
ROCk module version 6.8.5 is loaded
==========
HSA Agents
==========
Agent 1
  Name:                    AMD EPYC 9474F 48-Core Processor
  Device Type:             CPU
  BDFID:                   0
Agent 2
  Name:                    gfx90a
  Marketing Name:          AMD Instinct MI250X
  Device Type:             GPU
  BDFID:                   50432
  Pool Info:
    Pool 1
      Segment:                 GLOBAL; FLAGS: COARSE GRAINED
      Size:                    67092480(0x3ffc000) KB
  ISA Info:
    ISA 1
      Name:                    amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-
"""
STATIC = """\
GPU: 0
    ASIC:
        MARKET_NAME: AMD Instinct MI300X
        TARGET_GRAPHICS_VERSION: gfx942
    BUS:
        BDF: 0000:0C:00.0
    DRIVER:
        NAME: amdgpu
        VERSION: 6.10.5
    VRAM:
        TYPE: HBM
        SIZE: 196592 MB
GPU: 1
    ASIC:
        MARKET_NAME: N/A
    MEM_USAGE:
        TOTAL_VRAM: 16 GB
        USED_VRAM: 283 MB
"""
TABLE = """\
| AMD-SMI 26.0.2      amdgpu version: 6.14.14 ROCm version: 7.0.2    |
| BDF                        GPU-Name | Mem-Uti   Temp   UEC       Power-Usage |
|=====================================+========================================|
| 0000:05:00.0    AMD Instinct MI300X | 0 %      40 °C   0           142/750 W |
|   0       0       7        SPX/NPS1 | 0 %        N/A           283/196592 MB |
"""


def amd(found: Facts | None) -> Amd:
    assert found
    assert found.amd.facts
    return found.amd.facts


def tpu(text: str) -> Tpu:
    found = tpu_info.read(text)
    assert found
    assert found.tpu.facts
    return found.tpu.facts


@pytest.mark.parametrize("keys", [("Card series", "VRAM Total Memory (B)"), ("Card Series", "vram Total Memory (B)")])
def test_rocm_smis_json_of_any_spelling(keys: tuple[str, str]) -> None:
    series, memory = keys
    card = {series: "Vega 20", memory: "17163091968", "PCI Bus": "0000:0C:00.0", "GFX Version": "gfx906"}
    text = json.dumps({"card10": {series: "0x1002"}, "card2": card, "system": {"Driver version": "6.7.0"}})
    found = amd(rocm_smi.read(f"WARNING: low power\n{text}\n"))
    assert found.driver_version == "6.7.0"
    assert found.gpus == [
        AmdGpu(name="Vega 20", gfx="gfx906", pci_address="0000:0c:00.0", memory_total_bytes=17163091968),
        AmdGpu(),
    ]


def test_rocm_smis_lines_and_table() -> None:
    lines = "GPU[0]\t\t: Card Series: \t\tAMD Radeon\nGPU[1]\t\t: VRAM Total Memory (B): 1024\nDriver version: 6.7\n"
    found = amd(rocm_smi.read(lines))
    assert (found.gpus, found.driver_version) == ([AmdGpu(name="AMD Radeon"), AmdGpu(memory_total_bytes=1024)], "6.7")
    table = (
        "===== ROCm System Management Interface =====\nDevice  Node  IDs   Temp\n      (DID, GUID)\n=====\n"
        "0       2     0x74a1,   55354  51.0C\n1       3     0x74a1,   41632  48.0C\n=====\n"
    )
    assert len(amd(rocm_smi.read(table)).gpus or []) == 2


def test_rocminfo_has_gpus_only_with_their_place_on_the_bus() -> None:
    found = amd(rocminfo.read(ROCMINFO))
    assert found.driver_version == "6.8.5"
    assert found.gpus == [
        AmdGpu(name="AMD Instinct MI250X", gfx="gfx90a", pci_address="0000:c5:00.0", memory_total_bytes=67092480 * 1024)
    ]
    (kfd,) = found.device_nodes
    assert (kfd.path, kfd.readable) == ("/dev/kfd", True)


def test_rocminfo_tells_a_missing_module_from_missing_rights() -> None:
    found = rocminfo.read("ROCk module is NOT loaded, possibly no GPU devices\n")
    assert found
    assert (found.amd.outcome, found.amd.facts) == ("absent", None)
    denied = "ROCk module is loaded\nUnable to open /dev/kfd read-write: Permission denied\n"
    (kfd,) = amd(rocminfo.read(denied)).device_nodes
    assert (kfd.path, kfd.readable, kfd.writable) == ("/dev/kfd", False, False)


def test_amd_smi_as_text() -> None:
    found = amd(amd_smi.read(STATIC))
    assert found.driver_version == "6.10.5"
    assert found.gpus == [
        AmdGpu(name="AMD Instinct MI300X", gfx="gfx942", pci_address="0000:0c:00.0", memory_total_bytes=196592 << 20),
        AmdGpu(memory_total_bytes=16 << 30, memory_used_bytes=283 << 20),
    ]


def test_amd_smi_as_table() -> None:
    found = amd(amd_smi.read(TABLE))
    assert (found.driver_version, found.rocm_version) == ("6.14.14", "7.0.2")
    (gpu,) = found.gpus or []
    assert (gpu.name, gpu.memory_total_bytes, gpu.memory_used_bytes) == (
        "AMD Instinct MI300X",
        196592 << 20,
        283 << 20,
    )


@pytest.mark.parametrize("wrapped", [True, False])
def test_amd_smi_as_json_static_and_metric_fill_each_other(wrapped: bool) -> None:
    static = [{"gpu": 0, "asic": {"market_name": "MI210", "target_graphics_version": "GFX90A"}, "bus": "N/A"}]
    metric = [{"gpu": 0, "mem_usage": {"total_vram": {"value": 65520, "unit": "MB"}, "used_vram": "N/A"}}]
    text = "\n".join(json.dumps({"gpu_data": rows} if wrapped else rows, indent=4) for rows in (static, metric))
    assert amd(amd_smi.read(text)).gpus == [AmdGpu(name="MI210", gfx="gfx90a", memory_total_bytes=65520 << 20)]


@pytest.mark.parametrize("bar", ["|", "│"])
def test_tpu_info_has_chips_their_memory_and_who_holds_them(bar: str) -> None:
    text = (
        "Libtpu version: 0.0.19\nAccelerator type: v6e\nTPU Chips\n| Chip | Type | Devices | PID |\n"
        "| /dev/vfio/0 | TPU v6e chip | 1 | 1469 |\n| /dev/vfio/1 | TPU v6e chip | 1 | None |\n"
        "| 0    | 18.00 GiB / 31.25 GiB |    100.00% |\n"
    ).replace("|", bar)
    found = tpu(text)
    assert (found.libtpu_version, found.accelerator_type, found.libtpu_error) == ("0.0.19", "v6e", None)
    first, second = found.chips or []
    assert (first.device, first.name, first.pid) == ("/dev/vfio/0", "TPU v6e chip", 1469)
    assert (first.memory_used_bytes, first.memory_total_bytes) == (18 << 30, int(31.25 * 2**30))
    assert (second.pid, second.memory_total_bytes) == (None, None)
    assert [node.path for node in found.device_nodes] == ["/dev/vfio/0", "/dev/vfio/1"]


def test_a_libtpu_that_does_not_fit_is_told() -> None:
    found = tpu("- tpu-info version: 0.8.0\n- libtpu version: N/A (incompatible environment)\n")
    assert (found.libtpu_version, found.libtpu_error) == (None, "incompatible environment")


def recorded(pattern: str) -> str:
    """The text of a recording; skips where there are none."""
    paths = sorted(RECORDINGS.glob(pattern))
    if not paths:
        pytest.skip("no recordings beside the repository")
    return plain_text(paths[0].read_bytes())


@pytest.mark.parametrize(
    ("name", "number", "driver", "memory"),
    [
        ("mi100_rocm571.json", 6, "6.2.4", 34342961152),
        ("rx6700xt_rocm430.json", 1, "6.3.6", 12868124672),
        ("rx6700xt_rocm602.json", 1, "6.3.6", 12868124672),
        ("vega-10-XT.json", 1, "5.9.25", 17163091968),
        ("rocm_smi.json", 2, "5.3.0-26-generic", 17163091968),
        ("mi300x-x4-rocm-smi-a.txt", 4, "6.7.0", None),
    ],
)
def test_recorded_rocm_smi(name: str, number: int, driver: str, memory: int | None) -> None:
    found = amd(rocm_smi.read(recorded(f"rocm/*{name}")))
    assert (len(found.gpus or []), found.driver_version) == (number, driver)
    assert {gpu.memory_total_bytes for gpu in found.gpus or []} == {memory}
    assert all(gpu.pci_address for gpu in found.gpus or [])


def test_recorded_rocminfo() -> None:
    gpus = amd(rocminfo.read(recorded("rocm/*rocminfo.txt"))).gpus or []
    assert [gpu.gfx for gpu in gpus] == ["gfx942"] * 4


def test_recorded_tpu_info() -> None:
    found = tpu(recorded("tpu/*v6e-4.txt"))
    assert len(found.chips or []) == 4
    assert tpu(recorded("tpu/*incompatible.txt")).libtpu_error == "incompatible environment"


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("quad-socket.txt", ("Intel(R) Xeon(R) CPU E5-4607 0 @ 2.20GHz", 4, 48)),
        ("onesocket-many-numa.txt", ("Intel(R) Xeon(R) Gold 5218R CPU @ 2.10GHz", 16, 32)),
        ("armv7.txt", ("ARMv7 Processor rev 4 (v7l)", None, 2)),
    ],
)
def test_recorded_cpuinfo(name: str, facts: tuple[str, int | None, int]) -> None:
    found = proc_cpuinfo.read(recorded(f"proc/*{name}"))
    assert found
    assert found.cpu.facts
    assert (found.cpu.facts.model, found.cpu.facts.sockets, found.cpu.facts.threads) == facts
