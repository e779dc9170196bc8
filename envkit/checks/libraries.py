"""What a framework's own process tells (with --deep): its libraries, of the right version and once; its devices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import NVIDIA_TROUBLE
from envkit.checks._packages import installed
from envkit.findings import Findings, Remedy, fail, warn
from envkit.versions import minor, release, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.facts.software import JaxDeep, Python, TensorflowDeep, Torch, TorchDeep

_NAMES = "cudart|cudnn\\w*|cublas(?:Lt)?|cufft\\w*|curand|cusolver\\w*|cusparse(?:Lt)?|cupti|nccl|nvrtc|nvJitLink"
_CUDA = re.compile(rf"(lib(?:{_NAMES}))\.so\.(\d+)")
_OPENMP = re.compile(r"(lib(?:iomp5|omp))(?:-\w+)?\.so")


def _mapped(
    torch: TorchDeep | None, tensorflow: TensorflowDeep | None, jax: JaxDeep | None
) -> Iterator[tuple[str, list[str]]]:
    """Each framework that was imported, and the paths of its process."""
    for name, deep in (("PyTorch", torch), ("TensorFlow", tensorflow), ("JAX", jax)):
        if deep:
            yield name, deep.libraries


@check(area="frameworks", after=("framework-libraries-shadowed", "mixed-cuda-majors"))
def library_mapped_twice(
    torch_deep: TorchDeep | None, tensorflow_deep: TensorflowDeep | None, jax_deep: JaxDeep | None
) -> Findings:
    """One CUDA library is loaded twice, from two places or in two major versions, into one process."""
    for name, paths in _mapped(torch_deep, tensorflow_deep, jax_deep):
        found: dict[str, dict[str, str]] = {}
        for path in paths:
            if match := _CUDA.match(path.rpartition("/")[2]):
                found.setdefault(match[1], {})[path] = match[2]
        twice = {library: places for library, places in found.items() if len(places) > 1}
        if twice:
            yield warn(
                f"{name} has loaded two copies of {', '.join(sorted(twice))}",
                subject=name,
                evidence=[path for places in twice.values() for path in places],
                remedy=Remedy(text="keep one CUDA in the environment, and unset LD_LIBRARY_PATH"),
            )


@check(
    area="frameworks",
    after=(
        *NVIDIA_TROUBLE,
        "driver-too-old-for-torch",
        "gpu-arch-not-in-torch",
        "gpu-arch-not-in-tensorflow",
        "gpu-arch-not-in-jax",
    ),
)
def gpu_computation_fails(
    torch_deep: TorchDeep | None, tensorflow_deep: TensorflowDeep | None, jax_deep: JaxDeep | None
) -> Findings:
    """A framework sees a device, and a small computation on it fails or comes out wrong (--deep tries one)."""
    for name, deep in (("PyTorch", torch_deep), ("TensorFlow", tensorflow_deep), ("JAX", jax_deep)):
        devices = [device for device in deep.devices if device.kind != "cpu"] if deep else []
        for index, device in enumerate(devices):
            if device.computes is False:
                yield fail(
                    f"{name} cannot compute on it",
                    subject=f"{device.name or device.kind} {index}",
                    evidence=[device.error or "a wrong sum"],
                    remedy=Remedy(
                        text="read the framework's words: memory that others hold, an exclusive mode, or a fault of "
                        "the GPU (then look for NVRM messages in the kernel's log, reset it or reboot)"
                    ),
                )


@check(area="frameworks")
def duplicate_openmp_runtime(
    torch_deep: TorchDeep | None, tensorflow_deep: TensorflowDeep | None, jax_deep: JaxDeep | None
) -> Findings:
    """Two copies of LLVM's or Intel's OpenMP runtime are in one process: it aborts (OMP: Error #15) or hangs."""
    for name, paths in _mapped(torch_deep, tensorflow_deep, jax_deep):
        copies = [path for path in paths if _OPENMP.match(path.rpartition("/")[2])]
        if len(copies) > 1:
            yield warn(
                f"{name} has loaded {len(copies)} copies of the OpenMP runtime",
                subject=name,
                evidence=copies,
                remedy=Remedy(text="install NumPy and the framework from one source (all by pip, or all by conda)"),
            )


@check(area="frameworks", after=("framework-libraries-shadowed", "nvidia-pin-mismatch"))
def cudnn_version_mismatch(torch: Torch, torch_deep: TorchDeep) -> Findings:
    """The cuDNN that PyTorch has loaded is older than the one it was built with, or of another major version.

    PyTorch refuses such; an older patch of the same minor version it takes.
    """
    fitting = f"~={minor(torch.cudnn)}" if torch.cudnn else ""
    if torch_deep.cudnn and satisfies(torch_deep.cudnn, fitting) is False:
        yield fail(
            f"cuDNN {torch_deep.cudnn} is loaded, PyTorch {torch.version} was built with {torch.cudnn}",
            evidence=[path for path in torch_deep.libraries if "libcudnn" in path][:4],
            remedy=Remedy(text="unset LD_LIBRARY_PATH, and reinstall PyTorch with the cuDNN it requires"),
        )


@check(area="frameworks", after=("framework-libraries-shadowed", "nvidia-pin-mismatch"))
def nccl_version_mismatch(python: Python, torch_deep: TorchDeep) -> Findings:
    """PyTorch has loaded another NCCL than the one that is installed for it."""
    packages = installed(python)
    own = next((p.version for name, p in packages.items() if name.startswith("nvidia-nccl-cu") and p.version), None)
    if own and torch_deep.nccl and release(own) != release(torch_deep.nccl):
        yield warn(
            f"NCCL {torch_deep.nccl} is loaded, {own} is installed in the environment",
            evidence=[path for path in torch_deep.libraries if "libnccl" in path],
            remedy=Remedy(text="unset LD_LIBRARY_PATH and LD_PRELOAD"),
        )
