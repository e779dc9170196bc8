"""docker info (text and JSON), docker version, daemon.json, podman info, nvidia-ctk cdi list."""

from __future__ import annotations

import re
from typing import Any

from envkit.facts import Facts, ok
from envkit.facts.machine import ContainerEngine
from envkit.readers._fields import documents, given, groups, labelled
from envkit.readers._lines import first

NAME = "docker info"

_LABELS = ("Server Version", "Storage Driver", "Cgroup Driver", "Cgroup Version", "Runtimes", "Default Runtime")
_PODMAN = ("graphDriverName", "cgroupManager", "cgroupVersion", "Version")
_ENGINE = re.compile(r"^[ \t]*Server:[^\n]*\n(?:[ \t]*Engine:[ \t]*\n)?[ \t]*Version:[ \t]*(\d\S*)", re.MULTILINE)
_CDI = re.compile(r"^[ \t]*(?:cdi:[ \t]*)?(nvidia\.com/\w+=\S+)[ \t]*$", re.MULTILINE)
_MARKS = ("Runtime", "Cgroup", "Server Version", "Engine:", "graphDriverName", "untimes", "nvidia.com/", "Server:")


def read(text: str) -> Facts | None:
    """The container engine of the host, and whether it knows NVIDIA's runtime or CDI devices."""
    if not any(mark in text for mark in _MARKS):
        return None
    engine = _from_json(text) or _from_text(text)
    return Facts(container_engine=ok(engine)) if engine else None


def _from_text(text: str) -> ContainerEngine | None:
    if "graphDriverName:" in text:
        return _podman(text)
    fields = labelled(text, *_LABELS)
    version = first(_ENGINE, text, "Server:")
    runtimes = (given(fields.get("Runtimes")) or "").split()
    if not any(name.startswith(("runc", "io.containerd", "crun")) for name in runtimes):
        runtimes = []  # some other tool's word
    devices = [device for (device,) in groups(_CDI, text, "nvidia.com/")]
    engine = ContainerEngine(
        version=given(fields.get("Server Version")) or (version[1] if version else None),
        runtimes=runtimes or None,
        default_runtime=given(fields.get("Default Runtime")),
        cdi_devices=list(dict.fromkeys(devices)) or None,
        cgroup_driver=given(fields.get("Cgroup Driver")),
        cgroup_version=given(fields.get("Cgroup Version")),
        storage_driver=given(fields.get("Storage Driver")),
    )
    return engine if engine != ContainerEngine() else None


def _podman(text: str) -> ContainerEngine:
    fields = labelled(text, *_PODMAN)
    return ContainerEngine(
        name="podman",
        version=given(fields.get("Version")),
        cgroup_driver=given(fields.get("cgroupManager")),
        cgroup_version=(given(fields.get("cgroupVersion")) or "").removeprefix("v") or None,
        storage_driver=given(fields.get("graphDriverName")),
    )


def _from_json(text: str) -> ContainerEngine | None:
    """Of docker info --format json, else of daemon.json, to which Docker adds runc."""
    if '"Runtimes"' not in text and '"runtimes"' not in text and '"ServerVersion"' not in text:
        return None
    configured = None
    for document in documents(text):
        if not isinstance(document, dict):
            continue
        if "ServerVersion" in document or "CgroupDriver" in document:
            return _info(document)
        if isinstance(document.get("runtimes"), dict):
            runtimes = sorted({*document["runtimes"], "runc"})
            default = document.get("default-runtime")
            configured = ContainerEngine(runtimes=runtimes, default_runtime=default if _is_text(default) else None)
    return configured


def _info(document: dict[str, Any]) -> ContainerEngine:
    def word(key: str) -> str | None:
        value = document.get(key)
        return given(value) if isinstance(value, str) else None

    runtimes, devices = document.get("Runtimes"), document.get("DiscoveredDevices")
    found = [device.get("ID") for device in devices if isinstance(device, dict)] if isinstance(devices, list) else []
    return ContainerEngine(
        version=word("ServerVersion"),
        runtimes=sorted(runtimes) if isinstance(runtimes, dict) else None,
        default_runtime=word("DefaultRuntime"),
        cdi_devices=[device for device in found if isinstance(device, str)] or None,
        cgroup_driver=word("CgroupDriver"),
        cgroup_version=word("CgroupVersion"),
        storage_driver=word("Driver"),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)
