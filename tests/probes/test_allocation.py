"""What schedulers gave, by variables as they were seen in jobs of Slurm 22.05, and as the others document them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envkit.facts.cluster import Allocation
from envkit.probes import allocation

MIB = 1024**2
SCHEDULERS = ("SLURM", "SLURMD", "KUBERNETES", "PBS", "LSB", "NVIDIA", "CUDA", "NCPUS")
# Steps and batch scripts of 2 GPUs on a machine of 4; salloc's own shell.
STEP = {"SLURM_JOB_ID": "2", "SLURM_STEP_ID": "0", "SLURMD_NODENAME": "n1", "SLURM_NODEID": "0", "SLURM_NNODES": "1"}
BATCH = {"SLURM_JOB_ID": "4", "SLURMD_NODENAME": "n1", "SLURM_NODEID": "0", "SLURM_NNODES": "1", "SLURM_NTASKS": "1"}
SALLOC = {"SLURM_JOB_ID": "6", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_TASKS_PER_NODE": "1(x2)"}


def observe(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> Allocation | None:
    for name in [name for name in os.environ if name.startswith(SCHEDULERS)]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return allocation.observe().facts


def test_a_step_of_slurm_tells_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"SLURM_STEP_GPUS": "0,1", "SLURM_GPUS_ON_NODE": "2", "SLURM_CPUS_ON_NODE": "8", "SLURM_CPUS_PER_TASK": "4"}
    assert observe(monkeypatch, {**STEP, **told, "SLURM_NTASKS": "2", "SLURM_MEM_PER_CPU": "100"}) == Allocation(
        scheduler="slurm",
        gpus=2,
        gpus_told_by="SLURM_STEP_GPUS",
        cpus=8,
        cpus_per_task=4,
        memory_bytes=800 * MIB,
        nodes=1,
        tasks=2,
    )


def test_a_task_that_is_bound_to_one_gpu_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = observe(monkeypatch, {**STEP, "SLURM_STEP_GPUS": "3", "SLURM_GPUS_ON_NODE": "4"})
    assert facts
    assert facts.gpus == 1


def test_a_batch_script_has_the_job_s(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = observe(monkeypatch, {**BATCH, "SLURM_JOB_GPUS": "0,1", "SLURM_MEM_PER_NODE": "500"})
    assert facts == Allocation(
        scheduler="slurm", gpus=2, gpus_told_by="SLURM_JOB_GPUS", memory_bytes=500 * MIB, nodes=1, tasks=1
    )


@pytest.mark.parametrize(
    "variables",
    [
        BATCH,
        STEP,
        {**STEP, "SLURM_JOB_GPUS": "0,1"},  # a step that asked for none, in a job with two
        {**BATCH, "SLURM_JOB_GPUS": "NoDevFiles", "CUDA_VISIBLE_DEVICES": "NoDevFiles"},
    ],
)
def test_a_job_or_step_without_gpus_has_none(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    facts = observe(monkeypatch, variables)
    assert facts
    assert facts.gpus == 0


def test_the_shell_of_salloc_is_not_on_a_machine_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    assert observe(monkeypatch, SALLOC) == Allocation(scheduler="slurm", on_node=False, nodes=2)


@pytest.mark.parametrize("value", ["", "many", "\udcff", "9" * 30, "-1", "gpu:2"])
def test_a_variable_that_makes_no_sense_is_unknown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    names = ("SLURM_GPUS_ON_NODE", "SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE", "SLURM_NTASKS", "SLURM_NNODES")
    facts = observe(monkeypatch, {**BATCH, **dict.fromkeys(names, value)})
    assert facts
    assert facts.gpus == (None if value else 0)
    assert (facts.cpus, facts.memory_bytes, facts.nodes, facts.tasks) == (None, None, None, None)


def test_all_memory_of_a_machine_is_not_0(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = observe(monkeypatch, {**BATCH, "SLURM_MEM_PER_NODE": "0"})
    assert facts
    assert facts.memory_bytes is None


def test_neither_names_nor_numbers_of_jobs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"SLURM_JOB_NAME": "secret", "SLURM_JOB_USER": "secret", "SLURM_JOB_NODELIST": "secret[1-9]"}
    facts = observe(monkeypatch, {**BATCH, **secret, "SLURM_JOB_ID": "424242", "SLURMD_NODENAME": "secret1"})
    assert "secret" not in str(facts)
    assert "424242" not in str(facts)


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [
        ("GPU-1a2b,GPU-3c4d", 2),
        ("GPU-1a2b,GPU-1a2b", 1),  # two shares of one
        ("MIG-1a2b-3c", 1),
        ("MIG-GPU-1a/7/0,MIG-GPU-1a/8/0", 2),
        ("0,3", 2),
        ("0:1", 1),
        ("all", None),
        ("void", None),
        ("", None),
    ],
)
def test_a_pod_has_what_the_device_plugin_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: str, gpus: int | None
) -> None:
    facts = observe(monkeypatch, {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "NVIDIA_VISIBLE_DEVICES": asked})
    told_by = "NVIDIA_VISIBLE_DEVICES" if gpus else None
    assert facts == Allocation(scheduler="kubernetes", gpus=gpus, gpus_told_by=told_by)


def test_a_pod_is_told_by_its_account_and_by_mounts(tmp_path: Path) -> None:
    assert allocation.observe(str(tmp_path)).outcome == "absent"
    (tmp_path / "var/run/secrets/kubernetes.io/serviceaccount").mkdir(parents=True)
    assert allocation.observe(str(tmp_path)).facts == Allocation(scheduler="kubernetes")
    folder = tmp_path / "var/run/nvidia-container-devices"
    folder.mkdir()
    (folder / "GPU-1a2b").touch()
    asked = {"NVIDIA_VISIBLE_DEVICES": "/var/run/nvidia-container-devices"}
    assert allocation.kubernetes(asked, str(tmp_path)).gpus == 1
    (folder / "odd").touch()
    assert allocation.kubernetes(asked, str(tmp_path)).gpus is None


def test_pbs_sets_what_cuda_reads_and_torque_lists_gpus(tmp_path: Path) -> None:
    job = {"CUDA_VISIBLE_DEVICES": "GPU-1a,GPU-2b", "NCPUS": "16"}
    told = Allocation(scheduler="pbs", gpus=2, gpus_told_by="CUDA_VISIBLE_DEVICES", cpus=16)
    assert allocation.pbs(job, str(tmp_path)) == told
    (tmp_path / "gpus").write_text("a1-gpu0\na1-gpu1\na1-gpu3\n")
    torque = {"PBS_GPUFILE": "/gpus", "PBS_NUM_PPN": "4", "PBS_NUM_NODES": "1"}
    told = Allocation(scheduler="pbs", gpus=3, gpus_told_by="PBS_GPUFILE", cpus=4, nodes=1)
    assert allocation.pbs(torque, str(tmp_path)) == told
    (tmp_path / "gpus").write_text("a1-gpu0\na2-gpu0\n")  # which of them are here is not told
    assert allocation.pbs(torque, str(tmp_path)).gpus is None


@pytest.mark.parametrize(("hosts", "cpus", "nodes"), [("h1 8", 8, 1), ("h1 4 h2 4", None, 2), ("", None, None)])
def test_lsf_tells_slots_of_all_machines(hosts: str, cpus: int | None, nodes: int | None) -> None:
    job = {"LSB_MCPU_HOSTS": hosts, "LSB_DJOB_NUMPROC": "8", "CUDA_VISIBLE_DEVICES": "0"}
    told = Allocation(scheduler="lsf", gpus=1, gpus_told_by="CUDA_VISIBLE_DEVICES", cpus=cpus, nodes=nodes)
    assert allocation.lsf(job) == told


@pytest.mark.parametrize(("name", "scheduler"), [("PBS_JOBID", "pbs"), ("LSB_JOBID", "lsf"), ("SLURM_JOB_ID", "slurm")])
def test_the_scheduler_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, scheduler: str) -> None:
    facts = observe(monkeypatch, {name: "1", "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert facts
    assert facts.scheduler == scheduler


def test_outside_of_jobs_there_is_no_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert observe(monkeypatch, {}) is None
