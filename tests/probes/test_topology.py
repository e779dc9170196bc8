from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from envkit.facts.host import GpuPlace, NumaNode, Topology
from envkit.probes import topology

ROOT_PORT, SWITCH, GPU = "0000:00:01.0", "0000:01:00.0", "0000:02:00.0"
NODE = "sys/devices/system/node"
PCI = "sys/bus/pci"


def config(*capabilities: tuple[int, int]) -> bytes:
    """A configuration space of 4,096 bytes with extended capabilities, each an id and a control register at byte 6."""
    space = bytearray(4096)
    for n, (capability, control) in enumerate(capabilities):
        place = 0x100 + 0x40 * n
        following = place + 0x40 if n + 1 < len(capabilities) else 0
        struct.pack_into("<IHH", space, place, capability | 1 << 16 | following << 20, 0x5F, control)
    return bytes(space)


def tree(folder: Path, *, redirect: int = 0, node: str = "1\n") -> Path:
    """Two NUMA nodes, and an NVIDIA GPU below a switch with ACS."""
    files: dict[str, str | bytes] = {
        f"{NODE}/online": "0-1\n",
        f"{NODE}/node0/cpulist": "0-3,8-11\n",
        f"{NODE}/node0/meminfo": "Node 0 MemTotal:       1000 kB\nNode 0 MemFree: 1 kB\n",
        f"{NODE}/node1/cpulist": "4-7,12-15\n",
        f"{NODE}/node1/meminfo": "Node 1 MemTotal:       2000 kB\n",
        "proc/self/status": "Cpus_allowed:\tff\nCpus_allowed_list:\t0-3\nMems_allowed_list:\t0-1\n",
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz ro intel_iommu=on iommu=pt iommu.strict=0 quiet pci=disable_acs_redir=x\n",
        f"{PCI}/devices/{GPU}/numa_node": node,
        f"{PCI}/devices/{GPU}/class": "0x030200\n",
        f"{PCI}/devices/{GPU}/iommu_group/type": "identity\n",
        f"{PCI}/devices/{ROOT_PORT}/config": config((0x1, 0), (0xD, 0x1D if redirect == 2 else 0)),
        f"{PCI}/devices/{SWITCH}/config": config((0x1, 0), (0x19, 0xFFFF), (0xD, 0x1D if redirect else 0x11)),
        "sys/class/iommu/dmar0/x": "",
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    driver = folder / PCI / "drivers/nvidia"
    driver.mkdir(parents=True)
    (driver / GPU).symlink_to(f"../../../../devices/pci0000:00/{ROOT_PORT}/{SWITCH}/{GPU}")
    (driver / "module").symlink_to("../../../../module/nvidia")
    (driver / "bind").touch()
    return folder


def observe(root: Path) -> Topology:
    section = topology.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def test_files_tell_nodes_gpus_and_the_iommu(tmp_path: Path) -> None:
    assert observe(tree(tmp_path)) == Topology(
        numa_nodes=[
            NumaNode(index=0, cpus="0-3,8-11", memory_total_bytes=1000 * 1024),
            NumaNode(index=1, cpus="4-7,12-15", memory_total_bytes=2000 * 1024),
        ],
        affinity_cpus="0-3",
        affinity_memory_nodes="0-1",
        gpus=[
            GpuPlace(
                pci_address=GPU,
                kernel_driver="nvidia",
                class_id="030200",
                numa_node=1,
                iommu_domain="identity",
                bridges=[ROOT_PORT, SWITCH],
            )
        ],
        iommu_units=["dmar0"],
        iommu_parameters=["intel_iommu=on", "iommu=pt", "iommu.strict=0", "pci=disable_acs_redir=x"],
        acs_redirecting=[],
    )


def test_a_bridge_that_redirects_is_found_behind_other_capabilities(tmp_path: Path) -> None:
    assert observe(tree(tmp_path, redirect=1)).acs_redirecting == [SWITCH]


def test_every_bridge_above_a_gpu_is_asked(tmp_path: Path) -> None:
    assert observe(tree(tmp_path, redirect=2)).acs_redirecting == [ROOT_PORT, SWITCH]


@pytest.mark.parametrize("content", [b"", b"\x86\x80" * 32, config()[:0x102], b"\x01\x00\x01\x10" * 1024])
def test_a_bridge_that_cannot_be_read_to_the_end_leaves_it_unknown(tmp_path: Path, content: bytes) -> None:
    """All but root see the first 64 bytes; the last is a list that leads to itself."""
    root = tree(tmp_path, redirect=1)
    (root / PCI / f"devices/{ROOT_PORT}/config").write_bytes(content)
    assert observe(root).acs_redirecting is None


def test_a_bridge_without_extended_capabilities_redirects_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / PCI / f"devices/{ROOT_PORT}/config").write_bytes(b"\xff" * 4096)
    assert observe(root).acs_redirecting == []


def test_a_bridge_that_sleeps_is_not_woken(tmp_path: Path) -> None:
    root = tree(tmp_path, redirect=1)
    (root / PCI / f"devices/{SWITCH}/power").mkdir()
    (root / PCI / f"devices/{SWITCH}/power/runtime_status").write_text("suspended\n")
    assert observe(root).acs_redirecting is None


def test_a_gpu_of_which_the_firmware_tells_no_node_has_none(tmp_path: Path) -> None:
    (gpu,) = observe(tree(tmp_path, node="-1\n")).gpus or []
    assert gpu.numa_node is None


def test_nodes_are_listed_where_the_kernel_gives_no_list(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / NODE / "online").unlink()
    (root / NODE / "node10").mkdir()
    assert [node.index for node in observe(root).numa_nodes or []] == [0, 1, 10]
    assert (observe(root).numa_nodes or [])[2] == NumaNode(index=10)


def test_a_machine_without_such_drivers_has_no_gpus(tmp_path: Path) -> None:
    (tmp_path / PCI / "drivers/virtio-pci").mkdir(parents=True)
    (tmp_path / "sys/class/net").mkdir(parents=True)
    facts = observe(tmp_path)
    assert (facts.gpus, facts.acs_redirecting, facts.iommu_units) == ([], [], [])
    assert facts.numa_nodes is None


def test_without_sys_all_is_unknown(tmp_path: Path) -> None:
    assert topology.observe(str(tmp_path)).facts is None


@pytest.mark.parametrize("content", [b"", b"\xff\0\x80" * 99, b"0x\n", b"9" * 5000])
def test_garbage_is_unknown(tmp_path: Path, content: bytes) -> None:
    root = tree(tmp_path)
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.write_bytes(content)
    facts = observe(root)
    assert facts.affinity_cpus is None
    assert [node.memory_total_bytes for node in facts.numa_nodes or []] == [None, None]
    (gpu,) = facts.gpus or []
    assert gpu == GpuPlace(pci_address=GPU, kernel_driver="nvidia", bridges=[ROOT_PORT, SWITCH])
    assert "\0" not in str(facts)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys")
def test_this_machine_tells() -> None:
    facts = topology.observe().facts
    assert facts is not None
    assert facts.affinity_cpus
    for path in ("/sys/devices/system/node/node0", "/sys/bus/pci/drivers"):
        if not os.path.exists(path):
            pytest.skip(f"no {path} here")
    assert facts.numa_nodes
    assert facts.gpus is not None


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert topology.observe().outcome == "absent"
