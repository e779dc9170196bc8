"""What a scheduler gave this process: Slurm, Kubernetes, PBS, LSF, by the variables that they set.

Sources: srun(1) and sbatch(1), OUTPUT ENVIRONMENT VARIABLES; NVIDIA/k8s-device-plugin, README; PBS Professional user's
guide, "Environment variables"; TORQUE, "NVIDIA GPGPUs"; IBM Spectrum LSF, "Environment variables set for job
execution".
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from envkit.facts import Section, absent, ok
from envkit.facts.cluster import Allocation
from envkit.probes.files import exists, list_dir, number, read_text

MIB = 1024**2
DEVICES = "/var/run/nvidia-container-devices"
# A GPU or a MIG device as NVIDIA's device plugin names it: by UUID, or by index.
DEVICE = re.compile(r"(GPU|MIG)-[\w/-]+|\d+(:\d+)?")
Variables = Mapping[str, str]


def observe(root: str = "/") -> Section[Allocation]:
    """The allocation, by variables of this process, which the inspected Python inherits."""
    variables: Variables = os.environ if root == "/" else {}
    if variables.get("SLURM_JOB_ID"):
        return ok(slurm(variables))
    if variables.get("LSB_JOBID"):
        return ok(lsf(variables))
    if variables.get("PBS_JOBID"):
        return ok(pbs(variables, root))
    if variables.get("KUBERNETES_SERVICE_HOST") or exists(root, "/var/run/secrets/kubernetes.io/serviceaccount"):
        return ok(kubernetes(variables, root))
    return absent("no SLURM_JOB_ID, LSB_JOBID, PBS_JOBID or KUBERNETES_SERVICE_HOST")


def slurm(variables: Variables) -> Allocation:
    """A step tells its own GPUs, which may be fewer than the job's; those stay set also where a step was given none."""
    nodes = _number(variables, "SLURM_NNODES")
    if not {"SLURMD_NODENAME", "SLURM_NODEID"} & set(variables):  # the shell of salloc, on the machine it was typed at
        return Allocation(scheduler="slurm", on_node=False, nodes=nodes)
    names = ("SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE", *(() if "SLURM_STEP_ID" in variables else ("SLURM_JOB_GPUS",)))
    told_by = next((name for name in names if variables.get(name)), None)
    gpus, cpus = _slurm_gpus(variables, told_by) if told_by else 0, _number(variables, "SLURM_CPUS_ON_NODE")
    return Allocation(
        scheduler="slurm",
        gpus=gpus,
        gpus_told_by=told_by,
        cpus=cpus,
        cpus_per_task=_number(variables, "SLURM_CPUS_PER_TASK"),
        memory_bytes=_slurm_memory(variables, cpus, gpus),
        nodes=nodes,
        tasks=_number(variables, "SLURM_NTASKS"),
    )


def _slurm_gpus(variables: Variables, name: str) -> int | None:
    """A number, or the numbers of the GPUs: "0,1,4"; "NoDevFiles" in older versions: none."""
    if name == "SLURM_GPUS_ON_NODE":
        return _number(variables, name)
    return 0 if variables[name] == "NoDevFiles" else _counted(variables[name], r"\d+")


def _slurm_memory(variables: Variables, cpus: int | None, gpus: int | None) -> int | None:
    """In MiB for the machine, for each processor or for each GPU; 0 stands for all there is."""
    for name, times in (("SLURM_MEM_PER_NODE", 1), ("SLURM_MEM_PER_CPU", cpus), ("SLURM_MEM_PER_GPU", gpus)):
        size = _number(variables, name)
        if size and times:
            return size * times * MIB
    return None


def kubernetes(variables: Variables, root: str) -> Allocation:
    """The devices that NVIDIA's plugin asked the container runtime for.

    An image may set the variable, too, to "all"; what hands GPUs over otherwise (CDI) sets it to "void".
    """
    name = "NVIDIA_VISIBLE_DEVICES"
    asked = variables.get(name, "")
    if asked == DEVICES:
        name, asked = DEVICES, ",".join(list_dir(root, DEVICES) or [])
    gpus = _counted(asked, DEVICE.pattern) or None
    return Allocation(scheduler="kubernetes", gpus=gpus, gpus_told_by=name if gpus else None)


def pbs(variables: Variables, root: str) -> Allocation:
    """TORQUE lists GPUs in a file, a line "host-gpu0" for each; PBS Professional sets what CUDA reads."""
    lines = (read_text(root, variables.get("PBS_GPUFILE", "")) or "").split()
    one_machine = len({line.rpartition("-gpu")[0] for line in lines}) == 1
    listed = (len(lines), "PBS_GPUFILE") if one_machine else (None, None)
    gpus, told_by = listed if lines else _visible(variables)
    return Allocation(
        scheduler="pbs",
        gpus=gpus,
        gpus_told_by=told_by,
        cpus=_number(variables, "NCPUS") or _number(variables, "PBS_NUM_PPN"),
        nodes=_number(variables, "PBS_NUM_NODES"),
    )


def lsf(variables: Variables) -> Allocation:
    """LSF sets what CUDA reads; its slots are of one machine only where the job has no other."""
    machines = len(variables.get("LSB_MCPU_HOSTS", "").split()) // 2  # "host1 8 host2 8"
    gpus, told_by = _visible(variables)
    return Allocation(
        scheduler="lsf",
        gpus=gpus,
        gpus_told_by=told_by,
        cpus=_number(variables, "LSB_DJOB_NUMPROC") if machines == 1 else None,
        nodes=machines or None,
    )


def _visible(variables: Variables) -> tuple[int | None, str | None]:
    name = "CUDA_VISIBLE_DEVICES"
    gpus = _counted(variables.get(name, ""), DEVICE.pattern)
    return (gpus, name) if gpus else (None, None)


def _number(variables: Variables, name: str) -> int | None:
    told = number(variables.get(name))
    return told if told is not None and told >= 0 else None


def _counted(text: str, pattern: str) -> int | None:
    """How many different things of this form a list has; None when it has anything else."""
    items = {item.strip() for item in text.split(",")}
    return len(items) if all(re.fullmatch(pattern, item) for item in items) else None
