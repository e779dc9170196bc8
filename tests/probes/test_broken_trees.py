"""Accelerators on a machine whose files are empty, binary, huge, gone, folders or links in a circle."""

from __future__ import annotations

import random
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envkit.facts import Facts, decode, encode
from envkit.probes import amd, intel, tpu

PCI = "sys/bus/pci/devices"
KFD = "sys/class/kfd/kfd/topology/nodes/1"
HEALTHY = {
    **{f"{PCI}/0000:05:00.0/{n}": t for n, t in {"vendor": "0x1002", "device": "0x74a1", "class": "0x120000"}.items()},
    **{f"{PCI}/0000:06:00.0/{n}": t for n, t in {"vendor": "0x8086", "device": "0x56a0", "class": "0x030000"}.items()},
    **{f"{PCI}/0000:07:00.0/{n}": t for n, t in {"vendor": "0x1ae0", "device": "0x0063", "class": "0xff0000"}.items()},
    f"{PCI}/0000:05:00.0/mem_info_vram_total": "4096",
    f"{PCI}/0000:05:00.0/mem_info_vram_used": "1024",
    f"{PCI}/0000:05:00.0/product_name": "AMD Instinct MI300X",
    f"{PCI}/0000:05:00.0/current_compute_partition": "SPX",
    f"{PCI}/0000:05:00.0/current_link_width": "16",
    f"{PCI}/0000:05:00.0/max_link_speed": "32.0 GT/s PCIe",
    f"{PCI}/0000:05:00.0/numa_node": "1",
    f"{PCI}/0000:05:00.0/power/runtime_status": "active",
    f"{PCI}/0000:05:00.0/hwmon/hwmon1/temp2_input": "35000",
    f"{PCI}/0000:05:00.0/hwmon/hwmon1/power1_cap": "750000000",
    f"{PCI}/0000:05:00.0/ras/umc_err_count": "ue: 0\nce: 0\n",
    f"{PCI}/0000:05:00.0/ras/gpu_vram_bad_pages": "0x01 : 0x1000 : R\n",
    f"{PCI}/0000:06:00.0/tile0/physical_vram_size_bytes": "8192",
    f"{PCI}/0000:06:00.0/drm/renderD128/dev": "226:128",
    f"{KFD}/properties": "simd_count 8\nsimd_per_cu 4\nlocation_id 1280\ngfx_target_version 90402\nunique_id 77\n",
    f"{KFD}/io_links/0/properties": "type 11\nnode_to 1\n",
    f"{KFD}/mem_banks/0/properties": "heap_type 1\nsize_in_bytes 4096\n",
    "sys/module/amdgpu/version": "6.10.5",
    "opt/rocm/.info/version": "7.0.2-56",
    "dev/kfd": "",
    "dev/accel0": "",
    "dev/dri/renderD128": "",
    "proc/2/comm": "kthreadd",
    "proc/40/comm": "python3",
    "proc/40/cmdline": "python3",
    "tmp/libtpu_lockfile": "",
    "usr/share/misc/pci.ids": "1002  AMD\n\t74a1  Aqua [MI300X]\n",
    "etc/ld.so.conf": "/opt/rocm/lib\n",
}


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def circle_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


BREAKS: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"\n \t\n"),
    lambda path: path.write_bytes(b"\xff\xfe\x00\x1b[31m"),
    lambda path: path.write_bytes(b"9" * 5000),
    lambda path: path.write_bytes(b"-1 x\n" * 500_000),
    lambda path: path.unlink(),
    folder_instead,
    circle_instead,
]


def machine(root: Path) -> None:
    for name, text in HEALTHY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "proc/40/fd").mkdir()
    (root / "proc/40/fd/3").symlink_to("/dev/accel0")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def looked_at(root: Path) -> Facts:
    where = str(root)
    return Facts(amd=amd.observe(where, deadline_seconds=60.0), intel=intel.observe(where), tpu=tpu.observe(where))


def test_the_machine_is_told_when_nothing_is_broken(tmp_path: Path) -> None:
    machine(tmp_path)
    facts = looked_at(tmp_path)
    assert facts.amd.facts
    assert facts.intel.facts
    assert facts.tpu.facts
    (gpu,) = facts.amd.facts.gpus or []
    assert (gpu.gfx, gpu.temperature_celsius, gpu.pages_retired) == ("gfx942", 35, 1)
    assert [g.memory_total_bytes for g in facts.intel.facts.gpus] == [8192]
    assert [holder.pid for holder in facts.tpu.facts.holders or []] == [40]


@pytest.mark.parametrize("seed", range(24))
def test_broken_files_are_unknown_and_nothing_raises(tmp_path: Path, seed: int) -> None:
    machine(tmp_path)
    chance = random.Random(seed)
    for name in HEALTHY:
        if chance.random() < (0.3 if seed % 2 else 1.0):
            # In even rounds every file is broken in the same way.
            BREAKS[seed // 2 % len(BREAKS) if seed % 2 == 0 else chance.randrange(len(BREAKS))](tmp_path / name)
    facts = looked_at(tmp_path)
    assert decode(encode(facts), "again") == facts
    for section in (facts.amd, facts.intel, facts.tpu):
        said = msgspec.to_builtins(section.facts) if section.facts else {}
        empty = [path for path, value in leaves(said) if value == "" and not path.endswith(("device_id", "vendor_id"))]
        assert not empty


@pytest.mark.parametrize("name", sorted(HEALTHY), ids=lambda name: f"{zlib.crc32(name.encode()):08x}")
def test_any_one_file_that_vanishes_hides_at_most_one_accelerator(tmp_path: Path, name: str) -> None:
    machine(tmp_path)
    (tmp_path / name).unlink()
    if name.endswith("properties"):
        shutil.rmtree((tmp_path / name).parent)
    facts = looked_at(tmp_path)
    assert [section.outcome for section in (facts.amd, facts.intel, facts.tpu)].count("ok") >= 2
