"""The container: whether GPUs, driver libraries and shared memory were passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import grave, judged
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import Container, Memory
    from envkit.profile import Profile

_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
_PASS_IN = {
    "docker": "start the container with --gpus all (the host needs the NVIDIA container toolkit)",
    "podman": "start the container with --device nvidia.com/gpu=all (the host needs a CDI specification)",
    "kubernetes": "request the GPU in the pod: resources.limits: nvidia.com/gpu: 1",
    "singularity": "start the container with --nv",
}
_SHM = "/dev/shm"  # noqa: S108 - named, not used
_ROOMIER = {
    "docker": "start the container with --shm-size=8g, or with --ipc=host",
    "podman": "start the container with --shm-size=8g, or with --ipc=host",
    "kubernetes": "mount an emptyDir with medium: Memory at /dev/shm",
}


@check(area="container")
def nvidia_visible_devices_void(container: Container, profile: Profile) -> Findings:
    """NVIDIA_VISIBLE_DEVICES tells the container runtime to pass no GPU in."""
    value = container.nvidia_visible_devices
    if profile.requires.accelerator == "nvidia" and value in {"void", "none", ""} and not container.nvidia_device_nodes:
        yield fail(
            "NVIDIA_VISIBLE_DEVICES keeps the GPUs out of this container",
            evidence=[f"NVIDIA_VISIBLE_DEVICES={value}"],
            remedy=Remedy(text="start the container with NVIDIA_VISIBLE_DEVICES=all, or the GPUs it should have"),
        )


@check(area="accelerators", after=("nvidia-visible-devices-void", "scheduler-no-gpu"))
def container_without_gpu(container: Container, profile: Profile) -> Findings:
    """The host has an NVIDIA driver, but no GPU was passed into this container.

    The kernel module shows in /proc and /sys of every container; /dev/nvidia0 only where the GPU was passed in.
    """
    if judged(profile) and container.host_nvidia_driver and container.nvidia_device_nodes == 0:
        yield grave(profile)(
            "the host has an NVIDIA driver, but no GPU was passed into this container",
            evidence=[f"driver {container.host_nvidia_driver} on the host", "no /dev/nvidia0 in the container"],
            remedy=Remedy(text=_PASS_IN.get(container.runtime or "", _PASS_IN["docker"]), url=_TOOLKIT),
        )


@check(area="container")
def driver_capabilities_lack_compute(container: Container, profile: Profile) -> Findings:
    """NVIDIA_DRIVER_CAPABILITIES keeps libcuda or NVML out of the container.

    `compute` brings libcuda, `utility` brings NVML and nvidia-smi; without the variable the runtime brings both.
    """
    value = container.nvidia_driver_capabilities
    if not judged(profile) or not value or not container.nvidia_device_nodes:
        return
    lacking = [c for c in ("compute", "utility") if not {c, "all"} & {v.strip() for v in value.split(",")}]
    if lacking:
        found = fail if "compute" in lacking else warn
        yield found(
            f"NVIDIA_DRIVER_CAPABILITIES lacks {' and '.join(lacking)}",
            evidence=[f"NVIDIA_DRIVER_CAPABILITIES={value}"],
            remedy=Remedy(text="start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        )


@check(area="container")
def container_gpu_revoked(nvidia: Nvidia, container: Container, profile: Profile) -> Findings:
    """A running container has lost access to its GPUs.

    NVML reports UNKNOWN in a container whose device rules were rewritten, for example by `systemctl daemon-reload`.
    Source: NVIDIA/nvidia-container-toolkit issue 48.
    """
    if judged(profile) and nvidia.nvml.outcome == "error" and nvidia.nvml.error == "UNKNOWN":
        yield fail(
            "this container has lost access to its GPUs",
            evidence=["NVML: UNKNOWN", f"container: {container.runtime or container.evidence or 'of unknown kind'}"],
            remedy=Remedy(
                text="restart the container; to keep it from happening again pass the GPUs in by CDI, "
                "or use the cgroupfs driver",
                url="https://github.com/NVIDIA/nvidia-container-toolkit/issues/48",
            ),
        )


@check(area="container")
def shm_small(memory: Memory, facts: Facts, *, minimum_bytes: int = 512 * 1024**2) -> Findings:
    """Shared memory (/dev/shm) is small: data loaders with workers and NCCL fail in it.

    Docker gives 64 MiB unless told otherwise. PyTorch hands batches from worker processes over in /dev/shm.
    """
    size, container = memory.shm_total_bytes, facts.container.facts
    if size is not None and size < minimum_bytes:
        default = Remedy(
            text="enlarge it (in /etc/fstab for good)",
            commands=[["sudo", "mount", "-o", "remount,size=8G", _SHM]],
            who="admin",
        )
        runtime = (container.runtime or "docker") if container else ""
        yield warn(
            f"{_SHM} has {size / 1024**2:.0f} MiB, data loaders with workers need more",
            evidence=[f"{size} bytes, at least {minimum_bytes} wanted"],
            remedy=Remedy(text=_ROOMIER.get(runtime, _ROOMIER["docker"])) if container else default,
        )
