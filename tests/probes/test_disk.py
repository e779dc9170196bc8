from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from envkit import harness
from envkit.facts.machine import Disk, Volume
from envkit.probes import disk
from envkit.probes.mounts import Mount

PROBE = """\
import os, sys, msgspec
from envkit.probes import disk
os.write(1, msgspec.json.encode(disk.observe(target=sys.argv[1]).facts))
"""


def volume(purpose: str, *, target: str = "") -> Volume:
    facts = disk.observe(target=target).facts
    assert facts
    return next(volume for volume in facts.volumes if volume.purpose == purpose)


def within_mount(folder: Path, mount: str, *, target: str = "", tmp: str = "") -> Disk:
    """The facts seen in a mount namespace of its own, after the shell commands `mount`."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare to mount a real file system")
    script = f'set -e; {mount}\nexec "$0" -c "$1" "$2"'
    child = harness.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, PROBE, target or str(folder)],
        deadline_seconds=30,
        env={**os.environ, "TMPDIR": tmp or str(folder)},
    )
    if "unshare failed" in child.stderr:
        pytest.skip(child.last_words())
    assert child.succeeded, child.stderr
    return msgspec.json.decode(child.stdout, type=Disk)


def test_a_full_tmpfs_without_inodes_and_programs_is_seen(tmp_path: Path) -> None:
    mount = (
        f'mount -t tmpfs -o size=1m,nr_inodes=4,noexec tmpfs "{tmp_path}"\n'
        f'touch "{tmp_path}/a" "{tmp_path}/b" "{tmp_path}/c"; head -c 1048576 /dev/zero > "{tmp_path}/a"'
    )
    target, _, tmp = within_mount(tmp_path, mount, target=f"{tmp_path}/new/.venv").volumes
    assert target == Volume(
        purpose="target",
        path=f"{tmp_path}/new/.venv",
        mount_point=str(tmp_path),
        filesystem="tmpfs",
        total_bytes=1 << 20,
        free_bytes=0,
        inodes_total=4,
        inodes_free=0,
        writable=True,
        read_only=False,
        read_only_after_error=False,
        noexec=True,
    )
    assert tmp == msgspec.structs.replace(target, purpose="tmp", path=str(tmp_path))


def test_a_read_only_mount_is_not_writable_even_for_root(tmp_path: Path) -> None:
    target = within_mount(tmp_path, f'mount -t tmpfs -o ro tmpfs "{tmp_path}"').volumes[0]
    assert (target.writable, target.read_only, target.noexec) == (False, True, False)


def test_a_file_system_without_a_fixed_size_or_inodes_says_so(tmp_path: Path) -> None:
    target = within_mount(tmp_path, f'mount -t ramfs ramfs "{tmp_path}"').volumes[0]
    assert (target.filesystem, target.total_bytes, target.free_bytes) == ("ramfs", None, None)
    assert (target.inodes_total, target.inodes_free) == (None, None)
    assert target.writable is True


def test_a_mount_point_with_spaces_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "my data\\1"
    folder.mkdir()
    target = within_mount(folder, 'mount -t tmpfs tmpfs "$2"').volumes[0]
    assert (target.mount_point, target.filesystem) == (str(folder), "tmpfs")


def test_a_target_that_does_not_exist_is_judged_by_its_nearest_parent(tmp_path: Path) -> None:
    wanted = volume("target", target=str(tmp_path / "not" / "yet" / ".venv"))
    assert wanted.path == str(tmp_path / "not" / "yet" / ".venv")
    assert wanted.writable is True
    assert wanted.total_bytes == shutil.disk_usage(tmp_path).total
    assert not (tmp_path / "not").exists()


def test_a_target_below_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o777)
    assert volume("target", target=str(tmp_path / "file" / ".venv")).writable is False


def test_a_target_behind_a_link_is_judged_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/no-such-folder")
    wanted = volume("target", target=str(tmp_path / "link"))
    assert (wanted.path, wanted.filesystem) == (str(tmp_path / "link"), "proc")


def test_a_mount_whose_server_is_gone_is_not_judged_by_what_it_covers(tmp_path: Path) -> None:
    gone = Mount("/", f"{tmp_path}/gone", frozenset(), "fuse.sshfs", frozenset())
    assert disk._volume("target", f"{tmp_path}/gone/.venv", [gone]) == Volume(
        purpose="target",
        path=f"{tmp_path}/gone/.venv",
        mount_point=f"{tmp_path}/gone",
        filesystem="fuse.sshfs",
        writable=False,
    )


def test_without_a_target_the_working_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert volume("target").path == str(tmp_path)


def test_a_working_directory_that_is_gone_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert volume("target") == Volume(purpose="target", path=".")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"UV_CACHE_DIR": "/somewhere/uv"}, "/somewhere/uv"),
        ({"XDG_CACHE_HOME": "/somewhere"}, "/somewhere/uv"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/uv"),
        ({"UV_CACHE_DIR": "", "XDG_CACHE_HOME": ""}, "/home/me/.cache/uv"),
        ({}, "/home/me/.cache/uv"),
    ],
)
def test_the_cache_is_where_uv_puts_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert volume("cache").path == expected


def test_a_folder_for_temporary_files_that_does_not_exist_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    assert (volume("tmp").path, volume("tmp").writable) == (str(tmp_path / "missing"), False)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    assert volume("tmp").path == "/tmp"


def test_a_path_that_is_no_text_does_not_break_the_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", f"{tmp_path}/odd\udcff")
    assert "odd�".encode() in msgspec.json.encode(disk.observe())


def test_of_a_recorded_tree_the_mount_table_tells(tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "mountinfo").write_text(
        "27 1 254:0 / / rw - ext4 /dev/vda ro\n28 27 0:30 / /tmp rw,noexec - tmpfs tmpfs rw\n"
    )
    facts = disk.observe(str(tmp_path), target="/data/.venv").facts
    assert facts
    target, tmp = facts.volumes
    assert target == Volume(
        purpose="target",
        path="/data/.venv",
        mount_point="/",
        filesystem="ext4",
        read_only=True,
        read_only_after_error=True,
        noexec=False,
    )
    assert (tmp.path, tmp.mount_point, tmp.filesystem, tmp.read_only, tmp.noexec) == (
        *("/tmp", "/tmp", "tmpfs"),
        *(False, True),
    )


def test_looking_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    before = tmp_path.stat().st_mtime_ns
    disk.observe(target=str(tmp_path))
    assert tmp_path.stat().st_mtime_ns == before
