"""Reports for bug trackers: Hugging Face, Lightning, Ultralytics, JAX, TensorFlow, MMEngine, SGLang."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.readers import (
    accelerate_env,
    jax_env,
    lightning_env,
    mmengine_env,
    tf_env,
    ultralytics_env,
)

ACCELERATE = """\
- `Accelerate` version: 0.33.0
- Platform: Linux-5.4.0-1043-gcp-x86_64-with-glibc2.31
- `accelerate` bash location: /usr/local/bin/accelerate
- Python version: 3.10.14
- Numpy version: 1.26.4
- PyTorch version (GPU?): 2.4.0+cu121 (False)
- PyTorch XPU available: False
- System RAM: 334.58 GB
- GPU type: NVIDIA A100-SXM4-80GB
"""
LIGHTNING = """\
* CUDA:
\t- GPU:
\t\t- NVIDIA GeForce RTX 4090
\t\t- NVIDIA GeForce RTX 4090
\t- available:         True
\t- version:           11.8
* Lightning:
\t- lightning:         2.5.1
\t- torch:             2.6.0
* Packages:
\t- numpy:             1.26.4
* System:
\t- OS:                Linux
\t- architecture:
\t\t- 64bit
\t\t- ELF
\t- processor:         x86_64
\t- python:            3.9.18
\t- release:           5.15.0-131-generic
"""
JAX = """\
jax:    0.4.33
jaxlib: 0.4.33
numpy:  1.26.4
python: 3.10.12 (main, Sep 11 2024, 15:47:36) [GCC 11.4.0]
device info: NVIDIA A10G-8, 8 local devices"
process_count: 1
platform: uname_result(system='Linux', node='x', release='6.8.0-1017-aws', version='#18 SMP', machine='x86_64')
"""
TENSORFLOW = """\
== check python ===================================================
python version: 3.8.10
== check os platform ===============================================
os: Linux
os platform: Linux-5.4.0-42-generic-x86_64-with-glibc2.29
== check pips ===================================================
numpy                   1.23.5
protobuf                3.19.4
tensorflow              2.11.0
== tensorflow import ============================================
tf.version.VERSION = 2.11.0
tf.version.GIT_VERSION = v2.11.0
== env ==========================================================
"""
SGLANG = """\
Python: 3.10.12 (main, Jul 29 2024, 16:56:48) [GCC 11.4.0]
CUDA available: True
GPU 0,1: Tesla T4
GPU 0,1 Compute Capability: 7.5
NVCC: Cuda compilation tools, release 12.2, V12.2.140
CUDA Driver Version: 535.104.05
PyTorch: 2.4.0+cu121
flashinfer: 0.1.4+cu121torch2.4
zmq: 24.0.1
"""
DETECTRON = """\
----------------------  ---------------------------------------------
sys.platform            linux
Python                  3.6.9 (default, Apr 18 2020, 01:56:04) [GCC 8.4.0]
PyTorch                 1.4.0 @/usr/lib/python3/dist-packages/torch
GPU available           False
GPU 0                   Tesla K80 (arch=3.7)
detectron2              0.2 @/home/detectron2
CUDA compiler           CUDA 10.2
PyTorch built with:
  - CUDA Runtime 10.0
  - NVCC architecture flags: -gencode;arch=compute_37,code=sm_37;-gencode;arch=compute_70,code=compute_70
"""


def some(found: Facts | None) -> Facts:
    assert found
    return found


def packages(found: Facts) -> dict[str, str | None]:
    assert found.python.facts
    return {package.name: package.version for package in found.python.facts.packages}


def test_accelerates_report_tells_whether_torch_sees_the_gpu() -> None:
    found = some(accelerate_env.read(f"some words\n{ACCELERATE}more words"))
    assert packages(found) == {"accelerate": "0.33.0", "numpy": "1.26.4", "torch": "2.4.0+cu121"}
    assert found.torch.facts
    assert found.torch.facts.cuda == "12.1"
    assert found.torch_deep.facts
    assert found.torch_deep.facts.cuda_available is False
    assert found.memory.facts
    assert found.memory.facts.memory_total_bytes == int(334.58 * 2**30)
    assert found.nvidia.facts
    assert [gpu.name for gpu in found.nvidia.facts.gpus or []] == ["NVIDIA A100-SXM4-80GB"]
    assert found.system.facts
    assert (found.system.facts.kernel, found.system.facts.libc_version) == ("5.4.0-1043-gcp", "2.31")


def test_a_framework_that_is_not_installed_is_no_package() -> None:
    text = "- `transformers` version: 4.36.2\n- Tensorflow version (GPU?): not installed (NA)\n- Flax version: NA\n"
    found = some(accelerate_env.read(text))
    assert packages(found) == {"transformers": "4.36.2"}
    assert found.tensorflow.outcome == "unknown"


def test_the_word_in_brackets_of_newer_reports_is_the_accelerator() -> None:
    text = "- `transformers` version: 4.57.0\n- PyTorch version (accelerator?): 2.8.0+cu128 ({})\n"
    seen = [some(accelerate_env.read(text.format(word))).torch_deep.facts for word in ("CUDA", "NA", "XPU")]
    assert [deep and deep.cuda_available for deep in seen] == [True, False, None]


def test_lightnings_report_has_its_groups() -> None:
    found = some(lightning_env.read(LIGHTNING))
    assert packages(found) == {"lightning": "2.5.1", "torch": "2.6.0", "numpy": "1.26.4"}
    assert found.torch.facts
    assert (found.torch.facts.cuda, found.torch.facts.build_known) == ("11.8", True)
    assert found.nvidia.facts
    assert [gpu.index for gpu in found.nvidia.facts.gpus or []] == [0, 1]
    assert found.system.facts
    assert (found.system.facts.kernel, found.system.facts.architecture) == ("5.15.0-131-generic", "x86_64")
    assert found.torch_deep.facts
    assert found.torch_deep.facts.cuda_available is True


def test_lightning_without_a_gpu_says_so_without_naming_one() -> None:
    text = LIGHTNING.replace("\t\t- NVIDIA GeForce RTX 4090\n", "").replace("True", "False").replace("11.8", "None")
    found = some(lightning_env.read(text))
    assert found.nvidia.facts is None
    assert found.torch.facts
    assert (found.torch.facts.cuda, found.torch.facts.build_known) == (None, True)


@pytest.mark.parametrize(
    ("line", "torch", "gpu"),
    [
        ("Ultralytics 8.3.0 🚀 Python-3.11.10 torch-2.5.1+cpu CPU (Intel Xeon 2.20GHz)", "2.5.1+cpu", None),
        ("Ultralytics YOLOv8.0.196 🚀 Python-3.10.12 torch-2.0.1 CUDA:0 (Tesla T4, 15102MiB)", "2.0.1", "Tesla T4"),
        ("YOLOv5 🚀 v7.0-72-g064365d Python-3.8.10 torch-1.13.0 CUDA:0 (Tesla T4, 15110MiB)", "1.13.0", "Tesla T4"),
    ],
)  # fmt: skip
def test_the_line_of_ultralytics(line: str, torch: str, gpu: str | None) -> None:
    found = some(ultralytics_env.read(f"x\n{line}\ny"))
    assert packages(found)["torch"] == torch
    names = [card.name for card in found.nvidia.facts.gpus or []] if found.nvidia.facts else []
    assert names == ([gpu] if gpu else [])
    assert found.torch_deep.facts
    assert found.torch_deep.facts.cuda_available is (True if gpu else None)


def test_jaxs_report_has_versions_system_and_devices() -> None:
    found = some(jax_env.read(JAX))
    assert found.jax.facts
    assert (found.jax.facts.version, found.jax.facts.jaxlib) == ("0.4.33", "0.4.33")
    assert found.jax_deep.facts
    assert [(d.kind, d.name) for d in found.jax_deep.facts.devices] == [("cuda", "NVIDIA A10G")] * 8
    assert found.system.facts
    assert found.system.facts.kernel == "6.8.0-1017-aws"


@pytest.mark.parametrize(
    ("devices", "kinds"),
    [
        ("jax.devices (8 total, 2 local): [CudaDevice(id=0) CudaDevice(id=1)]", ["cuda", "cuda"]),
        ("jax.devices (4 total, 4 local): [TpuDevice(id=0) ... TpuDevice(id=3)]", ["tpu"] * 4),
        ("device info: cpu-1, 1 local devices", ["cpu"]),
        ("device info: TPU v4-8, 4 local devices", ["tpu"] * 4),
        ("device info: AMD Instinct MI300X-8, 2 local devices", ["rocm"] * 2),
    ],
)
def test_jaxs_devices_are_those_of_this_process(devices: str, kinds: list[str]) -> None:
    found = some(jax_env.read(f"jax:    0.4.20\njaxlib: 0.4.20\n{devices}\n"))
    assert found.jax_deep.facts
    assert [device.kind for device in found.jax_deep.facts.devices] == kinds


def test_tensorflows_report() -> None:
    found = some(tf_env.read(TENSORFLOW))
    assert packages(found) == {"numpy": "1.23.5", "protobuf": "3.19.4", "tensorflow": "2.11.0"}
    assert found.tensorflow.facts
    assert (found.tensorflow.facts.version, found.tensorflow.facts.cuda_build) == ("2.11.0", None)
    assert found.tensorflow_deep.facts
    assert found.tensorflow_deep.facts.imported
    assert found.python.facts
    assert found.python.facts.version == "3.8.10"


def test_a_tensorflow_that_cannot_be_imported_is_told_with_its_error() -> None:
    error = "ImportError: libcudart.so.10.0: cannot open shared object file: No such file or directory"
    text = TENSORFLOW.replace("tf.version.VERSION = 2.11.0", f"Traceback (most recent call last):\n{error}")
    found = some(tf_env.read(text))
    assert found.tensorflow_deep.facts
    assert (found.tensorflow_deep.facts.imported, found.tensorflow_deep.facts.error) == (False, error)


def test_sglangs_report_has_capability_driver_and_toolkit() -> None:
    found = some(mmengine_env.read(SGLANG))
    assert packages(found) == {"torch": "2.4.0+cu121", "flashinfer": "0.1.4+cu121torch2.4", "pyzmq": "24.0.1"}
    assert found.nvidia.facts
    assert found.nvidia.facts.driver_version == "535.104.05"
    assert [(g.index, g.compute_capability) for g in found.nvidia.facts.gpus or []] == [(0, "7.5"), (1, "7.5")]
    assert found.system.facts
    assert found.system.facts.cuda_toolkit_version == "12.2.140"


def test_detectrons_table_has_the_architectures_that_torch_was_built_for() -> None:
    found = some(mmengine_env.read(DETECTRON))
    assert found.torch.facts
    assert (found.torch.facts.version, found.torch.facts.cuda) == ("1.4.0", "10.0")
    assert found.torch.facts.location == "/usr/lib/python3/dist-packages"
    assert found.torch_deep.facts
    assert found.torch_deep.facts.arch_list == ["sm_37", "compute_70"]
    assert found.python.facts
    assert {p.name: p.built_for_cuda for p in found.python.facts.packages} == {"torch": None, "detectron2": "10.2"}
    assert found.torch_deep.facts.cuda_available is False
    assert found.nvidia.facts
    assert [(g.name, g.compute_capability) for g in found.nvidia.facts.gpus or []] == [("Tesla K80", "3.7")]
