"""Reports of torch.utils.collect_env of several ages, and vLLM's."""

from __future__ import annotations

import pytest

from envkit.facts import Facts
from envkit.facts.accelerators import Nvidia
from envkit.facts.software import Torch
from envkit.readers import collect_env, read_all

OF_2018 = """\
PyTorch version: 1.0.0
Is debug build: No
CUDA used to build PyTorch: 9.0.176

OS: Ubuntu 16.04.5 LTS
GCC version: (Ubuntu 5.4.0-6ubuntu1~16.04.11) 5.4.0 20160609
CMake version: Could not collect

Python version: 3.6
Is CUDA available: Yes
CUDA runtime version: 9.1.85
GPU models and configuration:
GPU 0: GeForce GTX 1080 Ti
GPU 1: GeForce GTX 1080 Ti

Nvidia driver version: 410.48
cuDNN version: Probably one of the following:
/usr/local/cuda-9.1/lib64/libcudnn.so.7.1.3
/usr/local/cuda-9.1/lib64/libcudnn_static.a

Versions of relevant libraries:
[pip3] numpy==1.15.4
[pip3] torch==1.0.0
[conda] mkl                       2018.0.3                      1
[conda] torchvision               0.2.1                     <pip>
"""
OF_2025 = """\
Collecting environment information...
PyTorch version: 2.5.1+cu121
Is debug build: False
CUDA used to build PyTorch: 12.1
ROCM used to build PyTorch: N/A

OS: Ubuntu 22.04.4 LTS (x86_64)
GCC version: (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0
Clang version: Could not collect
Libc version: glibc-2.35

Python version: 3.10.14 | packaged by conda-forge | (main, Mar 20 2024, 12:45:18) [GCC 12.3.0] (64-bit runtime)
Python platform: Linux-5.15.146.1-microsoft-standard-WSL2-x86_64-with-glibc2.35
Is CUDA available: False
CUDA runtime version: 12.4.131
CUDA_MODULE_LOADING set to: N/A
GPU models and configuration: GPU 0: NVIDIA A100-SXM4-80GB
  MIG 3g.40gb     Device  0:
  MIG 3g.40gb     Device  1:

Nvidia driver version: 470.82.01
cuDNN version: Could not collect

CPU:
Architecture:                    x86_64
CPU(s):                          16
Thread(s) per core:              2
Core(s) per socket:              8
Socket(s):                       1
Model name:                      AMD EPYC 7543 32-Core Processor
Flags:                           fpu vme avx avx2

Versions of relevant libraries:
[pip3] nvidia-cudnn-cu12==9.1.0.70
[pip3] torch==2.5.1+cu121
[conda] nvidia-cudnn-cu12         9.1.0.70                 pypi_0    pypi
"""
OF_ROCM = """\
PyTorch version: 2.7.0+rocm6.3
CUDA used to build PyTorch: N/A
ROCM used to build PyTorch: 6.3.42131-fa1d09cbd
OS: Gentoo Linux (x86_64)
Python platform: Linux-6.7.7-gentoo-dist-x86_64-AMD_Ryzen_9_5950X_16-Core_Processor-with-glibc2.40
Is CUDA available: True
GPU models and configuration: AMD Radeon RX 5700 XT (gfx1010:xnack-)
Nvidia driver version: Could not collect
"""
OF_VLLM = """\
==============================
        System Info
==============================
OS                           : Ubuntu 22.04.5 LTS (x86_64)
==============================
       PyTorch Info
==============================
PyTorch version              : 2.7.0+cu126
CUDA used to build PyTorch   : 12.6
ROCM used to build PyTorch   : N/A
==============================
       CUDA / GPU Info
==============================
Is CUDA available            : True
GPU models and configuration :
GPU 0: NVIDIA H100 80GB HBM3
GPU 1: NVIDIA H100 80GB HBM3

Nvidia driver version        : 550.54.15
==============================
         vLLM Info
==============================
vLLM Version                 : 0.9.0
==============================
     Environment Variables
==============================
CUDA_VISIBLE_DEVICES=0,1
LD_LIBRARY_PATH=/usr/local/cuda/lib64
VLLM_API_KEY=hidden
"""


def read(text: str) -> Facts:
    found = collect_env.read(text)
    assert found
    return found


def torch(text: str) -> Torch:
    section = read(text).torch
    assert section.facts
    return section.facts


def nvidia(text: str) -> Nvidia:
    section = read(text).nvidia
    assert section.facts
    return section.facts


def test_a_report_of_2018_has_torch_gpus_driver_and_toolkit() -> None:
    found = read(OF_2018)
    assert (torch(OF_2018).version, torch(OF_2018).cuda, torch(OF_2018).build_known) == ("1.0.0", "9.0.176", True)
    assert [(gpu.index, gpu.name) for gpu in nvidia(OF_2018).gpus or []] == [
        (0, "GeForce GTX 1080 Ti"),
        (1, "GeForce GTX 1080 Ti"),
    ]
    assert nvidia(OF_2018).driver_version == "410.48"
    assert found.system.facts
    assert found.system.facts.distribution == "Ubuntu 16.04.5 LTS"
    assert found.system.facts.distribution_id == "ubuntu"
    assert (found.system.facts.cuda_toolkit_version, found.system.facts.gcc_version) == ("9.1.85", "5.4.0")
    assert found.torch_deep.facts
    assert found.torch_deep.facts.cuda_available is True
    assert [device.kind for device in found.torch_deep.facts.devices] == ["cpu", "cuda", "cuda"]


def test_a_report_of_2025_has_the_system_python_and_mig_devices() -> None:
    found = read(OF_2025)
    system, python = found.system.facts, found.python.facts
    assert system
    assert python
    assert (system.kernel, system.architecture, system.wsl) == ("5.15.146.1-microsoft-standard-WSL2", "x86_64", True)
    assert (system.libc, system.libc_version) == ("glibc", "2.35")
    assert (python.version, python.conda, python.packages_complete) == ("3.10.14", True, False)
    assert [(package.name, package.version) for package in python.packages] == [
        ("nvidia-cudnn-cu12", "9.1.0.70"),
        ("torch", "2.5.1+cu121"),
    ]
    (gpu,) = nvidia(OF_2025).gpus or []
    assert (gpu.name, gpu.mig_mode, gpu.mig_devices) == ("NVIDIA A100-SXM4-80GB", "enabled", 2)
    assert found.torch_deep.facts
    assert (found.torch_deep.facts.imported, found.torch_deep.facts.cuda_available) == (True, False)
    assert [device.kind for device in found.torch_deep.facts.devices] == ["cpu"]


def test_the_part_cpu_is_read_as_what_it_is() -> None:
    found = read_all(OF_2025)
    assert set(found.sources) == {"torch.utils.collect_env", "lscpu"}
    assert found.cpu.facts
    assert (found.cpu.facts.cores, found.cpu.facts.threads) == (8, 16)


def test_an_amd_gpu_is_no_nvidia_gpu() -> None:
    found = read(OF_ROCM)
    assert (torch(OF_ROCM).cuda, torch(OF_ROCM).hip) == (None, "6.3.42131-fa1d09cbd")
    assert found.nvidia.outcome == "unknown"
    assert found.amd.facts
    (gpu,) = found.amd.facts.gpus or []
    assert (gpu.name, gpu.gfx) == ("AMD Radeon RX 5700 XT", "gfx1010")
    assert found.system.facts
    assert (found.system.facts.kernel, found.system.facts.architecture) == ("6.7.7-gentoo-dist", "x86_64")
    assert found.torch_deep.facts
    assert found.torch_deep.facts.devices[1].kind == "rocm"


def test_vllms_report_with_padded_labels_and_its_variables() -> None:
    found = read_all(OF_VLLM)
    assert found.torch.facts
    assert found.torch.facts.cuda == "12.6"
    assert found.nvidia.facts
    assert len(found.nvidia.facts.gpus or []) == 2
    assert found.python.facts
    assert [(package.name, package.version) for package in found.python.facts.packages] == [("vllm", "0.9.0")]
    variables = {"CUDA_VISIBLE_DEVICES": "0,1", "LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}
    assert found.python.facts.environment == variables


def test_apple_silicon_has_its_section() -> None:
    found = read(
        "PyTorch version: 2.1.0\nCUDA used to build PyTorch: None\nOS: macOS 14.1 (arm64)\n"
        "Python platform: macOS-14.1-arm64-arm-64bit\nIs CUDA available: False\nCPU:\nApple M2 Pro\n"
    )
    assert found.apple.facts
    assert (found.apple.facts.chip, found.apple.facts.macos_version) == ("Apple M2 Pro", "14.1")
    assert found.system.facts
    assert (found.system.facts.os, found.system.facts.architecture) == ("darwin", "arm64")


def test_windows_is_windows() -> None:
    text = "OS: Microsoft Windows 10 Pro (10.0.19045 64-bit)\nIs CUDA available: False\nPyTorch version: 2.6.0\n"
    found = read(text).system.facts
    assert found
    assert (found.os, found.distribution) == ("windows", "Microsoft Windows 10 Pro")


@pytest.mark.parametrize("report", [OF_2018, OF_2025, OF_ROCM, OF_VLLM])
def test_a_report_may_be_quoted_indented_and_cut_off_anywhere(report: str) -> None:
    whole = torch("\n".join(f"    {line}" for line in report.split("\n")))
    assert whole == torch(report)
    assert read_all("\n".join(f"> {line}" for line in report.split("\n"))).torch.facts == torch(report)
    for end in range(0, len(report), 7):
        collect_env.read(report[:end])
