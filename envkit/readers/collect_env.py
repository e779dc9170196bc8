"""python -m torch.utils.collect_env of every age, and vLLM's collect_env.py, which is made from it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from envkit.facts import Facts, Section, absent, ok
from envkit.facts.accelerators import Amd, AmdGpu, DeviceNode, Nvidia, NvidiaGpu
from envkit.facts.machine import System
from envkit.facts.software import FrameworkDevice, Package, Torch, TorchDeep
from envkit.readers import _installed, _platforms
from envkit.readers._fields import given, groups, labelled
from envkit.readers._lines import first

NAME = "torch.utils.collect_env"

_LABELS = (
    *("PyTorch version", "Is debug build", "CUDA used to build PyTorch", "ROCM used to build PyTorch", "OS"),
    *("GCC version", "Libc version", "Python version", "Python platform", "Is CUDA available", "CUDA runtime version"),
    *("Nvidia driver version", "HIP runtime version", "vLLM Version", "CPU"),
)
_MARKS = ("CUDA used to build PyTorch", "Is CUDA available", "Versions of relevant libraries", "GPU models and config")
_GPUS = re.compile(r"^[ \t]*GPU models and configuration[ \t]*:", re.MULTILINE)
_GPU = re.compile(r"GPU (\d{1,3}): (.+)")
_GFX = re.compile(r"(.*?)\s*\((gfx\w+)[^)]*\)")
_PIP = re.compile(r"^[ \t]*\[pip\d?\][ \t]+([A-Za-z0-9][\w.-]*)==(\S+)[ \t]*$", re.MULTILINE)
_CONDA = re.compile(
    r"^[ \t]*\[conda\][ \t]+([A-Za-z0-9_][\w.-]*)[ \t]+(\d\S*)[ \t]+(\S+)(?:[ \t]+\S+)?[ \t]*$", re.MULTILINE
)
_CHIP = re.compile(r"^CPU:\n(Apple [^\n]{1,40})$", re.MULTILINE)
_LAST_NUMBER = re.compile(r"(\d+\.[\d.]*\d)")


def read(text: str) -> Facts | None:
    """System, Python, packages, PyTorch and its GPUs from the first report in the text."""
    if not any(mark in text for mark in _MARKS):
        return None
    text = text.replace("Collecting environment information...", "\n")  # some shells put what follows on its line
    fields = labelled(text, *_LABELS)
    packages, builds = _packages(text, fields.get("vLLM Version"))
    names, migs = _gpu_names(text)
    found: dict[str, Section[Any]] = {}
    if packages or given(fields.get("Python version")):
        found |= _installed.sections(packages, builds=builds, **_platforms.python(fields.get("Python version", "")))
    torch = _torch(fields, found)
    found |= _platforms.sections(_system(fields), chip=chip[1] if (chip := first(_CHIP, text, "CPU:")) else None)
    found |= _accelerators(fields, names, migs, torch)
    if torch:
        found["torch"] = ok(torch)
    if deep := _deep(fields, names, found):
        found["torch_deep"] = ok(deep)
    return msgspec.structs.replace(Facts(), **found) if found else None


def _system(fields: dict[str, str]) -> System | None:
    named = _platforms.from_name(fields.get("OS", ""))
    platform = _platforms.from_platform(fields.get("Python platform", ""))
    known = {
        name: value
        for system in (platform, named)
        for name in System.__struct_fields__
        if system and (value := getattr(system, name)) is not None
    }
    if libc := re.match(r"(glibc|musl)-([\d.]+)", fields.get("Libc version", "")):
        known |= {"libc": libc[1], "libc_version": libc[2]}
    toolkit = _LAST_NUMBER.match(fields.get("CUDA runtime version", ""))
    gcc = _LAST_NUMBER.findall(re.sub(r"\([^)]*\)", "", fields.get("GCC version", "")[:200]))
    if known and toolkit:
        known["cuda_toolkit_version"] = toolkit[1]
    if known and gcc:
        known["gcc_version"] = gcc[0]
    return System(**known) if known else None


def _packages(text: str, vllm: str | None) -> tuple[list[Package], dict[str, _installed.Build]]:
    """Those of pip before those of conda, which may be those of another environment."""
    packages: dict[str, str] = {}
    for name, version in groups(_PIP, text, "[pip"):
        packages.setdefault(_installed.normalise(name), version)
    if vllm and vllm[:1].isdigit():
        packages.setdefault("vllm", vllm.split()[0])
    builds: dict[str, _installed.Build] = {}
    for name, version, build in groups(_CONDA, text, "[conda]"):
        distribution = _installed.normalise(_installed.conda_name(name))
        if distribution and distribution not in packages:
            packages[distribution] = version
            builds[distribution] = _installed.build_of_conda(build)
    return [Package(name=name, version=version) for name, version in packages.items()], builds


def _torch(fields: dict[str, str], found: dict[str, Section[Any]]) -> Torch | None:
    """PyTorch as it told itself, else as pip lists it.

    What was built for nothing reads "None" in old reports and "Could not collect" in new ones; "N/A" stands for CUDA in
    a build for ROCm, for ROCm in one for CUDA, and for both where PyTorch could not be imported.
    """
    listed = found["torch"].facts if "torch" in found else None
    version = given(fields.get("PyTorch version"))
    if version is None:
        return listed
    version = version.split()[0]
    stated = "CUDA used to build PyTorch" in fields
    if not stated or version.partition("+")[2].startswith("xpu"):
        build = _installed.build_of_version(version)
        return Torch(version=version, cuda=build.cuda, hip=build.hip, build_known=build.known)
    cuda, hip = given(fields["CUDA used to build PyTorch"]), given(fields.get("ROCM used to build PyTorch"))
    return Torch(version=version, cuda=cuda, hip=hip)


def _gpu_names(text: str) -> tuple[dict[int, str], dict[int, int]]:
    """Name, and number of MIG devices, by index. ROCm's report has one name without an index."""
    start = first(_GPUS, text, "GPU models and configuration")
    names: dict[int, str] = {}
    migs: dict[int, int] = {}
    for number, line in enumerate(text[start.end() : start.end() + 20_000].split("\n") if start else []):
        words = line.strip()
        if gpu := _GPU.match(words):
            names.setdefault(int(gpu[1]), gpu[2].partition(" (UUID:")[0].strip())
        elif words.startswith("MIG ") and names:
            migs[max(names)] = migs.get(max(names), 0) + 1
        elif number == 0 and given(words):
            return {0: words}, {}
        elif words or names:
            break
    return names, migs


def _accelerators(
    fields: dict[str, str], names: dict[int, str], migs: dict[int, int], torch: Torch | None
) -> dict[str, Section[Any]]:
    driver = given(fields.get("Nvidia driver version"))
    if (torch and torch.hip) or any("(gfx" in name for name in names.values()):
        kfd = DeviceNode(path="/dev/kfd")  # PyTorch has named its GPU, so it is there
        return {"amd": ok(Amd(gpus=[_amd(name) for name in names.values()], device_nodes=[kfd]))} if names else {}
    if fields.get("Nvidia driver version") == "No CUDA":
        return {"nvidia": absent("collect_env says No CUDA: nvidia-smi and nvcc gave no answer")}
    gpus = [
        NvidiaGpu(index=index, name=name, mig_mode="enabled" if migs.get(index) else None, mig_devices=migs.get(index))
        for index, name in names.items()
    ]
    return {"nvidia": ok(Nvidia(driver_version=driver, gpus=gpus or None))} if gpus or driver else {}


def _amd(name: str) -> AmdGpu:
    gfx = _GFX.match(name[:200])
    return AmdGpu(name=gfx[1] or None, gfx=gfx[2]) if gfx else AmdGpu(name=name)


def _deep(fields: dict[str, str], names: dict[int, str], found: dict[str, Section[Any]]) -> TorchDeep | None:
    available = {"true": True, "yes": True, "false": False, "no": False}.get(
        fields.get("Is CUDA available", "").lower()
    )
    version = given(fields.get("PyTorch version"))
    if version is None:
        refused = fields.get("PyTorch version") == "N/A" and "torch" in found
        return TorchDeep(imported=False, error="collect_env could not import torch") if refused else None
    if available is None:
        return None
    torch = found["torch"].facts if "torch" in found else None
    hip = isinstance(torch, Torch) and torch.hip
    devices = [FrameworkDevice(kind="cpu")]
    if available:
        devices += [FrameworkDevice(kind="rocm" if hip else "cuda", name=name) for name in names.values()]
    return TorchDeep(imported=True, version=version.split()[0], cuda_available=available, devices=devices)
