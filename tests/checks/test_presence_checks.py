"""Checks that the accelerator which the profile wants is there."""

from __future__ import annotations

from collections.abc import Iterable

from envkit.checks import presence
from envkit.facts import Facts, absent, ok
from envkit.facts.accelerators import Amd, AmdGpu, Apple, DeviceNode, Nvidia, NvidiaGpu, Nvml, PciDevice, Tpu
from envkit.facts.machine import Container, System
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Accelerator, Profile, Requires

NO_FACTS, KNOWLEDGE = Facts(), Knowledge()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))


def wanting(accelerator: Accelerator) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator))


ANY, CPU, CUDA = Profile(), Profile(name="cpu"), wanting("nvidia")


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_nvidia_gpu_missing_fires_once_with_what_was_looked_at_and_a_way_out() -> None:
    facts = Facts(nvidia=absent("no device of vendor 10de"), system=ok(System(virtual_machine="kvm")))
    finding = one(presence.nvidia_gpu_missing(None, facts, CUDA, KNOWLEDGE))
    assert finding.status == "fail"
    assert finding.evidence[0] == "no device of vendor 10de"
    assert finding.remedy is not None
    assert "instance type" in finding.remedy.text
    assert finding.remedy.commands == [["envkit", "setup", "--profile", "cpu"]]


def test_on_a_cloud_the_machines_with_gpus_are_named() -> None:
    facts = Facts(nvidia=absent("none"), system=ok(System(virtual_machine="amazon")))
    finding = one(presence.nvidia_gpu_missing(None, facts, CUDA, KNOWLEDGE))
    assert finding.remedy is not None
    assert "choose an instance type with an NVIDIA GPU (AWS: families G and P)" in finding.remedy.text


def test_nvidia_gpu_missing_fires_where_only_the_image_has_libraries() -> None:
    image = Nvidia(
        pci_devices=[], libcuda_path="/usr/lib/libcuda.so.1", nvml=Nvml(outcome="error", error="DRIVER_NOT_LOADED")
    )
    assert one(presence.nvidia_gpu_missing(image, IN_DOCKER, CUDA, KNOWLEDGE)).status == "fail"


def test_nvidia_gpu_missing_near_miss() -> None:
    assert not list(presence.nvidia_gpu_missing(None, NO_FACTS, CPU, KNOWLEDGE))
    assert not list(presence.nvidia_gpu_missing(None, NO_FACTS, ANY, KNOWLEDGE))
    assert not list(
        presence.nvidia_gpu_missing(
            Nvidia(pci_devices=[PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236")]),
            NO_FACTS,
            CUDA,
            KNOWLEDGE,
        )
    )
    hung = Nvidia(pci_devices=[], nvml=Nvml(outcome="timeout"))
    assert not list(presence.nvidia_gpu_missing(hung, NO_FACTS, CUDA, KNOWLEDGE))
    wsl = Nvidia(pci_devices=[], gpus=[NvidiaGpu(index=0)], nvml=Nvml(outcome="ok"))
    assert not list(presence.nvidia_gpu_missing(wsl, NO_FACTS, CUDA, KNOWLEDGE))


def test_amd_gpu_missing_fires_beside_the_render_node_of_another_vendor() -> None:
    amd = Amd(gpus=[], device_nodes=[DeviceNode(path="/dev/dri/renderD128", readable=True, writable=True)])
    assert one(presence.amd_gpu_missing(amd, NO_FACTS, wanting("amd"))).status == "fail"


def test_amd_gpu_missing_fires() -> None:
    assert one(presence.amd_gpu_missing(None, NO_FACTS, wanting("amd"))).status == "fail"


def test_amd_gpu_missing_near_miss() -> None:
    assert not list(presence.amd_gpu_missing(Amd(gpus=[AmdGpu(gfx="gfx942")]), NO_FACTS, wanting("amd")))
    assert not list(presence.amd_gpu_missing(None, NO_FACTS, CUDA))


def test_tpu_missing_fires() -> None:
    assert one(presence.tpu_missing(None, NO_FACTS, wanting("tpu"))).status == "fail"


def test_tpu_missing_near_miss() -> None:
    assert not list(presence.tpu_missing(Tpu(device_nodes=[DeviceNode(path="/dev/accel0")]), NO_FACTS, wanting("tpu")))


def test_apple_silicon_missing_fires() -> None:
    assert one(presence.apple_silicon_missing(None, NO_FACTS, wanting("apple"))).status == "fail"


def test_apple_silicon_missing_near_miss() -> None:
    assert not list(presence.apple_silicon_missing(Apple(chip="Apple M2"), NO_FACTS, wanting("apple")))


GPUS = [AmdGpu(pci_address=f"0000:0{n}:00.0") for n in (1, 2)]
CHIPS = [PciDevice(address=f"0000:00:0{n}.0", vendor_id="1ae0", device_id="0063") for n in (4, 5)]


def needing(accelerator: Accelerator, number: int) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator, accelerators_min=number))


def test_accelerators_below_profile_fires() -> None:
    amd, tpu = Facts(amd=ok(Amd(gpus=GPUS))), Facts(tpu=ok(Tpu(pci_devices=CHIPS)))
    assert one(presence.accelerators_below_profile(amd, needing("amd", 4))).message == "2 AMD GPUs, profile p needs 4"
    assert one(presence.accelerators_below_profile(tpu, needing("tpu", 4))).evidence == ["0000:00:04.0", "0000:00:05.0"]


def test_accelerators_below_profile_near_miss() -> None:
    both = Facts(amd=ok(Amd(gpus=GPUS)), tpu=ok(Tpu(pci_devices=CHIPS)))
    for profile in (needing("amd", 2), needing("tpu", 2), needing("nvidia", 8), ANY):
        assert not list(presence.accelerators_below_profile(both, profile))
    for nothing in (NO_FACTS, Facts(amd=ok(Amd(gpus=[])), tpu=ok(Tpu()))):  # amd-gpu-missing and tpu-missing say so
        assert not list(presence.accelerators_below_profile(nothing, needing("amd", 4)))
        assert not list(presence.accelerators_below_profile(nothing, needing("tpu", 4)))
