"""Checks of Intel GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import intel
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, Intel, IntelGpu, Nvidia, NvidiaGpu
from envkit.facts.machine import Container
from envkit.facts.software import FrameworkDevice, Python, Torch, TorchDeep
from envkit.findings import Finding
from envkit.profile import Profile, SmokeRun

ANY, CPU = Profile(), Profile(name="cpu")
XPU = Profile(name="p", torch_backend="xpu")
BUILT, CPU_BUILD = Torch(version="2.14.1+xpu", xpu="20260101"), Torch(version="2.14.1+cpu")
WANTED, NO_FACTS = Facts(torch=ok(BUILT)), Facts()
DOCKER = ok(Container(runtime="docker"))
NODE = "/dev/dri/renderD128"


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def card(**changes: Any) -> IntelGpu:
    known = {"name": "Arc A770", "pci_address": "0000:03:00.0", "kind": "discrete", "kernel_driver": "xe"}
    return IntelGpu(**{**known, "render_node": NODE, **changes})


def node(*, opened: bool = True, **changes: Any) -> DeviceNode:
    return DeviceNode(**{"path": NODE, "readable": opened, "writable": opened, **changes})


def machine(*gpus: IntelGpu, **changes: Any) -> Intel:
    known = {"device_nodes": [node()], "level_zero_loader": "/l", "level_zero_driver": "/d"}
    return Intel(**{**known, "gpus": list(gpus or [card()]), **changes})


INSIDE = machine(card(kind="integrated"), device_nodes=[node(opened=False)], level_zero_loader=None)


@pytest.mark.parametrize("driver", [None, "vfio-pci"])
def test_intel_driver_missing_fires(driver: str | None) -> None:
    without = machine(card(kernel_driver=driver))
    assert one(intel.intel_driver_missing(without, ANY, WANTED)).status == "warn"
    assert one(intel.intel_driver_missing(without, XPU, NO_FACTS)).status == "fail"


def test_intel_driver_missing_near_miss() -> None:
    without = machine(card(kernel_driver=None))
    assert not list(intel.intel_driver_missing(machine(), ANY, WANTED))
    assert not list(intel.intel_driver_missing(without, ANY, NO_FACTS))
    assert not list(intel.intel_driver_missing(without, CPU, WANTED))
    assert not list(intel.intel_driver_missing(without, XPU, Facts(container=DOCKER)))
    assert not list(intel.intel_driver_missing(machine(card(kernel_driver=None, kind="integrated")), ANY, WANTED))


@pytest.mark.parametrize(
    ("found", "facts", "text"),
    [
        (machine(device_nodes=[node(opened=False, group="render", in_group=False)]), WANTED, "join the group render"),
        (
            machine(device_nodes=[node(opened=False, group="render", in_group=False, in_group_at_login=True)]),
            WANTED,
            "log in again",
        ),
        (machine(card(render_node=None), device_nodes=[]), WANTED, "join the group render"),
        (
            machine(device_nodes=[node(opened=False, group="992", in_group=False)]),
            Facts(torch=ok(BUILT), container=DOCKER),
            "--device=/dev/dri --group-add=992",
        ),
    ],
)
def test_intel_render_nodes_unusable_fires(found: Intel, facts: Facts, text: str) -> None:
    finding = one(intel.intel_render_nodes_unusable(found, ANY, facts))
    assert finding.remedy is not None
    assert text in finding.remedy.text


def test_intel_render_nodes_unusable_near_miss() -> None:
    closed = machine(device_nodes=[node(opened=False)])
    assert not list(intel.intel_render_nodes_unusable(machine(), ANY, WANTED))
    assert not list(intel.intel_render_nodes_unusable(closed, ANY, NO_FACTS))
    assert not list(intel.intel_render_nodes_unusable(INSIDE, ANY, WANTED))
    other = machine(device_nodes=[node(), node(opened=False, path="/dev/dri/renderD129")])  # the processor's own
    assert not list(intel.intel_render_nodes_unusable(other, ANY, WANTED))


@pytest.mark.parametrize("missing", ["level_zero_loader", "level_zero_driver"])
def test_level_zero_missing_fires(missing: str) -> None:
    assert one(intel.level_zero_missing(machine(**{missing: None}), ANY, WANTED)).status == "warn"


def test_level_zero_missing_near_miss() -> None:
    assert not list(intel.level_zero_missing(machine(), ANY, WANTED))
    assert not list(intel.level_zero_missing(machine(level_zero_loader=None), ANY, NO_FACTS))
    assert not list(intel.level_zero_missing(INSIDE, ANY, WANTED))


BLIND = TorchDeep(imported=True, devices=[FrameworkDevice(kind="cpu")])


def test_torch_xpu_sees_none_fires() -> None:
    selected = Python(executable="/p", version="3.12.1", environment={"ONEAPI_DEVICE_SELECTOR": "opencl:*"})
    facts = Facts(torch=ok(BUILT), python=ok(selected))
    finding = one(intel.torch_xpu_sees_none(BUILT, BLIND, machine(), ANY, facts))
    assert finding.evidence[-1] == "ONEAPI_DEVICE_SELECTOR=opencl:*"
    assert finding.remedy is not None
    assert finding.remedy.commands == [["unset", "ONEAPI_DEVICE_SELECTOR"]]
    plain = one(intel.torch_xpu_sees_none(BUILT, BLIND, machine(), XPU, WANTED))
    assert plain.status == "fail"
    assert plain.remedy is not None
    assert "update Intel's compute runtime" in plain.remedy.text


@pytest.mark.parametrize(
    ("torch", "deep", "found"),
    [
        (BUILT, TorchDeep(imported=True, devices=[FrameworkDevice(kind=kind) for kind in ("cpu", "xpu")]), machine()),
        (BUILT, TorchDeep(imported=False), machine()),
        (CPU_BUILD, BLIND, machine()),
        (BUILT, BLIND, INSIDE),
    ],
)
def test_torch_xpu_sees_none_near_miss(torch: Torch, deep: TorchDeep, found: Intel) -> None:
    assert not list(intel.torch_xpu_sees_none(torch, deep, found, ANY, WANTED))


@pytest.mark.parametrize("torch", [CPU_BUILD, Torch(version="2.14.1", cuda="13.0")])
def test_torch_build_without_xpu_fires(torch: Torch) -> None:
    assert one(intel.torch_build_without_xpu(torch, machine(), NO_FACTS, ANY)).status == "warn"
    meant = Profile(name="p", smoke=[SmokeRun(framework="torch", device="xpu")])
    assert one(intel.torch_build_without_xpu(torch, machine(), NO_FACTS, meant)).status == "fail"


@pytest.mark.parametrize(
    ("torch", "found", "facts", "profile"),
    [
        (BUILT, machine(), NO_FACTS, ANY),
        (Torch(version="2.14.1", build_known=False), machine(), NO_FACTS, ANY),
        (CPU_BUILD, machine(), NO_FACTS, CPU),
        (CPU_BUILD, INSIDE, NO_FACTS, ANY),
        (CPU_BUILD, machine(card(kernel_driver=None)), NO_FACTS, ANY),
        (CPU_BUILD, machine(), Facts(nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=0)]))), ANY),
        (Torch(version="2.14.1", hip="7.2"), machine(), Facts(amd=ok(Amd(gpus=[AmdGpu()]))), ANY),
    ],
)
def test_torch_build_without_xpu_near_miss(torch: Torch, found: Intel, facts: Facts, profile: Profile) -> None:
    assert not list(intel.torch_build_without_xpu(torch, found, facts, profile))
