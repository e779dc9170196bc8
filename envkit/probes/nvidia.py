"""NVIDIA GPUs: files first, which answer on every machine, then NVML, which may not."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import msgspec

from envkit import facts
from envkit.facts import Section
from envkit.facts.accelerators import (
    CompatPackage,
    DeviceNode,
    Nvidia,
    Nvml,
)
from envkit.probes import fabric, files, loader, nvml, pci

VENDOR_ID = "10de"
DISPLAY_CLASS = "03"
NVSWITCHES = {"1ac2", "1af1", "22a3"}  # DGX-2, HGX A100, HGX H100; those of Blackwell are on no machine's PCI bus
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


def observe(
    root: str = "/", *, deadline_seconds: float = 10.0, deep: bool = False, ask_nvml: bool | None = None
) -> Section[Nvidia]:
    """NVIDIA GPUs and their driver.

    ok: anything of NVIDIA's is there, be it only the driver's libraries, as in CUDA's container images;
    absent: nothing is; unknown: neither /sys nor NVML could be asked.

    Args:
        root: where the machine's files lie.
        deadline_seconds: how long NVML may take; a busy node needs more than 2 s (libcudacxx#222).
        deep: ask NVML what takes it long, too.
        ask_nvml: None: where the files are this machine's own.
    """
    started = time.monotonic()
    seen = _files(root)
    if (root == "/" if ask_nvml is None else ask_nvml) and (seen.pci_devices is None or _anything(seen)):
        seen = _with_nvml(seen, nvml.ask(deadline_seconds, deep=deep))
    seen = fabric.with_fabric(root, seen)
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
    libcuda = loader.find(root, "libcuda.so.1", LIBRARY_FOLDERS)
    nvml_library = loader.find(root, "libnvidia-ml.so.1", LIBRARY_FOLDERS)
    devices = pci.devices(root, VENDOR_ID)
    return Nvidia(
        pci_devices=None if devices is None else [d for d in devices if (d.class_id or "").startswith(DISPLAY_CLASS)],
        excluded_gpus=_excluded(root),
        nvswitches=None if devices is None else sum(d.device_id in NVSWITCHES for d in devices),
        module_version=module_version,
        module_loaded=bool(version) or (None if modules is None else "nvidia" in modules),
        uvm_loaded=None if modules is None else "nvidia_uvm" in modules,
        nouveau_loaded=None if modules is None else "nouveau" in modules,
        open_module="Open Kernel Module" in version if version else None,
        device_nodes=_device_nodes(root),
        libcuda_path=libcuda,
        libcuda_version=_file_version(libcuda),
        libcuda_stub="/stubs/" in libcuda if libcuda else None,
        cuda_compat=_compat_packages(root),
        nvml=Nvml(library_path=nvml_library, library_version=_file_version(nvml_library)),
        driver_version=module_version,
    )


def _with_nvml(seen: Nvidia, answer: nvml.Answer) -> Nvidia:
    """What NVML adds to the files."""
    path = answer.nvml.library_path or seen.nvml.library_path
    return msgspec.structs.replace(
        seen,
        nvml=msgspec.structs.replace(answer.nvml, library_path=path, library_version=_file_version(path)),
        driver_version=answer.driver_version or seen.driver_version,
        cuda_driver_version=answer.cuda_driver_version,
        gpus=answer.gpus,
        pairs=answer.pairs,
    )


def _excluded(root: str) -> list[str] | None:
    """GPUs that NVreg_ExcludedGpus keeps the driver from."""
    folder = "/proc/driver/nvidia/gpus"
    addresses = files.list_dir(root, folder)
    if addresses is None:
        return None
    words = re.compile(r"^GPU Excluded:\s*Yes", re.MULTILINE)
    return [name for name in addresses if words.search(files.read_text(root, f"{folder}/{name}/information") or "")]


def _device_nodes(root: str) -> list[DeviceNode]:
    names = [name for name in files.list_dir(root, "/dev") or [] if NODE.fullmatch(name)]
    nodes = [files.device_node(root, f"/dev/{name}") for name in names]
    return [node for node in nodes if node]


def _compat_packages(root: str) -> list[CompatPackage]:
    """The packages cuda-compat: in folders of CUDA, also as NVIDIA's containers have them, and in conda's prefix."""
    local = "/usr/local"
    homes = [f"{local}/{name}" for name in files.list_dir(root, local) or [] if name.startswith("cuda")]
    folders = [f"{home}/compat{within}" for home in homes for within in ("", "/lib", "/lib.real")]
    if root == "/" and os.environ.get("CONDA_PREFIX"):
        folders.append(f"{os.environ['CONDA_PREFIX']}/cuda-compat")
    there = [f"{folder}/libcuda.so.1" for folder in folders if files.exists(root, f"{folder}/libcuda.so.1")]
    paths = dict.fromkeys(loader.resolved(root, path) for path in there)
    return [CompatPackage(path=path, version=_file_version(path)) for path in paths]


def _driver_version(text: str) -> str | None:
    """The version in "libcuda.so.570.133.20" or "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05"."""
    found = DRIVER_VERSION.search(text)
    return found.group() if found else None


def _file_version(path: str | None) -> str | None:
    return _driver_version(Path(path).name) if path else None
