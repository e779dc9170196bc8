"""`nvidia-smi --query-gpu`, `-L`, `nvlink -s`, `topo -m`."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import NvidiaGpu
from envkit.readers import nvidia_smi_csv, nvidia_smi_list, nvidia_topo


def gpus(found: Facts | None) -> list[NvidiaGpu]:
    assert found
    assert found.nvidia.facts
    return found.nvidia.facts.gpus or []


def test_columns_are_read_by_their_header() -> None:
    text = (
        "index, name, driver_version, compute_cap, memory.total [MiB], pci.bus_id, clocks_event_reasons.active\n"
        "1, NVIDIA L4, 550.90.07, 8.9, 23034 MiB, 00000000:02:00.0, 0x0000000000000048\n"
        "0, NVIDIA L4, 550.90.07, 8.9, [Unknown Error], 00000000:01:00.0, [N/A]\n"
        "\nall good, or not, is it, says, my, friend, who knows\n"
    )
    found = nvidia_smi_csv.read(text)
    first, second = gpus(found)
    assert (first.index, first.name, first.compute_capability) == (1, "NVIDIA L4", "8.9")
    assert (first.memory_total_bytes, first.pci_address) == (23034 << 20, "0000:02:00.0")
    assert first.throttle_reasons == ["hw_slowdown", "hw_thermal_slowdown"]
    assert (second.memory_total_bytes, second.throttle_reasons, second.error) == (None, None, None)
    assert second.unreadable == {"memory_total_bytes": "Unknown Error", "throttle_reasons": "N/A"}
    assert found
    assert found.nvidia.facts
    assert found.nvidia.facts.driver_version == "550.90.07"


def test_without_header_and_units_the_command_names_the_columns() -> None:
    text = (
        "$ nvidia-smi --query-gpu=name,memory.used,remapped_rows.failure,retired_pages.sbe,retired_pages.dbe "
        "--format=csv,noheader,nounits\nNVIDIA A30, 512, [N/A], 2, 1\nNVIDIA A30, 0, No, [N/A], [N/A]\n$ exit\n"
    )
    first, second = gpus(nvidia_smi_csv.read(text))
    assert (first.index, first.memory_used_bytes, first.remapped_rows_failure, first.retired_pages) == (
        0,
        512 << 20,
        None,
        3,
    )
    assert (second.index, second.memory_used_bytes, second.remapped_rows_failure, second.retired_pages) == (
        1,
        0,
        False,
        None,
    )


def test_a_lost_gpu_is_named_lost() -> None:
    text = "index, temperature.gpu, power.draw [W]\n0, 30, 60.1 W\n1, [GPU is lost], [GPU is lost]\n"
    assert [gpu.error for gpu in gpus(nvidia_smi_csv.read(text))] == [None, "GPU_IS_LOST"]


@pytest.mark.parametrize(
    "text",
    [
        "pid, process_name, used_gpu_memory [MiB]\n1, python, 10 MiB\n",
        "name, value, memory.total\nsee, above, there\n",
        "nvidia-smi --query-gpu=name,memory.total --format=csv\n",
    ],
)
def test_other_lists_and_bare_commands_are_not_gpus(text: str) -> None:
    assert nvidia_smi_csv.read(text) is None


LIST = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c1a8a0e-0000-1111-2222-333344445555)
  MIG 3g.20gb     Device  0: (UUID: MIG-11111111-1111-1111-1111-111111111111)
  MIG 3g.20gb     Device  1: (UUID: MIG-22222222-2222-2222-2222-222222222222)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6c1a8a0e-0000-1111-2222-333344445555)
\t Link 0: 25 GB/s
\t Link 1: <inactive>
"""


def test_a_list_names_gpus_mig_devices_and_links() -> None:
    first, second = gpus(nvidia_smi_list.read(LIST))
    assert (first.index, first.name, first.mig_devices, first.nvlinks) == (0, "NVIDIA A100-SXM4-40GB", 2, None)
    assert (second.uuid or "").startswith("GPU-6c1a")
    assert [(link.index, link.active, link.bandwidth_gigabytes_per_second) for link in second.nvlinks or []] == [
        (0, True, 25.0),
        (1, False, None),
    ]


def topology(cell: str, size: int) -> str:
    head = "\t".join(f"GPU{i}" for i in range(size))
    rows = [f"GPU{i}\t" + "\t".join(" X " if i == j else cell for j in range(size)) + "\t0-31\t0" for i in range(size)]
    return "\t" + head + "\tCPU Affinity\n" + "\n".join(rows) + "\nNIC0\tSYS\n\nLegend:\n  X    = Self\n"


@pytest.mark.parametrize(("cell", "size", "links"), [("NV12", 8, 12), ("NV4", 4, 12), ("NV18", 8, 18), ("NV2", 2, 2)])
def test_links_of_a_gpu_follow_from_pairs_with_and_without_a_switch(cell: str, size: int, links: int) -> None:
    found = gpus(nvidia_topo.read(topology(cell, size)))
    assert len(found) == size
    assert [len(gpu.nvlinks or []) for gpu in found] == [links] * size


def test_a_topology_without_nvlink_tells_of_none() -> None:
    assert [gpu.nvlinks for gpu in gpus(nvidia_topo.read(topology("SYS", 2)))] == [None, None]
