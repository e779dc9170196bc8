"""Checks of NUMA nodes, bridges and the IOMMU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import topology as checks
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu, NvLink
from envkit.facts.host import GpuPlace, NumaNode, Topology
from envkit.facts.machine import Container, System
from envkit.facts.software import Python
from envkit.findings import Finding
from envkit.profile import Profile, Requires

ANY, CPU = Profile(), Profile(name="cpu")
ROCM = Profile(name="p", requires=Requires(accelerator="amd"))
BARE, GUEST, UNTOLD = (System(virtual_machine=name) for name in ("none", "kvm", None))
A, B, BRIDGE = "0000:01:00.0", "0000:81:00.0", "0000:00:01.0"
HOST = Facts(container=absent("none"))
TWO_NODES = [NumaNode(index=0, cpus="0-7"), NumaNode(index=1, cpus="8-15")]


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def place(address: str = A, **changes: Any) -> GpuPlace:
    known = {"kernel_driver": "nvidia", "class_id": "030200", "numa_node": 1, "bridges": [BRIDGE]}
    return GpuPlace(pci_address=address, **{**known, **changes})


def topology(*gpus: GpuPlace, cpus: str | None = "0-7", nodes: list[NumaNode] | None = None, **more: Any) -> Topology:
    return Topology(numa_nodes=TWO_NODES if nodes is None else nodes, affinity_cpus=cpus, gpus=list(gpus), **more)


def with_nvml(*addresses: str, visible: str | None = None, links: bool | None = None, **sections: Any) -> Facts:
    """What NVML opened, and what CUDA_VISIBLE_DEVICES says."""
    nvlinks = None if links is None else [NvLink(index=0, active=links)]
    gpus = [
        NvidiaGpu(index=n, name="NVIDIA A10", uuid=f"GPU-{n}abc", pci_address=address, nvlinks=nvlinks)
        for n, address in enumerate(addresses)
    ]
    if visible is not None:
        python = Python(executable="python", version="3.11", environment={"CUDA_VISIBLE_DEVICES": visible})
        sections["python"] = ok(python)
    return Facts(**{"nvidia": ok(Nvidia(gpus=gpus)), "container": absent("none"), **sections})


IN_CONTAINER = ok(Container(runtime="docker"))


@pytest.mark.parametrize(
    ("gpus", "facts"),
    [
        ([place()], HOST),
        ([place()], with_nvml(A)),
        ([place(), place(B, numa_node=0)], with_nvml(A, B)),
        ([place(), place(B)], with_nvml(A, B, visible="1")),
        ([place(), place(B, numa_node=0)], with_nvml(A, B, visible="GPU-0a")),
        ([place(), place(B, numa_node=0)], with_nvml(A, B, visible="MIG-1")),  # which GPU that is on is not told
        ([place()], with_nvml(A, container=IN_CONTAINER)),
    ],
)
def test_process_far_from_gpu_fires(gpus: list[GpuPlace], facts: Facts) -> None:
    found = one(checks.process_far_from_gpu(topology(*gpus), facts, ANY))
    assert found.message.startswith("1 GPU on another NUMA node")
    assert found.remedy is not None
    assert "--cpunodebind=1" in found.remedy.text


@pytest.mark.parametrize(
    ("told", "facts", "profile"),
    [
        (topology(place(), cpus="0-15"), HOST, ANY),  # not bound at all
        (topology(place(), cpus="7-8"), HOST, ANY),
        (topology(place(numa_node=0)), HOST, ANY),
        (topology(place(numa_node=None)), HOST, ANY),
        (topology(place(), cpus=None), HOST, ANY),
        (topology(place(), nodes=[]), HOST, ANY),
        (topology(place(numa_node=2), nodes=[*TWO_NODES, NumaNode(index=2, cpus="")]), HOST, ANY),  # memory alone
        (topology(place()), HOST, CPU),
        (topology(place(), place(B, numa_node=0)), with_nvml(A, B, visible="1"), ANY),
        (topology(place()), with_nvml(B, container=IN_CONTAINER), ANY),  # not passed in
        (topology(place()), Facts(container=IN_CONTAINER), ANY),
        (topology(place(kernel_driver="amdgpu", class_id="030000")), HOST, ROCM),  # part of a processor
        (topology(), HOST, ANY),
    ],
)
def test_process_far_from_gpu_near_miss(told: Topology, facts: Facts, profile: Profile) -> None:
    assert not list(checks.process_far_from_gpu(told, facts, profile))


def test_gpu_numa_node_missing_fires() -> None:
    found = one(checks.gpu_numa_node_missing(topology(place(numa_node=None), place(B)), BARE, HOST, ANY))
    assert found.message == "for 1 GPU the NUMA node is unknown"


@pytest.mark.parametrize(
    ("told", "system"),
    [
        (topology(place()), BARE),
        (topology(place(numa_node=None)), GUEST),
        (topology(place(numa_node=None)), UNTOLD),
        (topology(place(numa_node=None), nodes=TWO_NODES[:1]), BARE),
        (topology(place(numa_node=None), nodes=[TWO_NODES[0], NumaNode(index=250, cpus="")]), BARE),
    ],
)
def test_gpu_numa_node_missing_near_miss(told: Topology, system: System) -> None:
    assert not list(checks.gpu_numa_node_missing(told, system, HOST, ANY))


def test_acs_redirects_peers_fires() -> None:
    told = topology(place(), place(B), acs_redirecting=[BRIDGE])
    found = one(checks.acs_redirects_peers(told, BARE, HOST, ANY))
    assert found.evidence == [f"{BRIDGE}: ACS redirects requests"]
    assert found.remedy is not None
    assert found.remedy.commands[0][:4] == ["sudo", "setpci", "-s", BRIDGE]


@pytest.mark.parametrize(
    ("told", "system"),
    [
        (topology(place(), place(B), acs_redirecting=[]), BARE),
        (topology(place(), place(B), acs_redirecting=[BRIDGE]), GUEST),  # a hypervisor wants it so
        (topology(place(), acs_redirecting=[BRIDGE]), BARE),  # a GPU alone has no peer
        (topology(place(), place(B), acs_redirecting=["0000:40:00.0"]), BARE),  # above other devices
    ],
)
def test_acs_redirects_peers_near_miss(told: Topology, system: System) -> None:
    assert not list(checks.acs_redirects_peers(told, system, HOST, ANY))


def test_acs_redirects_peers_near_miss_is_a_skip_where_only_root_could_tell() -> None:
    assert one(checks.acs_redirects_peers(topology(place(), place(B)), BARE, HOST, ANY)).status == "skip"


DMA = {"iommu_domain": "DMA-FQ"}


@pytest.mark.parametrize(
    ("gpus", "facts", "profile"),
    [
        ([place(**DMA), place(B, **DMA)], with_nvml(A, B, links=False), ANY),
        ([place(**DMA), place(B, **DMA)], with_nvml(A, B), ANY),
        ([place(n, kernel_driver="amdgpu", class_id="120000", **DMA) for n in (A, B)], HOST, ROCM),
    ],
)
def test_iommu_translates_fires(gpus: list[GpuPlace], facts: Facts, profile: Profile) -> None:
    found = one(checks.iommu_translates(topology(*gpus, iommu_parameters=[]), BARE, facts, profile))
    assert found.evidence[-1] == "kernel's command line: no parameter for it"


@pytest.mark.parametrize(
    ("gpus", "system", "facts"),
    [
        ([place(iommu_domain="identity"), place(B, iommu_domain="identity")], BARE, with_nvml(A, B)),
        ([place(), place(B)], BARE, with_nvml(A, B)),  # no IOMMU
        ([place(**DMA), place(B, **DMA)], GUEST, with_nvml(A, B)),
        ([place(**DMA)], BARE, with_nvml(A)),
        ([place(**DMA), place(B, **DMA)], BARE, with_nvml(A, B, links=True)),
    ],
)
def test_iommu_translates_near_miss(gpus: list[GpuPlace], system: System, facts: Facts) -> None:
    assert not list(checks.iommu_translates(topology(*gpus, iommu_parameters=["intel_iommu=on"]), system, facts, ANY))
