"""Checks of Apple silicon."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import apple
from envkit.facts.accelerators import Apple
from envkit.facts.software import FrameworkDevice, Package, Python, Torch, TorchDeep
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()
MAC = Profile(name="p", requires=Requires(accelerator="apple"))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def mac(**changes: Any) -> Apple:
    return Apple(**{"chip": "Apple M3 Max", "macos_version": "15.1.1", "rosetta": False, **changes})


def test_apple_rosetta_fires() -> None:
    assert one(apple.apple_rosetta(mac(rosetta=True))).status == "fail"


@pytest.mark.parametrize("rosetta", [False, None])
def test_apple_rosetta_near_miss(rosetta: bool | None) -> None:
    assert not list(apple.apple_rosetta(mac(rosetta=rosetta)))


def python(*tags: str) -> Python:
    torch = Package(name="torch", version="2.14.1", tags=list(tags))
    return Python(executable="/v/bin/python", version="3.12.1", packages=[torch])


NEW_WHEEL, OLD_WHEEL = python("cp312-none-macosx_14_0_arm64"), python("cp312-none-macosx_11_0_arm64")


@pytest.mark.parametrize(
    ("macos", "torch", "installed", "needed"),
    [
        ("10.15.7", "2.9.0", OLD_WHEEL, "14.0"),
        ("12.2.1", "2.7.1", OLD_WHEEL, "12.3"),
        ("12.6", "2.8.0", OLD_WHEEL, "13.0"),
        ("13.4", "2.11.0", OLD_WHEEL, "14.0"),
        ("13.4", "2.14.1", NEW_WHEEL, "14.0"),
        ("13.4", "2.16.0.dev20270101", NEW_WHEEL, "14.0"),  # by the wheel alone
    ],
)
def test_macos_too_old_for_mps_fires(macos: str, torch: str, installed: Python, needed: str) -> None:
    found = apple.macos_too_old_for_mps(mac(macos_version=macos), Torch(version=torch), installed, KNOWLEDGE, MAC)
    assert one(found).message == f"PyTorch {torch} needs macOS {needed} for the GPU, this is {macos}"


@pytest.mark.parametrize(
    ("macos", "torch", "installed"),
    [
        ("14.0", "2.14.1", NEW_WHEEL),
        ("26.3.1", "2.14.1", NEW_WHEEL),
        ("12.3", "2.7.1", OLD_WHEEL),
        ("11.6", "1.11.0", OLD_WHEEL),
        ("10.16", "2.14.1", NEW_WHEEL),
        (None, "2.14.1", NEW_WHEEL),
        ("13.4", "unknown", python("py3-none-any")),
    ],
)
def test_macos_too_old_for_mps_near_miss(macos: str | None, torch: str, installed: Python) -> None:
    machine = mac(macos_version=macos)
    assert not list(apple.macos_too_old_for_mps(machine, Torch(version=torch), installed, KNOWLEDGE, ANY))
    old = mac(macos_version="13.4")
    assert not list(apple.macos_too_old_for_mps(old, Torch(version="2.14.1"), NEW_WHEEL, KNOWLEDGE, CPU))


TORCH = Torch(version="2.14.1")


def deep(*kinds: str, imported: bool = True) -> TorchDeep:
    return TorchDeep(imported=imported, devices=[FrameworkDevice(kind=kind) for kind in kinds])


def test_torch_mps_unavailable_fires() -> None:
    assert one(apple.torch_mps_unavailable(mac(), TORCH, deep("cpu"), MAC)).status == "fail"
    assert one(apple.torch_mps_unavailable(mac(), TORCH, deep("cpu"), ANY)).status == "warn"
    guest = one(apple.torch_mps_unavailable(mac(virtual_machine=True), TORCH, deep("cpu"), MAC))
    assert guest.evidence[-1] == "this macOS is a virtual machine"


@pytest.mark.parametrize("said", [deep("cpu", "mps"), deep(imported=False)])
def test_torch_mps_unavailable_near_miss(said: TorchDeep) -> None:
    assert not list(apple.torch_mps_unavailable(mac(), TORCH, said, MAC))
    assert not list(apple.torch_mps_unavailable(mac(), TORCH, deep("cpu"), CPU))
