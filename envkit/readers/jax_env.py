"""jax.print_environment_info()."""

from __future__ import annotations

import re

import msgspec

from envkit.facts import Facts, ok
from envkit.facts.software import FrameworkDevice, JaxDeep, Package
from envkit.readers import _installed, _platforms
from envkit.readers._fields import labelled
from envkit.readers._lines import first

NAME = "jax.print_environment_info"

_JAX = re.compile(r"^[ \t]*jax:[ \t]+(\d\S*)[ \t]*\n(?:[^\n]*\n){0,2}?[ \t]*jaxlib:[ \t]+(\d\S*)", re.MULTILINE)
_DEVICES = re.compile(r"^[ \t]*jax\.devices \((\d{1,6}) total, (\d{1,4}) local\): \[<?(\w+)", re.MULTILINE)
_INFO = re.compile(r"^[ \t]*device info:[ \t]*(.+)-\d+, (\d{1,4}) local devices", re.MULTILINE)


def read(text: str) -> Facts | None:
    """Python, JAX, jaxlib, NumPy, the system and the devices of this process."""
    match = first(_JAX, text, "jax:") if "jaxlib:" in text else None
    if match is None:
        return None
    fields = labelled(text, "numpy", "python", "platform")
    versions = {"jax": match[1], "jaxlib": match[2], "numpy": fields.get("numpy", "")}
    packages = [Package(name=name, version=version) for name, version in versions.items() if version]
    found = _installed.sections(packages, **_platforms.python(fields.get("python", "")))
    found |= _platforms.sections(_platforms.from_uname(fields.get("platform", "")))
    if devices := _devices(text):
        found["jax_deep"] = ok(JaxDeep(imported=True, version=match[1], devices=devices))
    return msgspec.structs.replace(Facts(), **found)


def _devices(text: str) -> list[FrameworkDevice]:
    """Newer releases name the kind of the devices, all name their class: CudaDevice, TpuDevice, GpuDevice."""
    info, listed = first(_INFO, text, "device info:"), first(_DEVICES, text, "jax.devices (")
    name = info[1].strip() if info else None
    number = int(info[2]) if info else int(listed[2]) if listed else 0
    word = f"{listed[3] if listed else ''} {name or ''}".lower()
    kind = next((kind for mark, kind in _KINDS.items() if mark in word), "cuda")
    return [FrameworkDevice(kind=kind, name=name) for _ in range(number)]


_KINDS = {"rocm": "rocm", "amd": "rocm", "gfx": "rocm", "tpu": "tpu", "cpu": "cpu", "metal": "mps"}
