"""Reports in which several causes could be read: the one that is meant comes first."""

from __future__ import annotations

import pytest

from envkit.explain import explain
from envkit.knowledge import Knowledge

KNOWLEDGE = Knowledge()
MISSING = (
    "W tensorflow/dso_loader.cc:64] Could not load dynamic library 'libcudart.so.11.0'; dlerror: libcudart.so.11.0: "
)
MISSING += "cannot open shared object file: No such file or directory"
REPORTS = {
    "a shape error below warnings of missing CUDA libraries": (
        "not-environment",
        f"""2023-05-01 10:00:00.12: {MISSING}
ValueError: Input 0 of layer "sequential" is incompatible with the layer: expected shape=(None, 28, 28), found
shape=(None, 784)""",
    ),
    "the warnings of missing CUDA libraries by themselves": (
        "cuda-lib-not-found",
        f"2023-05-01 10:00:00.12: {MISSING}",
    ),
    "a root cause in an engine's log, its wrapper last": (
        "driver-too-old-for-cuda",
        """(EngineCore_0 pid=123) ERROR RuntimeError: The NVIDIA driver on your system is too \
old (found version 12020). Please update your GPU driver
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}""",
    ),
    "a build's cause above pip's summary": (
        "cuda-toolkit-mismatch",
        """RuntimeError:
The detected CUDA version (11.5) mismatches the version that was used to compile
PyTorch (12.1). Please make sure to use the same CUDA versions.
  ERROR: Failed building wheel for flash-attn""",
    ),
    "an assertion that shows as a failure of cuBLAS": (
        "device-side-assert",
        """Kernel.cu:144: block: [0,0,0], thread: [5,0,0] Assertion `idx_dim >= 0 && idx_dim < index_size` failed.
RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`""",
    ),
    "CUDA's unknown error, and the kernel's word for it": (
        "xid-hardware-fault",
        """CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing CUDA_VISIBLE_DEVICES
[12345.678] NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', GPU has fallen off the bus.""",
    ),
    "a killed worker, and the kernel's word for it": (
        "host-out-of-memory",
        """RuntimeError: DataLoader worker (pid(s) 2231) exited unexpectedly
[1234567.1] Out of memory: Killed process 2231 (python) total-vm:93215440kB""",
    ),
}
FOREIGN = {
    "libcudart.so.12: 无法打开共享对象文件: 没有那个文件或目录": "cuda-lib-not-found",
    "ImportError: libcudnn.so.8: kann die Shared-Object-Datei nicht öffnen: Datei oder Verzeichnis nicht gefunden": (
        "cudnn-not-found"
    ),
    "OSError: [WinError 1455] El archivo de paginación es demasiado pequeño para completar la operación.": (
        "host-out-of-memory"
    ),
    "OSError: [Errno 28] Aucun espace disponible sur le périphérique": "disk-full",
}
HEALTHY = (
    "Collecting torch\n  Downloading torch-2.9.0-cp312-cp312-manylinux_2_28.whl (900 MB)\nSuccessfully installed",
    "I tensorflow/cpu_guard.cc:210] This TensorFlow binary is optimized to use available CPU instructions\nloss 2",
    "NCCL INFO NET/IB : No device found.\nNCCL INFO comm 0x1 rank 0 nranks 8 - Init COMPLETE\nstep 10 loss 2.3",
    "    HW Slowdown                   : Not Active\n        HW Thermal Slowdown       : Not Active",
)


@pytest.mark.parametrize("report", REPORTS)
def test_the_cause_that_is_meant_comes_first(report: str) -> None:
    cause, text = REPORTS[report]
    assert explain(text, KNOWLEDGE).causes[0].cause == cause


@pytest.mark.parametrize("text", FOREIGN)
def test_messages_in_other_languages_are_understood(text: str) -> None:
    assert explain(text, KNOWLEDGE).causes[0].cause == FOREIGN[text]


@pytest.mark.parametrize("text", HEALTHY)
def test_nothing_is_said_of_a_log_in_which_all_is_well(text: str) -> None:
    assert explain(text, KNOWLEDGE).status == "not known"
