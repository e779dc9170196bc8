"""The machine without its accelerators: operating system, CPU, memory, disks, container."""

from __future__ import annotations

from typing import Literal

import msgspec

from envkit.facts.cluster import CdiSpec

Unlimited = Literal["unlimited"]


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Operating system and kernel."""

    os: str | None = None
    """Operating system: "linux", "darwin" or "windows"."""
    kernel: str | None = None
    """Release of the running kernel, as `uname -r` says it: "6.8.0-45-generic"."""
    architecture: str | None = None
    """As uname says it: "x86_64", "aarch64", "arm64"."""
    distribution: str | None = None
    """PRETTY_NAME of os-release, or the product name."""
    distribution_id: str | None = None
    """ID of os-release: "ubuntu", "rocky"."""
    distribution_like: list[str] = []
    """ID_LIKE of os-release, the nearest first: ["rhel", "centos", "fedora"]."""
    superuser: bool | None = None
    """Whether envkit was run by root."""
    libc: Literal["glibc", "musl"] | None = None
    """The C library that programs here are linked with; wheels are made for one or the other."""
    libc_version: str | None = None
    """Version of that: "2.39" of glibc, "1.2.5" of musl."""
    wsl: bool | None = None
    """This is Windows Subsystem for Linux, by the name of its kernel or WSLInterop in binfmt_misc."""
    virtual_machine: str | None = None
    """The hypervisor ("kvm", "vmware", ..., "vm-other"), "none" on bare metal; None: cannot be told."""
    boot_seconds: float | None = None
    """Seconds since boot."""
    cuda_toolkit_version: str | None = None
    """Of the nvcc on PATH, which builds extensions: "12.4"; only a text tells it."""
    gcc_version: str | None = None
    """Of the gcc on PATH; only a text tells it."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """Processors, and how much of them this process may use."""

    model: str | None = None
    """What it calls itself in /proc/cpuinfo: "AMD EPYC 9654 96-Core Processor"; many of Arm do not."""
    vendor: str | None = None
    """Its maker: "GenuineIntel" or "AuthenticAMD" on x86, "ARM", "NVIDIA" or "Ampere" on Arm."""
    architecture: str | None = None
    """As uname says it: "x86_64", "aarch64", "arm64"."""
    sockets: int | None = None
    """Processor packages of the machine; None where a virtual machine or a container hides them."""
    cores: int | None = None
    """Physical cores of the machine, of all sockets; None where a virtual machine or a container hides them."""
    threads: int | None = None
    """Logical processors of the machine that are online; more than cores where each runs several threads."""
    flags: list[str] | None = None
    """Instruction-set flags as the kernel names them; None where the kernel lists none."""
    affinity_threads: int | None = None
    """Logical processors this process may run on."""
    cgroup_quota_cores: float | Unlimited | None = None
    """The smallest CPU quota of this process's control groups, in cores: 1.5."""
    frequency_driver: str | None = None
    """What sets the processors' clocks: "intel_pstate", "acpi-cpufreq", ...; most virtual machines have none."""
    frequency_governors: list[str] | None = None
    """How it sets them: ["performance"]; asked of 8 processors at most."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Main memory, swap, the control groups' limit, shared memory. All in bytes."""

    memory_total_bytes: int | None = None
    """Main memory that the kernel manages (MemTotal): a little less than is installed."""
    memory_available_bytes: int | None = None
    """What programs can take without swapping (MemAvailable): free memory and caches."""
    swap_total_bytes: int | None = None
    """Swap space; 0 where there is none."""
    swap_free_bytes: int | None = None
    """Swap space that is not in use."""
    cgroup_version: Literal[1, 2] | None = None
    """Version of the control groups that limit memory here."""
    cgroup_limit_bytes: int | Unlimited | None = None
    """The smallest limit of this process's control groups; one over all memory counts as none."""
    cgroup_used_bytes: int | None = None
    """In use in the control group with that limit, page cache included; without a limit, in the own group."""
    cgroup_available_bytes: int | Unlimited | None = None
    """The least that is left of such limits, page cache that can be dropped counted as free."""
    cgroup_high_bytes: int | Unlimited | None = None
    """Use over which the kernel slows a control group down (memory.high, version 2 only)."""
    cgroup_high_left_bytes: int | Unlimited | None = None
    """What is left until then, page cache that can be dropped counted as free."""
    cgroup_oom_kills: int | None = None
    """Processes killed in the own control group for want of memory, since it was made."""
    shm_total_bytes: int | None = None
    """Size of /dev/shm, through which workers of a DataLoader pass their batches."""
    shm_free_bytes: int | None = None
    """What is free in /dev/shm."""

    @property
    def left_bytes(self) -> int | None:
        """What a program can take: the least of what is available and of what the control groups leave."""
        left = (self.memory_available_bytes, self.cgroup_available_bytes)
        return min((size for size in left if isinstance(size, int)), default=None)


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """The file system under one path that matters."""

    purpose: Literal["target", "cache", "tmp"]
    """target: where the environment lives or will live; cache: uv's cache; tmp: temporary files."""
    path: str
    """The path asked about, made absolute: "/home/ada/project/.venv"."""
    mount_point: str | None = None
    """Where the file system is mounted that holds it or will hold it: "/home"."""
    filesystem: str | None = None
    """Kind of file system, as the mount table names it: "ext4", "overlay", "nfs4"."""
    total_bytes: int | None = None
    """Size of the file system; None where it tells none."""
    free_bytes: int | None = None
    """What this user can still write to it."""
    inodes_total: int | None = None
    """Files and folders that it can hold; None where it has no fixed number of inodes."""
    inodes_free: int | None = None
    """How many more this user can make."""
    writable: bool | None = None
    """This user may make files there; of a target or cache that is missing, in the nearest parent."""
    read_only: bool | None = None
    """As it is mounted, nothing can be written to it (ro)."""
    read_only_after_error: bool | None = None
    """Mounted to be written to, and made read-only by the kernel, which found the file system damaged."""
    noexec: bool | None = None
    """As it is mounted, nothing on it can be executed or loaded as a library (noexec)."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The file systems an environment depends on."""

    volumes: list[Volume] = []
    """One for each purpose; target and cache may lie on the same file system."""
    degraded_arrays: list[str] | None = None
    """RAID arrays of the kernel that lack a disk: ["md0"]; None where it has no RAID driver."""
    errors: dict[str, int] | None = None
    """Errors that ext4 has recorded in its file systems since they were last checked, by device: {"sda1": 3}."""


class KernelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the kernel's log that matters to training."""

    kind: str
    """"xid", "sxid", "oom-kill", "driver-mismatch", "unsupported-gpu", "key-rejected", "gsp", "aer", "mce",
    "hung-task", "soft-lockup", "oops", "read-only-remount", "io-error", "file-max", "nvrm", "peermem", "segfault",
    "network-adapter", "amdgpu-hang", "amdgpu-memory", "amdgpu-init"."""
    text: str
    """The line as the log has it, up to 500 characters."""
    code: int | None = None
    """Number of an Xid or SXid: 79."""
    pci_address: str | None = None
    """Of the device that the line names, as sysfs has it: "0000:01:00.0"."""
    process: str | None = None
    """Name of the program that an Xid names, or that was killed, hung or crashed."""
    seconds_since_boot: float | None = None
    """When it was written, counted from boot; None where the line does not say."""


class KernelLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel's log says of GPUs, memory and disks."""

    messages: list[KernelMessage] = []
    """In their order, of each kind the last 1,000 at most; [] where nothing matters to training."""


class ContainerEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The container engine of a host (not of the container that one may be in), as its files or `docker info` tell."""

    name: str = "docker"
    """"docker", "containerd", "crio", "podman"; of several that are installed, the first of these."""
    version: str | None = None
    """Of the engine, "27.3.1"; only a text (docker info, podman info) tells it."""
    runtimes: list[str] | None = None
    """As docker info lists them: ["runc", "nvidia"]; None also for engines that have GPUs by CDI or hooks only."""
    default_runtime: str | None = None
    """What runs a container that asks for none: "runc", "nvidia"."""
    cdi_devices: list[str] | None = None
    """Devices that CDI offers by name: ["nvidia.com/gpu=all", ...]."""
    cdi_enabled: bool | None = None
    """Whether the engine's configuration says that it honours CDI; newer engines do unless told otherwise."""
    cdi_specs: list[CdiSpec] | None = None
    """Files in /etc/cdi and /var/run/cdi that have NVIDIA GPUs; [] none; None: nobody looked, or one cannot be read."""
    cgroup_driver: str | None = None
    """Who makes the containers' control groups: "systemd" or "cgroupfs"; from files only where they say it."""
    cgroup_version: str | None = None
    """"1" or "2": of the control groups that it makes; only a text tells it."""
    storage_driver: str | None = None
    """How it stacks the layers of images: "overlay2"; from files only where they say it."""
    nvidia_toolkit: bool | None = None
    """Whether the NVIDIA container toolkit (nvidia-ctk) is installed."""
    nvidia_toolkit_version: str | None = None
    """Of the library libnvidia-container, which has the toolkit's version."""
    nvidia_hook: bool | None = None
    """Whether NVIDIA's hook is where the engine finds it without being configured: `docker run --gpus` then works."""
    nvidia_runtime_mode: str | None = None
    """How NVIDIA's runtime passes devices in, as its configuration says: "auto", "legacy", "cdi"."""
    device_links_missing: list[str] | None = None
    """NVIDIA device nodes without a link in /dev/char; runc, told by systemd, closes such to running containers."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """The container this process runs in (the section is absent outside of one)."""

    runtime: str | None = None
    """"docker", "podman", "kubernetes", "lxc", "singularity", ... None where only "some container" is known."""
    evidence: str | None = None
    """What told it: "/.dockerenv", "cgroup names kubepods", ..."""
    nvidia_visible_devices: str | None = None
    """NVIDIA_VISIBLE_DEVICES: what the runtime was asked to pass in."""
    nvidia_driver_capabilities: str | None = None
    """NVIDIA_DRIVER_CAPABILITIES: which of the driver's libraries were passed in: "compute,utility"."""
    nvidia_require: str | None = None
    """NVIDIA_REQUIRE_CUDA: what the image demands of the driver."""
    host_nvidia_driver: str | None = None
    """Version of the host's NVIDIA kernel module, which /proc and /sys show in every container."""
    nvidia_device_nodes: int | None = None
    """How many /dev/nvidia[0-9]* are inside."""
    privileged: bool | None = None
    """No capability was taken from it (--privileged); None: cannot be told, or singularity, which takes none."""
