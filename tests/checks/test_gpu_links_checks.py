"""Checks of PCIe and NVLink."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import gpu_links
from envkit.facts.accelerators import Nvidia, NvidiaGpu, NvLink, PciDevice
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
GIB = 1024**3


def machine(*gpus: dict[str, Any]) -> Nvidia:
    return Nvidia(gpus=[NvidiaGpu(**{"index": i, "name": "NVIDIA H100 NVL", **g}) for i, g in enumerate(gpus)])


def found(check: str, *gpus: dict[str, Any], profile: Profile = ANY) -> list[Finding]:
    return list(getattr(gpu_links, check)(machine(*gpus), profile))


@pytest.mark.parametrize(
    "gpu",
    [
        {"pcie_width": 4, "pcie_width_max": 16, "performance_state": "P8"},
        {"pcie_width": 8, "pcie_width_max": 16, "performance_state": "P0", "throttle_reasons": []},
        {"pcie_width": 4, "pcie_width_max": 8, "pcie_generation": 4, "pcie_generation_max": 4},
    ],
)
def test_pcie_width_reduced_fires(gpu: dict[str, Any]) -> None:
    assert found("pcie_width_reduced", gpu)[0].status == "warn"


@pytest.mark.parametrize(
    "gpu",
    [
        {"pcie_width": 16, "pcie_width_max": 16, "performance_state": "P0"},
        {
            "pcie_width": 8,
            "pcie_width_max": 16,
            "performance_state": "P8",
            "pcie_generation": 1,
            "pcie_generation_max": 4,
        },
        {"pcie_width": 8, "pcie_width_max": 16, "performance_state": "P0", "throttle_reasons": ["gpu_idle"]},
        {"pcie_width": None, "pcie_width_max": 16, "performance_state": "P0"},
    ],
)
def test_pcie_width_reduced_near_miss(gpu: dict[str, Any]) -> None:
    assert not found("pcie_width_reduced", gpu)


BUSY = {"pcie_generation": 3, "pcie_generation_max": 5, "performance_state": "P0", "utilization_percent": 90}


def test_pcie_generation_reduced_fires() -> None:
    assert found("pcie_generation_reduced", BUSY)[0].status == "warn"


@pytest.mark.parametrize("change", [{"utilization_percent": 0}, {"performance_state": "P8"}, {"pcie_generation": 5}])
def test_pcie_generation_reduced_near_miss(change: dict[str, Any]) -> None:
    assert not found("pcie_generation_reduced", {**BUSY, **change})


def test_pcie_replays_many_fires() -> None:
    assert found("pcie_replays_many", {"pcie_replays": 10_000})[0].status == "warn"


def test_pcie_replays_many_near_miss() -> None:
    assert not found("pcie_replays_many", {"pcie_replays": 120})


SMALL = {"bar1_total_bytes": 256 << 20, "memory_total_bytes": 80 * GIB}


def test_bar1_small_fires_on_servers_with_several_gpus() -> None:
    assert len(list(gpu_links.bar1_small(machine(SMALL, SMALL), ANY, KNOWLEDGE))) == 2


@pytest.mark.parametrize(
    "gpus",
    [
        [SMALL],
        [{**SMALL, "name": "NVIDIA GeForce RTX 4090"}] * 2,
        [{**SMALL, "memory_total_bytes": 16 * GIB, "name": "Tesla T4"}] * 2,
        [{**SMALL, "bar1_total_bytes": 128 * GIB}] * 2,
        [{**SMALL, "virtualization_mode": "vgpu"}] * 2,
    ],
)
def test_bar1_small_near_miss(gpus: list[dict[str, Any]]) -> None:
    assert not list(gpu_links.bar1_small(machine(*gpus), ANY, KNOWLEDGE))


def links(*active: bool, errors: int = 0) -> dict[str, Any]:
    return {"nvlinks": [NvLink(index=i, active=up, errors=errors) for i, up in enumerate(active)]}


def test_nvlink_inactive_fires_for_the_gpu_that_has_fewer() -> None:
    (finding,) = found("nvlink_inactive", links(True, True), links(True, False))
    assert (finding.status, finding.subject, finding.evidence) == (
        "fail",
        "GPU 1, NVIDIA H100 NVL",
        ["inactive links: 1"],
    )


def test_nvlink_inactive_near_miss_without_a_bridge_and_of_another_model() -> None:
    assert not found("nvlink_inactive", links(False, False), links(False, False))
    assert not found("nvlink_inactive", links(True, False), links(True, False))
    assert not found("nvlink_inactive", links(True, True), {**links(False, False), "name": "NVIDIA A30"})


def test_nvlink_errors_fires() -> None:
    assert found("nvlink_errors", links(True, errors=12))[0].evidence == ["link 0: 12 errors"]


def test_nvlink_errors_near_miss() -> None:
    assert not found("nvlink_errors", links(True, errors=3), {"nvlinks": None})


def on_bus(fatal: int | None, others: int | None) -> Nvidia:
    device = PciDevice(
        address="0000:3b:00.0", vendor_id="10de", device_id="2236", errors_fatal=fatal, errors_nonfatal=others
    )
    return Nvidia(pci_devices=[device], gpus=[NvidiaGpu(index=2, name="NVIDIA A10", pci_address="0000:3b:00.0")])


@pytest.mark.parametrize("errors", [(1, 0), (None, 100)])
def test_gpu_pcie_errors_fires(errors: tuple[int | None, int | None]) -> None:
    (finding,) = gpu_links.gpu_pcie_errors(on_bus(*errors), ANY)
    assert (finding.status, finding.subject) == ("warn", "GPU 2, NVIDIA A10")


@pytest.mark.parametrize("errors", [(0, 3), (None, None)])
def test_gpu_pcie_errors_near_miss(errors: tuple[int | None, int | None]) -> None:
    assert not list(gpu_links.gpu_pcie_errors(on_bus(*errors), ANY))
    assert not list(gpu_links.gpu_pcie_errors(on_bus(1, 1), CPU))


@pytest.mark.parametrize(("action", "command"), [("reset", "nvidia-smi"), ("reboot", "reboot")])
def test_gpu_recovery_wanted_fires(action: str, command: str) -> None:
    (finding,) = found("gpu_recovery_wanted", {"recovery_action": action})
    assert finding.remedy is not None
    assert finding.remedy.commands[0][1] == command


def test_gpu_recovery_wanted_near_miss() -> None:
    assert not found("gpu_recovery_wanted", {"recovery_action": "none"}, {"recovery_action": None})
