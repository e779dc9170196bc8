"""Every way in which drivers are known to break who asks NVML has a machine, or a test, that plays it."""

from __future__ import annotations

from pathlib import Path

import pytest

NVML = Path(__file__).parents[1] / "nvml"
REPORTS = {  # a report in public: the machine that plays it, and the check that tells it; None: it is no fault
    "NVIDIA/go-nvml#152": ("h200-init-never-returns", "nvidia-driver-hangs"),
    "NVIDIA/open-gpu-kernel-modules#971": ("h100x8-one-handle-never-returns", "nvidia-driver-hangs"),
    "NVIDIA/open-gpu-kernel-modules#446": ("h100-gsp-timeouts", "xid-hardware-fault"),
    "leptonai/gpud#117": ("a100-xid45-hang", "nvidia-driver-hangs"),
    "NVIDIA/libcudacxx#222": ("busy-node-starts-slowly", None),
    "rossumai/nvgpu#6": ("h100x8-one-lost", "gpu-lost"),
    "koordinator-sh/koordinator#2706": ("h100x8-one-lost", "gpu-lost"),
    "XuehaiPan/nvitop#45": ("rtx3090-unknown-error", "gpu-unreadable"),
    "XuehaiPan/nvitop#139": ("gtx1080ti-crashes", "nvml-crashed"),
    "LibreHardwareMonitor#1252": ("a100x4-needs-reset", "gpu-lost"),
    "leptonai/gpud#1133": ("a100x4-needs-reset", "gpu-needs-reset"),
    "rapidsai/dask-cuda#949": ("library-mismatch", "driver-library-mismatch"),
    "NVIDIA/nvidia-container-toolkit#48": ("container-revoked", "container-gpu-revoked"),
    "pytorch/pytorch#109098": ("container-revoked", "container-gpu-revoked"),
    "XuehaiPan/nvitop#208": ("gb10", None),
    "XuehaiPan/nvitop#208, wrong numbers": ("gb10-wrong-memory", None),
    "nvidia-cosmos/cosmos-reason1#61": ("thor", None),
    "XuehaiPan/nvitop#168": ("orin", None),
    "NVIDIA/nvidia-container-toolkit#842": ("mig-in-a-pod", None),
    "gpuopenanalytics/pynvml#42": ("wsl2", None),
    "triton-inference-server/tensorrtllm_backend#363": ("vgpu-unlicensed", "vgpu-unlicensed"),
    "gpuopenanalytics/pynvml#43": ("v100-old-driver", None),
    "wookayin/gpustat#144": ("geforce-laptop", None),
}
TESTED_ALONE = {
    "NVIDIA/open-gpu-kernel-modules#1239": "test_nvml.py::test_supported_clocks_are_never_asked_for",
    "NVIDIA/dcgm-exporter#84": "test_nvml_silence.py::test_nvml_that_never_starts_costs_the_deadline_and_is_left_alive",
    "vllm-project/vllm#9728": "test_nvml.py::test_a_library_that_cannot_be_loaded_is_missing_in_the_loaders_words",
}


@pytest.mark.parametrize(("machine", "check"), REPORTS.values(), ids=REPORTS)
def test_a_report_is_played_by_a_machine_and_told(machine: str, check: str | None) -> None:
    report = (NVML / "reports" / f"{machine}.txt").read_text()
    if check is None:
        assert report.startswith(("✓ healthy", "▲ can train"))
    else:
        assert f"[{check}]" in report


@pytest.mark.parametrize("test", TESTED_ALONE.values(), ids=TESTED_ALONE)
def test_a_report_that_no_machine_can_play_has_a_test(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (Path(__file__).parent / file).read_text()
