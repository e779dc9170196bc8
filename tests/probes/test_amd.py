"""AMD GPUs in trees of files."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from envkit.facts.accelerators import Amd, AmdGpu
from envkit.probes import amd

RECORDED = Path(__file__).parents[2] / "../shared/hardware/rocm"
KFD = "sys/class/kfd/kfd/topology/nodes"
BUS = "sys/bus/pci/devices"
CPU_NODE = "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\nlocation_id 0\n"


def tree(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def node(root: Path, number: int, *, bus: int, part: int = 0, links: tuple[int, ...] = (), **changes: int) -> None:
    """A GPU in the compute driver's topology, at PCI address 0002:{bus}:00.{part}, with XGMI links to other nodes."""
    properties = {
        "simd_count": 1216,
        "simd_per_cu": 4,
        "gfx_target_version": 90402,
        "device_id": 0x74A1,
        "location_id": bus << 8 | part,
        "domain": 2,
        "drm_render_minor": 126 + number,
        "hive_id": 15188982192727901047,
        "unique_id": 0xE3A9F7DE66F9B0D1,
        **changes,
    }
    ends = {0: (2, 0), **{i: (11, to) for i, to in enumerate(links, start=1)}}
    tree(
        root,
        {
            f"{KFD}/{number}/properties": "".join(f"{name} {value}\n" for name, value in properties.items()),
            **{f"{KFD}/{number}/io_links/{i}/properties": f"type {t}\nnode_to {to}\n" for i, (t, to) in ends.items()},
        },
    )


def on_bus(root: Path, bus: int, **texts: str) -> None:
    device = f"{BUS}/0002:{bus:02x}:00.0"
    known = {"vendor": "0x1002", "device": "0x74a1", "class": "0x120000", **texts}
    tree(root, {f"{device}/{name}": text + "\n" for name, text in known.items()})


def observed(root: Path) -> Amd:
    section = amd.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def gpus(root: Path) -> list[AmdGpu]:
    return observed(root).gpus or []


@pytest.mark.parametrize(
    ("version", "name"),
    [(90402, "gfx942"), (90010, "gfx90a"), (90500, "gfx950"), (100300, "gfx1030"), (110501, "gfx1151"), (0, None)],
)
def test_an_architecture_has_rocms_name(version: int, name: str | None) -> None:
    assert amd.gfx_name(version) == name


def test_a_gpu_is_told_by_the_compute_and_graphics_drivers_and_the_bus(tmp_path: Path) -> None:
    tree(tmp_path, {f"{KFD}/0/properties": CPU_NODE})
    node(tmp_path, 1, bus=5)
    on_bus(
        tmp_path,
        5,
        mem_info_vram_total="206141652992",
        mem_info_vram_used="297119744",
        product_name="AMD Instinct MI300X OAM",
        current_link_width="16",
        max_link_width="16",
        current_link_speed="32.0 GT/s PCIe",
        max_link_speed="32.0 GT/s PCIe",
        numa_node="1",
    )
    (tmp_path / BUS / "0002:05:00.0/driver").symlink_to("../../../bus/pci/drivers/amdgpu")
    assert gpus(tmp_path) == [
        AmdGpu(
            name="AMD Instinct MI300X OAM",
            gfx="gfx942",
            pci_address="0002:05:00.0",
            memory_total_bytes=206141652992,
            memory_used_bytes=297119744,
            node=1,
            partition=0,
            uuid="GPU-e3a9f7de66f9b0d1",
            compute_units=304,
            hive="15188982192727901047",
            xgmi_peers=[],
            kernel_driver="amdgpu",
            pcie_width=16,
            pcie_width_max=16,
            pcie_generation=5,
            pcie_generation_max=5,
            numa_node=1,
        )
    ]


def test_the_drivers_and_every_rocm_are_told(tmp_path: Path) -> None:
    node(tmp_path, 1, bus=5)
    library = tmp_path / "opt/rocm-6.3.0/lib/libamdhip64.so.6.3.60300"
    tree(
        tmp_path,
        {
            "sys/module/amdgpu/version": "6.10.5\n",
            "opt/rocm-6.3.0/.info/version": "6.3.0-39\n",
            "opt/rocm-7.0.2/.info/version": "7.0.2-56\n",
            "opt/rocm-doc/.info/version": "1\n",
            str(library.relative_to(tmp_path)): "",
            **dict.fromkeys(("dev/kfd", "dev/dri/renderD128", "dev/dri/card0"), ""),
        },
    )
    (tmp_path / "opt/rocm").symlink_to("rocm-6.3.0")
    (library.parent / "libamdhip64.so.6").symlink_to(library.name)
    facts = observed(tmp_path)
    assert (facts.driver_version, facts.module_loaded) == ("6.10.5", True)
    assert (facts.rocm_version, facts.rocm_versions) == ("6.3.0-39", ["6.3.0-39", "7.0.2-56"])
    assert facts.hip_libraries == [f"/{library.relative_to(tmp_path)}"]
    assert [device.path for device in facts.device_nodes] == ["/dev/kfd", "/dev/dri/renderD128"]


def test_the_graphics_drivers_own_folder_stands_in_for_the_bus(tmp_path: Path) -> None:
    node(tmp_path, 2, bus=5)
    tree(tmp_path, {"sys/class/drm/renderD128/device/mem_info_vram_total": "1024\n"})
    assert [gpu.memory_total_bytes for gpu in gpus(tmp_path)] == [1024]


def test_a_gpu_without_a_name_is_called_as_the_list_of_pci_ids_calls_it(tmp_path: Path) -> None:
    node(tmp_path, 1, bus=5)
    ids = "1002  AMD\n\t74a0  Aqua [MI300A]\n\t74a1  Aqua Vanjaram [Instinct MI300X]\n8086  Intel\n\t74a1  other\n"
    tree(tmp_path, {"usr/share/misc/pci.ids": ids})
    assert [gpu.name for gpu in gpus(tmp_path)] == ["Instinct MI300X"]


def test_parts_of_a_gpu_are_counted_and_have_their_share_of_memory(tmp_path: Path) -> None:
    on_bus(tmp_path, 5, mem_info_vram_total="4096", mem_info_vram_used="512", current_link_width="16")
    for part in (0, 1):
        node(tmp_path, 1 + part, bus=5, part=part, links=(2 - part, 3))
        tree(tmp_path, {f"{KFD}/{1 + part}/mem_banks/0/properties": "heap_type 1\nsize_in_bytes 2048\n"})
    node(tmp_path, 3, bus=6)
    first, second, other = gpus(tmp_path)
    assert [(g.pci_address, g.partition) for g in (first, second)] == [("0002:05:00.0", 0), ("0002:05:00.1", 1)]
    assert [(g.memory_total_bytes, g.memory_used_bytes) for g in (first, second)] == [(2048, None)] * 2
    assert [g.pcie_width for g in (first, second)] == [16, None]
    assert [g.xgmi_peers for g in (first, second, other)] == [["0002:06:00.0"], ["0002:06:00.0"], []]


def test_a_virtual_function_is_a_gpu_of_its_own(tmp_path: Path) -> None:
    node(tmp_path, 1, bus=5, part=1)
    tree(tmp_path, {f"{BUS}/0002:05:00.1/mem_info_vram_total": "4096\n"})
    (gpu,) = gpus(tmp_path)
    assert (gpu.pci_address, gpu.partition, gpu.memory_total_bytes) == ("0002:05:00.1", 0, 4096)


def test_a_gpu_of_which_only_a_later_part_was_handed_in(tmp_path: Path) -> None:
    on_bus(tmp_path, 5, current_link_width="16")
    node(tmp_path, 9, bus=5, part=3)
    (tmp_path / KFD / "8").mkdir()  # its properties are refused to this container
    facts = observed(tmp_path)
    assert facts.nodes_refused == 1
    assert [(gpu.partition, gpu.pcie_width) for gpu in facts.gpus or []] == [(3, 16)]


def test_gpus_that_were_not_handed_in_are_seen_on_the_bus(tmp_path: Path) -> None:
    (tmp_path / KFD / "1").mkdir(parents=True)
    on_bus(tmp_path, 5)
    facts = observed(tmp_path)
    assert (facts.device_nodes, facts.nodes_refused) == ([], 1)
    assert facts.gpus == [AmdGpu(pci_address="0002:05:00.0")]
    assert [device.device_id for device in facts.pci_devices or []] == ["74a1"]


def test_nothing_of_amd_is_absent_and_no_sysfs_is_unknown(tmp_path: Path) -> None:
    assert amd.observe(str(tmp_path)).outcome == "unknown"
    (tmp_path / "sys/bus/pci/devices/0000:00:01.0").mkdir(parents=True)
    tree(tmp_path, {"dev/dri/renderD128": ""})
    section = amd.observe(str(tmp_path))
    assert section.outcome == "absent"
    assert section.why == "none of 1 PCI devices is an AMD GPU (vendor 1002), no /dev/kfd, no /opt/rocm"


def recorded(root: Path, archive: str) -> Amd:
    path = RECORDED / f"ROCm-k8s-device-plugin__{archive}.tar.gz"
    if not path.exists():
        pytest.skip("no recordings beside the repository")
    with tarfile.open(path) as archived:
        archived.extractall(root, filter="data")
    (topology,) = root.glob("*/topology")
    (root / "sys/class/kfd/kfd").mkdir(parents=True)
    topology.rename(root / "sys/class/kfd/kfd/topology")
    return observed(root)


def test_a_recorded_vega_and_its_copy(tmp_path: Path) -> None:
    facts = recorded(tmp_path, "kfd-topology-1gpu")
    assert [(g.memory_total_bytes, g.compute_units, g.gfx) for g in facts.gpus or []] == [(17163091968, 64, None)] * 2
    assert [g.xgmi_peers for g in facts.gpus or []] == [[], []]


def test_recorded_mi300x_in_63_parts_each_with_links_to_the_7_other_gpus(tmp_path: Path) -> None:
    facts = recorded(tmp_path, "kfd-topology-mi300-cpx")
    found = facts.gpus or []
    assert (len(found), facts.nodes_refused) == (63, 0)
    assert {(g.gfx, g.compute_units, g.hive) for g in found} == {("gfx942", 38, "15188982192727901047")}
    assert len({g.pci_address for g in found}) == 63
    assert len({g.uuid for g in found}) == 8
    parts = [sum(g.uuid == uuid for g in found) for uuid in dict.fromkeys(g.uuid for g in found)]
    assert parts == [8, 8, 8, 8, 8, 8, 8, 7]
    assert [g.partition for g in found[:9]] == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert {len(g.xgmi_peers or []) for g in found} == {7}
    assert found[-1].pci_address == "0000:e5:00.6"
