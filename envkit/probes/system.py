"""Operating system: kernel, distribution, C library, WSL, hypervisor, time since boot."""

from __future__ import annotations

import os
import re
import sys
from typing import Literal

from envkit.facts import Section, ok, unknown
from envkit.facts.machine import System
from envkit.probes.cpu import cpuinfo
from envkit.probes.files import exists, list_dir, read_line, read_text

Libc = Literal["glibc", "musl"]

# DMI vendor and product to hypervisor, in the words of systemd-detect-virt(1), whose table this follows. Vendors that
# also build real machines (Microsoft, Oracle) are told apart by the product.
DMI_HYPERVISORS = (
    (r"KVM|OpenStack|KubeVirt", "kvm"),
    (r"Amazon EC2 (?!.*\.metal)", "amazon"),
    (r"QEMU", "qemu"),
    (r"VMware|VMW", "vmware"),
    (r"innotek GmbH|VirtualBox", "oracle"),
    (r"\bXen\b|HVM domU", "xen"),
    (r"Bochs", "bochs"),
    (r"Parallels", "parallels"),
    (r"BHYVE", "bhyve"),
    (r"Microsoft Corporation Virtual Machine|Hyper-V", "microsoft"),
    (r"Apple Virtualization", "apple"),
    (r"Google Compute Engine", "google"),
)
RENT_BARE_METAL = {"amazon", "google"}  # the same DMI vendor as on their virtual machines
CLOCKS = {"kvm-clock": "kvm", "hyperv_clocksource": "microsoft", "xen": "xen"}


def observe(root: str = "/") -> Section[System]:
    """The system as its files and, on this machine, uname and the C library tell."""
    if root == "/" and sys.platform != "linux":
        return ok(_elsewhere())
    version = read_line(root, "/proc/version")
    kernel = os.uname().release if root == "/" else _kernel(version)
    release = _os_release(root)
    libc, libc_version = _libc(root)
    facts = System(
        os="linux" if kernel else None,
        kernel=kernel,
        architecture=os.uname().machine if root == "/" else None,
        distribution=release.get("PRETTY_NAME") or release.get("NAME"),
        distribution_id=release.get("ID"),
        distribution_like=release.get("ID_LIKE", "").split(),
        superuser=os.geteuid() == 0 if root == "/" else None,
        libc=libc,
        libc_version=libc_version,
        wsl=_wsl(root, kernel) if kernel else None,
        virtual_machine=_hypervisor(root),
        boot_seconds=_boot_seconds(root),
    )
    return ok(facts) if facts != System() else unknown("/proc/version and /etc/os-release cannot be read")


def _kernel(version: str | None) -> str | None:
    """From "Linux version 6.1.0-13-amd64 (debian-kernel@...) ..."."""
    words = (version or "").split(maxsplit=3)
    return words[2] if words[:2] == ["Linux", "version"] and len(words) > 2 else None


def _wsl(root: str, kernel: str) -> bool:
    """WSL's kernels are called "4.4.0-19041-Microsoft" or "5.15.90.1-microsoft-standard-WSL2", unless self-built."""
    return "microsoft" in kernel.lower() or exists(root, "/proc/sys/fs/binfmt_misc/WSLInterop")


def _os_release(root: str) -> dict[str, str]:
    """os-release(5): shell assignments, values quoted or not."""
    text = read_text(root, "/etc/os-release") or read_text(root, "/usr/lib/os-release") or ""
    found = {}
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        quoted = re.fullmatch(r"""(["'])(.*)\1""", value)
        found[key] = re.sub(r"\\(.)", r"\1", quoted[2]) if quoted else value
    return found


def _libc(root: str) -> tuple[Libc, str | None] | tuple[None, None]:
    """The C library this process runs on, or of another tree the one whose loader lies there."""
    if root == "/":
        try:
            name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        except (OSError, ValueError):  # musl knows no such name
            name, version = "", ""
        if name == "glibc":
            return "glibc", version or None
    loaders = [name for folder in ("/lib", "/lib64") for name in list_dir(root, folder) or []]
    if root != "/" and any(name.startswith(("ld-linux", "ld64.so")) for name in loaders):
        return "glibc", None
    if any(name.startswith("ld-musl-") for name in loaders):
        return "musl", _musl_version(root)
    return None, None


def _musl_version(root: str) -> str | None:
    """Only running the loader would tell everywhere; Alpine's package database tells without."""
    packages = read_text(root, "/lib/apk/db/installed") or read_text(root, "/usr/lib/apk/db/installed") or ""
    match = re.search(r"^P:musl\nV:([0-9.]+)", packages, re.MULTILINE)
    return match[1] if match else None


def _hypervisor(root: str) -> str | None:
    """The hypervisor's name, "vm-other" when only its presence shows, "none" when an x86 processor denies it."""
    if kind := read_line(root, "/sys/hypervisor/type"):
        return kind
    dmi = " ".join(
        read_line(root, f"/sys/class/dmi/id/{name}") or "" for name in ("bios_vendor", "sys_vendor", "product_name")
    )
    flags = cpuinfo(root).get("flags")
    denied = flags is not None and "hypervisor" not in flags[0].split()
    for pattern, name in DMI_HYPERVISORS:
        if re.search(pattern, dmi) and not (denied and name in RENT_BARE_METAL):
            return name
    if compatible := read_line(root, "/proc/device-tree/hypervisor/compatible"):
        return "kvm" if "kvm" in compatible else "xen" if "xen" in compatible else "vm-other"
    if exists(root, "/proc/device-tree/ibm,partition-name"):
        return "powervm"
    if control_program := re.search(r"Control Program: *(KVM|z/VM)", read_text(root, "/proc/sysinfo") or ""):
        return {"KVM": "kvm", "z/VM": "zvm"}[control_program[1]]
    if flags is None or denied:
        return "none" if denied else None
    clocks = read_line(root, "/sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    return next((name for clock, name in CLOCKS.items() if clock in clocks), "vm-other")


def _boot_seconds(root: str) -> float | None:
    try:
        return float((read_line(root, "/proc/uptime") or "").split()[0])
    except (IndexError, ValueError):
        return None


def _elsewhere() -> System:
    import platform  # noqa: PLC0415 - where there is no /proc only
    import time  # noqa: PLC0415

    import psutil  # noqa: PLC0415

    name = {"win32": "windows"}.get(sys.platform, sys.platform)
    product = f"macOS {platform.mac_ver()[0]}" if name == "darwin" else f"{platform.system()} {platform.release()}"
    return System(
        os=name,
        kernel=platform.release() or None,
        architecture=platform.machine() or None,
        distribution=product,
        wsl=False,
        boot_seconds=time.time() - psutil.boot_time(),
    )
