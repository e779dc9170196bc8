"""NVIDIA's traces in files: no NVML is asked for a tree of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from envkit.facts import Section
from envkit.facts.accelerators import Nvidia
from envkit.probes import nvidia

GPU = "sys/bus/pci/devices/0000:01:00.0"
CLOSED = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version: gcc 12\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (buildbrain@mobile)\n"


def tree(root: Path, **texts: str) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def gpu_on_pci(root: Path, class_id: str = "0x030200") -> None:
    tree(root, **{f"{GPU}/vendor": "0x10de\n", f"{GPU}/device": "0x2236\n", f"{GPU}/class": f"{class_id}\n"})


def library(root: Path, path: str, name: str) -> None:
    tree(root, **{f"{path.rpartition('/')[0]}/{name}": ""})
    (root / path).symlink_to(name)


def observed(root: Path) -> Nvidia:
    section = nvidia.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def test_a_machine_with_driver_is_told_from_files_alone(tmp_path: Path) -> None:
    gpu_on_pci(tmp_path)
    (tmp_path / GPU / "driver").symlink_to("../../drivers/nvidia")
    tree(
        tmp_path,
        **{
            "sys/module/nvidia/version": "570.133.20\n",
            "sys/module/nvidia_uvm/refcnt": "0\n",
            "proc/driver/nvidia/version": OPEN,
            **dict.fromkeys(("dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-caps", "dev/null"), ""),
        },
    )
    library(tmp_path, "usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcuda.so.570.133.20")
    library(tmp_path, "usr/lib64/libnvidia-ml.so.1", "libnvidia-ml.so.570.124.06")
    facts = observed(tmp_path)
    assert [device.kernel_driver for device in facts.pci_devices or []] == ["nvidia"]
    assert (facts.module_version, facts.driver_version) == ("570.133.20", "570.133.20")
    assert (facts.module_loaded, facts.uvm_loaded, facts.nouveau_loaded, facts.open_module) == (True, True, False, True)
    assert [node.path for node in facts.device_nodes] == ["/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"]
    assert facts.libcuda_path == "/usr/lib/x86_64-linux-gnu/libcuda.so.570.133.20"
    assert (facts.libcuda_version, facts.libcuda_stub) == ("570.133.20", False)
    assert (facts.nvml.outcome, facts.nvml.library_version) == ("not-asked", "570.124.06")
    assert facts.gpus is None


@pytest.mark.parametrize(("text", "version", "is_open"), [(CLOSED, "535.104.05", False), (OPEN, "540.4.0", True)])
def test_the_version_file_tells_version_and_kind_of_the_module(
    tmp_path: Path, text: str, version: str, is_open: bool
) -> None:
    tree(tmp_path, **{"proc/driver/nvidia/version": text})
    facts = observed(tmp_path)
    assert (facts.module_loaded, facts.module_version, facts.open_module) == (True, version, is_open)
    assert (facts.uvm_loaded, facts.pci_devices) == (None, None)


def test_a_gpu_without_driver_is_there(tmp_path: Path) -> None:
    gpu_on_pci(tmp_path)
    tree(tmp_path, **{"sys/module/nouveau/refcnt": "1\n"})
    facts = observed(tmp_path)
    assert len(facts.pci_devices or []) == 1
    assert (facts.module_loaded, facts.module_version, facts.nouveau_loaded) == (False, None, True)


def test_the_drivers_libraries_alone_are_facts_but_no_hardware(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    library(tmp_path, "usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcuda.so.550.54.14")
    facts = observed(tmp_path)
    assert facts.pci_devices == []
    assert facts.libcuda_version == "550.54.14"


def test_wsl_has_dxg_and_libraries_whose_names_tell_no_version(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    library(tmp_path, "usr/lib/wsl/lib/libcuda.so.1", "libcuda.so.1.1")
    tree(tmp_path, **{"dev/dxg": ""})
    facts = observed(tmp_path)
    assert facts.pci_devices == []
    assert [node.path for node in facts.device_nodes] == ["/dev/dxg"]
    assert (facts.libcuda_path, facts.libcuda_version) == ("/usr/lib/wsl/lib/libcuda.so.1.1", None)


def test_a_stub_is_known_by_where_its_link_leads(tmp_path: Path) -> None:
    tree(tmp_path, **{"usr/local/cuda/lib64/stubs/libcuda.so": ""})
    (tmp_path / "usr/lib64").mkdir()
    (tmp_path / "usr/lib64/libcuda.so.1").symlink_to("/usr/local/cuda/lib64/stubs/libcuda.so")
    facts = observed(tmp_path)
    assert (facts.libcuda_path, facts.libcuda_stub) == ("/usr/local/cuda/lib64/stubs/libcuda.so", True)


def test_nvswitches_are_counted_beside_gpus(tmp_path: Path) -> None:
    gpu_on_pci(tmp_path)
    for address in ("0000:05:00.0", "0000:06:00.0"):
        folder = f"sys/bus/pci/devices/{address}"
        tree(
            tmp_path,
            **{f"{folder}/vendor": "0x10de\n", f"{folder}/device": "0x22a3\n", f"{folder}/class": "0x068000\n"},
        )
    facts = observed(tmp_path)
    assert (len(facts.pci_devices or []), facts.nvswitches) == (1, 2)


def test_an_nvswitch_is_no_gpu(tmp_path: Path) -> None:
    gpu_on_pci(tmp_path, class_id="0x068000")
    section: Section[Nvidia] = nvidia.observe(str(tmp_path))
    assert section.outcome == "absent"
    assert section.why.startswith("none of 1 PCI devices is an NVIDIA GPU (vendor 10de), no /dev/nvidia*")


def test_without_sysfs_and_nvml_nobody_can_tell(tmp_path: Path) -> None:
    section = nvidia.observe(str(tmp_path))
    assert section.outcome == "unknown"
    assert section.why.startswith("/sys/bus/pci/devices cannot be read")
