from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil  # loaded before a test says that this is another system
import pytest

from envkit.facts.machine import System
from envkit.probes import system

VERSION = "Linux version {} (builder@host) (gcc 12.2.0) #1 SMP\n"
DMI = "/sys/class/dmi/id/"
CLOCK = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
REAL = "processor : 0\nflags : fpu avx\n"
VIRTUAL = "processor : 0\nflags : fpu avx hypervisor\n"


def observe(folder: Path, files: dict[str, str]) -> System:
    for path, text in ({"/proc/version": VERSION.format("6.1.0-13-amd64")} | files).items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    facts = system.observe(str(folder)).facts
    assert facts
    return facts


def test_a_recorded_tree_tells_kernel_distribution_and_uptime(tmp_path: Path) -> None:
    facts = observe(
        tmp_path,
        {
            "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
            "/proc/uptime": "1674.36 3100.10\n",
        },
    )
    assert (facts.os, facts.kernel, facts.architecture) == ("linux", "6.1.0-13-amd64", None)
    assert (facts.distribution, facts.distribution_id) == ("Debian GNU/Linux 12 (bookworm)", "debian")
    assert facts.boot_seconds == 1674.36


@pytest.mark.parametrize(
    ("text", "name", "identity"),
    [
        ("# comment\nPRETTY_NAME='Rocky Linux 9.3'\nID=\"rocky\"\n", "Rocky Linux 9.3", "rocky"),
        ("NAME=Alpine\nID=alpine", "Alpine", "alpine"),
        ('PRETTY_NAME="The \\"best\\" \\$5 Linux"\n', 'The "best" $5 Linux', None),
        ('PRETTY_NAME="unbalanced\nID=\n', '"unbalanced', None),
        ("no assignment\n\0\n=\n", None, None),
    ],
)
def test_os_release_is_quoted_in_many_ways(tmp_path: Path, text: str, name: str | None, identity: str | None) -> None:
    facts = observe(tmp_path, {"/etc/os-release": text})
    assert (facts.distribution, facts.distribution_id or None) == (name, identity)


def test_os_release_names_what_a_distribution_is_like(tmp_path: Path) -> None:
    facts = observe(tmp_path, {"/etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'})
    assert (facts.distribution_like, facts.superuser) == (["rhel", "centos", "fedora"], None)
    assert observe(tmp_path, {"/etc/os-release": "ID=debian\n"}).distribution_like == []


def test_os_release_may_lie_under_usr_only(tmp_path: Path) -> None:
    assert observe(tmp_path, {"/usr/lib/os-release": "ID=fedora\n"}).distribution_id == "fedora"


@pytest.mark.parametrize(
    ("kernel", "wsl"),
    [("4.4.0-19041-Microsoft", True), ("5.15.90.1-microsoft-standard-WSL2", True), ("5.15.0-1041-azure", False)],
)
def test_wsl_is_told_by_its_kernel(tmp_path: Path, kernel: str, wsl: bool) -> None:
    assert observe(tmp_path, {"/proc/version": VERSION.format(kernel)}).wsl is wsl


def test_wsl_with_a_self_built_kernel_is_told_by_its_interpreter_of_windows_programs(tmp_path: Path) -> None:
    assert observe(tmp_path, {"/proc/sys/fs/binfmt_misc/WSLInterop": "enabled\n"}).wsl is True


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/proc/cpuinfo": REAL}, "none"),
        ({"/proc/cpuinfo": VIRTUAL}, "vm-other"),
        ({"/proc/cpuinfo": VIRTUAL, CLOCK: "tsc kvm-clock\n"}, "kvm"),
        ({"/proc/cpuinfo": VIRTUAL, CLOCK: "hyperv_clocksource_tsc_page acpi_pm\n"}, "microsoft"),
        ({"/proc/cpuinfo": VIRTUAL, "/sys/hypervisor/type": "xen\n"}, "xen"),
        ({"/proc/cpuinfo": REAL, DMI + "sys_vendor": "QEMU\n"}, "qemu"),  # the processor's flag can be hidden
        ({DMI + "sys_vendor": "VMware, Inc.\n", DMI + "product_name": "VMware7,1\n"}, "vmware"),
        ({DMI + "sys_vendor": "Microsoft Corporation", DMI + "product_name": "Virtual Machine"}, "microsoft"),
        ({"/proc/cpuinfo": REAL, DMI + "sys_vendor": "Microsoft Corporation", DMI + "product_name": "Surface"}, "none"),
        ({"/proc/cpuinfo": VIRTUAL, DMI + "sys_vendor": "Amazon EC2", DMI + "product_name": "p5.48xlarge"}, "amazon"),
        ({"/proc/cpuinfo": REAL, DMI + "sys_vendor": "Amazon EC2", DMI + "product_name": "i3.metal"}, "none"),
        ({DMI + "sys_vendor": "Amazon EC2", DMI + "product_name": "m6g.metal"}, None),
        ({DMI + "sys_vendor": "Google", DMI + "product_name": "Google Compute Engine"}, "google"),
        ({DMI + "sys_vendor": "Dell Inc.", DMI + "product_name": "PowerEdge", "/proc/cpuinfo": REAL}, "none"),
        ({"/proc/device-tree/hypervisor/compatible": "linux,kvm\0"}, "kvm"),
        ({"/proc/device-tree/ibm,partition-name": "lpar1\0"}, "powervm"),
        ({"/proc/sysinfo": "VM00 Name: x\nVM00 Control Program: z/VM    7.2.0\n"}, "zvm"),
        ({"/proc/cpuinfo": "processor : 0\nFeatures : fp asimd\n"}, None),
        ({}, None),
    ],
)
def test_the_hypervisor_is_named_and_bare_metal_needs_evidence(
    tmp_path: Path, files: dict[str, str], expected: str | None
) -> None:
    assert observe(tmp_path, files).virtual_machine == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/lib64/ld-linux-x86-64.so.2": ""}, ("glibc", None)),
        ({"/lib/ld-linux-aarch64.so.1": "", "/lib/ld-musl-aarch64.so.1": ""}, ("glibc", None)),
        ({"/lib/ld-musl-x86_64.so.1": ""}, ("musl", None)),
        ({"/lib/ld-musl-x86_64.so.1": "", "/lib/apk/db/installed": "C:x\nP:musl\nV:1.2.5-r8\n"}, ("musl", "1.2.5")),
        ({"/lib/modules": ""}, (None, None)),
    ],
)
def test_the_c_library_is_told_by_its_loader(
    tmp_path: Path, files: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    facts = observe(tmp_path, files)
    assert (facts.libc, facts.libc_version) == expected


def test_where_the_c_library_names_no_version_it_is_not_called_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(name: str) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", confstr)
    facts = system.observe().facts
    assert facts
    assert facts.libc != "glibc"


def test_an_empty_tree_is_unknown(tmp_path: Path) -> None:
    section = system.observe(str(tmp_path))
    assert (section.outcome, section.why) == ("unknown", "/proc/version and /etc/os-release cannot be read")


def test_garbage_and_fifos_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc" / "version")
    (tmp_path / "proc" / "uptime").write_bytes(b"\xff\0 nonsense")
    (tmp_path / "proc" / "cpuinfo").write_bytes(b"\xff\0:" * 9)
    assert system.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_is_described() -> None:
    facts = system.observe().facts
    assert facts
    assert (facts.os, facts.kernel, facts.architecture) == ("linux", os.uname().release, os.uname().machine)
    assert facts.libc in {"glibc", "musl"}
    assert facts.boot_seconds
    assert facts.wsl is not None


@pytest.mark.parametrize(("platform", "expected"), [("darwin", "darwin"), ("win32", "windows")])
def test_other_systems_do_not_crash(monkeypatch: pytest.MonkeyPatch, platform: str, expected: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    facts = system.observe().facts
    assert facts
    assert (facts.os, facts.wsl, facts.virtual_machine) == (expected, False, None)
    assert facts.boot_seconds == pytest.approx(time.time() - psutil.boot_time(), abs=60)
