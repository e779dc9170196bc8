"""Small answers about the system: /etc/os-release, uname -a, ldd --version, nvcc --version, gcc --version."""

from __future__ import annotations

import re
from typing import Any

from envkit.facts import Facts, ok
from envkit.facts.machine import System
from envkit.readers import _platforms
from envkit.readers._fields import groups
from envkit.readers._lines import first

NAME = "os-release, uname, ldd, nvcc"

_ASSIGNMENT = re.compile(r"^[ \t]*(PRETTY_NAME|ID|NAME|VERSION_ID)=([\"']?)([^\"'\n]*)\2[ \t]*$", re.MULTILINE)
_UNAME = re.compile(
    r"^[^\n]{0,80}?\bLinux \S{1,64} (\d+\.\d+\S{0,80}) #\d[^\n]{0,200}?"
    r" (x86_64|aarch64|ppc64le|s390x|riscv64|armv7l)\b",
    re.MULTILINE,
)
_PROC_VERSION = re.compile(r"^[ \t]*Linux version (\d+\.\d+\S*) \(", re.MULTILINE)
_GLIBC = re.compile(r"^[ \t]*ldd \([^\n]{0,60}(?:GLIBC|libc)[^\n]{0,60}\) (\d+\.\d+)", re.MULTILINE)
_MUSL = re.compile(r"^[ \t]*musl libc \((\w+)\)\n[ \t]*Version (\d+\.[\d.]+)", re.MULTILINE)
_NVCC = re.compile(r"Cuda compilation tools, release \d+\.\d+, V(\d+\.\d+(?:\.\d+)?)")
_GCC = re.compile(r"^[ \t]*(?:gcc|g\+\+|cc)(?:-\d+)? \([^)\n]{0,100}\) (\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_LSB = re.compile(r"^[ \t]*Description:[ \t]+([^\n]+)$", re.MULTILINE)


def read(text: str) -> Facts | None:
    """The system, as far as these say it."""
    system = System(**{**_release(text), **_kernel(text), **_libc(text), **_compilers(text)})
    return Facts(system=ok(system)) if system != System() else None


def _release(text: str) -> dict[str, Any]:
    values: dict[str, str] = {}
    if "PRETTY_NAME=" in text or "VERSION_ID=" in text:
        for name, _, value in groups(_ASSIGNMENT, text, "NAME=", "ID="):
            values.setdefault(name, value)
    if "Distributor ID:" in text and (lsb := first(_LSB, text, "Description:")):
        values.setdefault("PRETTY_NAME", lsb[1].strip())
        values.setdefault("ID", _platforms.distribution_id(lsb[1]) or "")
    if not values:
        return {}
    distribution = values.get("PRETTY_NAME") or values.get("NAME") or None
    return {"os": "linux", "distribution": distribution, "distribution_id": values.get("ID") or None}


def _kernel(text: str) -> dict[str, Any]:
    uname = first(_UNAME, text, "Linux ")
    version = None if uname else first(_PROC_VERSION, text, "Linux version ")
    if not uname and not version:
        return {}
    kernel = uname[1] if uname else version[1] if version else ""
    found = {"os": "linux", "kernel": kernel, "wsl": "microsoft" in kernel.lower()}
    return found | ({"architecture": uname[2]} if uname else {})


def _libc(text: str) -> dict[str, Any]:
    if glibc := first(_GLIBC, text, "ldd ("):
        return {"libc": "glibc", "libc_version": glibc[1]}
    if musl := first(_MUSL, text, "musl libc"):
        return {"libc": "musl", "libc_version": musl[2]}
    return {}


def _compilers(text: str) -> dict[str, Any]:
    nvcc = _NVCC.search(text)
    gcc = first(_GCC, text, "cc (", "cc-", "g++ (", "g++-")
    return {
        **({"cuda_toolkit_version": nvcc[1]} if nvcc else {}),
        **({"gcc_version": gcc[1]} if gcc else {}),
    }
