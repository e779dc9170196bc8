"""CUDA_VISIBLE_DEVICES as CUDA reads it, and what it makes of several GPUs and MIG devices."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.checks import visible_devices
from envkit.checks._visible_devices import visible
from envkit.facts.accelerators import MigDevice, Nvidia, NvidiaGpu
from envkit.facts.software import Python
from envkit.findings import Finding
from envkit.profile import Profile, Requires

ANY, CPU = Profile(), Profile(name="cpu")
UUIDS = ("GPU-5a1b", "GPU-5a9c", "GPU-77f0")


def gpus(*changes: dict[str, Any]) -> list[NvidiaGpu]:
    usual = {"name": "NVIDIA A100-SXM4-80GB", "mig_mode": "disabled"}
    return [NvidiaGpu(**{**usual, "index": i, "uuid": UUIDS[i], **change}) for i, change in enumerate(changes)]


def divided(*uuids: str) -> dict[str, Any]:
    parts = [MigDevice(index=i, uuid=uuid, gpu_instance=i + 1, compute_instance=0) for i, uuid in enumerate(uuids)]
    return {"mig_mode": "enabled", "mig": parts, "mig_devices": len(parts)}


def python(**environment: str) -> Python:
    return Python(executable="/venv/bin/python", version="3.11.7", environment=environment)


def wanting(least: int) -> Profile:
    return Profile(name="p", requires=Requires(accelerator="nvidia", accelerators_min=least))


def found(check: str, changes: list[dict[str, Any]], profile: Profile, **environment: str) -> list[Finding]:
    nvidia = Nvidia(gpus=gpus(*changes))
    return list(getattr(visible_devices, check)(nvidia, python(**environment), profile))


@pytest.mark.parametrize(
    ("value", "shown", "dropped"),
    [
        ("0,1,2", [0, 1, 2], ""),
        (" 2 , 0 ", [2, 0], ""),
        ("2,1", [2, 1], ""),
        ("1gpu2,2ampere", [1, 2], ""),
        ("+1", [1], ""),
        ("", [], "the list is empty"),
        (" ", [], "the list is empty"),
        ("-1", [], "'-1' is none of 0 to 2, so it and what follows is dropped"),
        ("0,2,-1,1", [0, 2], "'-1' is none of 0 to 2, so it and what follows is dropped"),
        ("0,3,1", [0], "'3' is none of 0 to 2, so it and what follows is dropped"),
        ("0,,1", [0], "an empty entry ends it"),
        ("none", [], "'none' is no number, so it and what follows is dropped"),
        ("0,GPU-77f0", [0], "'GPU-77f0' is no number, so it and what follows is dropped"),
        ("0,1,0", [], "'0' is named twice, which hides all"),
        ("GPU-77f0,GPU-5a1b", [2, 0], ""),
        ("GPU-5a1,GPU-7", [0, 2], ""),
        ("GPU-5a", [], "'GPU-5a' begins the UUIDs of several, so it and what follows is dropped"),
        ("GPU-77f0,GPU-ff", [2], "'GPU-ff' names none of them, so it and what follows is dropped"),
        ("GPU-77f0,1", [2], "'1' is no GPU-..., as the first entry is, so it and what follows is dropped"),
        ("GPU-77f0,GPU-77", [], "'GPU-77' is named twice, which hides all"),
        ("gpu-77f0", [], "'gpu-77f0' is no number, so it and what follows is dropped"),
    ],
)
def test_gpus_are_named_by_number_or_by_the_beginning_of_a_uuid(value: str, shown: list[int], dropped: str) -> None:
    seen = visible(value, gpus({}, {}, {}))
    assert seen is not None
    assert ([gpu.index for gpu in seen.gpus], seen.mig, seen.dropped) == (shown, [], dropped)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("MIG-aa11", ["MIG-aa11"]),
        ("MIG-bb", ["MIG-bb22"]),
        ("MIG-GPU-5a1b/2/0", ["MIG-bb22"]),
        ("MIG-aa11,MIG-bb22", ["MIG-aa11"]),
        ("MIG-aa11,GPU-5a9c", ["MIG-aa11"]),
        ("MIG-cc", []),
        ("MIG-GPU-5a1b/9/0", []),
    ],
)
def test_of_mig_devices_a_process_is_shown_the_first(value: str, shown: list[str]) -> None:
    seen = visible(value, gpus(divided("MIG-aa11", "MIG-bb22"), {}))
    assert seen is not None
    assert ([part.uuid for part in seen.mig], seen.gpus) == (shown, [])


@pytest.mark.parametrize(
    ("value", "gpu"),
    [("GPU-5a1b", {"uuid": None}), ("MIG-aa", {"mig_mode": None}), ("MIG-aa", {"mig_mode": "enabled"})],
)
def test_what_is_not_known_decides_nothing(value: str, gpu: dict[str, Any]) -> None:
    assert visible(value, gpus(gpu)) is None


@pytest.mark.parametrize(
    ("value", "least", "status"),
    [
        ("", 1, "fail"),
        ("-1", 1, "fail"),
        ("5", 1, "fail"),
        ("0,0", 1, "fail"),
        ("GPU-ff", 1, "fail"),
        ("MIG-ff", 1, "fail"),
        ("0,x,1", 1, "warn"),
        ("0", 2, "fail"),
    ],
)
def test_gpu_visible_devices_hides_fires(value: str, least: int, status: str) -> None:
    (finding,) = found("gpu_visible_devices_hides", [{}, {}], wanting(least), CUDA_VISIBLE_DEVICES=value)
    assert finding.status == status
    assert finding.evidence[0] == f"CUDA_VISIBLE_DEVICES={value}"


@pytest.mark.parametrize("value", ["0", "1,0", "GPU-5a9", "GPU-5a1b"])
def test_gpu_visible_devices_hides_near_miss(value: str) -> None:
    assert not found("gpu_visible_devices_hides", [{}, {}], wanting(1), CUDA_VISIBLE_DEVICES=value)
    assert not found("gpu_visible_devices_hides", [{}, {}], wanting(1))
    assert not found("gpu_visible_devices_hides", [{}, {}], CPU, CUDA_VISIBLE_DEVICES="9")
    parts = [divided("MIG-aa", "MIG-bb")]
    assert not found("gpu_visible_devices_hides", parts, wanting(1), CUDA_VISIBLE_DEVICES="MIG-bb,MIG-aa")


MIXED = [{"name": "NVIDIA GeForce GTX 1080"}, {"name": "NVIDIA GeForce RTX 3090"}]


@pytest.mark.parametrize("order", [{}, {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, {"CUDA_DEVICE_ORDER": "pci"}])
def test_gpu_order_differs_fires(order: dict[str, str]) -> None:
    (finding,) = found("gpu_order_differs", MIXED, ANY, CUDA_VISIBLE_DEVICES="1", **order)
    assert finding.status == "warn"


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        (MIXED, {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        (MIXED, {"CUDA_VISIBLE_DEVICES": "GPU-5a9"}),
        (MIXED, {"CUDA_VISIBLE_DEVICES": "1,0"}),
        (MIXED, {}),
        ([{}, {}], {"CUDA_VISIBLE_DEVICES": "1"}),
    ],
)
def test_gpu_order_differs_near_miss(changes: list[dict[str, Any]], environment: dict[str, str]) -> None:
    assert not found("gpu_order_differs", changes, ANY, **environment)


def test_mig_hides_gpus_fires_for_whole_gpus_beside_a_divided_one() -> None:
    (finding,) = found("mig_hides_gpus", [divided("MIG-aa", "MIG-bb"), {}, {}], ANY)
    assert (finding.status, finding.message) == (
        "warn",
        "CUDA shows a process one MIG device and hides 2 whole GPUs",
    )


def test_mig_hides_gpus_fires_where_the_profile_needs_more_than_one() -> None:
    (finding,) = found("mig_hides_gpus", [divided("MIG-aa"), divided("MIG-bb")], wanting(2))
    assert (finding.status, finding.message) == ("fail", "CUDA shows a process one MIG device, profile p needs 2")


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ([divided("MIG-aa", "MIG-bb")], {}),
        ([divided("MIG-aa"), {}], {"CUDA_VISIBLE_DEVICES": "GPU-5a9c"}),
        ([{"mig_mode": "enabled", "mig_devices": 0}, {}], {}),
        ([{}, {}], {}),
    ],
)
def test_mig_hides_gpus_near_miss(changes: list[dict[str, Any]], environment: dict[str, str]) -> None:
    assert not found("mig_hides_gpus", changes, ANY, **environment)
