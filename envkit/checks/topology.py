"""Where the process runs and where the GPUs sit: NUMA nodes, bridges, IOMMU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, label, usable
from envkit.checks._visible_devices import visible
from envkit.cpuinfo import cpu_list
from envkit.findings import Finding, Findings, Remedy, count, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.host import GpuPlace, Topology
    from envkit.facts.machine import System
    from envkit.profile import Profile

_DISPLAY = "0300"  # of AMD's GPUs, those in a processor are of this class, those of servers never
_NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html"


def _places(topology: Topology, facts: Facts, profile: Profile) -> list[GpuPlace]:
    """The GPUs that training would use: those that NVML opened, where it was asked, and AMD's of servers."""
    nvidia, ours = facts.nvidia.facts, []
    opened = {(gpu.pci_address or "").lower() for gpu in usable(nvidia)} if nvidia and nvidia.gpus is not None else None
    for place in topology.gpus or []:
        if place.kernel_driver == "nvidia" and judged(profile):
            passed_in = place.pci_address in opened if opened is not None else facts.container.facts is None
            ours += [place] if passed_in else []
        elif place.kernel_driver == "amdgpu" and judged(profile, "amd"):
            ours += [place] if not (place.class_id or _DISPLAY).startswith(_DISPLAY) else []
    return ours


def _bare_metal(system: System) -> bool:
    return system.virtual_machine == "none"


def _chosen(facts: Facts) -> set[str] | None:
    """PCI addresses of the GPUs that CUDA_VISIBLE_DEVICES leaves; None where it does not choose among whole GPUs."""
    python, gpus = facts.python.facts, usable(facts.nvidia.facts)
    value = python.environment.get("CUDA_VISIBLE_DEVICES") if python else None
    left = visible(value, gpus) if value else None
    return None if left is None or left.mig else {(gpu.pci_address or "").lower() for gpu in left.gpus}


def _called(place: GpuPlace, facts: Facts) -> str:
    """How evidence calls it: "GPU 0, NVIDIA A10 (0000:01:00.0)"."""
    gpus = [gpu for gpu in usable(facts.nvidia.facts) if (gpu.pci_address or "").lower() == place.pci_address]
    return f"{label(gpus[0])} ({place.pci_address})" if gpus else f"GPU {place.pci_address}"


@check(area="machine")
def process_far_from_gpu(topology: Topology, facts: Facts, profile: Profile) -> Findings:
    """This process may run only on processors of another NUMA node than the GPU's: copies to the GPU are slow."""
    cpus = set(cpu_list(topology.affinity_cpus))
    nodes = {node.index: set(cpu_list(node.cpus)) for node in topology.numa_nodes or []}
    chosen = _chosen(facts)
    far = [
        place
        for place in _places(topology, facts, profile)
        if cpus and place.numa_node is not None and nodes.get(place.numa_node) and not nodes[place.numa_node] & cpus
        if chosen is None or place.kernel_driver != "nvidia" or place.pci_address in chosen
    ]
    if far:
        node = far[0].numa_node
        yield warn(
            f"{count(len(far), 'GPU')} on another NUMA node than the processors that this process may use",
            evidence=[
                *(f"{_called(place, facts)} is on node {place.numa_node}" for place in far[:8]),
                *(f"node {n.index} has processors {n.cpus}" for n in topology.numa_nodes or [] if n.index == node),
                f"this process may use processors {topology.affinity_cpus}",
            ],
            remedy=Remedy(
                text=f"start it on the GPU's node (numactl --cpunodebind={node} --membind={node}; "
                "docker: --cpuset-cpus; Slurm: --gpu-bind=closest)"
            ),
        )


@check(area="machine")
def gpu_numa_node_missing(topology: Topology, system: System, facts: Facts, profile: Profile) -> Findings:
    """The firmware does not say at which processor socket a GPU sits, so that processes are placed blindly."""
    nodes = [node for node in topology.numa_nodes or [] if cpu_list(node.cpus)]
    lost = [place for place in _places(topology, facts, profile) if place.numa_node is None]
    if lost and len(nodes) > 1 and _bare_metal(system):
        yield warn(
            f"for {count(len(lost), 'GPU')} the NUMA node is unknown",
            evidence=[f"{_called(place, facts)}: numa_node -1" for place in lost[:8]] + [f"{len(nodes)} NUMA nodes"],
            remedy=Remedy(text="update the firmware of the board, or switch its NUMA (SRAT) support on", who="admin"),
        )


@check(area="machine")
def acs_redirects_peers(topology: Topology, system: System, facts: Facts, profile: Profile) -> Findings:
    """PCIe bridges send what GPUs write to each other or to network cards up to the processor (ACS).

    Copies between them are slow, or hang. Only on bare metal: a hypervisor needs ACS. Only root can see it. Source:
    NCCL user guide, "PCI Access Control Services (ACS)".
    """
    places = _places(topology, facts, profile)
    above = {bridge for place in places for bridge in place.bridges}
    if not above or len(places) < 2 or not _bare_metal(system):
        return
    if topology.acs_redirecting is None:
        yield Finding(status="skip", message="only root may read whether PCIe bridges redirect (ACS)")
    redirecting = [bridge for bridge in topology.acs_redirecting or [] if bridge in above]
    if redirecting:
        yield warn(
            "GPUs reach each other by way of the processor only, because of ACS on PCIe bridges",
            evidence=[f"{bridge}: ACS redirects requests" for bridge in redirecting[:8]],
            remedy=Remedy(
                text="switch ACS off in the firmware, or on each of these bridges after every start (setpci)",
                commands=[["sudo", "setpci", "-s", bridge, "ECAP_ACS+0x6.w=0000"] for bridge in redirecting[:8]],
                who="admin",
                url=_NCCL,
            ),
        )


@check(area="machine", after="acs-redirects-peers")
def iommu_translates(topology: Topology, system: System, facts: Facts, profile: Profile) -> Findings:
    """The IOMMU translates what several GPUs without NVLink write to each other: copies are slow, or hang.

    Only on bare metal. Sources: CUDA C++ programming guide, "IOMMU on Linux"; ROCm system requirements, "iommu=pt".
    """
    linked = all(any(link.active for link in gpu.nvlinks or []) for gpu in usable(facts.nvidia.facts))
    places = [
        place
        for place in _places(topology, facts, profile)
        if (place.iommu_domain or "").startswith("DMA") and not (place.kernel_driver == "nvidia" and linked)
    ]
    if len(places) > 1 and _bare_metal(system):
        said = " ".join(topology.iommu_parameters or []) or "no parameter for it"
        yield warn(
            f"the IOMMU translates what {len(places)} GPUs write, so copies between them may be slow or hang",
            evidence=[
                *(f"{_called(place, facts)}: {place.iommu_domain}" for place in places[:8]),
                f"kernel's command line: {said}",
            ],
            remedy=Remedy(text="add iommu=pt to the kernel's command line (bootloader) and reboot", who="admin"),
        )
