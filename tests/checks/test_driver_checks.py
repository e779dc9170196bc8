"""Checks of the NVIDIA driver: module, libraries, device nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import driver, driver_libraries
from envkit.facts import Facts, ok
from envkit.facts.accelerators import DeviceNode, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.machine import Container, KernelLog, KernelMessage, System
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires

ANY, KNOWLEDGE = Profile(), Knowledge()
CPU = Profile(name="cpu")
NO_FACTS = Facts()
IN_DOCKER = Facts(container=ok(Container(runtime="docker")))
NODES = [DeviceNode(path=f"/dev/{n}", readable=True, writable=True) for n in ("nvidia0", "nvidiactl", "nvidia-uvm")]

CUDA = Profile(name="p", requires=Requires(accelerator="nvidia"))


def pci(driver_name: str | None = "nvidia") -> PciDevice:
    return PciDevice(address="0000:01:00.0", vendor_id="10de", device_id="2236", kernel_driver=driver_name)


def nvidia(**changes: Any) -> Nvidia:
    """A sound machine with one A10, as far as changes do not say otherwise."""
    sound: dict[str, Any] = {
        "pci_devices": [pci()],
        "module_version": "550.54.15",
        "module_loaded": True,
        "uvm_loaded": True,
        "device_nodes": NODES,
        "libcuda_path": "/usr/lib/libcuda.so.550.54.15",
        "libcuda_version": "550.54.15",
        "nvml": Nvml(outcome="ok", library_version="550.54.15", library_path="/usr/lib/libnvidia-ml.so.550.54.15"),
        "driver_version": "550.54.15",
        "cuda_driver_version": "12.4",
        "gpus": [NvidiaGpu(index=0, name="NVIDIA A10", compute_capability="8.6")],
    }
    return Nvidia(**{**sound, **changes})


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_gpu_bound_to_nouveau_fires() -> None:
    found = one(
        driver.gpu_bound_to_nouveau(nvidia(pci_devices=[pci("nouveau")], module_loaded=False), ANY, NO_FACTS, KNOWLEDGE)
    )
    assert found.evidence == ["0000:01:00.0: driver nouveau"]


def test_gpu_bound_to_nouveau_near_miss() -> None:
    assert not list(driver.gpu_bound_to_nouveau(nvidia(nouveau_loaded=True), ANY, NO_FACTS, KNOWLEDGE))
    assert not list(driver.gpu_bound_to_nouveau(nvidia(pci_devices=[pci("nouveau")]), CPU, NO_FACTS, KNOWLEDGE))


def test_gpu_bound_to_vfio_fires() -> None:
    assert one(driver.gpu_bound_to_vfio(nvidia(pci_devices=[pci("vfio-pci")]), CUDA)).status == "fail"


def test_gpu_bound_to_vfio_near_miss() -> None:
    assert not list(driver.gpu_bound_to_vfio(nvidia(), CUDA))


UNLOADED: dict[str, Any] = {"module_loaded": False, "module_version": None, "pci_devices": [pci(None)], "gpus": None}


@pytest.mark.parametrize(
    ("changes", "facts", "command"),
    [
        ({"nvml": Nvml(outcome="library-missing")}, NO_FACTS, [["sudo", "modprobe", "nvidia"]]),
        ({"nvml": Nvml(outcome="error", error="DRIVER_NOT_LOADED"), "module_loaded": None}, IN_DOCKER, []),
        (
            {"nvml": Nvml(outcome="library-missing"), "libcuda_path": None},
            Facts(system=ok(System(distribution_id="ubuntu"))),
            [
                ["sudo", "apt-get", "update"],
                ["sudo", "apt-get", "install", "ubuntu-drivers-common"],
                ["sudo", "ubuntu-drivers", "install", "nvidia:580-open"],
            ],
        ),
    ],
)
def test_nvidia_driver_not_loaded_fires(changes: dict[str, Any], facts: Facts, command: list[list[str]]) -> None:
    finding = one(driver.nvidia_driver_not_loaded(nvidia(**{**UNLOADED, **changes}), ANY, facts, KNOWLEDGE))
    assert finding.status == "fail"
    assert finding.remedy is not None
    assert finding.remedy.commands == command


def test_nvidia_driver_not_loaded_near_miss() -> None:
    assert not list(driver.nvidia_driver_not_loaded(nvidia(), CUDA, NO_FACTS, KNOWLEDGE))
    wsl = nvidia(pci_devices=[], module_loaded=False)
    assert not list(driver.nvidia_driver_not_loaded(wsl, CUDA, NO_FACTS, KNOWLEDGE))
    unknown = nvidia(module_loaded=None, nvml=Nvml(outcome="not-asked"))
    assert not list(driver.nvidia_driver_not_loaded(unknown, CUDA, NO_FACTS, KNOWLEDGE))


MISMATCH = Nvml(outcome="error", error="LIB_RM_VERSION_MISMATCH", library_version="550.90.07")


@pytest.mark.parametrize("changes", [{"nvml": MISMATCH}, {"libcuda_version": "550.90.07"}])
def test_driver_library_mismatch_fires(changes: dict[str, Any]) -> None:
    finding = one(driver.driver_library_mismatch(ANY, Facts(nvidia=ok(nvidia(**changes)))))
    assert finding.evidence[0] == "kernel module 550.54.15"
    assert "550.90.07" in finding.evidence[1]


LOGGED = KernelLog(messages=[KernelMessage(kind="driver-mismatch", text="NVRM: API mismatch: the client has ...")])


def test_driver_library_mismatch_fires_by_the_kernels_log_alone() -> None:
    assert one(driver.driver_library_mismatch(ANY, Facts(kernel_log=ok(LOGGED)))).status == "fail"


def test_driver_library_mismatch_near_miss_where_it_was_repaired_since() -> None:
    assert not list(driver.driver_library_mismatch(ANY, Facts(kernel_log=ok(LOGGED), nvidia=ok(nvidia()))))


def test_driver_library_mismatch_near_miss() -> None:
    assert not list(driver.driver_library_mismatch(ANY, Facts(nvidia=ok(nvidia()))))
    compat = nvidia(libcuda_path="/usr/local/cuda-12.8/compat/libcuda.so.570.26", libcuda_version="570.26")
    assert not list(driver.driver_library_mismatch(ANY, Facts(nvidia=ok(compat))))
    assert not list(driver.driver_library_mismatch(ANY, Facts(nvidia=ok(nvidia(libcuda_version=None)))))


def test_nvidia_uvm_not_loaded_fires() -> None:
    finding = one(driver.nvidia_uvm_not_loaded(nvidia(uvm_loaded=False), ANY))
    assert finding.remedy is not None
    assert finding.remedy.commands == [["sudo", "nvidia-modprobe", "-u", "-c0"]]


def test_nvidia_uvm_not_loaded_near_miss() -> None:
    assert not list(driver.nvidia_uvm_not_loaded(nvidia(uvm_loaded=None), ANY))
    assert not list(driver.nvidia_uvm_not_loaded(nvidia(uvm_loaded=False, module_loaded=False), ANY))


def test_nvidia_device_nodes_unusable_fires_when_closed_or_missing() -> None:
    closed = [DeviceNode(path="/dev/nvidia0", readable=False, writable=False), *NODES[1:]]
    assert one(driver.nvidia_device_nodes_unusable(nvidia(device_nodes=closed), ANY, NO_FACTS)).evidence == [
        "/dev/nvidia0"
    ]
    bare = nvidia(device_nodes=NODES[1:], nvml=Nvml(outcome="error", error="UNKNOWN"))
    assert "missing" in one(driver.nvidia_device_nodes_unusable(bare, ANY, NO_FACTS)).message


def test_nvidia_device_nodes_unusable_near_miss() -> None:
    unread = [DeviceNode(path="/dev/nvidia0"), DeviceNode(path="/dev/nvidia-modeset", readable=False)]
    assert not list(driver.nvidia_device_nodes_unusable(nvidia(device_nodes=unread), ANY, NO_FACTS))
    assert not list(driver.nvidia_device_nodes_unusable(nvidia(device_nodes=[]), ANY, NO_FACTS))


def test_a_container_without_the_node_of_uvm_cannot_compute() -> None:
    without = nvidia(device_nodes=NODES[:2])  # nvidia-smi works (nvidia-docker#1085)
    assert "nvidia-uvm" in one(driver.nvidia_device_nodes_unusable(without, ANY, IN_DOCKER)).message
    assert not list(driver.nvidia_device_nodes_unusable(nvidia(device_nodes=NODES), ANY, IN_DOCKER))
    assert not list(driver.nvidia_device_nodes_unusable(without, ANY, NO_FACTS))  # a host makes it when it is needed


def test_a_container_without_gpus_is_told_once_and_not_library_by_library() -> None:
    facts = Facts(container=ok(Container(host_nvidia_driver="550.54.15", nvidia_device_nodes=0)))
    bare = nvidia(device_nodes=[], libcuda_path=None, nvml=Nvml(outcome="library-missing"), gpus=None)
    assert not list(driver.nvidia_device_nodes_unusable(bare, ANY, facts))
    assert not list(driver_libraries.nvml_library_missing(bare, ANY, facts, KNOWLEDGE))
    assert not list(driver_libraries.libcuda_missing(bare, ANY, facts, KNOWLEDGE))


def test_nvml_library_missing_fires() -> None:
    broken = nvidia(nvml=Nvml(outcome="library-missing"))
    finding = one(driver_libraries.nvml_library_missing(broken, ANY, IN_DOCKER, KNOWLEDGE))
    assert finding.remedy is not None
    assert "utility" in finding.remedy.text


def test_nvml_library_missing_near_miss() -> None:
    libraries_only = Nvidia(pci_devices=[], module_loaded=False, nvml=Nvml(outcome="library-missing"))
    assert not list(driver_libraries.nvml_library_missing(libraries_only, ANY, NO_FACTS, KNOWLEDGE))


def test_libcuda_missing_fires() -> None:
    assert one(driver_libraries.libcuda_missing(nvidia(libcuda_path=None), ANY, NO_FACTS, KNOWLEDGE)).status == "fail"


def test_libcuda_missing_near_miss() -> None:
    no_driver = nvidia(libcuda_path=None, module_loaded=False, nvml=Nvml(outcome="library-missing"))
    assert not list(driver_libraries.libcuda_missing(no_driver, ANY, NO_FACTS, KNOWLEDGE))


def test_libcuda_stub_fires() -> None:
    stub = nvidia(libcuda_stub=True, libcuda_path="/usr/local/cuda/lib64/stubs/libcuda.so")
    assert one(driver_libraries.libcuda_stub(stub, ANY)).evidence == ["/usr/local/cuda/lib64/stubs/libcuda.so"]


def test_libcuda_stub_near_miss() -> None:
    assert not list(driver_libraries.libcuda_stub(nvidia(libcuda_stub=False), ANY))


@pytest.mark.parametrize(("seconds", "words"), [(10.0, "no answer after 10 s"), (None, "no answer in time")])
def test_nvidia_driver_hangs_fires(seconds: float | None, words: str) -> None:
    hung = nvidia(nvml=Nvml(outcome="timeout", seconds=seconds), gpus=None)
    assert words in one(driver_libraries.nvidia_driver_hangs(hung, ANY)).evidence[0]


def test_nvidia_driver_hangs_fires_with_what_was_asked_and_who_answers() -> None:
    gpus = [NvidiaGpu(index=0), NvidiaGpu(index=1, error="no answer within 10 s, asked for power_watts")]
    hung = nvidia(nvml=Nvml(outcome="timeout", seconds=10.0, unanswered=["GPU 1: power_watts"]), gpus=gpus)
    finding = one(driver_libraries.nvidia_driver_hangs(hung, ANY))
    assert finding.message == "the NVIDIA driver does not answer every question"
    assert finding.evidence[:2] == [
        "NVML: no answer after 10 s, asked for GPU 1: power_watts",
        "1 of 2 GPUs answer",
    ]


def test_nvidia_driver_hangs_near_miss() -> None:
    assert not list(driver_libraries.nvidia_driver_hangs(nvidia(nvml=Nvml(outcome="ok", seconds=9.9)), ANY))


def test_nvml_crashed_fires() -> None:
    crashed = nvidia(nvml=Nvml(outcome="crashed", error="SIGSEGV"), gpus=None)
    assert one(driver_libraries.nvml_crashed(crashed, ANY)).evidence == ["SIGSEGV"]


def test_nvml_crashed_near_miss() -> None:
    assert not list(driver_libraries.nvml_crashed(nvidia(), ANY))
    assert not list(driver_libraries.nvml_crashed(nvidia(nvml=Nvml(outcome="crashed")), CPU))


def test_nvml_error_fires() -> None:
    troubled = nvidia(nvml=Nvml(outcome="error", error="IRQ_ISSUE"), gpus=None)
    assert "IRQ_ISSUE" in one(driver_libraries.nvml_error(troubled, ANY, NO_FACTS)).message


def test_nvml_error_fires_without_permission_with_another_remedy() -> None:
    closed = one(driver_libraries.nvml_error(nvidia(nvml=Nvml(outcome="error", error="NO_PERMISSION")), ANY, NO_FACTS))
    assert closed.message == "this user may not ask the NVIDIA driver"


def test_nvml_error_near_miss() -> None:
    explained = nvidia(nvml=Nvml(outcome="error", error="UNKNOWN"))
    assert not list(driver_libraries.nvml_error(explained, ANY, IN_DOCKER))
    assert list(driver_libraries.nvml_error(explained, ANY, NO_FACTS))
    assert not list(driver_libraries.nvml_error(nvidia(nvml=MISMATCH), ANY, NO_FACTS))
