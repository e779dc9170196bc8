"""TensorFlow: its build from metadata; its devices and libraries by importing it."""

from __future__ import annotations

import os

from . import deep, distributions, literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# On Windows and macOS `tensorflow` is an empty wheel that requires another, so it is asked for last.
DISTRIBUTIONS = (
    "tensorflow-rocm", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws", "tensorflow-aarch64",
    "tensorflow-gpu", "tf-nightly", "tf-nightly-cpu", "tensorflow", "tensorflow-cpu",
)  # fmt: skip


def observe() -> dict[str, Any] | None:
    """The facts of the section `tensorflow`."""
    package = distributions.find(*DISTRIBUTIONS)
    if package is None:
        return None
    constants = literals.read(f"{package['location']}/tensorflow/python/platform/build_info.py") or {}
    build = dict(constants.get("build_info", {}))
    keras = distributions.find("keras", "keras-nightly")
    libraries = distributions.starting_with("nvidia-cudnn-cu", "nvidia-cublas")
    return {
        "version": package["version"],
        "distribution": package["name"],
        "location": package["location"],
        "cuda_build": build.get("is_cuda_build"),
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "architectures": build.get("cuda_compute_capabilities") or None,
        "rocm_build": build.get("is_rocm_build"),
        "keras": keras and keras["version"],
        "and_cuda": len({name.split("-")[1] for name in libraries}) == 2,
    }


def observe_deep() -> Iterator[dict[str, Any]]:
    """The facts of the section `tensorflow_deep`: once after the import, once more with the devices."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else looking would take each GPU's whole memory
    return deep.examine("tensorflow", _look)


def _look(tensorflow: Any) -> dict[str, Any]:
    gpu = "rocm" if deep.asked(tensorflow, "test.is_built_with_rocm") else "cuda"
    return {
        "devices": [_device(tensorflow, device, gpu) for device in tensorflow.config.list_physical_devices()],
        "cuda_build": deep.asked(tensorflow, "test.is_built_with_cuda"),
    }


def _device(tensorflow: Any, device: Any, gpu: str) -> dict[str, Any]:
    kind = gpu if device.device_type == "GPU" else device.device_type.lower()
    details = deep.asked(tensorflow, "config.experimental.get_device_details", device) or {}
    capability = details.get("compute_capability")
    return {
        "kind": kind,
        "name": details.get("device_name"),
        "compute_capability": ".".join(map(str, capability)) if capability else None,
        **(deep.tried(lambda: _sum(tensorflow, device.name)) if kind != "cpu" else {}),
    }


def _sum(tensorflow: Any, name: str) -> float:
    """On the device that is called "/physical_device:GPU:0"."""
    kind = name.rpartition("physical_device:")[2]
    with tensorflow.device(kind):
        total = tensorflow.reduce_sum(tensorflow.ones(1024) + 1.0)
    if not total.device.endswith(kind):  # TensorFlow goes elsewhere in silence
        raise RuntimeError(f"it was computed on {total.device}")
    return float(total.numpy())
