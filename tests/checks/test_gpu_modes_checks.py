"""Checks of how GPUs are set up."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import gpu_modes
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import DcgmTest, Nvidia, NvidiaGpu
from envkit.facts.machine import Container, System
from envkit.facts.software import Python
from envkit.knowledge import Knowledge
from envkit.profile import Profile

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
HOST = Facts(container=absent("no sign of one"), system=ok(System(os="linux", wsl=False)))


def machine(*gpus: dict[str, Any]) -> Nvidia:
    return Nvidia(gpus=[NvidiaGpu(**{"index": i, "name": "NVIDIA A40", **g}) for i, g in enumerate(gpus)])


OFF = {"persistence_mode": False}


def test_persistence_mode_off_fires_once_for_all_gpus_of_a_server() -> None:
    (finding,) = gpu_modes.persistence_mode_off(machine(OFF, OFF, OFF), HOST, ANY, KNOWLEDGE)
    assert finding.evidence[-1] == "3 GPUs in all"


@pytest.mark.parametrize(
    ("gpu", "facts"),
    [
        ({"persistence_mode": True}, HOST),
        ({**OFF, "name": "NVIDIA GeForce RTX 4090"}, HOST),
        (OFF, Facts(container=ok(Container()), system=HOST.system)),
        (OFF, Facts(sources=["nvidia-smi -q"])),
        (OFF, Facts(container=HOST.container, system=ok(System(os="windows")))),
    ],
)
def test_persistence_mode_off_near_miss(gpu: dict[str, Any], facts: Facts) -> None:
    assert not list(gpu_modes.persistence_mode_off(machine(gpu), facts, ANY, KNOWLEDGE))


def test_power_limit_lowered_fires() -> None:
    (finding,) = gpu_modes.power_limit_lowered(
        machine({"power_limit_watts": 200.0, "power_limit_default_watts": 300.0}), ANY
    )
    assert finding.evidence == ["GPU 0, NVIDIA A40: 200 of 300 W"]


def test_power_limit_lowered_near_miss() -> None:
    same = {"power_limit_watts": 300.0, "power_limit_default_watts": 300.0}
    assert not list(gpu_modes.power_limit_lowered(machine(same, {"power_limit_watts": 100.0}), ANY))


def test_application_clocks_lowered_fires() -> None:
    slow = {"clock_sm_application_megahertz": 1095, "clock_sm_application_default_megahertz": 1410}
    (finding,) = gpu_modes.application_clocks_lowered(machine(slow, {}), ANY)
    assert (finding.status, finding.subject) == ("warn", "GPU 0, NVIDIA A40")


@pytest.mark.parametrize(("now", "usual"), [(1410, 1410), (1710, 1410), (None, 1410), (1095, None)])
def test_application_clocks_lowered_near_miss(now: int | None, usual: int | None) -> None:
    told = {"clock_sm_application_megahertz": now, "clock_sm_application_default_megahertz": usual}
    assert not list(gpu_modes.application_clocks_lowered(machine(told), ANY))


VGPU = {"virtualization_mode": "vgpu", "vgpu_licensed": False, "vgpu_product": "NVIDIA Virtual Compute Server"}


def test_vgpu_unlicensed_fires() -> None:
    (finding,) = gpu_modes.vgpu_unlicensed(machine(VGPU), ANY)
    assert finding.evidence == ["licence for NVIDIA Virtual Compute Server: none"]


@pytest.mark.parametrize(
    "change", [{"vgpu_licensed": True}, {"vgpu_licensed": None}, {"virtualization_mode": "pass-through"}]
)
def test_vgpu_unlicensed_near_miss(change: dict[str, Any]) -> None:
    assert not list(gpu_modes.vgpu_unlicensed(machine({**VGPU, **change}), ANY))
    assert not list(gpu_modes.vgpu_unlicensed(machine(VGPU), CPU))


def test_gpu_memory_hot_fires_at_the_gpus_own_limit() -> None:
    told = {"memory_temperature_celsius": 92, "memory_temperature_max_celsius": 92}
    assert len(list(gpu_modes.gpu_memory_hot(machine(told), ANY, KNOWLEDGE))) == 1
    assert not list(gpu_modes.gpu_memory_hot(machine({**told, "memory_temperature_max_celsius": 105}), ANY, KNOWLEDGE))


@pytest.mark.parametrize(("name", "celsius"), [("NVIDIA A40", 95), ("NVIDIA GeForce RTX 3090", 106)])
def test_gpu_memory_hot_fires(name: str, celsius: int) -> None:
    hot = {"name": name, "memory_temperature_celsius": celsius}
    assert len(list(gpu_modes.gpu_memory_hot(machine(hot), ANY, KNOWLEDGE))) == 1


@pytest.mark.parametrize(("name", "celsius"), [("NVIDIA A40", 94), ("NVIDIA GeForce RTX 3090", 100)])
def test_gpu_memory_hot_near_miss(name: str, celsius: int) -> None:
    warm = {"name": name, "memory_temperature_celsius": celsius}
    assert not list(gpu_modes.gpu_memory_hot(machine(warm, {}), ANY, KNOWLEDGE))


MIXED = [{"name": "NVIDIA A40"}, {"name": "NVIDIA A10"}]


def test_gpu_models_mixed_fires() -> None:
    (finding,) = gpu_modes.gpu_models_mixed(machine(*MIXED), ANY, Facts())
    assert "NVIDIA A10 and NVIDIA A40" in finding.message


def test_gpu_models_mixed_near_miss() -> None:
    chosen = Python(executable="p", version="3.12.0", environment={"CUDA_VISIBLE_DEVICES": "0"})
    assert not list(gpu_modes.gpu_models_mixed(machine(*MIXED), ANY, Facts(python=ok(chosen))))
    assert not list(gpu_modes.gpu_models_mixed(machine({}, {}), ANY, Facts()))
    screen = [{"display_active": True}, MIXED[1]]
    assert not list(gpu_modes.gpu_models_mixed(machine(*screen), ANY, Facts()))


def test_vbios_differs_fires_for_the_odd_one() -> None:
    gpus = [{"vbios_version": v} for v in ("1.0", "1.0", "1.1")]
    (finding,) = gpu_modes.vbios_differs(machine(*gpus), ANY, KNOWLEDGE)
    assert finding.evidence == ["GPU 2, NVIDIA A40: VBIOS 1.1"]


@pytest.mark.parametrize("versions", [("1.0", "1.0"), ("1.0", "1.1"), ("1.0", "1.0", "1.1", "1.1")])
def test_vbios_differs_near_miss(versions: tuple[str, ...]) -> None:
    gpus = [{"vbios_version": version} for version in versions]
    assert not list(gpu_modes.vbios_differs(machine(*gpus), ANY, KNOWLEDGE))
    desktop = [{"name": "NVIDIA GeForce RTX 4090", "vbios_version": v} for v in ("1", "1", "2")]
    assert not list(gpu_modes.vbios_differs(machine(*desktop), ANY, KNOWLEDGE))


@pytest.mark.parametrize(
    ("unreadable", "status"),
    [({"fan_percent": "ERR!"}, "warn"), ({"fan_percent": "ERR!", "power_watts": "Unknown Error"}, "fail")],
)
def test_gpu_fields_in_error_fires(unreadable: dict[str, str], status: str) -> None:
    (finding,) = gpu_modes.gpu_fields_in_error(machine({"unreadable": unreadable}), ANY, HOST)
    assert finding.status == status


def test_gpu_fields_in_error_near_miss() -> None:
    quiet = {"unreadable": {"fan_percent": "NOT_SUPPORTED", "power_watts": "[N/A]"}}
    assert not list(gpu_modes.gpu_fields_in_error(machine(quiet), ANY, HOST))
    others = {"unreadable": {"vgpu_product": "UNKNOWN", "fabric_state": "UNKNOWN"}}
    assert not list(gpu_modes.gpu_fields_in_error(machine(others), ANY, HOST))
    vgpu = {"unreadable": {"fan_percent": "UNKNOWN"}, "virtualization_mode": "vgpu"}
    assert not list(gpu_modes.gpu_fields_in_error(machine(vgpu), ANY, HOST))
    wsl = Facts(system=ok(System(os="linux", wsl=True)))
    assert not list(gpu_modes.gpu_fields_in_error(machine({"unreadable": {"fan_percent": "UNKNOWN"}}), ANY, wsl))


def test_dcgm_diagnostic_failed_fires() -> None:
    tests = [DcgmTest(name="Memory", status="fail", gpu=3), DcgmTest(name="Persistence Mode", status="warn")]
    found = list(gpu_modes.dcgm_diagnostic_failed(Nvidia(dcgm_failures=tests), ANY))
    assert [(f.status, f.subject) for f in found] == [("fail", "GPU 3"), ("warn", "")]


def test_dcgm_diagnostic_failed_near_miss() -> None:
    assert not list(gpu_modes.dcgm_diagnostic_failed(Nvidia(dcgm_failures=[]), ANY))
    assert not list(gpu_modes.dcgm_diagnostic_failed(Nvidia(), ANY))
