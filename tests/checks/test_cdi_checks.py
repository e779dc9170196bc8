"""Checks of what containers are handed GPUs by: the engine's runtimes, lists of devices (CDI), links to nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import cdi as checks
from envkit.checks import container_engine
from envkit.facts import Facts, ok
from envkit.facts.accelerators import DeviceNode, Nvidia
from envkit.facts.cluster import CdiSpec
from envkit.facts.machine import Container, ContainerEngine
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
NODES = [DeviceNode(path=f"/dev/{name}") for name in ("nvidia0", "nvidia1", "nvidiactl")]
LOADED = Nvidia(module_loaded=True, module_version="550.54.15", device_nodes=NODES)
HOST, INSIDE = Facts(nvidia=ok(LOADED)), Facts(nvidia=ok(LOADED), container=ok(Container()))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def spec(**changes: Any) -> CdiSpec:
    known = {
        "path": "/etc/cdi/nvidia.yaml",
        "kind": "nvidia.com/gpu",
        "devices": ["0", "1", "all"],
        "driver_version": "550.54.15",
        "device_nodes": ["/dev/nvidia0", "/dev/nvidia1"],
    }
    return CdiSpec(**{**known, **changes})


def stale(*specs: CdiSpec, facts: Facts = HOST, profile: Profile = ANY, nvidia: Nvidia = LOADED) -> list[Finding]:
    engine = ContainerEngine(cdi_specs=list(specs))
    return list(checks.cdi_spec_stale(engine, nvidia, facts, profile))


@pytest.mark.parametrize(
    ("old", "evidence"),
    [
        (spec(driver_version="535.104.05"), ["libraries of driver 535.104.05, loaded is 550.54.15"]),
        (spec(files_missing=["/dev/dri/card1"], files_missing_count=1), ["gone: /dev/dri/card1"]),
        (spec(device_nodes=["/dev/nvidia0"]), ["not in it: /dev/nvidia1"]),
    ],
)
def test_cdi_spec_stale_fires(old: CdiSpec, evidence: list[str]) -> None:
    found = one(stale(old))
    assert (found.status, found.subject, found.evidence) == ("warn", old.path, evidence)
    assert found.remedy is not None
    assert found.remedy.commands == [["sudo", "nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"]]


def test_cdi_spec_stale_fires_briefly_about_many_files() -> None:
    found = one(stale(spec(files_missing=[f"/usr/lib/{n}" for n in range(20)], files_missing_count=60)))
    assert found.evidence[-1] == "and 56 more files that are gone"


def test_cdi_spec_stale_fires_for_others_lists_with_other_advice() -> None:
    found = one(stale(spec(kind="k8s.device-plugin.nvidia.com/gpu", driver_version="535.1")))
    assert found.remedy is not None
    assert not found.remedy.commands


OLD = spec(driver_version="535.104.05", files_missing=["/usr/lib/libcuda.so.535.104.05"], files_missing_count=1)


@pytest.mark.parametrize(
    "found",
    [
        stale(spec()),
        stale(),
        stale(OLD, spec(path="/var/run/cdi/nvidia.yaml")),  # the later one is in force
        stale(OLD, facts=INSIDE),
        stale(OLD, profile=CPU),
        stale(spec(driver_version=None)),
        stale(spec(driver_version="535.104.05"), nvidia=Nvidia(module_version=None)),
        stale(spec(devices=["0"], device_nodes=["/dev/nvidia0"])),  # not meant to have all
        stale(spec(device_nodes=[])),
    ],
)
def test_cdi_spec_stale_near_miss(found: list[Finding]) -> None:
    assert not found


def test_cdi_spec_stale_near_miss_is_in_force_where_the_later_one_lacks_a_device() -> None:
    assert stale(OLD, spec(path="/var/run/cdi/nvidia.yaml", devices=["0"], device_nodes=[]))


def lacking(engine: ContainerEngine, facts: Facts = HOST) -> list[Finding]:
    return list(container_engine.container_runtime_lacks_nvidia(engine, facts, ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("engine", "last"),
    [
        (ContainerEngine(runtimes=["runc"], nvidia_hook=False), ["sudo", "systemctl", "restart", "docker"]),
        (
            ContainerEngine(name="containerd", runtimes=["runc"], nvidia_toolkit=True),
            ["sudo", "systemctl", "restart", "containerd"],
        ),
        (
            ContainerEngine(runtimes=["runc"], cdi_devices=["nvidia.com/gpu=0"], cdi_enabled=False),
            ["sudo", "systemctl", "restart", "docker"],
        ),
        (
            ContainerEngine(name="podman", cdi_specs=[], cdi_devices=[], nvidia_toolkit=True, nvidia_hook=False),
            ["sudo", "nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"],
        ),
    ],
)
def test_container_runtime_lacks_nvidia_fires_by_files(engine: ContainerEngine, last: list[str]) -> None:
    found = one(lacking(engine))
    assert found.remedy is not None
    assert found.remedy.commands[-1] == last


@pytest.mark.parametrize(
    ("engine", "facts"),
    [
        (ContainerEngine(runtimes=["runc"], nvidia_hook=True), HOST),  # docker run --gpus works
        (ContainerEngine(runtimes=["runc"]), INSIDE),
        (ContainerEngine(name="containerd", runtimes=["runc"], nvidia_toolkit=False), HOST),
        (ContainerEngine(name="containerd", runtimes=None, nvidia_toolkit=True), HOST),
        (ContainerEngine(name="containerd", runtimes=["nvidia", "runc"], nvidia_toolkit=True), HOST),
        (ContainerEngine(name="podman", cdi_specs=[], nvidia_toolkit=False), HOST),  # came with the system
        (ContainerEngine(name="podman", cdi_specs=[], nvidia_toolkit=True, nvidia_hook=True), HOST),
        (ContainerEngine(name="podman", cdi_specs=None, nvidia_toolkit=True), HOST),
    ],
)
def test_container_runtime_lacks_nvidia_near_miss_by_files(engine: ContainerEngine, facts: Facts) -> None:
    assert not lacking(engine, facts)


def engine(**changes: Any) -> ContainerEngine:
    known = {
        "runtimes": ["nvidia", "runc"],
        "cgroup_driver": "systemd",
        "nvidia_toolkit_version": "1.17.8",
        "nvidia_runtime_mode": "auto",
        "device_links_missing": ["/dev/nvidia0"],
    }
    return ContainerEngine(**{**known, **changes})


@pytest.mark.parametrize(
    "told", [engine(), engine(nvidia_runtime_mode=None), engine(runtimes=["runc"], nvidia_hook=True)]
)
def test_gpu_device_links_missing_fires(told: ContainerEngine) -> None:
    assert "/dev/nvidia0: no link in /dev/char" in one(checks.gpu_device_links_missing(told, HOST, ANY)).evidence


@pytest.mark.parametrize(
    ("told", "facts", "profile"),
    [
        (engine(device_links_missing=[]), HOST, ANY),
        (engine(device_links_missing=None), HOST, ANY),
        (engine(cgroup_driver="cgroupfs"), HOST, ANY),
        (engine(cgroup_driver=None), HOST, ANY),  # what the engine does by itself is not told
        (engine(nvidia_toolkit_version="1.18.0"), HOST, ANY),
        (engine(nvidia_toolkit_version=None), HOST, ANY),
        (engine(nvidia_runtime_mode="cdi"), HOST, ANY),
        (engine(runtimes=["runc"]), HOST, ANY),
        (engine(), INSIDE, ANY),
        (engine(), HOST, CPU),
    ],
)
def test_gpu_device_links_missing_near_miss(told: ContainerEngine, facts: Facts, profile: Profile) -> None:
    assert not list(checks.gpu_device_links_missing(told, facts, profile))
