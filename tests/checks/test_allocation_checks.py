"""Checks of what a scheduler gave: no GPU, fewer than it says, fewer processors than threads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import allocation as checks
from envkit.checks import driver, gpu_count
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, MigDevice, Nvidia, NvidiaGpu, Nvml, PciDevice
from envkit.facts.cluster import Allocation
from envkit.facts.machine import Container, Cpu
from envkit.facts.software import Python
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires
from envkit.summary import summarise

ANY, CPU = Profile(), Profile(name="cpu")
CUDA = Profile(name="p", requires=Requires(accelerator="nvidia"))
PCI = [PciDevice(address=f"0000:{n:02x}:00.0", vendor_id="10de", device_id="2330") for n in range(8)]


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def gpus(number: int, *, of: int = 8, opened: int | None = None, **changes: Any) -> Nvidia:
    """What is seen by a process that device rules keep from the other GPUs of a machine."""
    shown = [NvidiaGpu(index=n) for n in range(number)]
    usable = number if opened is None else opened
    nodes = [DeviceNode(path=f"/dev/nvidia{n}", readable=n < usable, writable=n < usable) for n in range(of)]
    known = {"pci_devices": PCI[:of], "module_loaded": True, "gpus": shown, "nvml": Nvml(outcome="ok")}
    return Nvidia(**{**known, "device_nodes": nodes, **changes})


def slurm(gpus: int | None, **changes: Any) -> Allocation:
    return Allocation(scheduler="slurm", gpus=gpus, gpus_told_by="SLURM_STEP_GPUS" if gpus else None, **changes)


def pod(gpus: int | None) -> Allocation:
    return Allocation(scheduler="kubernetes", gpus=gpus, gpus_told_by="NVIDIA_VISIBLE_DEVICES" if gpus else None)


def facts(allocation: Allocation, nvidia: Nvidia | None = None, **changes: Any) -> Facts:
    sections = {"allocation": ok(allocation), **({"nvidia": ok(nvidia)} if nvidia else {})}
    variables = changes.pop("variables", None)
    if variables is not None:
        sections["python"] = ok(Python(executable="p", version="3.11", environment=variables))
    return Facts(**{**sections, **changes})


def no_gpu(told: Facts, profile: Profile = CUDA) -> list[Finding]:
    assert told.allocation.facts
    return list(checks.scheduler_no_gpu(told.allocation.facts, told.nvidia.facts, told, profile))


IN_POD = {"container": ok(Container(runtime="kubernetes", host_nvidia_driver="550.1", nvidia_device_nodes=0))}
NO_PERMISSION = Nvml(outcome="error", error="NO_PERMISSION")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (facts(slurm(0), gpus(0)), "Slurm gave this job no GPU: it asked for none"),
        (facts(slurm(0), gpus(0, gpus=None, nvml=NO_PERMISSION)), "Slurm gave this job no GPU: it asked for none"),
        (facts(slurm(0)), "Slurm gave this job no GPU: it asked for none"),  # a machine without any
        (
            facts(slurm(0), gpus(8), variables={"CUDA_VISIBLE_DEVICES": "NoDevFiles"}),
            "Slurm gave this job no GPU: it asked for none",
        ),
        (facts(slurm(1), gpus(0)), "Slurm gave this job 1 GPU, and none is here"),
        (facts(pod(1), gpus(0, of=0), **IN_POD), "Kubernetes gave this pod 1 GPU, and none is here"),
        (facts(pod(2), **IN_POD), "Kubernetes gave this pod 2 GPUs, and none is here"),
        (
            facts(Allocation(scheduler="slurm", on_node=False)),
            "this shell belongs to a job of Slurm, but does not run on a machine of the job",
        ),
    ],
)
def test_scheduler_no_gpu_fires(told: Facts, message: str) -> None:
    found = one(no_gpu(told))
    assert (found.status, found.message) == ("fail", message)
    assert found.remedy is not None


def test_scheduler_no_gpu_fires_as_a_warning_where_no_profile_wants_one() -> None:
    assert one(no_gpu(facts(slurm(0), gpus(0)), ANY)).status == "warn"


@pytest.mark.parametrize(
    ("told", "profile"),
    [
        (facts(slurm(2), gpus(2)), CUDA),
        (facts(slurm(0), gpus(8)), CUDA),  # a scheduler that knows nothing of GPUs
        (facts(slurm(0), gpus(0)), CPU),
        (facts(slurm(0)), ANY),  # a job without GPU on a machine without GPU
        (facts(slurm(1), gpus(0, gpus=None, opened=1, nvml=Nvml(outcome="timeout"))), CUDA),  # the driver's trouble
        (facts(slurm(1), gpus(0, gpus=None, device_nodes=[], nvml=Nvml(outcome="library-missing"))), CUDA),
        (facts(pod(None), **IN_POD), CUDA),  # container-without-gpu says it
        (facts(Allocation(scheduler="pbs"), gpus(0)), CUDA),
        (facts(slurm(2), amd=ok(Amd(gpus=[AmdGpu()]))), ANY),  # GPUs of AMD's
    ],
)
def test_scheduler_no_gpu_near_miss(told: Facts, profile: Profile) -> None:
    assert not no_gpu(told, profile)


def fewer(told: Facts, profile: Profile = CUDA) -> list[Finding]:
    assert told.allocation.facts
    assert told.nvidia.facts
    return list(checks.allocated_gpus_missing(told.allocation.facts, told.nvidia.facts, told, profile))


def mig(*parts: int | None) -> list[NvidiaGpu]:
    return [
        NvidiaGpu(
            index=n, mig_mode="enabled", mig=None if number is None else [MigDevice(index=i) for i in range(number)]
        )
        for n, number in enumerate(parts)
    ]


@pytest.mark.parametrize(
    "told",
    [
        facts(slurm(4), gpus(3)),
        facts(slurm(4), gpus(3), variables={"CUDA_VISIBLE_DEVICES": "0,1,2,3"}),
        facts(pod(4), gpus(3)),
        facts(pod(3), gpus(1, gpus=mig(2))),
    ],
)
def test_allocated_gpus_missing_fires(told: Facts) -> None:
    found = one(fewer(told))
    assert found.status == "fail"
    assert one(fewer(told, ANY)).status == "warn"


@pytest.mark.parametrize(
    ("told", "profile"),
    [
        (facts(slurm(2), gpus(2)), CUDA),
        (facts(slurm(2), gpus(8)), CUDA),  # not kept from the others
        (facts(slurm(4), gpus(1), variables={"CUDA_VISIBLE_DEVICES": "0"}), CUDA),  # one of four tasks
        (facts(slurm(4), gpus(0)), CUDA),  # scheduler-no-gpu says it
        (facts(slurm(None), gpus(1)), CUDA),
        (facts(slurm(4), gpus(3)), CPU),
        (facts(pod(2), gpus(1, gpus=mig(2))), CUDA),
        (facts(pod(2), gpus(1, gpus=mig(None))), CUDA),
    ],
)
def test_allocated_gpus_missing_near_miss(told: Facts, profile: Profile) -> None:
    assert not fewer(told, profile)


def threads(allocation: Allocation, omp: str = "", affinity: int | None = 192, **thresholds: float) -> list[Finding]:
    told = facts(allocation, variables={"OMP_NUM_THREADS": omp} if omp else {})
    return list(checks.threads_over_allocation(allocation, Cpu(affinity_threads=affinity), told, **thresholds))


@pytest.mark.parametrize(
    ("allocation", "omp", "affinity"),
    [
        (slurm(1, cpus=8), "64", 192),
        (slurm(1, cpus=8), "", 192),  # the scheduler does not bind
        (slurm(1, cpus=32, cpus_per_task=4), "16", 192),
    ],
)
def test_threads_over_allocation_fires(allocation: Allocation, omp: str, affinity: int) -> None:
    found = one(threads(allocation, omp, affinity))
    assert found.remedy is not None
    assert found.remedy.commands == [["export", f"OMP_NUM_THREADS={allocation.cpus_per_task or allocation.cpus}"]]


@pytest.mark.parametrize(
    ("allocation", "omp", "affinity"),
    [
        (slurm(1, cpus=8), "8", 192),
        (slurm(1, cpus=8), "", 16),  # 8 cores that run two threads each
        (slurm(1, cpus=None), "64", 192),
        (pod(1), "64", 192),  # the quota tells
        (slurm(1, cpus=8), "", None),
    ],
)
def test_threads_over_allocation_near_miss(allocation: Allocation, omp: str, affinity: int | None) -> None:
    assert not threads(allocation, omp, affinity)


def test_gpus_that_others_were_given_are_no_fault_of_the_driver() -> None:
    job = facts(slurm(2), gpus(2))
    assert job.nvidia.facts
    for check in (driver.nvidia_device_nodes_unusable, gpu_count.gpu_count_mismatch):
        assert list(check(job.nvidia.facts, CUDA, Facts(nvidia=job.nvidia)))
        assert not list(check(job.nvidia.facts, CUDA, job))


def test_a_scheduler_that_knows_nothing_of_gpus_hides_no_fault() -> None:
    job = facts(slurm(0), gpus(7))
    assert job.nvidia.facts
    for check in (driver.nvidia_device_nodes_unusable, gpu_count.gpu_count_mismatch):
        assert list(check(job.nvidia.facts, CUDA, job))


def test_a_gpu_that_was_given_and_is_closed_is_a_fault() -> None:
    job = facts(slurm(3), gpus(2))
    assert job.nvidia.facts
    assert list(driver.nvidia_device_nodes_unusable(job.nvidia.facts, CUDA, job))


@pytest.mark.parametrize(
    ("allocation", "said"),
    [
        (slurm(2, cpus=16), "Slurm job with 2 GPUs and 16 CPUs"),
        (slurm(0, cpus=1), "Slurm job with 1 CPU"),
        (Allocation(scheduler="lsf"), "LSF job"),
        (Allocation(scheduler="slurm", on_node=False), "outside of its Slurm job"),
    ],
)
def test_the_summary_tells_of_the_job(allocation: Allocation, said: str) -> None:
    assert summarise(facts(allocation), ANY, [], Knowledge())["machine"] == said
    assert "machine" not in summarise(facts(pod(1)), ANY, [], Knowledge())
