"""What a framework cannot do on this operating system or with this much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import judged, usable
from envkit.checks.memory import size
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import satisfies

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.machine import Memory, System
    from envkit.facts.software import Tensorflow
    from envkit.profile import Profile


@check(area="frameworks")
def tensorflow_on_windows(tensorflow: Tensorflow, system: System, facts: Facts, profile: Profile) -> Findings:
    """TensorFlow after 2.10 does not use GPUs on native Windows."""
    if system.os == "windows" and usable(facts.nvidia.facts) and satisfies(tensorflow.version, ">2.10.99"):
        yield (fail if profile.wants_gpu else warn)(
            f"TensorFlow {tensorflow.version} does not use the GPU on native Windows",
            evidence=["support ended with TensorFlow 2.10 (TensorFlow pip guide)"],
            remedy=Remedy(text="use WSL 2, or PyTorch"),
        )


@check(area="machine")
def memory_below_gpu_memory(memory: Memory, nvidia: Nvidia, profile: Profile, *, share: float = 0.1) -> Findings:
    """The machine has far less memory than its GPUs: loading data and checkpoints will be short of it.

    share: of the GPUs' memory; twice as much as the GPUs have is advised (RAPIDS).
    """
    gpus = usable(nvidia) if judged(profile) else []
    total = sum(gpu.memory_total_bytes or 0 for gpu in gpus)
    have = memory.memory_total_bytes
    if have is not None and total and have < share * total:
        yield warn(
            f"{size(have)} of memory beside {size(total)} in {len(gpus)} GPUs",
            evidence=[f"at least {share:.0%} of the GPUs' memory is expected"],
            remedy=Remedy(text="use a machine with more memory; load checkpoints straight to the GPUs, in parts"),
        )
