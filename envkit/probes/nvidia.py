"""NVIDIA GPUs: files first, which answer on every machine, then NVML, which may not."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from envkit import facts, harness
from envkit.facts import Section
from envkit.facts.accelerators import DeviceNode, Nvidia, NvidiaGpu, Nvml, NvmlOutcome, PciDevice
from envkit.probes import files, pci

VENDOR_ID = "10de"
DISPLAY_CLASS = "03"
NODE = re.compile(r"nvidia\d+|nvidiactl|nvidia-uvm|dxg")
DRIVER_VERSION = re.compile(r"\b\d{3,}\.\d+(?:\.\d+)*\b")  # 3 digits since 2008; "libcuda.so.1.1" has no version
LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/usr/lib64",
    "/usr/lib64/nvidia",
    "/usr/local/nvidia/lib64",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
    "/usr/lib",
)


def observe(root: str = "/", *, deadline_seconds: float = 10.0) -> Section[Nvidia]:
    """NVIDIA GPUs and their driver.

    ok: anything of NVIDIA's is there, be it only the driver's libraries, as in CUDA's container images;
    absent: nothing is; unknown: neither /sys nor NVML could be asked.

    Args:
        root: where the machine's files lie; NVML is asked for "/" only.
        deadline_seconds: how long NVML may take; a busy node needs more than 2 s (libcudacxx#222).
    """
    started = time.monotonic()
    seen = _files(root)
    if root == "/" and (seen.pci_devices is None or _anything(seen)):
        seen = _ask_nvml(seen, deadline_seconds)
    seconds = time.monotonic() - started
    if _anything(seen):
        return facts.ok(seen, seconds)
    if seen.pci_devices is None:
        return facts.unknown(f"{pci.DEVICES} cannot be read, and there is no NVML to ask", seconds)
    looked_at = f"none of {len(pci.addresses(root) or [])} PCI devices is an NVIDIA GPU (vendor {VENDOR_ID})"
    return facts.absent(
        f"{looked_at}, no /dev/nvidia*, no nvidia kernel module, libnvidia-ml.so.1 not found",
        seconds,
    )


def _anything(seen: Nvidia) -> bool:
    return bool(
        seen.pci_devices
        or seen.module_loaded
        or seen.device_nodes
        or seen.libcuda_path
        or seen.nvml.library_path
        or seen.gpus
    )


def _files(root: str) -> Nvidia:
    modules = files.list_dir(root, "/sys/module")
    version = (files.read_text(root, "/proc/driver/nvidia/version") or "").partition("\n")[0]
    module_version = files.read_line(root, "/sys/module/nvidia/version") or _driver_version(version)
    libcuda = _library(root, "libcuda.so.1")
    nvml_library = _library(root, "libnvidia-ml.so.1")
    return Nvidia(
        pci_devices=_gpus_on_pci(root),
        module_version=module_version,
        module_loaded=bool(version) or (None if modules is None else "nvidia" in modules),
        uvm_loaded=None if modules is None else "nvidia_uvm" in modules,
        nouveau_loaded=None if modules is None else "nouveau" in modules,
        open_module="Open Kernel Module" in version if version else None,
        device_nodes=_device_nodes(root),
        libcuda_path=libcuda,
        libcuda_version=_file_version(libcuda),
        libcuda_stub="/stubs/" in libcuda if libcuda else None,
        nvml=Nvml(library_path=nvml_library, library_version=_file_version(nvml_library)),
        driver_version=module_version,
    )


def _gpus_on_pci(root: str) -> list[PciDevice] | None:
    devices = pci.devices(root, VENDOR_ID)
    if devices is None:
        return None
    return [device for device in devices if (device.class_id or "").startswith(DISPLAY_CLASS)]


def _device_nodes(root: str) -> list[DeviceNode]:
    names = [name for name in files.list_dir(root, "/dev") or [] if NODE.fullmatch(name)]
    nodes = [files.device_node(root, f"/dev/{name}") for name in names]
    return [node for node in nodes if node]


def _library(root: str, name: str) -> str | None:
    """The file, links resolved, that the loader most likely takes for a library; its own cache is not read."""
    first = os.environ.get("LD_LIBRARY_PATH", "").split(":") if root == "/" else []
    for folder in (*first, *LIBRARY_FOLDERS):
        path = f"{folder}/{name}"
        if folder.startswith("/") and files.exists(root, path):
            real = files.locate(root, path)
            return str(real.resolve()) if root == "/" else f"/{real.relative_to(root)}"
    return None


def _driver_version(text: str) -> str | None:
    """The version in "libcuda.so.570.133.20" or "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05"."""
    found = DRIVER_VERSION.search(text)
    return found.group() if found else None


def _file_version(path: str | None) -> str | None:
    return _driver_version(Path(path).name) if path else None


def _ask_nvml(seen: Nvidia, deadline_seconds: float) -> Nvidia:
    """What NVML adds to the files; whatever it said before it hung or crashed is kept."""
    # Run as a file, not as a module: the working directory, where anyone's json.py may lie, stays out of sys.path.
    program = str(Path(__file__).with_name("nvml_child.py"))
    child = harness.run([sys.executable, program], deadline_seconds=deadline_seconds, on_deadline="leave")
    said: dict[str, Any] = {}
    gpus: dict[int, dict[str, Any]] = {}
    for record in child.records:
        index = record.pop("gpu", None)
        if index is None:
            said |= record
        else:
            gpu = gpus.setdefault(index, {"index": index, "unreadable": {}})
            gpu["unreadable"] |= record.pop("unreadable", {})
            gpu |= record
    outcome, error = _outcome(child, said)
    path = said.get("library") or seen.nvml.library_path
    count = said.get("gpu_count")
    return msgspec.structs.replace(
        seen,
        nvml=Nvml(
            outcome=outcome,
            error=error,
            seconds=child.seconds,
            library_path=path,
            library_version=_file_version(path),
        ),
        driver_version=said.get("driver_version") or seen.driver_version,
        cuda_driver_version=said.get("cuda_driver_version"),
        gpus=None if count is None else [_gpu(index, gpus.get(index), child) for index in range(count)],
    )


def _outcome(child: harness.Child, said: dict[str, Any]) -> tuple[NvmlOutcome, str | None]:
    if child.outcome == "timeout":
        return "timeout", child.why()
    if child.outcome == "signalled":
        return "crashed", child.signal_name
    if "library_missing" in said:
        return "library-missing", said["library_missing"]
    if "error" in said:
        return "error", said["error"]
    if not child.succeeded:
        return "error", child.last_words() or child.why()
    return "ok", None


def _gpu(index: int, said: dict[str, Any] | None, child: harness.Child) -> NvidiaGpu:
    if said is None:
        return NvidiaGpu(index=index, error="not asked: NVML failed at an earlier GPU")
    asking = said.pop("asking")
    if asking:
        said["error"] = f"{child.why()}, asked for {asking}"
    return msgspec.convert(said, NvidiaGpu)
