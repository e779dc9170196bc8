"""The kernels that are installed, NVIDIA's module in each, and what waits for the next start."""

from __future__ import annotations

import re
import sys

from envkit.facts import Section, absent, ok, unknown
from envkit.facts.host import InstalledKernel, Kernel
from envkit.probes.files import exists, list_dir, read_bytes, read_line, read_text

MODULES = "/lib/modules"
DKMS = "/var/lib/dkms"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
MOST_KERNELS = 8  # a list of modules has a megabyte
# Debian calls the module after the package: nvidia-current, nvidia-tesla-470, nvidia-legacy-390xx.
NAME = r"nvidia(?:-current|-legacy-\d+xx|-tesla(?:-\d+)?)?(?:-open|-srv)?"
MODULE = rf"/{NAME}\.ko(?:\.\w+)?"
VERSION = rb"\0version=(\d+(?:\.\d+)+)\0"
ELF_HEADER_BYTES, SECTION_BYTES = 64, 64
MOST_SECTIONS_BYTES = 1 << 20


def observe(root: str = "/") -> Section[Kernel]:
    """Kernels and modules below /lib/modules, DKMS, Secure Boot's variable, the notes of package managers."""
    if root == "/" and sys.platform != "linux":
        return absent("only Linux has kernel modules in files")
    running = read_line(root, "/proc/sys/kernel/osrelease")
    dkms = _dkms(root)
    required, by = _reboot(root)
    facts = Kernel(
        running=running,
        installed=_installed(root, running, dkms or {}),
        nvidia_dkms_versions=None if dkms is None else sorted(dkms),
        secure_boot=_secure_boot(root),
        reboot_required=required,
        reboot_required_by=by,
        upgrades_unattended=_unattended(root),
    )
    return ok(facts) if facts != Kernel() else unknown("neither /proc/sys/kernel nor /lib/modules can be read")


def _installed(root: str, running: str | None, dkms: dict[str, list[str]]) -> list[InstalledKernel] | None:
    releases = list_dir(root, MODULES)
    if releases is None:
        return None
    releases.sort(key=_numbers, reverse=True)
    chosen = releases[:MOST_KERNELS] + [name for name in releases[MOST_KERNELS:] if name == running]
    return [_kernel(root, release, dkms) for release in chosen]


def _numbers(release: str) -> list[int]:
    """For sorting: "5.14.0-427.13.1.el9_4.x86_64" comes after "5.14.0-427.el9_4.x86_64"."""
    return [int(digits) for digits in re.findall(r"\d{1,9}", re.split("[a-z]", release, maxsplit=1)[0])]


def _kernel(root: str, release: str, dkms: dict[str, list[str]]) -> InstalledKernel:
    folder = f"{MODULES}/{release}"
    module = _listed(read_text(root, f"{folder}/modules.dep") or "")
    made = [version for version, releases in dkms.items() if release in releases]
    version = _module_version(root, f"{folder}/{module}") if module else None
    if module and not module.startswith("kernel/") and len(made) == 1:  # not one that came with the kernel
        version = version or made[0]
    return InstalledKernel(
        release=release,
        bootable=exists(root, f"/boot/vmlinuz-{release}") or exists(root, f"{folder}/vmlinuz"),
        headers=exists(root, f"{folder}/build"),
        nvidia_module=module,
        nvidia_module_version=version,
    )


def _listed(dependencies: str) -> str | None:
    """The path of NVIDIA's module in modules.dep, whose lines read "path: paths of what it needs"."""
    module = re.compile(MODULE)
    place = dependencies.find("/nvidia")
    while place >= 0:
        match = module.match(dependencies, place)
        start = dependencies.rfind("\n", 0, place) + 1
        if match and dependencies[match.end() : match.end() + 1] == ":" and ":" not in dependencies[start:place]:
            return dependencies[start : match.end()]
        place = dependencies.find("/nvidia", place + 1)
    return None


def _module_version(root: str, path: str) -> str | None:
    """What modinfo says, from the section .modinfo of an uncompressed module: ELF of 64 bits, little-endian."""
    head = read_bytes(root, path, 0, ELF_HEADER_BYTES)
    if len(head) < ELF_HEADER_BYTES or head[:6] != b"\x7fELF\x02\x01":
        return None
    table, number, names = (int.from_bytes(head[a:b], "little") for a, b in ((40, 48), (60, 62), (62, 64)))
    rows = read_bytes(root, path, table, number * SECTION_BYTES)
    sections = [rows[at : at + SECTION_BYTES] for at in range(0, len(rows), SECTION_BYTES)]
    if names >= len(sections):
        return None
    text = _content(root, path, sections[names])
    for section in sections:
        name = int.from_bytes(section[:4], "little")
        if text[name : name + 9] == b".modinfo\0":
            found = re.search(VERSION, b"\0" + _content(root, path, section))
            return found[1].decode() if found else None
    return None


def _content(root: str, path: str, section: bytes) -> bytes:
    offset, size = (int.from_bytes(section[a:b], "little") for a, b in ((24, 32), (32, 40)))
    return read_bytes(root, path, offset, min(size, MOST_SECTIONS_BYTES))


def _dkms(root: str) -> dict[str, list[str]] | None:
    """Versions of NVIDIA's module that DKMS has, each with the kernels it is built for: nvidia/550.54.14/6.8.0-45."""
    names = list_dir(root, DKMS)
    if names is None:
        return None
    found: dict[str, list[str]] = {}
    for name in filter(re.compile(NAME).fullmatch, names):
        for version in list_dir(root, f"{DKMS}/{name}") or []:
            if re.fullmatch(r"\d+(\.\d+)+", version):
                built = set(list_dir(root, f"{DKMS}/{name}/{version}") or []) - {"source", "build"}
                found[version] = [*found.get(version, []), *sorted(built)]
    return found


def _secure_boot(root: str) -> bool | None:
    """The variable's value is one byte, behind four of attributes."""
    value = read_bytes(root, SECURE_BOOT, 0, 8)
    return value[4] == 1 if len(value) == 5 else None


def _reboot(root: str) -> tuple[bool | None, list[str] | None]:
    """Packages of Debian and Ubuntu leave a note (reboot-notifier, update-notifier) until the next start."""
    if not exists(root, "/var/lib/dpkg"):
        return None, None
    if not exists(root, "/run/reboot-required"):
        return False, None
    packages = (read_text(root, "/run/reboot-required.pkgs") or "").split()
    return True, sorted(set(packages)) or None


def _unattended(root: str) -> bool | None:
    """Whether apt's or dnf's timer installs what it finds."""
    apt = "/etc/apt/apt.conf.d"
    names = list_dir(root, apt)
    if names is not None:
        texts = [read_text(root, f"{apt}/{name}") or "" for name in names if re.match(r"\d+(auto|periodic)", name)]
        setting = re.findall(r'^\s*APT::Periodic::Unattended-Upgrade\s+"(\d+)"', "\n".join(texts), re.MULTILINE)
        return bool(setting) and setting[-1] != "0"
    wants = list_dir(root, "/etc/systemd/system/timers.target.wants") or []
    if not exists(root, "/etc/dnf"):
        return None
    settings = read_text(root, "/etc/dnf/automatic.conf") or ""
    asked = re.search(r"^apply_updates\s*=\s*(yes|true|1)\b", settings, re.MULTILINE)
    return "dnf-automatic-install.timer" in wants or ("dnf-automatic.timer" in wants and asked is not None)
