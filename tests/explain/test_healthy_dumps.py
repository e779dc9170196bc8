"""What people paste besides the error (a healthy machine's report, harmless warnings) does not change the cause."""

from __future__ import annotations

from typing import Any

import pytest

from envkit.explain import explain
from envkit.knowledge import Knowledge
from envkit.knowledge.tables import Signature

KNOWLEDGE = Knowledge()
SURE = 0.55
CONTRADICTED = {"no-driver", "tensorrt-missing"}
"""Causes that these reports rule out or name themselves."""
COLLECT_ENV = """\
Collecting environment information...
PyTorch version: 2.5.1+cu124
Is debug build: False
CUDA used to build PyTorch: 12.4
ROCM used to build PyTorch: N/A

OS: Ubuntu 22.04.5 LTS (x86_64)
GCC version: (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0
Clang version: Could not collect
Libc version: glibc-2.35

Python version: 3.10.12 (main, Nov  6 2024, 20:22:13) [GCC 11.4.0] (64-bit runtime)
Is CUDA available: True
CUDA runtime version: 12.4.131
CUDA_MODULE_LOADING set to: LAZY
GPU models and configuration: GPU 0: NVIDIA L40S
Nvidia driver version: 550.127.05
cuDNN version: Could not collect
HIP runtime version: N/A
MIOpen runtime version: N/A
Is XNNPACK available: True

CPU:
Model name: Intel(R) Xeon(R) Gold 6430
Flags: fpu vme sse4_2 x2apic movbe avx f16c rdrand hypervisor avx2 avx512f amx_tile
Vulnerability Mds: Not affected
Vulnerability Spectre v1: Mitigation; usercopy/swapgs barriers and __user pointer sanitization

Versions of relevant libraries:
[pip3] numpy==1.26.4
[pip3] nvidia-cudnn-cu12==9.1.0.70
[pip3] nvidia-nccl-cu12==2.21.5
[pip3] torch==2.5.1
[pip3] transformers==4.46.2
[pip3] triton==3.1.0
[conda] Could not collect
ROCM Version: Could not collect
Neuron SDK Version: N/A
vLLM Version: 0.6.4.post1
vLLM Build Flags:
CUDA Archs: Not Set; ROCm: Disabled; Neuron: Disabled
LD_LIBRARY_PATH=/usr/local/cuda/lib64
"""
NVIDIA_SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.127.05             Driver Version: 550.127.05     CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA L40S                    On  |   00000000:01:00.0 Off |                    0 |
| N/A   30C    P8             35W /  350W |       1MiB /  46068MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
"""
WARNINGS = """\
2024-11-02 09:13:07.12: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on. You may see slightly different
2024-11-02 09:13:08.54: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:485] Unable to register cuFFT factory
2024-11-02 09:13:08.61: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow binary is optimized to use
2024-11-02 09:13:09.33: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT
/venv/lib/python3.10/site-packages/torch/functional.py:504: UserWarning: torch.meshgrid: in an upcoming release, it will
"""


def each(argument: str) -> Any:
    sure = [
        s
        for s in KNOWLEDGE.signatures
        if s.confidence >= SURE and cause(s) not in CONTRADICTED and first(s.sample) == cause(s)
    ]
    return pytest.mark.parametrize(argument, sure, ids=lambda s: f"{s.cause}: {s.pattern[:40]}")


def cause(signature: Signature) -> str:
    return KNOWLEDGE.causes[signature.cause].part_of or signature.cause


def first(text: str) -> str:
    causes = explain(text, KNOWLEDGE).causes
    return causes[0].cause if causes else ""


@pytest.mark.parametrize("dump", [COLLECT_ENV, NVIDIA_SMI, WARNINGS], ids=["collect_env", "nvidia-smi", "warnings"])
def test_a_healthy_machines_report_names_no_cause(dump: str) -> None:
    assert first(dump) == ""


@each("signature")
def test_an_error_means_the_same_beside_a_healthy_machines_report(signature: Signature) -> None:
    pasted = f"{COLLECT_ENV}\n{NVIDIA_SMI}\n{WARNINGS}\n{signature.sample}\n"
    assert first(pasted) == cause(signature)
