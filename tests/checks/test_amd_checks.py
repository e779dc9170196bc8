"""Checks of AMD GPUs: whether they are all there and open to this user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import amd
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, PciDevice
from envkit.facts.machine import Container
from envkit.facts.software import Jax, Python, Torch
from envkit.findings import Finding
from envkit.profile import Accelerator, Profile, Requires

ANY, CPU, NO_FACTS = Profile(), Profile(name="cpu"), Facts()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
ROCM = Facts(torch=ok(Torch(version="2.14.1+rocm7.2", hip="7.2")))


def wanting(accelerator: Accelerator) -> Profile:
    return Profile(name="p", requires=Requires(accelerator=accelerator))


AMD = wanting("amd")


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def kfd(*, opened: bool = False, **changes: Any) -> DeviceNode:
    return DeviceNode(**{"path": "/dev/kfd", "readable": opened, "writable": opened, **changes})


def python(**environment: str) -> Python:
    return Python(executable="/v/bin/python", version="3.12.1", environment=environment)


def address(gpu: int, part: int = 0) -> str:
    return f"0000:{gpu:02x}:00.{part}"


def gpu(number: int, part: int = 0, **changes: Any) -> AmdGpu:
    known = {"gfx": "gfx942", "pci_address": address(number, part), "node": number * 8 + part, "partition": part}
    return AmdGpu(**{**known, **changes})


def on_bus(number: int, device_id: str = "74a1", driver: str | None = "amdgpu") -> PciDevice:
    return PciDevice(address=address(number), vendor_id="1002", device_id=device_id, kernel_driver=driver)


@pytest.mark.parametrize("nodes", [[kfd()], []])
def test_amd_kfd_unusable_fires(nodes: list[DeviceNode]) -> None:
    machine = Amd(gpus=[gpu(1)], device_nodes=nodes)
    assert one(amd.amd_kfd_unusable(machine, AMD, NO_FACTS)).status == "fail"
    assert one(amd.amd_kfd_unusable(machine, ANY, ROCM)).status == "warn"
    plugin = Facts(jax=ok(Jax(version="0.12.0", plugins={"jax-rocm7-plugin": "0.12.0"})))
    assert one(amd.amd_kfd_unusable(machine, ANY, plugin)).status == "warn"


def test_amd_kfd_unusable_near_miss() -> None:
    assert not list(amd.amd_kfd_unusable(Amd(gpus=[gpu(1)], device_nodes=[kfd(opened=True)]), AMD, NO_FACTS))
    assert not list(amd.amd_kfd_unusable(Amd(gpus=[gpu(1)], device_nodes=[kfd()]), ANY, NO_FACTS))
    assert not list(amd.amd_kfd_unusable(Amd(rocm_version="7.2"), ANY, ROCM))


@pytest.mark.parametrize(
    ("node", "facts", "text", "said"),
    [
        (kfd(group="render", in_group=False), NO_FACTS, "join the group render and log in", "to the group render"),
        (kfd(group="render", in_group=False, in_group_at_login=True), NO_FACTS, "log in again", "to the group render"),
        (kfd(group="992", in_group=False), IN_DOCKER, "--device=/dev/dri --group-add=992", "to the group 992"),
        (kfd(group="root", in_group=True), NO_FACTS, "render and video", "not readable and writable"),
        (kfd(), IN_DOCKER, "--group-add=render", "not readable and writable"),
    ],
)
def test_amd_kfd_unusable_fires_with_what_opens_the_node(node: DeviceNode, facts: Facts, text: str, said: str) -> None:
    finding = one(amd.amd_kfd_unusable(Amd(gpus=[gpu(1)], device_nodes=[node]), AMD, facts))
    assert finding.remedy is not None
    assert text in finding.remedy.text
    assert said in finding.evidence[0]


HANGING = Amd(gpus=[gpu(1)], unanswered="/sys/bus/pci/devices/0000:01:00.0/hwmon/hwmon3/temp1_input")
COUNTING = Amd(gpus=[gpu(1)], unanswered="/sys/bus/pci/devices/0000:01:00.0/ras/umc_err_count")


def test_amd_gpu_hangs_fires() -> None:
    assert one(amd.amd_gpu_hangs(HANGING, AMD)).status == "fail"
    assert one(amd.amd_gpu_hangs(HANGING, ANY)).status == "warn"
    assert one(amd.amd_gpu_hangs(COUNTING, AMD)).status == "warn"


def test_amd_gpu_hangs_near_miss() -> None:
    assert not list(amd.amd_gpu_hangs(HANGING, CPU))
    assert not list(amd.amd_gpu_hangs(Amd(gpus=[gpu(1)]), AMD))


@pytest.mark.parametrize("driver", ["amdgpu", None])
def test_amd_gpu_count_mismatch_fires(driver: str | None) -> None:
    machine = Amd(gpus=[gpu(1), gpu(2)], pci_devices=[on_bus(1), on_bus(2), on_bus(3, driver=driver)])
    finding = one(amd.amd_gpu_count_mismatch(machine, ANY, NO_FACTS))
    assert finding.message == "3 AMD GPUs are on the PCI bus, the compute driver lists 2"
    assert finding.evidence[0].startswith("0000:03:00.0: ")


PARTED = [gpu(1, part) for part in range(8)]


@pytest.mark.parametrize(
    ("machine", "facts", "profile"),
    [
        (Amd(gpus=PARTED, pci_devices=[on_bus(1)]), NO_FACTS, ANY),
        (Amd(gpus=[gpu(1)], pci_devices=[on_bus(1), on_bus(2, "164e")]), NO_FACTS, ANY),  # the one in the processor
        (Amd(gpus=[gpu(1)], pci_devices=[on_bus(1), on_bus(2, driver="vfio-pci")]), NO_FACTS, ANY),
        (Amd(gpus=[gpu(1)], pci_devices=[on_bus(1), on_bus(2)]), IN_DOCKER, ANY),
        (Amd(gpus=[gpu(1)], pci_devices=[on_bus(1), on_bus(2)], nodes_refused=1), NO_FACTS, ANY),
        (Amd(gpus=[gpu(1)], pci_devices=[on_bus(1), on_bus(2)]), NO_FACTS, CPU),
        (Amd(gpus=[gpu(1)]), NO_FACTS, ANY),
        (Amd(gpus=[AmdGpu(pci_address=address(1))], pci_devices=[on_bus(1), on_bus(2)]), NO_FACTS, ANY),
    ],
)
def test_amd_gpu_count_mismatch_near_miss(machine: Amd, facts: Facts, profile: Profile) -> None:
    assert not list(amd.amd_gpu_count_mismatch(machine, profile, facts))


def parts(*counts: int, mode: str | None = None) -> Amd:
    gpus = [gpu(number, part, compute_partition=mode) for number, n in enumerate(counts, 1) for part in range(n)]
    return Amd(gpus=gpus, nodes_refused=0)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (parts(8, 8, 7), "the GPU at 0000:03:00.0 has 7 of 8 parts"),
        (parts(8, 7, mode="CPX"), "the GPU at 0000:02:00.0 has 7 of 8 parts"),
        (parts(1, mode="DPX"), "the GPU at 0000:01:00.0 has 1 of 2 parts"),
    ],
)
def test_amd_partitions_missing_fires(machine: Amd, said: str) -> None:
    finding = one(amd.amd_partitions_missing(machine, ANY, NO_FACTS))
    assert (finding.status, finding.message) == ("fail", said)
    mode = (machine.gpus or [])[0].compute_partition
    assert finding.remedy is not None
    assert finding.remedy.commands == (
        [["sudo", "amd-smi", "set", "--gpu", "all", "--compute-partition", mode]] if mode else []
    )


@pytest.mark.parametrize(
    ("machine", "facts", "profile"),
    [
        (parts(8, 8), NO_FACTS, ANY),
        (parts(1, 1, mode="SPX"), NO_FACTS, ANY),
        (parts(8, 7), IN_DOCKER, ANY),
        (parts(8, 7), NO_FACTS, CPU),
        (Amd(gpus=[gpu(1), gpu(1, 1), gpu(9, gfx="gfx1036")]), NO_FACTS, ANY),
        (Amd(gpus=[AmdGpu(gfx="gfx942"), gpu(1), gpu(1, 1)]), NO_FACTS, ANY),  # one without the compute driver
        (Amd(gpus=parts(8, 7).gpus, nodes_refused=3), NO_FACTS, ANY),
    ],
)
def test_amd_partitions_missing_near_miss(machine: Amd, facts: Facts, profile: Profile) -> None:
    assert not list(amd.amd_partitions_missing(machine, profile, facts))


def moded(*modes: tuple[str | None, str | None], **changes: Any) -> Amd:
    return Amd(gpus=[gpu(n, compute_partition=c, memory_partition=m, **changes) for n, (c, m) in enumerate(modes, 1)])


@pytest.mark.parametrize("other", [("CPX", "NPS1"), ("SPX", "NPS4"), ("CPX", None)])
def test_amd_partition_modes_differ_fires(other: tuple[str, str | None]) -> None:
    finding = one(amd.amd_partition_modes_differ(moded(("SPX", "NPS1"), other), ANY))
    assert "SPX/NPS1" in finding.message
    assert [line.partition(":")[0] for line in finding.evidence] == ["0000", "0000"]
    assert finding.remedy is not None
    assert finding.remedy.commands[0][-1] == "SPX"


def test_amd_partition_modes_differ_near_miss() -> None:
    assert not list(amd.amd_partition_modes_differ(moded(("SPX", "NPS1"), ("SPX", "NPS1"), (None, None)), ANY))
    assert not list(amd.amd_partition_modes_differ(moded(("SPX", "NPS1"), ("CPX", "NPS1")), CPU))
    mixed = Amd(gpus=[gpu(1, compute_partition="SPX"), gpu(2, gfx="gfx90a", compute_partition="CPX")])
    assert not list(amd.amd_partition_modes_differ(mixed, ANY))


FOUR = Amd(gpus=[gpu(n, uuid=f"GPU-{n:016x}") for n in (1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("environment", "status", "shown"),
    [
        ({"ROCR_VISIBLE_DEVICES": ""}, "fail", "none"),
        ({"ROCR_VISIBLE_DEVICES": "0,9,1"}, "warn", "1"),
        ({"HIP_VISIBLE_DEVICES": "-1"}, "fail", "none"),
        ({"HIP_VISIBLE_DEVICES": "0,0"}, "warn", "1"),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "2"}, "fail", "none"),
        ({"CUDA_VISIBLE_DEVICES": "0,x"}, "warn", "1"),
        ({"ROCR_VISIBLE_DEVICES": "GPU-00000000000000ff"}, "fail", "none"),
    ],
)
def test_amd_visible_devices_hides_fires(environment: dict[str, str], status: str, shown: str) -> None:
    finding = one(amd.amd_visible_devices_hides(FOUR, python(**environment), AMD, NO_FACTS))
    assert finding.status == status
    assert f"shows ROCm {shown} of " in finding.message


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ROCR_VISIBLE_DEVICES": "1,0", "HIP_VISIBLE_DEVICES": "1"},
        {"ROCR_VISIBLE_DEVICES": "GPU-0000000000000003, 0"},
        {"HIP_VISIBLE_DEVICES": ""},
        {"HIP_VISIBLE_DEVICES": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    ],
)
def test_amd_visible_devices_hides_near_miss(environment: dict[str, str]) -> None:
    assert not list(amd.amd_visible_devices_hides(FOUR, python(**environment), AMD, NO_FACTS))


def test_amd_visible_devices_hides_near_miss_where_nobody_wants_them_or_uuids_are_not_known() -> None:
    hidden = python(HIP_VISIBLE_DEVICES="-1")
    assert not list(amd.amd_visible_devices_hides(FOUR, hidden, ANY, NO_FACTS))
    assert not list(amd.amd_visible_devices_hides(Amd(gpus=[]), hidden, AMD, NO_FACTS))
    named = python(ROCR_VISIBLE_DEVICES="GPU-00000000000000ff")
    assert not list(amd.amd_visible_devices_hides(Amd(gpus=[gpu(1)]), named, AMD, NO_FACTS))
