"""Checks of the number of GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from envkit.checks import gpu_count
from envkit.facts import Facts, ok
from envkit.facts.accelerators import (
    Nvidia,
    NvidiaGpu,
    Nvml,
    PciDevice,
)
from envkit.facts.machine import Container
from envkit.findings import Finding
from envkit.profile import Accelerator, Profile, Requires

ANY, CPU, NO_FACTS = Profile(), Profile(name="cpu"), Facts()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))


def wanting(accelerator: Accelerator, least: int = 1) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator, accelerators_min=least))


def gpu(index: int = 0, **changes: Any) -> NvidiaGpu:
    return NvidiaGpu(**{"index": index, "name": "NVIDIA A10", "pci_address": f"00000000:0{index + 1}:00.0", **changes})


def machine(*gpus: NvidiaGpu, buses: int | None = None, bound: str = "nvidia") -> Nvidia:
    devices = [
        PciDevice(address=f"0000:0{i + 1}:00.0", vendor_id="10de", device_id="2236", kernel_driver=bound)
        for i in range(len(gpus) if buses is None else buses)
    ]
    return Nvidia(pci_devices=devices, module_loaded=True, nvml=Nvml(outcome="ok"), gpus=list(gpus))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_gpu_count_mismatch_fires_and_names_the_absent_device() -> None:
    finding = one(gpu_count.gpu_count_mismatch(machine(gpu(0), buses=2), ANY, NO_FACTS))
    assert finding.evidence == ["0000:02:00.0: not shown by the driver"]


def test_gpu_count_mismatch_near_miss() -> None:
    told_to = msgspec.structs.replace(machine(gpu(0), buses=2), excluded_gpus=["0000:02:00.0"])
    assert not list(gpu_count.gpu_count_mismatch(told_to, ANY, NO_FACTS))
    assert not list(gpu_count.gpu_count_mismatch(machine(gpu(0), buses=2), ANY, IN_DOCKER))
    assert not list(gpu_count.gpu_count_mismatch(machine(gpu(0), buses=2, bound="vfio-pci"), ANY, NO_FACTS))
    assert not list(gpu_count.gpu_count_mismatch(machine(gpu(0), gpu(1)), ANY, NO_FACTS))


def test_gpu_count_below_profile_fires() -> None:
    assert (
        one(
            gpu_count.gpu_count_below_profile(machine(gpu(0), gpu(1, error="GPU_IS_LOST")), wanting("nvidia", 2))
        ).status
        == "fail"
    )


def test_gpu_count_below_profile_near_miss() -> None:
    assert not list(gpu_count.gpu_count_below_profile(machine(gpu(0), gpu(1)), wanting("nvidia", 2)))
    assert not list(gpu_count.gpu_count_below_profile(Nvidia(gpus=None), wanting("nvidia", 2)))
