"""Checks of the number of GPUs, and of other makers' accelerators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import amd, apple, gpu_count, tpu
from envkit.facts import Facts, ok
from envkit.facts.accelerators import (
    Amd,
    AmdGpu,
    Apple,
    DeviceNode,
    Nvidia,
    NvidiaGpu,
    Nvml,
    PciDevice,
    Tpu,
)
from envkit.facts.machine import Container
from envkit.facts.software import Jax, Python
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


def python(devices: str | None) -> Python:
    environment = {} if devices is None else {"CUDA_VISIBLE_DEVICES": devices}
    return Python(executable="/venv/bin/python", version="3.11.7", environment=environment)


@pytest.mark.parametrize(
    ("devices", "status"),
    [("", "fail"), ("-1", "fail"), ("5", "fail"), ("0,x,1", "warn"), ("0,0", "warn"), ("GPU-ff", "fail")],
)
def test_gpu_visible_devices_hides_fires(devices: str, status: str) -> None:
    two = machine(gpu(0, uuid="GPU-abc1"), gpu(1, uuid="GPU-def2"))
    assert one(gpu_count.gpu_visible_devices_hides(two, python(devices), wanting("nvidia"))).status == status


@pytest.mark.parametrize("devices", [None, "0", "1,0", "GPU-def", "MIG-7c"])
def test_gpu_visible_devices_hides_near_miss(devices: str | None) -> None:
    two = machine(gpu(0, uuid="GPU-abc1"), gpu(1, uuid="GPU-def2"))
    assert not list(gpu_count.gpu_visible_devices_hides(two, python(devices), wanting("nvidia")))


CHIP = [PciDevice(address="0000:00:04.0", vendor_id="1ae0", device_id="0063")]
OPEN, SHUT = (DeviceNode(path="/dev/kfd", readable=ok_, writable=ok_) for ok_ in (True, False))


@pytest.mark.parametrize("nodes", [[], [DeviceNode(path="/dev/accel0", readable=False)]])
def test_tpu_devices_unusable_fires(nodes: list[DeviceNode]) -> None:
    assert list(tpu.tpu_devices_unusable(Tpu(pci_devices=CHIP, device_nodes=nodes), ANY, IN_DOCKER))


def test_tpu_devices_unusable_near_miss() -> None:
    usable = Tpu(pci_devices=CHIP, device_nodes=[DeviceNode(path="/dev/accel0", readable=True, writable=True)])
    assert not list(tpu.tpu_devices_unusable(usable, wanting("tpu"), NO_FACTS))
    assert not list(tpu.tpu_devices_unusable(Tpu(pci_devices=CHIP), CPU, NO_FACTS))


def test_libtpu_missing_fires() -> None:
    assert one(tpu.libtpu_missing(Tpu(pci_devices=CHIP), Jax(version="0.10.2"), wanting("tpu"))).status == "fail"


def test_libtpu_missing_near_miss() -> None:
    assert not list(tpu.libtpu_missing(Tpu(pci_devices=CHIP), Jax(version="0.10.2", libtpu="0.0.42"), wanting("tpu")))


@pytest.mark.parametrize("nodes", [[SHUT], []])
def test_amd_kfd_unusable_fires(nodes: list[DeviceNode]) -> None:
    assert list(amd.amd_kfd_unusable(Amd(gpus=[AmdGpu()], device_nodes=nodes), wanting("amd"), NO_FACTS))


def test_amd_kfd_unusable_near_miss() -> None:
    assert not list(amd.amd_kfd_unusable(Amd(gpus=[AmdGpu()], device_nodes=[OPEN]), wanting("amd"), NO_FACTS))
    assert not list(amd.amd_kfd_unusable(Amd(gpus=[AmdGpu()], device_nodes=[SHUT]), ANY, NO_FACTS))


def test_apple_rosetta_fires() -> None:
    assert one(apple.apple_rosetta(Apple(chip="Apple M2", rosetta=True))).status == "fail"


def test_apple_rosetta_near_miss() -> None:
    assert not list(apple.apple_rosetta(Apple(chip="Apple M2", rosetta=False)))
    assert not list(apple.apple_rosetta(Apple(chip="Apple M2", rosetta=None)))
