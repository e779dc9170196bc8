"""The host under the frameworks: limits, memory policy, topology, clock, and what its kernels are installed with."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.facts.machine import Unlimited


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be locked, opened and started, and how much of it is taken. The inspected Python inherits the limits.

    A task is a process or a thread.
    """

    memlock_limit_bytes: int | Unlimited | None = None
    """How much memory a process may lock (RLIMIT_MEMLOCK, soft): RDMA registers its buffers within it."""
    memlock_exempt: bool | None = None
    """Whether this process may lock more than that (CAP_IPC_LOCK of the machine's own root)."""
    rdma_device_nodes: list[str] | None = None
    """"/dev/infiniband/uverbs0", ...; [] where there is no RDMA device (InfiniBand, RoCE, EFA) to open."""
    open_files_limit: int | Unlimited | None = None
    """Open files of a process (RLIMIT_NOFILE, soft)."""
    open_files_limit_hard: int | Unlimited | None = None
    """How far a process may raise that by itself."""
    file_handles: int | None = None
    """Files open on the whole machine."""
    file_handles_limit: int | None = None
    """How many the kernel allows (fs.file-max)."""
    tasks: int | None = None
    """Tasks of the whole machine, also as seen from a container."""
    tasks_limit: int | None = None
    """The lesser of kernel.threads-max and kernel.pid_max."""
    user_tasks: int | None = None
    """Tasks of this user; counted only where the limit binds this user and the machine has half as many."""
    user_tasks_limit: int | Unlimited | None = None
    """Tasks of this user (RLIMIT_NPROC, soft), which does not bind root."""
    cgroup_tasks: int | None = None
    """Tasks in the control group that has the fewest left; without a limit, in the own group."""
    cgroup_tasks_limit: int | Unlimited | None = None
    """Of that control group (pids.max); of a pod or container, most often."""
    zombies: int | None = None
    """Processes that have ended and wait for their parent; counted only where there are 1,000 tasks or more, and
    reckoned from 200 processes."""


class MemoryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the kernel hands memory out: overcommitment, swapping, huge pages, mappings."""

    overcommit: Literal["heuristic", "always", "never"] | None = None
    """Whether more memory may be promised than there is (vm.overcommit_memory: 0, 1, 2)."""
    commit_limit_bytes: int | None = None
    """How much memory may be promised in all; binds only where overcommit is "never"."""
    committed_bytes: int | None = None
    """How much is promised now."""
    memory_maps_limit: int | None = None
    """Mappings of one process (vm.max_map_count)."""
    swappiness: int | None = None
    """vm.swappiness, 0 to 200: how readily the kernel swaps programs out."""
    huge_pages_total_bytes: int | None = None
    """Memory set aside as huge pages, of all sizes; nothing else can use it."""
    huge_pages_free_bytes: int | None = None
    """How much of that is not in use."""
    transparent_huge_pages: str | None = None
    """Who gets huge pages unasked: "always" all, "madvise" who says so, "never" nobody."""


class NumaNode(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the machine with processors or memory of its own."""

    index: int
    """The kernel's number of the node."""
    cpus: str | None = None
    """As the kernel lists them, "0-15,32-47"; "" where the node is memory alone."""
    memory_total_bytes: int | None = None
    """Memory of the node."""


class GpuPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a GPU with its driver sits."""

    pci_address: str
    """As sysfs has it: "0000:01:00.0"."""
    kernel_driver: str
    """"nvidia" or "amdgpu"."""
    class_id: str | None = None
    """"030000": a display adapter, also one inside a processor."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""
    iommu_domain: str | None = None
    """"identity": its memory accesses pass untranslated; "DMA", "DMA-FQ": the IOMMU translates them; None: no IOMMU."""
    bridges: list[str] = []
    """PCI addresses of the bridges above it, the nearest last."""


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """How processors, memory and GPUs hang together, and where this process may run."""

    numa_nodes: list[NumaNode] | None = None
    """[] where the kernel knows no nodes; also nodes that are a GPU's memory (POWER9, Grace)."""
    affinity_cpus: str | None = None
    """Processors this process may run on: "0-15"."""
    affinity_memory_nodes: str | None = None
    """NUMA nodes whose memory this process may use: "0-1"."""
    cgroup_cpus: str | None = None
    """Processors that the control group leaves (cpuset); None where it sets none."""
    cgroup_memory_nodes: str | None = None
    """NUMA nodes that the control group leaves (cpuset); None where it sets none."""
    gpus: list[GpuPlace] | None = None
    """GPUs that NVIDIA's or AMD's driver holds; in a container also those that were not passed in."""
    iommu_units: list[str] | None = None
    """"dmar0" (Intel), "ivhd0" (AMD), "smmu3...." (Arm); [] where no IOMMU is in use."""
    iommu_parameters: list[str] | None = None
    """What the kernel was started with: "intel_iommu=on", "iommu=pt", ..."""
    acs_redirecting: list[str] | None = None
    """Bridges above GPUs that send what one device writes to another up to the processor (ACS); None without root."""


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's clock."""

    source: str | None = None
    """What the kernel counts time with: "tsc", "kvm-clock", "hpet", ..."""
    service: str | None = None
    """What keeps the clock right: "chronyd", "systemd-timesyncd", ...; None: none was found."""
    synchronised: bool | None = None
    """Whether the kernel counts the clock as synchronised; not asked where a hypervisor gives the time, nor under
    seccomp (containers)."""
    behind: bool | None = None
    """The clock shows a year before that in which envkit learnt to look at it."""


class InstalledKernel(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel whose modules are installed."""

    release: str
    """"6.8.0-45-generic"."""
    bootable: bool | None = None
    """Whether its image is there, too."""
    headers: bool | None = None
    """Whether modules can be built for it."""
    nvidia_module: str | None = None
    """The file that modprobe would load: "updates/dkms/nvidia.ko.zst"."""
    nvidia_module_version: str | None = None
    """Version of that file; None also where it is compressed and DKMS did not make it."""


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine is started with, and what waits for its next start."""

    running: str | None = None
    """Release of the running kernel: "6.8.0-45-generic"."""
    installed: list[InstalledKernel] | None = None
    """The newest first, 8 at most and the running one; None where there is no /lib/modules."""
    nvidia_dkms_versions: list[str] | None = None
    """Versions of NVIDIA's module that DKMS builds for each kernel; None where there is no DKMS."""
    secure_boot: bool | None = None
    """Secure Boot is on: distributions' kernels then load signed modules only; None: no UEFI, or not told."""
    reboot_required: bool | None = None
    """An upgrade waits for a restart, as Debian and Ubuntu note it; None where nothing would note it."""
    reboot_required_by: list[str] | None = None
    """The packages that ask for it."""
    upgrades_unattended: bool | None = None
    """Whether packages are upgraded without being asked for (unattended-upgrades, dnf-automatic)."""
