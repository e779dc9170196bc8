"""The CUDA that a profile names against the one PyTorch was built for."""

from __future__ import annotations

import pytest

from envkit.checks.profile_match import profile_cuda_differs
from envkit.facts.software import Python, Torch
from envkit.profile import Profile, Requires

PYTHON = Python(executable="/env/bin/python", version="3.11.9")
CUDA12 = Profile(name="cuda12", requires=Requires(accelerator="nvidia", cuda="12.8"))


def test_profile_cuda_differs_fires() -> None:
    (finding,) = profile_cuda_differs(Torch(version="2.10.0+cu126", cuda="12.6"), PYTHON, CUDA12)
    assert finding.status == "warn"
    assert finding.message == "PyTorch 2.10.0+cu126 is built for CUDA 12.6, profile cuda12 wants 12.8"


@pytest.mark.parametrize("cuda", ["12.8", "12.8.1", None])
def test_profile_cuda_differs_near_miss(cuda: str | None) -> None:
    assert not list(profile_cuda_differs(Torch(version="2.10.0", cuda=cuda), PYTHON, CUDA12))
    assert not list(profile_cuda_differs(Torch(version="2.10.0", cuda="12.6"), PYTHON, Profile(name="mine")))
