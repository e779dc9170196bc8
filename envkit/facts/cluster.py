"""What joins a machine to others and deals it out: network links, device specifications of containers, allocations."""

from __future__ import annotations

from typing import Literal

import msgspec


class RdmaPort(msgspec.Struct, frozen=True, kw_only=True):
    """One port of an RDMA device. Its counters run since the driver was loaded or they were cleared."""

    number: int
    """From 1."""
    state: str | None = None
    """Of the logical link: "active"; "down"; "init", "armed" (no subnet manager has set it up yet)."""
    physical_state: str | None = None
    """In the kernel's words: "LinkUp", "Polling" (no cable, or a dead one), "Disabled"."""
    link_layer: str | None = None
    """"InfiniBand", "Ethernet" (RoCE), "Unspecified" (EFA)."""
    rate_gigabits_per_second: float | None = None
    """Of all lanes together; means nothing while the port is down."""
    netdev: str | None = None
    """The network interface over the same port: "eth2", "ib0"."""
    link_downs: int | None = None
    """How often the link failed and had to be set up anew; older cards count to 255."""
    link_recoveries: int | None = None
    """How often it was retrained without going down."""
    symbol_errors: int | None = None
    """Errors of the physical layer."""
    receive_errors: int | None = None
    """Packets received with an error."""


class RdmaDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device for remote direct memory access: InfiniBand, RoCE, EFA."""

    name: str
    """"mlx5_0"."""
    kernel_driver: str | None = None
    """"mlx5_core", "efa", "bnxt_en"; None also for devices without hardware (rxe, siw)."""
    model: str | None = None
    """What the driver calls it: "MT4129" (ConnectX-7)."""
    firmware_version: str | None = None
    """As its driver tells it: "28.39.1002"."""
    pci_address: str | None = None
    """As sysfs has it: "0000:01:00.0"; None for devices without hardware."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""
    virtual_function: bool = False
    """A part of another device here, meant for a virtual machine or a container; its counters are not read."""
    ports: list[RdmaPort] = []
    """By number; [] where the kernel shows none."""


class NetworkLink(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface with hardware of its own, or a bond of such."""

    name: str
    """"eth0", "enp65s0f0np0", "bond0"."""
    kernel_driver: str | None = None
    """"mlx5_core", "virtio_net"; None for a bond."""
    state: str | None = None
    """"up", "down" (also: no cable), "dormant", "unknown" (the driver does not tell)."""
    speed_megabits_per_second: int | None = None
    """None also where the driver names none: virtual machines, wireless."""
    duplex: str | None = None
    """"full", "half"."""
    mtu_bytes: int | None = None
    """The largest packet it sends: 1500, 9000."""
    bond: str | None = None
    """The bond that it is a member of."""
    bond_member_up: bool | None = None
    """Whether that bond counts it as working."""
    numa_node: int | None = None
    """The NUMA node it hangs on; None also where the firmware does not say."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Links to other machines. Neither addresses nor host names."""

    interfaces: list[str] | None = None
    """Names of all network interfaces that this process may use, loopback and virtual ones included."""
    links: list[NetworkLink] | None = None
    """Those with hardware, and bonds; in a container most often none."""
    rdma_devices: list[RdmaDevice] | None = None
    """Devices for remote direct memory access; [] none; None: /sys cannot be read."""
    peer_memory_modules: list[str] | None = None
    """Loaded kernel modules by which network cards reach NVIDIA GPUs' memory: "nvidia_peermem", "nv_peer_mem"."""


class CdiSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A specification of devices for containers (Container Device Interface) that has NVIDIA GPUs.

    What it lists must be there when a container is started by it.
    """

    path: str
    """"/etc/cdi/nvidia.yaml"; for devices of the same name one in /var/run/cdi wins."""
    kind: str
    """"nvidia.com/gpu"."""
    devices: list[str] = []
    """Names of its devices: "0", "all"; with the kind before it, "nvidia.com/gpu=0", a container asks for it."""
    driver_version: str | None = None
    """Of the driver's libraries that it lists."""
    device_nodes: list[str] = []
    """The GPUs in it, by their device nodes: "/dev/nvidia0"."""
    files_missing: list[str] = []
    """Up to 20 libraries, programs and device nodes that it lists and that are gone."""
    files_missing_count: int = 0
    """How many those are in all."""


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What a scheduler gave this process on this machine (the section is absent outside of jobs and pods).

    Read from variables that the scheduler sets. Neither names of jobs, users and machines nor numbers of jobs.
    """

    scheduler: Literal["slurm", "kubernetes", "pbs", "lsf"]
    """Whose variables are set; of several the first of Slurm, LSF, PBS, Kubernetes."""
    on_node: bool = True
    """False: this process belongs to a job and runs elsewhere, as the shell of `salloc` does; then the rest is None."""
    gpus: int | None = None
    """GPUs or MIG devices of this machine that this job (of several steps or tasks: this one) was given.

    0: a job of Slurm, which names them, and it named none. None: not told; a pod's requests cannot be seen from inside,
    only the list that NVIDIA's device plugin hands to the container runtime.
    """
    gpus_told_by: str | None = None
    """The variable or folder that names them: "SLURM_STEP_GPUS", "NVIDIA_VISIBLE_DEVICES"."""
    cpus: int | None = None
    """Logical processors of this machine."""
    cpus_per_task: int | None = None
    """Where the job says how many each of its tasks needs."""
    memory_bytes: int | None = None
    """Memory of this machine; None also for all of it."""
    nodes: int | None = None
    """Machines of the whole job."""
    tasks: int | None = None
    """Processes that it is to start, on all machines together."""
