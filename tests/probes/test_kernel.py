from __future__ import annotations

import struct
import sys
import time
from pathlib import Path

import pytest

from envkit.facts.host import InstalledKernel, Kernel
from envkit.probes import kernel

OLD, NEW = "6.8.0-40-generic", "6.8.0-45-generic"
DEPENDENCIES = """\
kernel/drivers/video/fbdev/nvidia/nvidiafb.ko.zst: kernel/drivers/video/fbdev/core/fb_ddc.ko.zst
updates/dkms/nvidia-uvm.ko.zst: updates/dkms/nvidia.ko.zst
updates/dkms/nvidia.ko.zst: kernel/drivers/char/ipmi/ipmi_msghandler.ko.zst
updates/dkms/nvidia-modeset.ko.zst: updates/dkms/nvidia.ko.zst
"""
WITHOUT = "kernel/drivers/net/dummy.ko.zst:\n"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def tree(folder: Path, **files: str | bytes) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def two_kernels(folder: Path, old: str = DEPENDENCIES, new: str = WITHOUT) -> Path:
    """The newer one runs; only the older one has headers and NVIDIA's module, which DKMS made."""
    return tree(
        folder,
        **{
            "proc/sys/kernel/osrelease": f"{NEW}\n",
            f"lib/modules/{OLD}/modules.dep": old,
            f"lib/modules/{OLD}/build/Makefile": "",
            f"lib/modules/{NEW}/modules.dep": new,
            f"boot/vmlinuz-{OLD}": "",
            f"boot/vmlinuz-{NEW}": "",
            f"var/lib/dkms/nvidia/550.54.14/{OLD}/x86_64/module/nvidia.ko.zst": "",
            "var/lib/dkms/nvidia/550.54.14/source/dkms.conf": "",
            "var/lib/dkms/zfs/2.2.2/x": "",
        },
    )


def observe(root: Path) -> Kernel:
    section = kernel.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def test_files_tell_the_kernels_and_their_modules(tmp_path: Path) -> None:
    assert observe(two_kernels(tmp_path)) == Kernel(
        running=NEW,
        installed=[
            InstalledKernel(release=NEW, bootable=True, headers=False),
            InstalledKernel(
                release=OLD,
                bootable=True,
                headers=True,
                nvidia_module="updates/dkms/nvidia.ko.zst",
                nvidia_module_version="550.54.14",
            ),
        ],
        nvidia_dkms_versions=["550.54.14"],
    )


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("extra/nvidia.ko.xz:\n", "extra/nvidia.ko.xz"),
        ("kernel/nvidia-550srv/nvidia.ko: kernel/x.ko\n", "kernel/nvidia-550srv/nvidia.ko"),
        ("updates/dkms/nvidia-current.ko:", "updates/dkms/nvidia-current.ko"),
        ("updates/dkms/nvidia-tesla-470.ko:\n", "updates/dkms/nvidia-tesla-470.ko"),
        ("updates/dkms/nvidia-current-drm.ko: updates/dkms/nvidia-current.ko\n", None),
        ("extra/nvidia-peermem.ko: extra/nvidia.ko\n", None),
        ("", None),
        ("\0\0\0/nvidia.ko", None),
    ],
)
def test_the_module_is_found_under_any_of_its_names(tmp_path: Path, line: str, module: str | None) -> None:
    root = two_kernels(tmp_path, new=f"kernel/a.ko: kernel/b.ko\n{line}")
    newest = (observe(root).installed or [])[0]
    assert (newest.release, newest.nvidia_module) == (NEW, module)


def elf(version: bytes, *, sections: int = 3) -> bytes:
    """An object file with a section .modinfo, as insmod takes it."""
    names = b"\0.text\0.modinfo\0.shstrtab\0"
    modinfo = b"license=NVIDIA\0description=x\0version=" + version + b"\0srcversion=5335\0"
    table = 64 + len(names) + len(modinfo)
    header = b"\x7fELF\x02\x01\x01" + bytes(33) + struct.pack("<Q", table) + bytes(10)
    header += struct.pack("<HHH", 64, sections, sections - 1)

    def row(name: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQ", name, 1, 0, 0, offset, size) + bytes(24)

    rows = row(1, 0, 0) * (sections - 2) + row(7, 64 + len(names), len(modinfo)) + row(16, 64, len(names))
    return header + names + modinfo + rows


def test_a_modules_version_is_read_from_the_file_itself(tmp_path: Path) -> None:
    root = two_kernels(tmp_path, new="kernel/drivers/video/nvidia.ko:\n")
    tree(root, **{f"lib/modules/{NEW}/kernel/drivers/video/nvidia.ko": elf(b"570.133.20")})
    assert (observe(root).installed or [])[0].nvidia_module_version == "570.133.20"


@pytest.mark.parametrize(
    "content",
    [b"", b"\x7fELF", elf(b"570.133.20")[:70], elf(b"not a version"), b"\x28\xb5\x2f\xfd" * 99, elf(b"5", sections=2)],
)
def test_a_module_that_is_compressed_or_torn_has_no_version(tmp_path: Path, content: bytes) -> None:
    root = two_kernels(tmp_path, new="extra/nvidia.ko:\n")
    tree(root, **{f"lib/modules/{NEW}/extra/nvidia.ko": content})
    newest = (observe(root).installed or [])[0]
    assert (newest.nvidia_module, newest.nvidia_module_version) == ("extra/nvidia.ko", None)


def test_of_many_kernels_the_newest_and_the_running_one_are_looked_at(tmp_path: Path) -> None:
    releases = [f"5.14.0-{n}.el9_4.x86_64" for n in (70, 362, 427)] + ["5.14.0-427.13.1.el9_4.x86_64"]
    releases += [f"4.18.0-{n}.el8.x86_64" for n in range(10)]
    files = {f"lib/modules/{release}/modules.dep": WITHOUT for release in releases}
    root = tree(tmp_path, **{"proc/sys/kernel/osrelease": releases[4]}, **files)
    found = [k.release for k in observe(root).installed or []]
    assert found[:4] == [releases[3], releases[2], releases[1], releases[0]]
    assert len(found) == kernel.MOST_KERNELS + 1
    assert found[-1] == releases[4]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\x00", False), (b"\x06\0\0", None), (b"", None), (b"1" * 99, None)],
)
def test_secure_boot_is_the_fifth_byte(tmp_path: Path, content: bytes, expected: bool | None) -> None:
    assert observe(tree(two_kernels(tmp_path), **{SECURE_BOOT: content})).secure_boot is expected


def test_a_reboot_is_noted_with_the_packages_that_ask_for_it(tmp_path: Path) -> None:
    root = tree(two_kernels(tmp_path), **{"var/lib/dpkg/status": ""})
    assert observe(root).reboot_required is False
    tree(root, **{"run/reboot-required": "", "run/reboot-required.pkgs": "linux-base\nnvidia-x\nlinux-base\n"})
    facts = observe(root)
    assert (facts.reboot_required, facts.reboot_required_by) == (True, ["linux-base", "nvidia-x"])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc/apt/apt.conf.d/20auto-upgrades": 'APT::Periodic::Unattended-Upgrade "1";\n'}, True),
        ({"etc/apt/apt.conf.d/20auto-upgrades": 'APT::Periodic::Unattended-Upgrade "0";\n'}, False),
        ({"etc/apt/apt.conf.d/20auto-upgrades": '// APT::Periodic::Unattended-Upgrade "1";\n'}, False),
        ({"etc/apt/apt.conf.d/01autoremove": ""}, False),
        ({"etc/dnf/automatic.conf": "apply_updates = yes\n"}, False),
        (
            {
                "etc/dnf/automatic.conf": "[commands]\napply_updates = yes\n",
                "etc/systemd/system/timers.target.wants/dnf-automatic.timer": "",
            },
            True,
        ),
        ({"etc/systemd/system/timers.target.wants/dnf-automatic-install.timer": "", "etc/dnf/dnf.conf": ""}, True),
        ({}, None),
    ],
)
def test_who_upgrades_without_being_asked(tmp_path: Path, files: dict[str, str], expected: bool | None) -> None:
    assert observe(tree(two_kernels(tmp_path), **files)).upgrades_unattended is expected


def test_a_megabyte_of_modules_is_looked_through_quickly(tmp_path: Path) -> None:
    lines = "".join(f"kernel/drivers/net/ethernet/nvidia/driver-{n}.ko.zst: kernel/x.ko.zst\n" for n in range(20_000))
    root = two_kernels(tmp_path, old=lines + DEPENDENCIES, new=lines)
    started = time.process_time()
    assert (observe(root).installed or [])[1].nvidia_module == "updates/dkms/nvidia.ko.zst"
    assert time.process_time() - started < 1


@pytest.mark.parametrize("content", [b"", b"\xff\0\x80" * 999, b":\n:\n"])
def test_garbage_is_unknown(tmp_path: Path, content: bytes) -> None:
    root = two_kernels(tmp_path)
    for path in root.rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    facts = observe(root)
    assert [k.nvidia_module for k in facts.installed or []] == [None, None]
    assert facts.secure_boot is None


def test_without_the_files_nothing_is_known(tmp_path: Path) -> None:
    assert kernel.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_tells() -> None:
    facts = kernel.observe().facts
    assert facts is not None
    assert facts.running


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert kernel.observe().outcome == "absent"
