"""One line per area that says what is there. Pure."""

from __future__ import annotations

import math

from envkit.facts import Facts
from envkit.facts.accelerators import AmdGpu, NvidiaGpu
from envkit.findings import Finding, count
from envkit.knowledge import Knowledge
from envkit.profile import Profile

GIB = 1 << 30


def summarise(facts: Facts, profile: Profile, findings: list[Finding], knowledge: Knowledge) -> dict[str, str]:
    """Area to a line of facts; unknown things are said to be unknown."""
    lines = {
        "machine": _machine(facts),
        "accelerators": _accelerators(facts, knowledge),
        "container": _container(facts),
        "python": _python(facts),
        "frameworks": _frameworks(facts),
        "profile": _profile(profile, findings),
    }
    return {area: line for area, line in lines.items() if line}


def _machine(facts: Facts) -> str:
    system, cpu, memory = facts.system.facts, facts.cpu.facts, facts.memory.facts
    parts = []
    if system:
        virtual = system.virtual_machine not in {None, "none"} and not system.wsl
        parts += [system.distribution or system.os, "WSL" if system.wsl else None]
        parts += [f"{system.virtual_machine} guest" if virtual else None]
    if cpu:
        parts += [cpu.model, f"{cpu.threads} CPUs" if cpu.threads else None]
        limits = [limit for limit in (cpu.affinity_threads, cpu.cgroup_quota_cores) if isinstance(limit, float | int)]
        usable = min(limits, default=None)
        if usable and usable < (cpu.threads or math.inf):
            parts.append(f"limited to {usable:g}")
    if memory and memory.memory_total_bytes:
        parts.append(f"{memory.memory_total_bytes / GIB:.1f} GiB memory")
        if isinstance(memory.cgroup_limit_bytes, int):
            parts.append(f"limited to {memory.cgroup_limit_bytes / GIB:.1f} GiB")
    return ", ".join(p for p in (*parts, _job(facts)) if p)


def _job(facts: Facts) -> str:
    """What a scheduler says that it gave: "Slurm job with 2 GPUs and 16 CPUs"; a pod is told as a container."""
    allocation = facts.allocation.facts
    if allocation is None or allocation.scheduler == "kubernetes":
        return ""
    name = {"slurm": "Slurm"}.get(allocation.scheduler, allocation.scheduler.upper())
    if not allocation.on_node:
        return f"outside of its {name} job"
    given = [(allocation.gpus, "GPU"), (allocation.cpus, "CPU")]
    told = [count(number, noun) for number, noun in given if number]
    return f"{name} job" + (f" with {' and '.join(told)}" if told else "")


def _accelerators(facts: Facts, knowledge: Knowledge) -> str:
    parts: list[str] = []
    nvidia = facts.nvidia.facts
    if nvidia and nvidia.gpus:
        parts.append(_grouped([_nvidia_gpu(gpu, facts, knowledge) for gpu in nvidia.gpus]))
        parts.append(f"driver {nvidia.driver_version}" if nvidia.driver_version else "driver unknown")
    elif nvidia and nvidia.pci_devices:
        why = "none for this process" if nvidia.nvml.outcome == "ok" else "no driver that answers"
        parts.append(f"{_grouped(['NVIDIA GPU'] * len(nvidia.pci_devices))} on PCI, {why}")
    if facts.amd.facts and facts.amd.facts.gpus:
        parts.append(_amd_gpus(facts.amd.facts.gpus))
    if facts.tpu.facts and facts.tpu.facts.pci_devices:
        models = [knowledge.accelerators.tpu_model(device) for device in facts.tpu.facts.pci_devices]
        parts.append(_grouped([model.name if model else "Google TPU" for model in models]))
    if facts.intel.facts:
        parts.append(_grouped([g.name or "Intel GPU" for g in facts.intel.facts.gpus if g.kind == "discrete"]))
    if facts.apple.facts:
        parts.append(facts.apple.facts.chip or "Apple silicon")
    if any(parts):
        return ", ".join(filter(None, parts))
    asked = [s for s in (facts.nvidia, facts.amd, facts.tpu, facts.apple) if s.outcome == "unknown"]
    return "unknown" if asked else "none found"


def _amd_gpus(gpus: list[AmdGpu]) -> str:
    """Their names; where one is partitioned, how many parts there are of how many GPUs."""
    named = [(gpu.name or gpu.gfx or "AMD GPU", (gpu.pci_address or "").rpartition(".")[0]) for gpu in gpus]
    if not any(gpu.partition for gpu in gpus):
        return _grouped([name for name, _ in named])
    return f"{count(len(gpus), 'part')} of {_grouped([name for name, _ in dict.fromkeys(named)])}"


def _nvidia_gpu(gpu: NvidiaGpu, facts: Facts, knowledge: Knowledge) -> str:
    """Its name, and what its name does not say: the parts it is divided into, memory that is the machine's."""
    if not gpu.name:
        return "NVIDIA GPU that does not answer" if gpu.error else "NVIDIA GPU without a name"
    model, memory = knowledge.gpu_model(gpu.name), facts.memory.facts
    if model and model.unified_memory:
        total = memory.memory_total_bytes if memory else None
        shared = f"the machine's {total / GIB:.1f} GiB" if total else "the machine's"
        return f"{gpu.name} (unified memory, {shared})"
    parts = [device.profile or "MIG device" for device in gpu.mig or []]
    return f"{gpu.name} (MIG: {_grouped(parts)})" if parts else gpu.name


def _grouped(names: list[str]) -> str:
    """["A", "A", "B"] -> "2 x A, B"."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(name if number == 1 else f"{number} x {name}" for name, number in counts.items())


def _container(facts: Facts) -> str:
    if facts.container.outcome == "absent":
        return "none"
    if not facts.container.facts:
        return "unknown"
    return facts.container.facts.runtime or "some container"


def _python(facts: Facts) -> str:
    python = facts.python.facts
    if not python:
        return "unknown"
    if not python.looked_into or not python.executable:
        return ", ".join(filter(None, (python.version, python.executable))) or "version unknown"
    kind = "conda" if python.conda else "virtual environment" if python.virtual_environment else "system"
    how = f"{kind}, {python.found_by}" if python.found_by not in {None, "--python"} else kind
    return f"{python.version}, {python.executable} ({how}), {count(len(python.packages), 'package')}"


def _frameworks(facts: Facts) -> str:
    parts = []
    if torch := facts.torch.facts:
        build = f"CUDA {torch.cuda}" if torch.cuda else f"ROCm {torch.hip}" if torch.hip else ""
        parts.append(f"PyTorch {torch.version}" + (f" ({build})" if build else ""))
    if tensorflow := facts.tensorflow.facts:
        build = f" (CUDA {tensorflow.cuda})" if tensorflow.cuda else ""
        parts.append(f"TensorFlow {tensorflow.version}{build}")
    if jax := facts.jax.facts:
        parts.append(f"JAX {jax.version}")
    unknown = [s for s in (facts.torch, facts.tensorflow, facts.jax) if s.outcome == "unknown"]
    return ", ".join(parts) or ("unknown" if unknown else "none installed")


def _profile(profile: Profile, findings: list[Finding]) -> str:
    if not profile.name:
        return ""
    passed = {f.check for f in findings if f.status == "pass"}
    as_pinned = passed >= {"frameworks-missing", "profile-packages-differ", "python-unsupported"}
    return f"{profile.name}: packages as pinned" if as_pinned else profile.name
