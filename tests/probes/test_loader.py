"""Which file the loader takes, in trees made here; and on this machine, by what the loader itself takes."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import pytest

from envkit.facts.accelerators import Nvidia
from envkit.probes import loader, nvidia

CUDA = "libcuda.so.1"
X86_64, AARCH64, I386 = 0x0303, 0x0A03, 0x0003
OLD_CACHE = b"ld.so-1.7.0\0" + bytes(64)


def cache(*entries: tuple[int, str, str]) -> bytes:
    """A cache of the loader as ldconfig writes it: flags, name and path of each library."""
    start, strings, rows = loader.HEADER_BYTES + loader.ENTRY.size * len(entries), b"", []
    for flags, name, path in entries:
        key = start + len(strings)
        strings += name.encode() + b"\0"
        value = start + len(strings)
        strings += path.encode() + b"\0"
        rows.append(loader.ENTRY.pack(flags, key, value, 0, 0))
    header = loader.MAGIC + struct.pack("<II", len(entries), len(strings)) + bytes(20)
    assert len(header) == loader.HEADER_BYTES
    return header + b"".join(rows) + strings


def tree(root: Path, **files: str | bytes) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def driver(root: Path, folder: str, version: str) -> None:
    tree(root, **{f"{folder}/libcuda.so.{version}": ""})
    (root / folder / CUDA).symlink_to(f"libcuda.so.{version}")


def found(root: Path) -> str | None:
    return loader.find(str(root), CUDA, ("/usr/lib/x86_64-linux-gnu", "/usr/lib64"))


def observed(root: Path) -> Nvidia:
    facts = nvidia.observe(str(root)).facts
    assert facts is not None
    return facts


def test_the_cache_says_which_of_two_is_taken_and_passes_over_other_architectures(tmp_path: Path) -> None:
    driver(tmp_path, "usr/lib/x86_64-linux-gnu", "535.183.01")
    driver(tmp_path, "opt/driver", "550.54.15")
    driver(tmp_path, "usr/lib32", "535.183.01")
    entries = [(I386, CUDA, f"/usr/lib32/{CUDA}"), (X86_64, CUDA, f"/opt/driver/{CUDA}"), (X86_64, "libc.so.6", "/x")]
    for content in (cache(*entries), OLD_CACHE + cache(*entries)):
        tree(tmp_path, **{"etc/ld.so.cache": content})
        assert loader.cached(str(tmp_path), CUDA) == [f"/opt/driver/{CUDA}"]
        assert found(tmp_path) == "/opt/driver/libcuda.so.550.54.15"


def test_a_library_of_the_cache_that_is_gone_is_looked_for_elsewhere(tmp_path: Path) -> None:
    driver(tmp_path, "usr/lib64", "535.183.01")
    tree(tmp_path, **{"etc/ld.so.cache": cache((AARCH64, CUDA, f"/gone/{CUDA}"))})
    assert found(tmp_path) == "/usr/lib64/libcuda.so.535.183.01"


@pytest.mark.parametrize(
    "content", [b"", b"no cache at all", cache()[:30], cache((X86_64, CUDA, "/x"))[:70], loader.MAGIC + b"\xff" * 200]
)
def test_a_broken_cache_is_none(tmp_path: Path, content: bytes) -> None:
    driver(tmp_path, "usr/lib64", "535.183.01")
    tree(tmp_path, **{"etc/ld.so.cache": content})
    assert found(tmp_path) == "/usr/lib64/libcuda.so.535.183.01"


def test_without_a_cache_the_configuration_is_followed_in_its_order(tmp_path: Path) -> None:
    driver(tmp_path, "usr/lib/x86_64-linux-gnu", "535.183.01")
    driver(tmp_path, "usr/local/cuda-13.0/compat", "580.95.05")
    (tmp_path / "usr/local/cuda").symlink_to("/usr/local/cuda-13.0")
    tree(
        tmp_path,
        **{
            "etc/ld.so.conf": "include ld.so.conf.d/*.conf\n",
            "etc/ld.so.conf.d/x86_64-linux-gnu.conf": "# Multiarch\n/usr/lib/x86_64-linux-gnu\n",
            "etc/ld.so.conf.d/00-compat-123.conf": "/usr/local/cuda/compat  # by the container toolkit\n",
            "etc/ld.so.conf.d/readme.txt": "/nowhere\n",
        },
    )
    assert loader.configured(str(tmp_path)) == ["/usr/local/cuda/compat", "/usr/lib/x86_64-linux-gnu"]
    assert found(tmp_path) == "/usr/local/cuda-13.0/compat/libcuda.so.580.95.05"


def test_a_configuration_that_includes_itself_ends(tmp_path: Path) -> None:
    tree(tmp_path, **{"etc/ld.so.conf": "hwcap 0 nosegneg\n/a:/b,/c /d=libc6\ninclude /etc/ld.so.conf\nrelative\n"})
    assert loader.configured(str(tmp_path)) == ["/a", "/b", "/c", "/d"]


def test_compatibility_packages_are_found_in_use_or_not(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    driver(tmp_path, "usr/lib64", "535.183.01")
    driver(tmp_path, "usr/local/cuda-13.0/compat", "580.95.05")
    driver(tmp_path, "usr/local/cuda-12.8/compat/lib.real", "570.86.10")
    (tmp_path / "usr/local/cuda").symlink_to("/usr/local/cuda-13.0")
    facts = observed(tmp_path)
    assert facts.libcuda_path == "/usr/lib64/libcuda.so.535.183.01"
    assert [(package.path, package.version) for package in facts.cuda_compat] == [
        ("/usr/local/cuda-13.0/compat/libcuda.so.580.95.05", "580.95.05"),
        ("/usr/local/cuda-12.8/compat/lib.real/libcuda.so.570.86.10", "570.86.10"),
    ]
    tree(tmp_path, **{"etc/ld.so.conf": "/usr/local/cuda/compat\n"})
    facts = observed(tmp_path)
    assert facts.libcuda_path == facts.cuda_compat[0].path


def test_on_this_machine_variables_come_first_and_condas_package_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(tmp_path, "cuda-compat", "580.95.05")
    driver(tmp_path, "own", "550.54.15")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"relative:{tmp_path}/own")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    assert loader.find("/", CUDA, ()) == f"{tmp_path}/own/libcuda.so.550.54.15"
    paths = [package.path for package in nvidia._compat_packages("/")]
    assert paths[-1] == f"{tmp_path}/cuda-compat/libcuda.so.580.95.05"


def test_this_machines_own_loader_agrees() -> None:
    ctypes.CDLL("libstdc++.so.6")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    mapped = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "/libstdc++.so" in line}
    assert loader.find("/", "libstdc++.so.6", ()) in mapped
