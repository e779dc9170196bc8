from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit import harness
from envkit.probes import cgroup

GIB = 1 << 30
NO_LIMIT = "9223372036854771712\n"
V2 = "30 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = """\
30 24 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
"""


def tree(folder: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(folder)


def v2(group: str, files: dict[str, str]) -> dict[str, str]:
    return {f"/sys/fs/cgroup{group}/{name}": text for name, text in files.items()}


def test_version_2_takes_the_smallest_limit_on_the_way_up(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"/proc/self/cgroup": "0::/a/b\n", "/proc/self/mountinfo": V2}
        | v2("", {"cgroup.controllers": "cpu memory\n"})
        | v2("/a", {"cpu.max": "150000 100000\n", "memory.max": f"{2 * GIB}\n", "memory.current": f"{GIB}\n"})
        | v2("/a", {"memory.stat": f"anon {GIB // 2}\ninactive_file {GIB // 4}\n", "memory.events": "oom_kill 7\n"})
        | v2("/a/b", {"cpu.max": "max 100000\n", "memory.max": f"{4 * GIB}\n", "memory.current": f"{GIB // 2}\n"})
        | v2("/a/b", {"memory.events": "low 0\noom 3\noom_kill 2\n", "memory.stat": "inactive_file 0\n"}),
    )
    assert cgroup.cpu_quota(root) == 1.5
    assert cgroup.memory(root, 64 * GIB) == cgroup.MemoryGroup(
        version=2, limit=2 * GIB, used=GIB, available=2 * GIB - (GIB - GIB // 4), oom_kills=2
    )


def test_the_least_left_may_be_in_a_group_with_a_larger_limit(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"/proc/self/cgroup": "0::/a/b\n", "/proc/self/mountinfo": V2}
        | v2("/a", {"memory.max": f"{8 * GIB}\n", "memory.current": f"{7 * GIB}\n"})
        | v2("/a/b", {"memory.max": f"{4 * GIB}\n", "memory.current": f"{GIB}\n"}),
    )
    memory = cgroup.memory(root, None)
    assert memory
    assert (memory.limit, memory.available) == (4 * GIB, GIB)


def test_what_is_left_is_unknown_while_the_usage_of_one_limited_group_is(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"/proc/self/cgroup": "0::/a/b\n", "/proc/self/mountinfo": V2}
        | v2("/a", {"memory.max": f"{8 * GIB}\n", "memory.current": f"{GIB}\n"})
        | v2("/a/b", {"memory.max": f"{4 * GIB}\n"}),
    )
    assert cgroup.memory(root, None) == cgroup.MemoryGroup(2, 4 * GIB, None, None, None)


def test_the_top_of_version_2_limits_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path, {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": V2} | v2("", {"cpu.stat": ""}))
    assert cgroup.cpu_quota(root) == "unlimited"
    assert cgroup.memory(root, None) == cgroup.MemoryGroup(2, "unlimited", None, "unlimited", None)


def test_version_1_reads_its_own_files(tmp_path: Path) -> None:
    own = "/sys/fs/cgroup/memory/docker/x"
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n",
            "/proc/self/mountinfo": V1,
            f"{own}/memory.limit_in_bytes": f"{GIB}\n",
            f"{own}/memory.usage_in_bytes": f"{GIB // 2}\n",
            f"{own}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n",
            f"{own}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": NO_LIMIT,
            "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "50000\n",
            "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cgroup.cpu_quota(root) == 0.5
    assert cgroup.memory(root, 64 * GIB) == cgroup.MemoryGroup(1, GIB, GIB // 2, GIB - GIB // 4, 4)


@pytest.mark.parametrize(
    "limit", [NO_LIMIT, "9223372036854710272", "9223372036854775807", f"{64 * GIB}", f"{99 * GIB}"]
)
def test_a_limit_that_cannot_be_reached_is_none(tmp_path: Path, limit: str) -> None:
    memory = "/sys/fs/cgroup/memory"
    files = {f"{memory}/memory.limit_in_bytes": limit, f"{memory}/memory.usage_in_bytes": "4096"}
    root = tree(tmp_path, {"/proc/self/cgroup": "5:memory:/\n", "/proc/self/mountinfo": V1} | files)
    assert cgroup.memory(root, 64 * GIB) == cgroup.MemoryGroup(1, "unlimited", 4096, "unlimited", None)


def test_hybrid_looks_for_each_controller_where_it_lives(tmp_path: Path) -> None:
    unified = "33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "4:memory:/job\n0::/job\n",
            "/proc/self/mountinfo": V1 + unified,
            "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{GIB}",
            "/sys/fs/cgroup/unified/job/memory.max": "1",
            "/sys/fs/cgroup/unified/job/cpu.max": "25000 100000",
        },
    )
    memory = cgroup.memory(root, None)
    assert memory
    assert (memory.version, memory.limit, memory.used, memory.available) == (1, GIB, None, None)
    assert cgroup.cpu_quota(root) == 0.25


@pytest.mark.parametrize(
    ("own", "mounted"),
    [
        ("/docker/abc", "/docker/abc"),
        ("/docker/abc", "/"),
        ("/", "/docker/abc"),
        ("/../abc", "/"),
        ("/x", "/docker/abc"),
    ],
)
def test_in_a_container_the_mount_point_is_its_own_group(tmp_path: Path, own: str, mounted: str) -> None:
    table = V2.replace(" / /sys", f" {mounted} /sys")
    files = v2("", {"cpu.max": "200000 100000", "memory.max": f"{GIB}"})
    root = tree(tmp_path, {"/proc/self/cgroup": f"0::{own}\n", "/proc/self/mountinfo": table} | files)
    assert cgroup.cpu_quota(root) == 2
    assert (cgroup.memory(root, None) or cgroup.MemoryGroup(1, 0, 0, 0, 0)).limit == GIB


def test_the_mount_that_shows_the_whole_way_up_is_preferred(tmp_path: Path) -> None:
    table = V2.replace(" / /sys", " /pod/main /sys") + V2.replace("/sys/fs/cgroup", "/host/cgroup")
    root = tree(
        tmp_path,
        {
            "/proc/self/cgroup": "0::/pod/main\n",
            "/proc/self/mountinfo": table,
            "/sys/fs/cgroup/cpu.max": "max 100000",
            "/host/cgroup/pod/main/cpu.max": "max 100000",
            "/host/cgroup/pod/cpu.max": "300000 100000",
        },
    )
    assert cgroup.cpu_quota(root) == 3


@pytest.mark.parametrize("text", ["", "garbage", "-5 100000", "-5", "100000 0", "\0\1\2", "7" * 5000])
def test_nonsense_is_unknown_never_zero(tmp_path: Path, text: str) -> None:
    files = v2("/a", {"cpu.max": text, "memory.max": text})
    root = tree(tmp_path, {"/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": V2} | files)
    assert cgroup.cpu_quota(root) is None
    assert cgroup.memory(root, None) == cgroup.MemoryGroup(2, None, None, None, None)


def test_a_fifo_for_a_limit_is_unknown(tmp_path: Path) -> None:
    root = tree(tmp_path, {"/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": V2} | v2("/a", {"x": ""}))
    os.mkfifo(tmp_path / "sys/fs/cgroup/a/cpu.max")
    assert cgroup.cpu_quota(root) is None


def test_without_the_tables_nothing_is_known(tmp_path: Path) -> None:
    assert cgroup.groups(str(tmp_path), "cpu") is None
    root = tree(tmp_path, {"/proc/self/cgroup": "4:memory:/job\n0::/job\n"})
    assert cgroup.groups(root, "memory") == cgroup.Groups(1, [])
    assert cgroup.memory(root, None) == cgroup.MemoryGroup(1, None, None, None, None)


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A real group of 256 MiB below our own."""
    here = cgroup.groups("/", "memory")
    if not here or not here.folders:
        pytest.skip("no control group for memory is mounted")
    group = Path(here.folders[0]) / f"envkit-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"needs the right to make a control group: {error.strerror}")
    setting = group / ("memory.limit_in_bytes" if here.version == 1 else "memory.max")
    try:
        if not setting.exists():
            pytest.skip("the memory controller is not handed down to our group")
        setting.write_text(str(256 << 20))
        yield group
    finally:
        group.rmdir()


def test_a_real_limit_of_this_machine_is_seen_from_inside(memory_group: Path) -> None:
    code = (
        "import os, pathlib, sys; pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "from envkit.probes import memory; facts = memory.observe().facts\n"
        "print(facts.cgroup_limit_bytes, 0 < facts.cgroup_available_bytes < 256 << 20, facts.cgroup_oom_kills)"
    )
    child = harness.run([sys.executable, "-c", code, str(memory_group)], deadline_seconds=30)
    assert child.stdout == f"{256 << 20} True 0\n", child.stderr
