"""The container this process runs in, and whether NVIDIA GPUs were passed into it."""

from __future__ import annotations

import os
import re

from envkit.facts import Section, absent, ok
from envkit.facts.machine import Container
from envkit.probes.files import exists, list_dir, printable, read_int, read_line, read_text
from envkit.probes.mounts import mounts

# In this order: who started the container comes before what it was started with (Kubernetes before containerd).
FILES = (
    ("singularity", "/.singularity.d"),
    ("kubernetes", "/var/run/secrets/kubernetes.io/serviceaccount"),
    ("podman", "/run/.containerenv"),
    ("docker", "/.dockerenv"),
)
VARIABLES = (
    ("singularity", "APPTAINER_CONTAINER"),
    ("singularity", "SINGULARITY_CONTAINER"),
    ("kubernetes", "KUBERNETES_SERVICE_HOST"),
)
# Groups, and folders that runtimes mount on /etc/hosts and the like: on the host, docker.service is neither.
NAMES = (
    ("kubernetes", r"/kubepods|/kubelet/pods/|/k8s\.io/"),
    ("podman", r"/libpod-[0-9a-f]|/overlay-containers/"),
    ("docker", r"/docker/|/docker-[0-9a-f]+\.scope|/buildkit/"),
    ("lxc", r"/lxc(/|\.payload)"),
    ("containerd", r"/cri-containerd-|/nerdctl-|/io\.containerd\."),
)
ORDER = ("singularity", "kubernetes", "podman", "docker", "lxc", "containerd")


def observe(root: str = "/") -> Section[Container]:
    """The container as its files, control groups, mounts and, on this machine, environment variables betray it."""
    variables = dict(os.environ) if root == "/" else {}
    signs = _signs(root, variables)
    if not signs:
        return absent("no marker file, environment variable, control group or mount of a container")
    runtimes = [name for name, _ in signs if name]
    runtime = min(runtimes, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER), default=None)
    return ok(
        Container(
            runtime=runtime,
            evidence=", ".join(evidence for _, evidence in signs),
            nvidia_visible_devices=_value(variables, "NVIDIA_VISIBLE_DEVICES"),
            nvidia_driver_capabilities=_value(variables, "NVIDIA_DRIVER_CAPABILITIES"),
            nvidia_require=_value(variables, "NVIDIA_REQUIRE_CUDA"),
            host_nvidia_driver=_nvidia_module(root),
            nvidia_device_nodes=_nvidia_device_nodes(root),
            privileged=_privileged(root) if runtime != "singularity" else None,  # it takes no capability from anyone
        )
    )


def _signs(root: str, variables: dict[str, str]) -> list[tuple[str | None, str]]:
    """What tells of a container: the runtime (None: some container) and the evidence."""
    signs: list[tuple[str | None, str]] = [(name, variable) for name, variable in VARIABLES if variables.get(variable)]
    signs += [(name, path) for name, path in FILES if exists(root, path)]
    told = _value(variables, "container") or read_line(root, "/run/systemd/container")
    if told:
        signs.append((None if told == "oci" else told, f"container={told}"))
    groups = read_text(root, "/proc/self/cgroup") or ""
    table = mounts(root) or []
    sources = [mount.root for mount in table if mount.filesystem == "cgroup" or mount.point.startswith("/etc/host")]
    for name, pattern in NAMES:
        if re.search(pattern, groups):
            signs.append((name, f"control group of {name}"))
        elif any(re.search(pattern, source) for source in sources):
            signs.append((name, f"mount of {name}"))
    return signs


def _value(variables: dict[str, str], name: str) -> str | None:
    return printable(variables[name]) if variables.get(name) else None


def _nvidia_module(root: str) -> str | None:
    """The host's kernel module, which shows in every container."""
    text = read_text(root, "/proc/driver/nvidia/version") or ""
    # NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun ...
    # NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.04  Release Build ...
    match = re.search(r"Kernel Module .*?\s(\d+(?:\.\d+)+)\s", text)
    return read_line(root, "/sys/module/nvidia/version") or (match[1] if match else None)


def _nvidia_device_nodes(root: str) -> int | None:
    names = list_dir(root, "/dev")
    return None if names is None else sum(re.fullmatch(r"nvidia\d+", name) is not None for name in names)


def _privileged(root: str) -> bool | None:
    """Whether no capability was taken away; a runtime takes some unless told not to (capabilities(7))."""
    last = read_int(root, "/proc/sys/kernel/cap_last_cap")
    match = re.search(r"^CapBnd:\s*([0-9a-f]{1,16})$", read_text(root, "/proc/self/status") or "", re.MULTILINE)
    return int(match[1], 16) == (2 << last) - 1 if match and last is not None and last < 64 else None
