"""What containers are handed GPUs by: lists of devices (CDI), links to device nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged
from envkit.findings import Findings, Remedy, warn
from envkit.versions import release

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.cluster import CdiSpec
    from envkit.facts.machine import ContainerEngine
    from envkit.profile import Profile

_CDI = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/cdi-support.html"
_REVOKED = "https://github.com/NVIDIA/nvidia-container-toolkit/issues/48"
_ASKS_FOR_NODES = (1, 18)  # from this toolkit on, its runtime lists GPUs as devices of the container


def _in_force(specs: list[CdiSpec]) -> list[CdiSpec]:
    """Those with a device that no later one has, too."""
    found = []
    for place, spec in enumerate(specs):
        later = {device for other in specs[place + 1 :] if other.kind == spec.kind for device in other.devices}
        found += [spec] if set(spec.devices) - later else []
    return found


@check(area="container", after=("driver-library-mismatch", "nvidia-module-outdated"))
def cdi_spec_stale(container_engine: ContainerEngine, nvidia: Nvidia, facts: Facts, profile: Profile) -> Findings:
    """The list of devices by which containers get GPUs (CDI) is older than the driver or the GPUs.

    Containers then do not start, or find no GPU. Happens after an update of the driver, or when GPUs or MIG devices
    change. Source: NVIDIA Container Toolkit, "Support for Container Device Interface".
    """
    if not judged(profile) or facts.container.facts:
        return
    nodes = [node.path for node in nvidia.device_nodes if re.fullmatch(r"/dev/nvidia\d+", node.path)]
    for spec in _in_force(container_engine.cdi_specs or []):
        driver, loaded = spec.driver_version, nvidia.module_version
        evidence = (
            [f"libraries of driver {driver}, loaded is {loaded}"] if driver and loaded and driver != loaded else []
        )
        evidence += [f"gone: {path}" for path in spec.files_missing[:4]]
        if spec.files_missing_count > 4:
            evidence.append(f"and {spec.files_missing_count - 4} more files that are gone")
        if "all" in spec.devices and spec.device_nodes:
            evidence += [f"not in it: {node}" for node in nodes if node not in spec.device_nodes][:4]
        if evidence:
            own = spec.kind == "nvidia.com/gpu"
            yield warn(
                f"{spec.path} does not fit this machine: containers get no GPU by {spec.kind}, or do not start",
                subject=spec.path,
                evidence=evidence,
                remedy=Remedy(
                    text="make it anew" if own else "restart what wrote it: NVIDIA's device plugin or GPU operator",
                    commands=[["sudo", "nvidia-ctk", "cdi", "generate", f"--output={spec.path}"]] if own else [],
                    who="admin",
                    url=_CDI,
                ),
            )


@check(area="container")
def gpu_device_links_missing(container_engine: ContainerEngine, facts: Facts, profile: Profile) -> Findings:
    """`systemctl daemon-reload` takes the GPUs from running containers: their device nodes have no links in /dev/char.

    Told only where everything says so: control groups made by systemd, NVIDIA's runtime or hook older than 1.18 and not
    in its CDI mode, and no such links. Source: NVIDIA/nvidia-container-toolkit issue 48.
    """
    engine = container_engine
    version = release(engine.nvidia_toolkit_version or "")
    behind_systemd = version is not None and version < _ASKS_FOR_NODES and engine.nvidia_runtime_mode != "cdi"
    used = engine.nvidia_hook or any("nvidia" in runtime for runtime in engine.runtimes or [])
    missing = engine.device_links_missing or []
    told = behind_systemd and used and engine.cgroup_driver == "systemd" and missing
    if judged(profile) and told and not facts.container.facts:
        yield warn(
            "running containers will lose their GPUs when systemd reloads its configuration",
            evidence=[
                f"{engine.name} has systemd make the control groups",
                f"NVIDIA container toolkit {engine.nvidia_toolkit_version}",
                *(f"{node}: no link in /dev/char" for node in missing[:4]),
            ],
            remedy=Remedy(
                text="make the links, and have a udev rule do so at each start; or pass GPUs in by CDI",
                commands=[["sudo", "nvidia-ctk", "system", "create-dev-char-symlinks", "--create-all"]],
                who="admin",
                url=_REVOKED,
            ),
        )
