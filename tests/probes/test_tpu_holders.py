"""Who holds a TPU: by open files in trees of files, and by real processes of this user."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envkit.facts.accelerators import DeviceNode, Tpu, TpuHolder
from envkit.probes import tpu_holders

SEEN = Tpu(device_nodes=[DeviceNode(path="/dev/accel0"), DeviceNode(path="/dev/vfio/3")])


def process(root: Path, pid: int, command: str, *opened: str, readable: bool = True) -> None:
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True)
    (folder / "comm").write_text(command + "\n")
    (folder / "cmdline").write_text("" if command == "kthreadd" else command + "\0")
    if readable:
        (folder / "fd").mkdir()
        for number, target in enumerate(opened):
            (folder / f"fd/{number}").symlink_to(target)


def held(root: Path) -> Tpu:
    return tpu_holders.with_holders(str(root), SEEN, time.monotonic() + 30)


def test_a_holder_is_told_once_for_each_chip(tmp_path: Path) -> None:
    process(tmp_path, 2, "kthreadd", readable=False)
    process(tmp_path, 40, "python3", "/dev/accel0", "/dev/accel0", "/dev/vfio/3", "/dev/vfio/vfio", "/dev/null")
    process(tmp_path, 41, "qemu", "/dev/vfio/9", "socket:[1]")
    process(tmp_path, 42, "python3", "/dev/vfio/devices/vfio2")
    found = held(tmp_path)
    assert found.holders == [
        TpuHolder(pid=40, device="/dev/accel0", command="python3"),
        TpuHolder(pid=40, device="/dev/vfio/3", command="python3"),
        TpuHolder(pid=42, device="/dev/vfio/devices/vfio2", command="python3"),
    ]
    assert found.holders_complete is True


def test_processes_that_may_not_be_looked_at_leave_the_list_incomplete(tmp_path: Path) -> None:
    process(tmp_path, 2, "kthreadd", readable=False)
    process(tmp_path, 40, "python3", readable=False)
    assert (held(tmp_path).holders, held(tmp_path).holders_complete) == ([], False)


def test_within_a_container_others_may_hold_it_unseen(tmp_path: Path) -> None:
    process(tmp_path, 1, "bash")
    assert held(tmp_path).holders_complete is False


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    found = held(tmp_path)
    assert (found.holders, found.holders_complete, found.lockfile_present) == (None, None, None)


def test_after_the_deadline_no_process_is_looked_at(tmp_path: Path) -> None:
    process(tmp_path, 2, "kthreadd", readable=False)
    process(tmp_path, 40, "python3", "/dev/accel0")
    found = tpu_holders.with_holders(str(tmp_path), SEEN, time.monotonic() - 1)
    assert (found.holders, found.holders_complete) == ([], False)


def test_a_lock_in_a_recorded_tree_is_there_and_its_owner_unknown(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    assert held(tmp_path).lockfile_present is False
    (tmp_path / "tmp/libtpu_lockfile").touch()
    found = held(tmp_path)
    assert (found.lockfile_present, found.lockfile_usable) == (True, None)


LOCKS = (
    "1: FLOCK  ADVISORY  WRITE 4242 08:01:131 0 EOF\n2: POSIX  ADVISORY  READ  7 00:1f:131 0 EOF\n"
    "3: OFDLCK ADVISORY  WRITE -1 08:01:132 0 EOF\n3: -> FLOCK ADVISORY WRITE 9 08:01:133 0 EOF\ngarbage\n"
)


@pytest.mark.parametrize(
    ("file", "pid"),
    [("08:01:131", 4242), ("00:1f:131", 7), ("08:01:132", None), ("08:01:133", None), ("08:01:13", None)],
)
def test_the_table_of_locks_tells_the_owner(file: str, pid: int | None) -> None:
    assert tpu_holders.lock_owner(LOCKS, file) == pid


CHILD = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="no /proc/locks here")
def test_a_real_lock_and_a_real_open_file_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpu_holders, "FOLDER", str(tmp_path))
    lock = tmp_path / tpu_holders.LOCKFILE
    # Started by a shell that ends, so that it is no child of this process: those are envkit's own.
    command = f'"{sys.executable}" -c "$1" "{lock}" & echo $!'
    with subprocess.Popen(["sh", "-c", command, "sh", CHILD], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        lines = {shell.stdout.readline().strip(), shell.stdout.readline().strip()}
        pid = int((lines - {"locked"}).pop())
        try:
            shell.wait(30)
            seen = Tpu(device_nodes=[DeviceNode(path=str(lock))])
            found = tpu_holders.with_holders("/", seen, time.monotonic() + 30)
            (holder,) = found.holders or []
            assert (holder.pid, holder.device, holder.own) == (pid, str(lock), True)
            assert (found.lockfile_present, found.lockfile_usable) == (True, True)
            (by_lock,) = tpu_holders.with_holders("/", Tpu(), time.monotonic() + 30).holders or []
            assert (by_lock.pid, by_lock.device) == (pid, tpu_holders.LOCKFILE)
        finally:
            os.kill(pid, 9)


def test_envkits_own_lock_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpu_holders, "FOLDER", str(tmp_path))
    with (tmp_path / tpu_holders.LOCKFILE).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert tpu_holders.with_holders("/", Tpu(), time.monotonic() + 30).holders == []
