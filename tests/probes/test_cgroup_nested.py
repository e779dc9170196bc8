"""Tasks, memory.high and cpusets of control groups, and trees that were recorded on other machines."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from envkit.probes import cgroup, cpu

GIB = 1 << 30
V2 = "30 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
PIDS = "33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
RECORDED = Path(__file__).resolve().parents[3] / "shared/hardware"


def tree(folder: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(folder)


def v2(folder: Path, *groups: dict[str, str]) -> str:
    """Groups of version 2, each below the one before; the process is in the last."""
    files, path = {"/proc/self/mountinfo": V2}, ""
    for n, group in enumerate(groups):
        path += f"/g{n}"
        files |= {f"/sys/fs/cgroup{path}/{name}": text for name, text in {"x": "", **group}.items()}
    return tree(folder, files | {"/proc/self/cgroup": f"0::{path}\n"})


@pytest.mark.parametrize(
    ("above", "own", "expected"),
    [
        ({"pids.max": "max", "pids.current": "9"}, {"pids.max": "max", "pids.current": "5"}, ("unlimited", 5)),
        ({"pids.max": "100", "pids.current": "90"}, {"pids.max": "50", "pids.current": "5"}, (100, 90)),
        ({"pids.max": "100", "pids.current": "10"}, {"pids.max": "50", "pids.current": "5"}, (50, 5)),
        ({}, {"pids.max": "50", "pids.current": "5"}, (50, 5)),
        ({"pids.max": "50", "pids.current": "5"}, {}, (50, 5)),  # the controller is not handed down
        ({"pids.max": "what", "pids.current": "5"}, {"pids.max": "max", "pids.current": "5"}, (None, 5)),
        ({}, {"pids.max": "50", "pids.current": ""}, (50, None)),
    ],
)
def test_tasks_of_nested_groups(
    tmp_path: Path, above: dict[str, str], own: dict[str, str], expected: tuple[object, object]
) -> None:
    assert cgroup.tasks(v2(tmp_path, above, own)) == expected


def test_tasks_in_version_1_and_at_its_top(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "8:pids:/docker/x\n0::/\n", "/proc/self/mountinfo": PIDS}
    own = "/sys/fs/cgroup/pids/docker/x"
    root = tree(tmp_path, files | {f"{own}/pids.max": "4096\n", f"{own}/pids.current": "17\n"})
    assert cgroup.tasks(root) == (4096, 17)
    tree(tmp_path, {"/proc/self/cgroup": "8:pids:/\n0::/\n"})
    assert cgroup.tasks(root) == ("unlimited", None)


def test_tasks_without_the_tables_are_unknown(tmp_path: Path) -> None:
    assert cgroup.tasks(str(tmp_path)) is None
    assert cgroup.tasks(tree(tmp_path, {"/proc/self/cgroup": "8:pids:/\n"})) is None


def test_the_smallest_high_and_the_least_that_is_left_of_any(tmp_path: Path) -> None:
    above = {"memory.high": f"{8 * GIB}", "memory.current": f"{7 * GIB}", "memory.stat": f"inactive_file {GIB}\n"}
    own = {"memory.high": f"{4 * GIB}", "memory.current": f"{GIB}", "memory.max": f"{6 * GIB}"}
    memory = cgroup.memory(v2(tmp_path, above, own), 64 * GIB)
    assert memory is not None
    assert (memory.high, memory.high_left) == (4 * GIB, 2 * GIB)
    assert (memory.limit, memory.available) == (6 * GIB, 5 * GIB)


@pytest.mark.parametrize(
    ("text", "expected"), [("max", "unlimited"), (str(99 * GIB), "unlimited"), ("-5", None), ("", None), ("0", 0)]
)
def test_a_high_that_limits_nothing(tmp_path: Path, text: str, expected: object) -> None:
    memory = cgroup.memory(v2(tmp_path, {"memory.high": text, "memory.current": "1"}), 64 * GIB)
    assert memory is not None
    assert memory.high == expected


@pytest.mark.parametrize("text", ["-1", "9223372036854771712", "18446744073709551615"])
def test_version_1_has_several_ways_to_say_no_limit(tmp_path: Path, text: str) -> None:
    table = "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    files = {"/proc/self/cgroup": "5:memory:/\n", "/proc/self/mountinfo": table}
    root = tree(tmp_path, files | {"/sys/fs/cgroup/memory/memory.limit_in_bytes": text})
    memory = cgroup.memory(root, None)
    assert memory is not None
    assert (memory.limit, memory.high) == ("unlimited", "unlimited")


def test_cpusets_of_version_2_are_sought_upwards(tmp_path: Path) -> None:
    root = v2(tmp_path, {"cpuset.cpus.effective": "0-3,8\n", "cpuset.mems.effective": "0\n"}, {})
    assert cgroup.cpuset(root) == ("0-3,8", "0")


@pytest.mark.parametrize("prefix", ["cpuset.", ""])
def test_cpusets_of_version_1_with_and_without_prefix(tmp_path: Path, prefix: str) -> None:
    table = "32 30 0:28 / /dev/cpuset rw - cgroup cgroup rw,cpuset,noprefix\n"
    files = {"/proc/self/cgroup": "5:cpuset:/job\n", "/proc/self/mountinfo": table}
    root = tree(tmp_path, files | {f"/dev/cpuset/job/{prefix}cpus": "4-7\n", f"/dev/cpuset/job/{prefix}mems": "1\n"})
    assert cgroup.cpuset(root) == ("4-7", "1")


def test_cpusets_of_no_group_are_unknown(tmp_path: Path) -> None:
    assert cgroup.cpuset(str(tmp_path)) == (None, None)


def test_a_recorded_affinity_is_counted(tmp_path: Path) -> None:
    root = tree(tmp_path, {"/proc/self/status": "Cpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\n"})
    facts = cpu.observe(root).facts
    assert facts is not None
    assert facts.affinity_threads == 5


def recorded(folder: Path, name: str, inner: str, pid: str) -> str:
    """A recorded tree as this process would see it, were it the one with that id."""
    archive = next(iter((RECORDED / "cgroup").glob(f"*{name}.zip")), None)
    if archive is None:
        pytest.skip("the recorded trees are not here")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    root = folder / inner
    (root / "proc/self/cgroup").write_text((root / f"proc/{pid}/cgroup").read_text())
    table = root / "proc/self/mountinfo"
    table.write_text(re.sub(r"testdata/\w+(?=/)", "", table.read_text()))  # as its recorders moved it
    return str(root)


def test_a_container_of_docker_in_version_1_without_limits(tmp_path: Path) -> None:
    root = recorded(tmp_path, "docker", "docker", "985")
    memory = cgroup.memory(root, None)
    assert memory is not None
    assert (memory.version, memory.limit, memory.available) == (1, "unlimited", "unlimited")
    assert memory.used
    assert cgroup.cpu_quota(root) == "unlimited"
    assert cgroup.cpuset(root)[0] == "0-3"


def test_a_container_of_docker_in_version_2_without_limits(tmp_path: Path) -> None:
    root = recorded(tmp_path, "docker", "docker", "312")
    memory = cgroup.memory(root, None)
    assert memory is not None
    assert (memory.version, memory.limit, memory.high) == (2, "unlimited", "unlimited")
    assert cgroup.cpu_quota(root) == "unlimited"


def test_a_pod_in_version_1_with_a_memory_limit_in_a_hybrid_set_up(tmp_path: Path) -> None:
    root = recorded(tmp_path, "amzn2", "amzn2", "493239")
    memory = cgroup.memory(root, 16 * GIB)
    assert memory is not None
    assert (memory.version, memory.limit, memory.oom_kills) == (1, 2 * GIB, 0)
    assert isinstance(memory.available, int)
    assert 0 < memory.available < 2 * GIB
    assert cgroup.cpu_quota(root) == "unlimited"
    assert cgroup.cpuset(root)[0] == "0-7"
    assert cgroup.tasks(root) == ("unlimited", 177)
