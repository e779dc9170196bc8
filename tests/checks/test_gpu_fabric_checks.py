"""Checks of the fabric manager, of IMEX, and of pairs of GPUs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from envkit.checks import gpu_fabric
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import GpuPair, Nvidia, NvidiaGpu, NvLink
from envkit.facts.machine import Container, System
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
BARE = Facts(container=absent("no sign of one"), system=ok(System(os="linux", virtual_machine="none")))
VIRTUAL = Facts(container=absent("no sign of one"), system=ok(System(os="linux", virtual_machine="kvm")))
REGISTERED, WAITING = {"fabric_state": "completed", "fabric_status": "success"}, {"fabric_state": "in-progress"}


def machine(*gpus: dict[str, Any], **changes: Any) -> Nvidia:
    named = [
        {"index": i, "name": "NVIDIA A100-SXM4-80GB", "pci_address": f"0000:0{i}:00.0", **g} for i, g in enumerate(gpus)
    ]
    return Nvidia(gpus=[NvidiaGpu(**gpu) for gpu in named], **changes)


@pytest.mark.parametrize("gpu", [WAITING, {"fabric_state": "completed", "fabric_status": "unknown error"}])
def test_nvlink_fabric_manager_down_fires(gpu: dict[str, Any]) -> None:
    (finding,) = gpu_fabric.nvlink_fabric_manager_down(machine(gpu, gpu), ANY, Facts(), KNOWLEDGE)
    assert finding.remedy is not None
    assert bool(finding.remedy.commands)
    (inside,) = gpu_fabric.nvlink_fabric_manager_down(machine(gpu), ANY, IN_DOCKER, KNOWLEDGE)
    assert inside.remedy is not None
    assert "host" in inside.remedy.text


def test_nvlink_fabric_manager_down_fires_without_its_process_where_gpus_do_not_tell() -> None:
    a100 = machine({}, {"fabric_state": "not-supported"}, nvswitches=6, fabric_manager_running=False)
    (finding,) = gpu_fabric.nvlink_fabric_manager_down(a100, ANY, BARE, KNOWLEDGE)
    assert (finding.status, finding.message) == ("fail", "6 NVSwitches and no fabric manager that runs")


@pytest.mark.parametrize("gpu", [REGISTERED, {"fabric_state": "not-supported"}, {}])
def test_nvlink_fabric_manager_down_near_miss(gpu: dict[str, Any]) -> None:
    assert not list(gpu_fabric.nvlink_fabric_manager_down(machine(gpu), ANY, Facts(), KNOWLEDGE))
    assert not list(gpu_fabric.nvlink_fabric_manager_down(machine(WAITING), CPU, Facts(), KNOWLEDGE))
    without = machine({}, nvswitches=6, fabric_manager_running=False)
    assert not list(gpu_fabric.nvlink_fabric_manager_down(without, ANY, IN_DOCKER, KNOWLEDGE))
    unseen = msgspec.structs.replace(without, fabric_manager_running=None)
    assert not list(gpu_fabric.nvlink_fabric_manager_down(unseen, ANY, BARE, KNOWLEDGE))


VERSIONS = {"module_version": "570.133.20", "fabric_manager_version": "570.86.15"}


@pytest.mark.parametrize(
    ("nvidia", "status"),
    [
        (machine(WAITING, **VERSIONS), "fail"),
        (machine(REGISTERED, **VERSIONS), "warn"),
        (machine({}, nvswitches=6, fabric_manager_running=False, **VERSIONS), "fail"),
        (machine({}, nvswitches=6, fabric_manager_running=True, **VERSIONS), "warn"),
    ],
)
def test_fabric_manager_version_differs_fires(nvidia: Nvidia, status: str) -> None:
    (finding,) = gpu_fabric.fabric_manager_version_differs(nvidia, ANY, BARE, KNOWLEDGE)
    assert finding.status == status


@pytest.mark.parametrize(
    "nvidia",
    [
        machine(WAITING, **{**VERSIONS, "fabric_manager_version": "570.133.20"}),
        machine(WAITING, **{**VERSIONS, "fabric_manager_version": None}),
        machine({"fabric_state": "not-supported"}, **VERSIONS),
    ],
)
def test_fabric_manager_version_differs_near_miss(nvidia: Nvidia) -> None:
    assert not list(gpu_fabric.fabric_manager_version_differs(nvidia, ANY, BARE, KNOWLEDGE))
    assert not list(gpu_fabric.fabric_manager_version_differs(machine(WAITING, **VERSIONS), ANY, IN_DOCKER, KNOWLEDGE))


def test_nvlink_fabric_unhealthy_fires() -> None:
    (finding,) = gpu_fabric.nvlink_fabric_unhealthy(machine({}, {"fabric_troubles": ["route-unhealthy"]}), ANY)
    assert finding.subject == "GPU 1, NVIDIA A100-SXM4-80GB"


def test_nvlink_fabric_unhealthy_near_miss() -> None:
    assert not list(gpu_fabric.nvlink_fabric_unhealthy(machine({"fabric_troubles": []}, {}), ANY))


RACK = {"fabric_cluster": "01000000-0000-0000-0000-000000000000", "fabric_clique": 1}


@pytest.mark.parametrize(("nodes", "said"), [(None, "is not there"), (18, "lists 18 machines")])
def test_imex_channel_missing_fires(nodes: int | None, said: str) -> None:
    (finding,) = gpu_fabric.imex_channel_missing(machine(RACK, RACK, imex_channels=0, imex_nodes=nodes), ANY)
    assert (finding.status, finding.evidence[-1]) == ("warn", f"/etc/nvidia-imex/nodes_config.cfg {said}")


def test_imex_channel_missing_near_miss() -> None:
    assert not list(gpu_fabric.imex_channel_missing(machine(RACK, imex_channels=1), ANY))
    assert not list(gpu_fabric.imex_channel_missing(machine(RACK, imex_channels=None), ANY))
    assert not list(gpu_fabric.imex_channel_missing(machine({}, imex_channels=0), ANY))


def linked(remote: str, address: str | None = None, *, active: bool = True) -> dict[str, Any]:
    return {"nvlinks": [NvLink(index=0, active=active, remote=remote, remote_address=address)]}  # type: ignore[arg-type]


def pair(**changes: Any) -> GpuPair:
    said = {"path": "pcie-switch", "p2p_read": "ok", "p2p_write": "ok", "p2p_nvlink": "ok", **changes}
    return GpuPair(first=0, second=1, **said)


SWITCHED = (linked("switch"), linked("switch"))
BRIDGED = (linked("gpu", "0000:01:00.0"), linked("gpu", "0000:00:00.0"))


@pytest.mark.parametrize("gpus", [SWITCHED, BRIDGED])
def test_nvlink_peer_access_missing_fires(gpus: tuple[dict[str, Any], ...]) -> None:
    bad = machine(*gpus, pairs=[pair(p2p_read="topology-not-supported")])
    (finding,) = gpu_fabric.nvlink_peer_access_missing(bad, ANY)
    assert finding.evidence == ["GPU 0 with GPU 1: read topology-not-supported, write ok, NVLink ok"]


@pytest.mark.parametrize(
    ("gpus", "changes"),
    [
        (SWITCHED, {}),
        (SWITCHED, {"p2p_read": None, "p2p_write": None, "p2p_nvlink": None}),
        ((linked("gpu", "0000:07:00.0"), {}), {"p2p_nvlink": "not-supported"}),
        ((linked("switch", active=False), linked("switch")), {"p2p_nvlink": "not-supported"}),
        (({**SWITCHED[0], "mig_mode": "enabled"}, SWITCHED[1]), {"p2p_read": "not-supported"}),
        (({**SWITCHED[0], "error": "GPU_IS_LOST"}, SWITCHED[1]), {"p2p_read": "not-supported"}),
    ],
)
def test_nvlink_peer_access_missing_near_miss(gpus: tuple[dict[str, Any], ...], changes: dict[str, Any]) -> None:
    assert not list(gpu_fabric.nvlink_peer_access_missing(machine(*gpus, pairs=[pair(**changes)]), ANY))


REFUSED = {"p2p_read": "chipset-not-supported", "p2p_nvlink": "not-supported"}


@pytest.mark.parametrize(
    ("changes", "facts"),
    [(REFUSED, BARE), ({"p2p_read": "disabled-by-regkey", "path": "system"}, VIRTUAL)],
)
def test_peer_access_unsupported_fires(changes: dict[str, Any], facts: Facts) -> None:
    nvidia = machine({"name": "NVIDIA A40"}, {"name": "NVIDIA A40"}, pairs=[pair(**changes)])
    (finding,) = gpu_fabric.peer_access_unsupported(nvidia, ANY, facts, KNOWLEDGE)
    assert finding.status == "warn"


@pytest.mark.parametrize(
    ("name", "changes", "facts"),
    [
        ("NVIDIA A40", REFUSED, VIRTUAL),
        ("NVIDIA A40", REFUSED, Facts()),
        ("NVIDIA A40", REFUSED, Facts(system=BARE.system, container=IN_DOCKER.container)),
        ("NVIDIA A40", {**REFUSED, "path": "numa-node"}, BARE),
        ("NVIDIA A40", {**REFUSED, "path": None}, BARE),
        ("NVIDIA GeForce RTX 4090", REFUSED, BARE),
        ("NVIDIA A40", {"p2p_read": "gpu-not-supported"}, BARE),
        ("NVIDIA A40", {"p2p_read": None}, BARE),
        ("NVIDIA A40", {}, BARE),
    ],
)
def test_peer_access_unsupported_near_miss(name: str, changes: dict[str, Any], facts: Facts) -> None:
    nvidia = machine({"name": name}, {"name": name}, pairs=[pair(**changes)])
    assert not list(gpu_fabric.peer_access_unsupported(nvidia, ANY, facts, KNOWLEDGE))
