"""What a scheduler gave a job or a pod, beside what is here: GPUs, processors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import grave, judged, shut, usable
from envkit.findings import Findings, Remedy, count, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.cluster import Allocation
    from envkit.facts.machine import Cpu
    from envkit.profile import Profile

_NAMES = {"slurm": "Slurm", "kubernetes": "Kubernetes", "pbs": "PBS", "lsf": "LSF"}
_GPU_NODE = re.compile(r"/dev/nvidia\d+")
_HAND_OVER = {
    "kubernetes": "have NVIDIA's runtime start the pod (runtimeClassName: nvidia, or the node's default runtime), "
    "or the device plugin hand GPUs over by CDI",
    "slurm": "ask the administrator: gres.conf of this node does not fit the GPUs that it has",
}


def _seen(nvidia: Nvidia | None, facts: Facts) -> int | None:
    """How many GPUs or MIG devices this process sees; None where the driver does not say."""
    container = facts.container.facts
    if nvidia is None or (container and container.nvidia_device_nodes == 0):
        return 0
    gpus = usable(nvidia)
    if nvidia.nvml.outcome == "ok" and not any(gpu.mig_mode == "enabled" and gpu.mig is None for gpu in gpus):
        return sum(len(gpu.mig or []) if gpu.mig_mode == "enabled" else 1 for gpu in gpus)
    nodes = [node for node in nvidia.device_nodes if _GPU_NODE.fullmatch(node.path)]
    return 0 if nodes and len(shut(nodes)) == len(nodes) else None


def _visible_devices(facts: Facts) -> str:
    return facts.python.facts.environment.get("CUDA_VISIBLE_DEVICES", "") if facts.python.facts else ""


@check(area="accelerators")
def scheduler_no_gpu(allocation: Allocation, nvidia: Nvidia | None, facts: Facts, profile: Profile) -> Findings:
    """The scheduler gave this job or pod no GPU, or none of those that it gave is here; the driver is not to blame.

    A job of Slurm that asks for no GPU runs on machines with GPUs, too, and is kept from them.
    """
    others = facts.amd.facts is not None and bool(facts.amd.facts.gpus)
    withheld = _seen(nvidia, facts) == 0 or _visible_devices(facts) == "NoDevFiles"
    on_pci = len(nvidia.pci_devices or []) if nvidia else 0
    wanted = profile.requires.accelerator == "nvidia" or on_pci > 0 or bool(allocation.gpus)
    if not judged(profile) or others or not withheld or not wanted:
        return
    name, kind = _NAMES[allocation.scheduler], "pod" if allocation.scheduler == "kubernetes" else "job"
    evidence = [f"{count(on_pci, 'NVIDIA GPU')} on the PCI bus of this machine"] if on_pci else []
    if not allocation.on_node:
        message, evidence = f"this shell belongs to a {kind} of {name}, but does not run on a machine of the job", []
        remedy = Remedy(text="start the program by srun, or take a shell there", commands=[["srun", "--pty", "bash"]])
    elif allocation.gpus == 0:
        message = f"{name} gave this {kind} no GPU: it asked for none"
        remedy = Remedy(text="ask for GPUs when it is submitted (sbatch, srun, salloc: --gres=gpu:1)")
    elif allocation.gpus:
        message = f"{name} gave this {kind} {count(allocation.gpus, 'GPU')}, and none is here"
        evidence.insert(0, f"{allocation.gpus_told_by} names {allocation.gpus}, this process can open none")
        text = _HAND_OVER.get(allocation.scheduler, "ask the administrator how jobs are given GPUs on this machine")
        remedy = Remedy(text=text, who="admin")
    else:
        return
    yield grave(profile)(message, evidence=evidence, remedy=remedy)


@check(
    area="accelerators",
    after=("gpu-lost", "gpu-needs-reset", "gpu-unreadable", "gpu-init-fails", "gpu-unsupported-by-driver"),
)
def allocated_gpus_missing(allocation: Allocation, nvidia: Nvidia, facts: Facts, profile: Profile) -> Findings:
    """This process sees fewer GPUs than the scheduler gave it.

    Where CUDA_VISIBLE_DEVICES is shorter than the allocation, as for one of several tasks, it counts.
    """
    listed = len([entry for entry in _visible_devices(facts).split(",") if entry])
    expected = min(allocation.gpus or 0, listed or allocation.gpus or 0)
    seen = _seen(nvidia, facts)
    if judged(profile) and seen is not None and 0 < seen < expected:
        yield grave(profile)(
            f"{seen} of the {expected} GPUs are here that {_NAMES[allocation.scheduler]} gave",
            evidence=[f"{allocation.gpus_told_by} names {allocation.gpus}", f"NVML shows {seen}"],
            remedy=Remedy(
                text="have the machine drained and looked at (nvidia-smi, dmesg), and run the job on another",
                who="admin",
            ),
        )


@check(area="machine", after="cpu-oversubscribed")
def threads_over_allocation(allocation: Allocation, cpu: Cpu, facts: Facts, *, factor: float = 2.0) -> Findings:
    """More threads are started than the scheduler gave this job processors, whose other owners they slow down.

    OpenMP starts a thread for each processor that it may run on; OMP_NUM_THREADS says otherwise. factor: at most so
    many threads for each processor, for a scheduler may count cores, which run two.
    """
    cpus, python = allocation.cpus_per_task or allocation.cpus, facts.python.facts
    said = python.environment.get("OMP_NUM_THREADS", "") if python else ""
    threads = int(said) if said.isdecimal() and int(said) else cpu.affinity_threads or cpu.threads
    if cpus and threads and threads > factor * cpus:
        name = _NAMES[allocation.scheduler]
        yield warn(
            f"{threads} threads will share the {count(cpus, 'processor')} that {name} gave",
            evidence=[f"OMP_NUM_THREADS={said}" if said else "OMP_NUM_THREADS is not set"],
            remedy=Remedy(
                text="start as many threads as processors, or ask for more (Slurm: --cpus-per-task)",
                commands=[["export", f"OMP_NUM_THREADS={cpus}"]],
            ),
        )
