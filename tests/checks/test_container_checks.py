"""Checks of what was passed into the container."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envkit.checks import container as checks
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, Nvml
from envkit.facts.machine import Container, Memory
from envkit.findings import Finding
from envkit.profile import Profile, Requires

ANY, CPU = Profile(), Profile(name="cpu")
CUDA = Profile(name="p", requires=Requires(accelerator="nvidia"))
MIB = 1024**2


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_nvidia_visible_devices_void_fires() -> None:
    void = Container(nvidia_visible_devices="void", nvidia_device_nodes=0)
    assert one(checks.nvidia_visible_devices_void(void, CUDA)).evidence == ["NVIDIA_VISIBLE_DEVICES=void"]


def test_nvidia_visible_devices_void_near_miss() -> None:
    void = Container(nvidia_visible_devices="void", nvidia_device_nodes=0)
    assert not list(checks.nvidia_visible_devices_void(void, ANY))
    given = Container(nvidia_visible_devices="void", nvidia_device_nodes=8)  # passed in by --device instead
    assert not list(checks.nvidia_visible_devices_void(given, CUDA))


@pytest.mark.parametrize(("profile", "status"), [(CUDA, "fail"), (ANY, "warn")])
def test_container_without_gpu_fires(profile: Profile, status: str) -> None:
    bare = Container(runtime="kubernetes", host_nvidia_driver="550.54.15", nvidia_device_nodes=0)
    finding = one(checks.container_without_gpu(bare, profile))
    assert finding.status == status
    assert finding.remedy is not None
    assert "resources.limits" in finding.remedy.text


def test_container_without_gpu_near_miss() -> None:
    assert not list(checks.container_without_gpu(Container(nvidia_device_nodes=0), CUDA))
    given = Container(host_nvidia_driver="550.54.15", nvidia_device_nodes=1)
    assert not list(checks.container_without_gpu(given, CUDA))
    unknown = Container(host_nvidia_driver="550.54.15", nvidia_device_nodes=None)
    assert not list(checks.container_without_gpu(unknown, CUDA))
    bare = Container(host_nvidia_driver="550.54.15", nvidia_device_nodes=0)
    assert not list(checks.container_without_gpu(bare, CPU))


@pytest.mark.parametrize(("value", "status"), [("utility,video", "fail"), ("compute", "warn")])
def test_driver_capabilities_lack_compute_fires(value: str, status: str) -> None:
    container = Container(nvidia_driver_capabilities=value, nvidia_device_nodes=1)
    assert one(checks.driver_capabilities_lack_compute(container, ANY)).status == status


@pytest.mark.parametrize("value", [None, "all", "utility, compute", "graphics,compute,utility"])
def test_driver_capabilities_lack_compute_near_miss(value: str | None) -> None:
    container = Container(nvidia_driver_capabilities=value, nvidia_device_nodes=1)
    assert not list(checks.driver_capabilities_lack_compute(container, ANY))


def test_container_gpu_revoked_fires() -> None:
    revoked = Nvidia(nvml=Nvml(outcome="error", error="UNKNOWN"))
    assert one(checks.container_gpu_revoked(revoked, Container(runtime="docker"), ANY)).status == "fail"


def test_container_gpu_revoked_near_miss() -> None:
    other = Nvidia(nvml=Nvml(outcome="error", error="DRIVER_NOT_LOADED"))
    assert not list(checks.container_gpu_revoked(other, Container(runtime="docker"), ANY))


@pytest.mark.parametrize(
    ("container", "words"),
    [(None, "fstab"), (Container(runtime="docker"), "--shm-size"), (Container(runtime="kubernetes"), "emptyDir")],
)
def test_shm_small_fires(container: Container | None, words: str) -> None:
    facts = Facts(container=ok(container)) if container else Facts()
    finding = one(checks.shm_small(Memory(shm_total_bytes=64 * MIB), facts))
    assert finding.status == "warn"
    assert finding.remedy is not None
    assert words in finding.remedy.text


def test_shm_small_near_miss() -> None:
    assert not list(checks.shm_small(Memory(shm_total_bytes=512 * MIB), Facts()))
    assert not list(checks.shm_small(Memory(shm_total_bytes=None), Facts()))
    assert list(checks.shm_small(Memory(shm_total_bytes=512 * MIB), Facts(), minimum_bytes=1024 * MIB))
