"""One line per area that says what is there. Pure."""

from __future__ import annotations

from envkit.facts import Facts
from envkit.findings import Finding, count
from envkit.profile import Profile

GIB = 1 << 30


def summarise(facts: Facts, profile: Profile, findings: list[Finding]) -> dict[str, str]:
    """Area to a line of facts; unknown things are said to be unknown."""
    lines = {
        "machine": _machine(facts),
        "accelerators": _accelerators(facts),
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
        quota = cpu.cgroup_quota_cores
        if isinstance(quota, float | int):
            parts.append(f"limited to {quota:g}")
    if memory and memory.memory_total_bytes:
        parts.append(f"{memory.memory_total_bytes / GIB:.1f} GiB memory")
        if isinstance(memory.cgroup_limit_bytes, int):
            parts.append(f"limited to {memory.cgroup_limit_bytes / GIB:.1f} GiB")
    return ", ".join(p for p in parts if p)


def _accelerators(facts: Facts) -> str:
    parts: list[str] = []
    nvidia = facts.nvidia.facts
    if nvidia and nvidia.gpus:
        parts.append(_grouped([gpu.name or "NVIDIA GPU that does not answer" for gpu in nvidia.gpus]))
        parts.append(f"driver {nvidia.driver_version}" if nvidia.driver_version else "driver unknown")
    elif nvidia and nvidia.pci_devices:
        parts.append(f"{_grouped(['NVIDIA GPU'] * len(nvidia.pci_devices))} on PCI, no driver that answers")
    if facts.amd.facts and facts.amd.facts.gpus:
        parts.append(_grouped([gpu.name or gpu.gfx or "AMD GPU" for gpu in facts.amd.facts.gpus]))
    if facts.tpu.facts and facts.tpu.facts.pci_devices:
        parts.append(_grouped(["Google TPU"] * len(facts.tpu.facts.pci_devices)))
    if facts.apple.facts:
        parts.append(facts.apple.facts.chip or "Apple silicon")
    if parts:
        return ", ".join(parts)
    asked = [s for s in (facts.nvidia, facts.amd, facts.tpu, facts.apple) if s.outcome == "unknown"]
    return "unknown" if asked else "none found"


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
