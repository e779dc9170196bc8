"""Limits and what is taken of them, from trees of files; root steps down where it is bound by none."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.facts.host import Limits
from envkit.probes import limits

SELF = """\
Limit                     Soft Limit           Hard Limit           Units
Max processes             {processes:<20} {processes:<20} processes
Max open files            1024                 524288               files
Max locked memory         {memlock:<20} unlimited            bytes
"""
STATUS = "Name:\tpython\nCapInh:\t0000000000000000\nCapEff:\t{capabilities}\n"
EVERYONE = "         0          0 4294967295\n"


def tree(folder: Path, *, processes: object = 4096, memlock: object = 65536, capabilities: str = "0") -> Path:
    files = {
        "proc/self/limits": SELF.format(processes=processes, memlock=memlock),
        "proc/self/status": STATUS.format(capabilities=capabilities),
        "proc/self/uid_map": EVERYONE,
        "proc/sys/fs/file-nr": "7000\t0\t9223372036854775807\n",
        "proc/sys/kernel/pid_max": "4194304\n",
        "proc/sys/kernel/threads-max": "255000\n",
        "proc/loadavg": "0.52 0.58 0.59 1/597 1204\n",
        "dev/null": "",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def observe(root: Path) -> Limits:
    section = limits.observe(str(root))
    assert section.outcome == "ok"
    assert section.facts is not None
    return section.facts


def test_files_tell_the_limits(tmp_path: Path) -> None:
    assert observe(tree(tmp_path)) == Limits(
        memlock_limit_bytes=65536,
        memlock_exempt=False,
        rdma_device_nodes=[],
        open_files_limit=1024,
        open_files_limit_hard=524288,
        file_handles=7000,
        file_handles_limit=9223372036854775807,
        tasks=597,
        tasks_limit=255000,
        user_tasks_limit=4096,
    )


def test_unlimited_is_a_word_and_no_number(tmp_path: Path) -> None:
    facts = observe(tree(tmp_path, processes="unlimited", memlock="unlimited"))
    assert (facts.memlock_limit_bytes, facts.user_tasks_limit) == ("unlimited", "unlimited")


@pytest.mark.parametrize(
    ("capabilities", "map_", "exempt"),
    [
        ("000001ffffffffff", EVERYONE, True),
        ("0000000000004000", EVERYONE, True),
        ("00000000a80425fb", EVERYONE, False),  # Docker's default
        ("000001ffffffffff", "0 1000 1\n", False),  # root of a user namespace
        ("?", EVERYONE, None),
    ],
)
def test_who_may_lock_as_much_as_it_likes(tmp_path: Path, capabilities: str, map_: str, exempt: bool | None) -> None:
    root = tree(tmp_path, capabilities=capabilities)
    (root / "proc/self/uid_map").write_text(map_)
    assert observe(root).memlock_exempt is exempt


def test_rdma_devices_are_those_that_could_be_opened(tmp_path: Path) -> None:
    folder = tree(tmp_path) / "dev/infiniband"
    folder.mkdir()
    for name in ("uverbs1", "uverbs0", "rdma_cm", "umad0"):
        (folder / name).touch()
    assert observe(tmp_path).rdma_device_nodes == ["/dev/infiniband/uverbs0", "/dev/infiniband/uverbs1"]


def test_the_control_group_with_the_fewest_left_counts(tmp_path: Path) -> None:
    group = tree(tmp_path) / "sys/fs/cgroup/pod/main"
    group.mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/pod/main\n")
    (tmp_path / "proc/self/mountinfo").write_text("30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (group / "pids.max").write_text("max\n")
    (group / "pids.current").write_text("5\n")
    (group.parent / "pids.max").write_text("1024\n")
    (group.parent / "pids.current").write_text("1000\n")
    facts = observe(tmp_path)
    assert (facts.cgroup_tasks, facts.cgroup_tasks_limit) == (1000, 1024)


def processes(root: Path, number: int, *, zombies: int = 0, threads: int = 1) -> None:
    for pid in range(2000, 2000 + number):
        (root / f"proc/{pid}").mkdir()
        state = "Z" if pid - 2000 < zombies else "S"
        (root / f"proc/{pid}/stat").write_text(f"{pid} (a) Z (b) {state} 1 1 1\n")
        (root / f"proc/{pid}/status").write_text(f"Name:\ta\nThreads:\t{threads}\n")


def test_zombies_are_reckoned_where_there_are_many_tasks(tmp_path: Path) -> None:
    root = tree(tmp_path)
    processes(root, 300, zombies=300)
    assert observe(root).zombies is None, "597 tasks hold no thousand of zombies"
    (root / "proc/loadavg").write_text("0 0 0 1/1500 9\n")
    assert observe(root).zombies == 300
    (root / "proc/2000/stat").unlink()  # it ended meanwhile
    assert observe(root).zombies in {298, 300}


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """An ordinary user, whom RLIMIT_NPROC binds."""
    user = os.getuid()
    if user == 0:
        os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(user, user, user)


@pytest.mark.usefixtures("as_nobody")
def test_a_users_tasks_are_counted_only_near_its_limit() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = tree(Path(name), processes=1000)
        processes(root, 5, threads=100)
        assert observe(root).user_tasks == 500
        assert observe(tree(root, processes=4096)).user_tasks is None
        assert observe(tree(root, processes=1000, capabilities="0000000001000000")).user_tasks is None


def test_root_is_not_bound_by_the_limit_of_processes(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("not root")
    root = tree(tmp_path, processes=100)
    processes(root, 3)
    assert observe(root).user_tasks is None


@pytest.mark.parametrize("content", [b"", b"\xff\0\x80" * 999, b"Max open files\n", b"1 2\n"])
def test_garbage_is_unknown_and_never_0(tmp_path: Path, content: bytes) -> None:
    root = tree(tmp_path)
    for path in root.rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    section = limits.observe(str(root))
    assert section.facts == Limits(rdma_device_nodes=[])


def test_without_proc_all_is_unknown(tmp_path: Path) -> None:
    assert limits.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_agrees_with_getrlimit() -> None:
    facts = limits.observe().facts
    assert facts is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert facts.open_files_limit == ("unlimited" if soft == resource.RLIM_INFINITY else soft)
    assert facts.open_files_limit_hard == ("unlimited" if hard == resource.RLIM_INFINITY else hard)
    assert facts.tasks


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert limits.observe().outcome == "absent"
