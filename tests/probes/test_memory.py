from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil  # loaded before a test says that this is another system
import pytest

from envkit.facts.machine import Memory
from envkit.probes import memory

KIB = 1024
MEMINFO = """\
MemTotal:       24684092 kB
MemFree:        20000000 kB
MemAvailable:   22000000 kB
SwapTotal:             0 kB
SwapFree:              0 kB
HugePages_Total:       0
"""


def observe(root: Path) -> Memory:
    facts = memory.observe(str(root)).facts
    assert facts
    return facts


def tree(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_meminfo_is_read_in_bytes(tmp_path: Path) -> None:
    facts = observe(tree(tmp_path, {"/proc/meminfo": MEMINFO}))
    assert facts == Memory(
        memory_total_bytes=24684092 * KIB,
        memory_available_bytes=22000000 * KIB,
        swap_total_bytes=0,
        swap_free_bytes=0,
    )


def test_a_kernel_before_3_14_does_not_say_what_is_available(tmp_path: Path) -> None:
    lines = [line for line in MEMINFO.split("\n") if "Available" not in line]
    facts = observe(tree(tmp_path, {"/proc/meminfo": "\n".join(lines)}))
    assert facts.memory_total_bytes == 24684092 * KIB
    assert facts.memory_available_bytes is None


def test_the_limit_of_the_control_group_is_judged_by_the_physical_memory(tmp_path: Path) -> None:
    group = {
        "/proc/self/cgroup": "0::/job\n",
        "/proc/self/mountinfo": "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/job/memory.current": f"{KIB}\n",
        "/sys/fs/cgroup/job/memory.events": "oom_kill 1\n",
    }
    limit = "/sys/fs/cgroup/job/memory.max"
    facts = observe(tree(tmp_path, {"/proc/meminfo": MEMINFO, limit: f"{8 * KIB}\n"} | group))
    assert (facts.cgroup_version, facts.cgroup_limit_bytes) == (2, 8 * KIB)
    assert (facts.cgroup_used_bytes, facts.cgroup_available_bytes) == (KIB, 7 * KIB)
    assert facts.cgroup_oom_kills == 1
    facts = observe(tree(tmp_path, {limit: f"{24684092 * KIB}\n"}))
    assert (facts.cgroup_limit_bytes, facts.cgroup_available_bytes) == ("unlimited", "unlimited")


def test_usage_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": "30 24 0:27 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/memory.max": "4096\n",
        "/sys/fs/cgroup/memory.current": "8192\n",
    }
    assert observe(tree(tmp_path, files)).cgroup_available_bytes == 0


def test_nothing_readable_is_unknown(tmp_path: Path) -> None:
    section = memory.observe(str(tmp_path))
    assert (section.outcome, section.why) == ("unknown", "/proc/meminfo cannot be read")


@pytest.mark.parametrize("content", [b"", b"\xff\0\x80" * 99, b"MemTotal: lots kB\n", b"MemTotal: 5 pages\n"])
def test_garbage_is_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_bytes(content)
    assert memory.observe(str(tmp_path)).outcome == "unknown"


def test_a_fifo_for_meminfo_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc" / "meminfo")
    assert memory.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_agrees_with_psutil() -> None:
    facts = memory.observe().facts
    assert facts
    assert facts.memory_total_bytes == psutil.virtual_memory().total
    assert facts.swap_total_bytes == psutil.swap_memory().total
    assert facts.memory_available_bytes
    if Path("/dev/shm").is_dir():
        assert facts.shm_total_bytes == psutil.disk_usage("/dev/shm").total


def test_elsewhere_psutil_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    facts = memory.observe().facts
    assert facts
    assert facts.memory_total_bytes
    assert facts.cgroup_limit_bytes is None
