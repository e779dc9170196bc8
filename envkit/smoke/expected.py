"""Which smoke runs a machine should pass: those of its profile, or every framework on the device found."""

from __future__ import annotations

import pkgutil
from typing import get_args

from envkit.facts import Facts
from envkit.profile import Device, Framework, Profile, SmokeRun
from envkit.smoke import adapters


def expected_runs(profile: Profile, facts: Facts) -> list[SmokeRun]:
    """The profile's runs; without any, each installed framework on the accelerator or CPU.

    A CPU build beside a GPU is asked for the GPU all the same: that it cannot is what the run is to show.
    """
    if profile.smoke:
        return list(profile.smoke)
    adapted = {info.name for info in pkgutil.iter_modules(adapters.__path__)}
    frameworks = [name for name in get_args(Framework) if name in adapted and getattr(facts, name).outcome == "ok"]
    return [SmokeRun(framework=framework, device=_device(framework, facts)) for framework in frameworks]


def _device(framework: Framework, facts: Facts) -> Device:
    nvidia, amd, torch, tensorflow = facts.nvidia.facts, facts.amd.facts, facts.torch.facts, facts.tensorflow.facts
    if nvidia and any(gpu.error is None for gpu in nvidia.gpus or []):
        return "cuda"
    built_for_rocm = torch and torch.hip if framework == "torch" else tensorflow and tensorflow.rocm_build
    if amd and amd.gpus and built_for_rocm:
        return "rocm"
    if facts.apple.outcome == "ok" and framework == "torch":
        return "mps"
    return "cpu"
