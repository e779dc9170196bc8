"""The machine without its accelerators: operating system, CPU, memory, disks, container."""

from __future__ import annotations

from typing import Literal

import msgspec

Unlimited = Literal["unlimited"]


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Operating system and kernel."""

    os: str | None = None
    """"linux", "darwin" or "windows"."""
    kernel: str | None = None
    architecture: str | None = None
    """As uname says it: "x86_64", "aarch64", "arm64"."""
    distribution: str | None = None
    """PRETTY_NAME of os-release, or the product name."""
    distribution_id: str | None = None
    libc: Literal["glibc", "musl"] | None = None
    libc_version: str | None = None
    wsl: bool | None = None
    virtual_machine: str | None = None
    """The hypervisor ("kvm", "vmware", ...), "none" on bare metal."""
    boot_seconds: float | None = None
    """Seconds since boot."""
    cuda_toolkit_version: str | None = None
    """Of the nvcc on PATH, which builds extensions: "12.4"; only a text tells it."""
    gcc_version: str | None = None
    """Of the gcc on PATH; only a text tells it."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """Processors, and how much of them this process may use."""

    model: str | None = None
    vendor: str | None = None
    architecture: str | None = None
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    """Logical processors of the machine."""
    flags: list[str] | None = None
    """Instruction-set flags as the kernel names them; None where the kernel lists none."""
    affinity_threads: int | None = None
    """Logical processors this process may run on."""
    cgroup_quota_cores: float | Unlimited | None = None
    """CPU quota of the cgroup, in cores."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Main memory, swap, the cgroup's limit, shared memory. All in bytes."""

    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_free_bytes: int | None = None
    cgroup_version: Literal[1, 2] | None = None
    cgroup_limit_bytes: int | Unlimited | None = None
    cgroup_used_bytes: int | None = None
    cgroup_available_bytes: int | Unlimited | None = None
    """What is left of the limit, page cache that can be dropped counted as free."""
    cgroup_oom_kills: int | None = None
    shm_total_bytes: int | None = None
    """Size of /dev/shm."""
    shm_free_bytes: int | None = None


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """The file system under one path that matters."""

    purpose: Literal["target", "cache", "tmp"]
    """target: where the environment lives or will live; cache: uv's cache; tmp: temporary files."""
    path: str
    mount_point: str | None = None
    filesystem: str | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    """Free for this user."""
    inodes_total: int | None = None
    """None where the file system has no fixed number of inodes."""
    inodes_free: int | None = None
    writable: bool | None = None
    read_only: bool | None = None
    noexec: bool | None = None


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The file systems an environment depends on."""

    volumes: list[Volume] = []


class KernelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the kernel's log that matters to training."""

    kind: str
    """"xid", "sxid", "oom-kill", "driver-mismatch", "unsupported-gpu", "key-rejected", "gsp", "aer", "mce",
    "hung-task", "soft-lockup", "read-only-remount", "io-error", "file-max", "nvrm"."""
    text: str
    code: int | None = None
    """Of an Xid or SXid."""
    pci_address: str | None = None
    process: str | None = None
    seconds_since_boot: float | None = None


class KernelLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel's log says of GPUs, memory and disks."""

    messages: list[KernelMessage] = []


class ContainerEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The container engine of a host (not of the container that one may be in)."""

    name: str = "docker"
    version: str | None = None
    runtimes: list[str] | None = None
    """As docker info lists them: ["runc", "nvidia"]."""
    default_runtime: str | None = None
    cdi_devices: list[str] | None = None
    """["nvidia.com/gpu=all", ...]."""
    cgroup_driver: str | None = None
    cgroup_version: str | None = None
    storage_driver: str | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """The container this process runs in (the section is absent outside of one)."""

    runtime: str | None = None
    """"docker", "podman", "kubernetes", "lxc", "singularity", ... None where only "some container" is known."""
    evidence: str | None = None
    """What told it: "/.dockerenv", "cgroup names kubepods", ..."""
    nvidia_visible_devices: str | None = None
    """NVIDIA_VISIBLE_DEVICES: what the runtime was asked to pass in."""
    nvidia_driver_capabilities: str | None = None
    nvidia_require: str | None = None
    """NVIDIA_REQUIRE_CUDA: what the image demands of the driver."""
    host_nvidia_driver: str | None = None
    """Version of the host's NVIDIA kernel module, which /proc and /sys show in every container."""
    nvidia_device_nodes: int | None = None
    """How many /dev/nvidia[0-9]* are inside."""
    privileged: bool | None = None
