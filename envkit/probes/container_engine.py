"""The container engine of this machine, from its files: what it is told about NVIDIA's runtime, CDI and control groups.

It is not asked itself: that takes rights, and may start it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from typing import Any, NamedTuple

from envkit.facts import Section, absent, ok
from envkit.facts.machine import ContainerEngine
from envkit.probes import cdi
from envkit.probes.files import exists, link_target, list_dir, locate, read_text

ENGINES = (("docker", "dockerd"), ("containerd", "containerd"), ("crio", "crio"), ("podman", "podman"))
PROGRAMS = ("/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin")
TOOLKIT = (*PROGRAMS, "/usr/local/nvidia/toolkit")
LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
HOOKS = ("/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d")
MOST_IMPORTS = 16
NODE = re.compile(r"nvidia(\d+|ctl|-uvm)")
# [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]; since version 3 of the file other quotes.
RUNTIME = re.compile(
    r"^\s*\[plugins\.[^\]\n]*\.containerd\.runtimes\.[\"']?([\w-]+)[\"']?(?:\.[^\]\n]*)?\]", re.MULTILINE
)


class Configuration(NamedTuple):
    """What an engine's files say; None where they do not."""

    runtimes: list[str] | None = None
    default_runtime: str | None = None
    cdi_enabled: bool | None = None
    cgroup_driver: str | None = None
    storage_driver: str | None = None


def observe(root: str = "/") -> Section[ContainerEngine]:
    """The engine, as its program, its configuration and the NVIDIA container toolkit's files tell."""
    if root == "/" and sys.platform != "linux":
        return absent("engines of other systems run their containers in a virtual machine")
    name = next((name for name, program in ENGINES if _program(root, program, PROGRAMS)), None)
    if name is None:
        return absent(f"none of {', '.join(program for _, program in ENGINES)} in {', '.join(PROGRAMS)}")
    told = _docker(root) if name == "docker" else _containerd(root) if name == "containerd" else Configuration()
    specs = cdi.specs(root)
    devices = [f"{spec.kind}={device}" for spec in specs or [] for device in spec.devices]
    return ok(
        ContainerEngine(
            name=name,
            runtimes=told.runtimes,
            default_runtime=told.default_runtime,
            cdi_devices=None if specs is None else list(dict.fromkeys(devices)),
            cdi_enabled=told.cdi_enabled,
            cdi_specs=specs,
            cgroup_driver=told.cgroup_driver,
            storage_driver=told.storage_driver,
            nvidia_toolkit=_program(root, "nvidia-ctk", TOOLKIT),
            nvidia_toolkit_version=_toolkit_version(root),
            nvidia_hook=_hook(root, name),
            nvidia_runtime_mode=_setting(read_text(root, "/etc/nvidia-container-runtime/config.toml"), "mode"),
            device_links_missing=_links_missing(root),
        )
    )


def _program(root: str, name: str, folders: tuple[str, ...]) -> bool:
    return any(exists(root, f"{folder}/{name}") for folder in folders)


def _docker(root: str) -> Configuration:
    """daemon.json, to whose runtimes Docker adds runc; without the file it has no others."""
    path = "/etc/docker/daemon.json"
    if not exists(root, path):
        return Configuration(runtimes=["runc"])
    try:
        told = json.loads(read_text(root, path) or "")
    except (ValueError, RecursionError):
        return Configuration()
    if not isinstance(told, dict):
        return Configuration()
    runtimes, features, options = told.get("runtimes", {}), told.get("features"), told.get("exec-opts")
    drivers = re.findall(r"'native\.cgroupdriver=(\w+)'", str(options))
    enabled = features.get("cdi") if isinstance(features, dict) else None
    return Configuration(
        runtimes=sorted({"runc", *map(str, runtimes)}) if isinstance(runtimes, dict) else None,
        default_runtime=_text(told.get("default-runtime")),
        cdi_enabled=enabled if isinstance(enabled, bool) else None,
        cgroup_driver=drivers[0] if drivers else None,
        storage_driver=_text(told.get("storage-driver")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _containerd(root: str) -> Configuration:
    """config.toml and what it imports, a later file over an earlier one; without the file there is runc alone."""
    path = "/etc/containerd/config.toml"
    if not exists(root, path):
        return Configuration(runtimes=["runc"])
    text = read_text(root, path)
    if text is None:
        return Configuration()
    texts = [text]
    for place in _imports(root, text):
        more = read_text(root, place)
        if more is None:
            return Configuration()
        texts.append(more)
    whole = "\n".join(texts)
    systemd = set(re.findall(r"^\s*SystemdCgroup\s*=\s*(true|false)\b", whole, re.MULTILINE))
    enabled = re.findall(r"^\s*enable_cdi\s*=\s*(true|false)\b", whole, re.MULTILINE)
    return Configuration(
        runtimes=sorted({"runc", *RUNTIME.findall(whole)}),
        default_runtime=_setting(whole, "default_runtime_name"),
        cdi_enabled=enabled[-1] == "true" if enabled else None,
        cgroup_driver={"true": "systemd", "false": "cgroupfs"}[systemd.pop()] if len(systemd) == 1 else None,
    )


def _imports(root: str, text: str) -> list[str]:
    """The files named by imports = ["/etc/containerd/conf.d/*.toml"], which newer versions have by default."""
    match = re.search(r"^\s*imports\s*=\s*\[([^\]]*)\]", text, re.MULTILINE)
    found: list[str] = []
    for place in re.findall(r"[\"']([^\"'\n]+)[\"']", match[1] if match else "'/etc/containerd/conf.d/*.toml'"):
        folder, _, name = place.rpartition("/")
        ending = name.removeprefix("*")
        names = [
            one for one in list_dir(root, folder) or [] if one == name or (one.endswith(ending) and ending != name)
        ]
        found += [f"{folder}/{one}" for one in names]
    return found[:MOST_IMPORTS]


def _setting(text: str | None, name: str) -> str | None:
    """The last value of a name in TOML that is a text: mode = "auto"."""
    found = re.findall(rf"^\s*{name}\s*=\s*[\"']([\w.-]+)[\"']", text or "", re.MULTILINE)
    return found[-1] if found else None


def _toolkit_version(root: str) -> str | None:
    """From the link libnvidia-container.so.1 -> libnvidia-container.so.1.17.8."""
    links = (link_target(root, f"{folder}/libnvidia-container.so.1") for folder in LIBRARIES)
    version = next((link.partition(".so.")[2] for link in links if link), "")
    return version if re.fullmatch(r"\d+(\.\d+){2}", version) else None


def _hook(root: str, engine: str) -> bool:
    """Docker looks for the program, podman and CRI-O for a file that names it; containerd uses neither.

    Source: moby/moby, daemon/nvidia_linux.go; oci-hooks(5).
    """
    if engine == "docker":
        return _program(root, "nvidia-container-runtime-hook", PROGRAMS)
    names = [name for folder in HOOKS for name in list_dir(root, folder) or []]
    return engine in {"podman", "crio"} and any("nvidia" in name for name in names)


def _links_missing(root: str) -> list[str] | None:
    """None where there is no NVIDIA device node, or no folder of such links."""
    names = [name for name in list_dir(root, "/dev") or [] if NODE.fullmatch(name)]
    if not names or not list_dir(root, "/dev/char"):
        return None
    numbers = {name: _device_number(root, f"/dev/{name}") for name in names}
    return [f"/dev/{name}" for name, number in numbers.items() if number and not exists(root, f"/dev/char/{number}")]


def _device_number(root: str, path: str) -> str | None:
    try:
        status = locate(root, path).stat()
    except (OSError, ValueError):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if stat.S_ISCHR(status.st_mode) else None
