from __future__ import annotations

from pathlib import Path

from envkit.probes.mounts import Mount, mount_of, mounts

TABLE = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
60 27 0:40 /sub\040folder /mnt/my\040data\134x rw,nosuid,noexec shared:8 master:1 - nfs4 server:/x ro,vers=4.2
61 27 0:41 / /mnt/data ro - tmpfs  rw

not a mount
62 27 0:42 / /mnt/data rw,nodev - xfs /dev/sdb rw
"""


def table(folder: Path) -> list[Mount]:
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "mountinfo").write_text(TABLE)
    found = mounts(str(folder))
    assert found is not None
    return found


def test_escapes_optional_fields_and_nonsense_are_understood(tmp_path: Path) -> None:
    found = table(tmp_path)
    assert [mount.point for mount in found] == ["/proc", "/", "/mnt/my data\\x", "/mnt/data", "/mnt/data"]
    assert found[2] == Mount(
        root="/sub folder",
        point="/mnt/my data\\x",
        options=frozenset({"rw", "nosuid", "noexec"}),
        filesystem="nfs4",
        super_options=frozenset({"ro", "vers=4.2"}),
    )


def test_the_longest_mount_point_holds_a_path_and_the_last_lies_on_top(tmp_path: Path) -> None:
    found = table(tmp_path)
    assert {
        path: getattr(mount_of(found, path), "filesystem", None) for path in ("/", "/mnt/database", "/mnt/data/x")
    } == {
        "/": "ext4",
        "/mnt/database": "ext4",
        "/mnt/data/x": "xfs",
    }
    assert mount_of([], "/") is None


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert mounts(str(tmp_path)) is None


def test_a_recording_may_have_the_short_table_only(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mounts").write_text(
        "cgroup /sys/fs/cgroup/cpuset cgroup rw,nosuid,cpuset 0 0\n/dev/sda1 /my\\040data ext4 ro 0 1\nnonsense\n"
    )
    options = frozenset({"rw", "nosuid", "cpuset"})
    assert mounts(str(tmp_path)) == [
        Mount("/", "/sys/fs/cgroup/cpuset", options, "cgroup", options),
        Mount("/", "/my data", frozenset({"ro"}), "ext4", frozenset({"ro"})),
    ]
