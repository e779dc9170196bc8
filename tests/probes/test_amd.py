"""AMD GPUs in trees of files."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from envkit.facts.accelerators import Amd, AmdGpu
from envkit.probes import amd

RECORDED = Path(__file__).parents[2] / "../shared/hardware/rocm"
KFD = "sys/class/kfd/kfd/topology/nodes"
CPU_NODE = "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\nlocation_id 0\n"
GPU_NODE = (
    "cpu_cores_count 0\nsimd_count 1216\ngfx_target_version 90402\nvendor_id 4098\nlocation_id 1280\ndomain 2\n"
    "drm_render_minor 128\nhive_id 15188982192727901047\n"
)


def tree(root: Path, **texts: str) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def observed(root: Path) -> Amd:
    section = amd.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


@pytest.mark.parametrize(
    ("version", "name"),
    [(90402, "gfx942"), (90010, "gfx90a"), (90500, "gfx950"), (100300, "gfx1030"), (110501, "gfx1151"), (0, None)],
)
def test_an_architecture_has_rocms_name(version: int, name: str | None) -> None:
    assert amd.gfx_name(version) == name


def test_a_gpu_is_told_by_the_compute_and_graphics_drivers(tmp_path: Path) -> None:
    device = "sys/class/drm/renderD128/device"
    tree(
        tmp_path,
        **{
            f"{KFD}/0/properties": CPU_NODE,
            f"{KFD}/1/properties": GPU_NODE,
            f"{device}/mem_info_vram_total": "206141652992\n",
            f"{device}/mem_info_vram_used": "297119744\n",
            f"{device}/product_name": "AMD Instinct MI300X OAM\n",
            "sys/module/amdgpu/version": "6.10.5\n",
            "opt/rocm/.info/version": "6.3.0-39\n",
            **dict.fromkeys(("dev/kfd", "dev/dri/renderD128", "dev/dri/card0"), ""),
        },
    )
    facts = observed(tmp_path)
    assert (facts.driver_version, facts.rocm_version) == ("6.10.5", "6.3.0-39")
    assert [node.path for node in facts.device_nodes] == ["/dev/kfd", "/dev/dri/renderD128"]
    assert facts.gpus == [
        AmdGpu(
            name="AMD Instinct MI300X OAM",
            gfx="gfx942",
            pci_address="0002:05:00.0",
            memory_total_bytes=206141652992,
            memory_used_bytes=297119744,
        )
    ]


def test_a_gpu_that_was_not_handed_in_is_seen_on_the_bus(tmp_path: Path) -> None:
    (tmp_path / KFD / "1").mkdir(parents=True)  # its properties are refused to this container
    device = "sys/bus/pci/devices/0000:05:00.0"
    tree(tmp_path, **{f"{device}/vendor": "0x1002\n", f"{device}/device": "0x74a1\n", f"{device}/class": "0x120000\n"})
    facts = observed(tmp_path)
    assert facts.device_nodes == []
    assert facts.gpus == [AmdGpu(pci_address="0000:05:00.0")]


def test_nothing_of_amd_is_absent_and_no_sysfs_is_unknown(tmp_path: Path) -> None:
    assert amd.observe(str(tmp_path)).outcome == "unknown"
    (tmp_path / "sys/bus/pci/devices/0000:00:01.0").mkdir(parents=True)
    tree(tmp_path, **{"dev/dri/renderD128": ""})
    section = amd.observe(str(tmp_path))
    assert section.outcome == "absent"
    assert section.why == "none of 1 PCI devices is an AMD GPU (vendor 1002), no /dev/kfd, no /opt/rocm"


@pytest.mark.parametrize(
    ("archive", "gpus", "gfx", "memory_bytes"),
    [("kfd-topology-1gpu", 2, None, 17163091968), ("kfd-topology-mi300-cpx", 63, "gfx942", None)],
)
def test_recorded_machines_are_read_in_full(
    tmp_path: Path, archive: str, gpus: int, gfx: str | None, memory_bytes: int | None
) -> None:
    path = RECORDED / f"ROCm-k8s-device-plugin__{archive}.tar.gz"
    if not path.exists():
        pytest.skip("no recordings beside the repository")
    with tarfile.open(path) as archived:
        archived.extractall(tmp_path, filter="data")
    (topology,) = tmp_path.glob("*/topology")
    (tmp_path / "sys/class/kfd/kfd").mkdir(parents=True)
    topology.rename(tmp_path / "sys/class/kfd/kfd/topology")
    found = observed(tmp_path).gpus or []
    assert len(found) == gpus
    assert {(gpu.gfx, gpu.memory_total_bytes) for gpu in found} == {(gfx, memory_bytes)}
    assert len({gpu.pci_address for gpu in found}) == (gpus if gfx else 1)
