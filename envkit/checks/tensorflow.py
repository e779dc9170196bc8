"""TensorFlow: the right build for the machine, and with the libraries that its GPU support loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.checks import check
from envkit.checks._gpus import (
    ACCELERATOR_TROUBLE,
    NVIDIA_TROUBLE,
    has_nvidia_gpu,
    judged,
    out_of_reach,
    usable,
    without_accelerator,
)
from envkit.checks._packages import repair, uninstall, wants
from envkit.findings import Findings, Remedy, fail, warn

if TYPE_CHECKING:
    from envkit.facts import Facts
    from envkit.facts.accelerators import Nvidia
    from envkit.facts.software import Tensorflow, TensorflowDeep
    from envkit.profile import Profile


_LOADED_FOR_A_GPU = ("libcudart", "libcublas", "libcublasLt", "libcufft", "libcusolver", "libcusparse", "libcudnn")
"""What TensorFlow loads before it takes a GPU; without one of them it takes none."""


def _cpu_is_meant(profile: Profile) -> bool:
    """Profiles of CUDA 13 install tensorflow-cpu on purpose: there is no TensorFlow for CUDA 13."""
    return wants(profile, ("tensorflow-cpu", "tf-nightly-cpu"))


@check(area="frameworks", after=ACCELERATOR_TROUBLE)
def tensorflow_trains_on_cpu(tensorflow: Tensorflow, facts: Facts, profile: Profile) -> Findings:
    """TensorFlow trains on the CPU, for there is no accelerator it could use."""
    if out_of_reach(facts, profile) and profile.requires.accelerator != "tpu" and not _cpu_is_meant(profile):
        yield warn(f"TensorFlow {tensorflow.version} {without_accelerator(facts)}")


@check(area="frameworks")
def tensorflow_cpu_build_on_gpu_host(tensorflow: Tensorflow, facts: Facts, profile: Profile) -> Findings:
    """TensorFlow is a build without CUDA on a machine with an NVIDIA GPU, so it trains on the CPU."""
    if not judged(profile) or not has_nvidia_gpu(facts):
        return
    if tensorflow.cuda_build is not False or tensorflow.rocm_build or _cpu_is_meant(profile):
        return
    found = fail if profile.wants_gpu else warn
    version = tensorflow.version.partition("+")[0]
    torch = facts.torch.facts
    if torch and torch.cuda and not torch.cuda.startswith("12."):
        # Its CUDA 12 libraries and PyTorch's would overwrite each other.
        remedy = Remedy(
            text=f"give TensorFlow, which has builds for CUDA 12 only, an environment apart from this PyTorch's CUDA "
            f"{torch.cuda}",
            commands=[["envkit", "setup", "--profile", "cuda12", "--venv", ".venv-tensorflow"]],
        )
    else:
        remedy = Remedy(
            text="uninstall it and install the build for CUDA",
            commands=[
                uninstall(facts.python.facts, tensorflow.distribution),
                *repair(facts.python.facts, profile, f"tensorflow[and-cuda]=={version}"),
            ],
            safe=True,
        )
    yield found(
        f"{tensorflow.distribution} {tensorflow.version} is built without CUDA, and this machine has an NVIDIA GPU",
        evidence=["build_info.py: is_cuda_build False"],
        remedy=remedy,
    )


@check(area="frameworks", after="tensorflow-cpu-build-on-gpu-host")
def tensorflow_cuda_libraries_missing(tensorflow: Tensorflow, facts: Facts, profile: Profile) -> Findings:
    """TensorFlow is built for CUDA, but the libraries of its and-cuda extra are not installed.

    Unless the system has CUDA and cuDNN of the right versions, TensorFlow then skips the GPU.
    """
    if judged(profile) and usable(facts.nvidia.facts) and tensorflow.cuda_build and tensorflow.and_cuda is False:
        version = tensorflow.version.partition("+")[0]
        yield warn(
            f"TensorFlow {tensorflow.version} is installed without its CUDA libraries",
            evidence=["neither nvidia-cudnn-cu12 with nvidia-cublas-cu12 nor another set of them is installed"],
            remedy=Remedy(
                text="install the and-cuda extra",
                commands=repair(facts.python.facts, profile, f"tensorflow[and-cuda]=={version}"),
                safe=True,
            ),
        )


@check(
    area="frameworks",
    after=(
        *NVIDIA_TROUBLE,
        "tensorflow-cuda-libraries-missing",
        "driver-too-old-for-tensorflow",
        "gpu-arch-not-in-tensorflow",
        "framework-libraries-shadowed",
    ),
)
def tensorflow_sees_no_gpu(
    tensorflow: Tensorflow, tensorflow_deep: TensorflowDeep, nvidia: Nvidia, profile: Profile
) -> Findings:
    """TensorFlow is built for CUDA, there is a GPU, and TensorFlow does not see it."""
    seen = [device for device in tensorflow_deep.devices if device.kind != "cpu"]
    built = tensorflow.cuda_build and tensorflow_deep.imported
    if judged(profile) and built and not seen and usable(nvidia) and tensorflow_deep.error is None:
        found = fail if profile.wants_gpu else warn
        loaded = {path.rpartition("/")[2].partition(".so")[0] for path in tensorflow_deep.libraries}
        missing = [library for library in _LOADED_FOR_A_GPU if library not in loaded]
        yield found(
            "TensorFlow sees no GPU",
            evidence=["tf.config.list_physical_devices() has the CPU only"]
            + ([f"not loaded: {', '.join(missing)}"] if missing else []),
            remedy=Remedy(
                text="read what TensorFlow says when it looks for devices (TF_CPP_MIN_LOG_LEVEL=0): "
                "it names the library it could not load"
            ),
        )
