"""What a bench needs to know of the machine, from its facts. Pure."""

from __future__ import annotations

from envkit.bench.types import Machine
from envkit.facts import Facts

FALLBACK_BYTES = 1 << 30


def machine_of(facts: Facts) -> Machine:
    """What a baseline must have in common with this machine."""
    cpu, nvidia, amd, apple = facts.cpu.facts, facts.nvidia.facts, facts.amd.facts, facts.apple.facts
    names = [gpu.name for gpu in (nvidia.gpus or [] if nvidia else [])]
    names += [gpu.name for gpu in (amd.gpus or [] if amd else [])]
    names += [apple.chip] if apple else []
    model = cpu.model if cpu else None
    return Machine(cpu=model, gpus=sorted(name for name in names if name), processors=usable_processors(facts))


def usable_processors(facts: Facts) -> int:
    """Threads that can run at once: what the scheduler and the control group allow; 1 where neither is known."""
    cpu = facts.cpu.facts
    allowed = (cpu.affinity_threads or cpu.threads or 1) if cpu else 1
    quota = cpu.cgroup_quota_cores if cpu else None
    return max(1, min(allowed, int(quota))) if isinstance(quota, float) else allowed


def free_memory(facts: Facts) -> int:
    """Bytes that are free of the host's memory and of what the control group allows."""
    memory = facts.memory.facts
    left = memory.left_bytes if memory else None
    return FALLBACK_BYTES if left is None else left
