"""Intel GPUs in trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts.accelerators import Intel, IntelGpu
from envkit.probes import intel

ARC = "0000:03:00.0"
INSIDE = "0000:00:02.0"


def plug_in(
    root: Path, address: str, *, driver: str = "xe", class_: str = "0x030000", device: str = "0x56a0", minor: int = 128
) -> Path:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, text in {"vendor": "0x8086", "device": device, "class": class_}.items():
        (folder / name).write_text(text + "\n")
    if driver:
        (folder / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    if minor:
        (folder / f"drm/card{minor - 128}").mkdir(parents=True)
        (folder / f"drm/renderD{minor}").mkdir()
    return folder


def tree(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def observed(root: Path) -> Intel:
    section = intel.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def test_a_card_is_told_in_full(tmp_path: Path) -> None:
    folder = plug_in(tmp_path, ARC)
    for tile in (0, 1):
        (folder / f"tile{tile}").mkdir()
        (folder / f"tile{tile}/physical_vram_size_bytes").write_text("8589934592\n")
    (folder / "current_link_width").write_text("8\n")
    (folder / "max_link_width").write_text("16\n")
    (folder / "numa_node").write_text("0\n")
    tree(tmp_path, "dev/dri/renderD128", "usr/lib/x86_64-linux-gnu/libze_loader.so.1")
    tree(tmp_path, "opt/intel/lib/libze_intel_gpu.so.1")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.conf").write_text("/opt/intel/lib\n")
    (tmp_path / "usr/share/hwdata").mkdir(parents=True)
    (tmp_path / "usr/share/hwdata/pci.ids").write_text("8086  Intel Corporation\n\t56a0  DG2 [Arc A770]\n")
    facts = observed(tmp_path)
    assert facts.gpus == [
        IntelGpu(
            name="Arc A770",
            pci_address=ARC,
            device_id="56a0",
            kind="discrete",
            kernel_driver="xe",
            memory_total_bytes=16 << 30,
            tiles=2,
            render_node="/dev/dri/renderD128",
            pcie_width=8,
            pcie_width_max=16,
            numa_node=0,
        )
    ]
    assert [node.path for node in facts.device_nodes] == ["/dev/dri/renderD128"]
    assert facts.level_zero_loader == "/usr/lib/x86_64-linux-gnu/libze_loader.so.1"
    assert facts.level_zero_driver == "/opt/intel/lib/libze_intel_gpu.so.1"


@pytest.mark.parametrize(
    ("address", "memory", "kind"),
    [
        (ARC, False, "discrete"),
        (INSIDE, False, "integrated"),
        ("0000:00:05.0", False, None),  # handed to a virtual machine, perhaps
        ("0000:00:05.0", True, "discrete"),
        ("0001:00:02.0", False, None),
    ],
)
def test_a_card_is_told_from_the_gpu_in_a_processor(
    tmp_path: Path, address: str, memory: bool, kind: str | None
) -> None:
    folder = plug_in(tmp_path, address, driver="i915")
    if memory:
        (folder / "drm/card0/lmem_total_bytes").write_text("17179869184\n")
    (gpu,) = observed(tmp_path).gpus
    assert (gpu.kind, gpu.memory_total_bytes) == (kind, 17179869184 if memory else None)


@pytest.mark.parametrize("sizes", [("8589934592", ""), ("", ""), ("0", "0"), ("many", "8589934592")])
def test_memory_of_which_a_tile_does_not_tell_is_unknown(tmp_path: Path, sizes: tuple[str, str]) -> None:
    folder = plug_in(tmp_path, ARC)
    for tile, size in enumerate(sizes):
        (folder / f"tile{tile}").mkdir()
        (folder / f"tile{tile}/physical_vram_size_bytes").write_text(size)
    (gpu,) = observed(tmp_path).gpus
    assert (gpu.memory_total_bytes, gpu.tiles) == (None, 2)


def test_a_card_without_a_driver_has_no_nodes_and_its_libraries_are_missing(tmp_path: Path) -> None:
    plug_in(tmp_path, ARC, driver="", minor=0)
    facts = observed(tmp_path)
    assert facts.gpus == [IntelGpu(pci_address=ARC, device_id="56a0", kind="discrete")]
    assert (facts.device_nodes, facts.level_zero_loader, facts.level_zero_driver) == ([], None, None)


def test_an_npu_and_a_network_card_are_no_gpu_and_a_server_gpu_of_class_12_is(tmp_path: Path) -> None:
    plug_in(tmp_path, "0000:00:0b.0", driver="intel_vpu", class_="0x120000", device="0x7d1d", minor=0)
    plug_in(tmp_path, "0000:01:00.0", driver="ice", class_="0x020000", minor=0)
    assert intel.observe(str(tmp_path)).why == "none of 2 PCI devices is an Intel GPU (vendor 8086)"
    plug_in(tmp_path, "0000:29:00.0", driver="i915", class_="0x120000", device="0x0bd5")
    assert [gpu.device_id for gpu in observed(tmp_path).gpus] == ["0bd5"]


def test_no_sysfs_is_unknown(tmp_path: Path) -> None:
    assert intel.observe(str(tmp_path)).outcome == "unknown"
