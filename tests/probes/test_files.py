from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit import harness
from envkit.facts.accelerators import DeviceNode
from envkit.probes import files


def test_text_is_read_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "version").write_text("Linux version 6.1.0\n")
    assert files.read_text(str(tmp_path), "/proc/version") == "Linux version 6.1.0\n"
    assert files.read_text(str(tmp_path), "proc/version") == "Linux version 6.1.0\n"


def test_a_large_file_is_read_whole(tmp_path: Path) -> None:
    text = "".join(f"processor\t: {number}\n" for number in range(150_000))
    (tmp_path / "cpuinfo").write_text(text)
    assert len(text) > 2 * files.CHUNK_BYTES
    assert files.read_text(str(tmp_path), "/cpuinfo") == text


@pytest.mark.skipif(not os.path.exists("/proc/sys/kernel/cap_last_cap"), reason="no kernel settings here")
def test_a_setting_of_the_kernel_is_read() -> None:
    last = files.read_int("/", "/proc/sys/kernel/cap_last_cap")
    assert last is not None
    assert 36 <= last < 64


def test_what_is_absent_or_no_file_reads_as_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in ("/missing", "/folder", "/folder/missing", "/nul\0byte", "/" + "x" * 300):
        assert files.read_text(str(tmp_path), path) is None
        assert files.read_line(str(tmp_path), path) is None
        assert files.read_int(str(tmp_path), path) is None
    assert files.list_dir(str(tmp_path), "/missing") is None
    assert files.list_dir(str(tmp_path), "/folder") == []
    assert files.link_target(str(tmp_path), "/folder") is None


def test_a_fifo_and_a_device_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    code = "from envkit.probes import files; import sys; print(files.read_text('/', sys.argv[1]))"
    for path in (str(tmp_path / "fifo"), "/dev/zero"):
        child = harness.run([sys.executable, "-c", code, path], deadline_seconds=20)
        assert (child.why(), child.stdout) == ("ended with exit status 0", "None\n")


def test_an_endless_file_is_given_up(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(files.LIMIT_BYTES + 1)
    assert files.read_text(str(tmp_path), "/huge") is None


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"\xff\xfe\x00version")
    assert files.read_text(str(tmp_path), "/garbage") == "��\0version"
    (tmp_path / os.fsdecode(b"name\xff")).touch()
    assert files.list_dir(str(tmp_path), "/") == ["garbage", "name�"]


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything, so it steps down."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("as_nobody")
def test_what_may_not_be_read_is_unknown() -> None:
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "secret").write_text("1")
        (Path(root) / "closed").mkdir()
        assert files.read_int(root, "/secret") == 1
        (Path(root) / "secret").chmod(0)
        (Path(root) / "closed").chmod(0)
        assert files.read_int(root, "/secret") is None
        assert files.list_dir(root, "/closed") is None
        assert not files.exists(root, "/closed/file")
        assert files.device_node("/", f"{root}/closed/nvidia0") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42\n", 42),
        ("-1\n", -1),
        ("9223372036854771712", 9223372036854771712),
        ("", None),
        ("max", None),
        ("1_000", None),
        ("0x10", None),
        ("7" * 5000, None),
    ],
)
def test_a_number_is_decimal_and_whole(tmp_path: Path, text: str, expected: int | None) -> None:
    (tmp_path / "number").write_text(text)
    assert files.read_int(str(tmp_path), "/number") == expected


def test_a_line_comes_without_newline_and_nul(tmp_path: Path) -> None:
    (tmp_path / "compatible").write_bytes(b"linux,kvm\0\n")
    (tmp_path / "empty").write_bytes(b"\n")
    assert files.read_line(str(tmp_path), "/compatible") == "linux,kvm"
    assert files.read_line(str(tmp_path), "/empty") is None


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "usr" / "lib").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "usr" / "lib" / "os-release").write_text("ID=inside")
    (root / "etc" / "absolute").symlink_to("/usr/lib/os-release")
    (root / "etc" / "relative").symlink_to("../usr/lib/os-release")
    (root / "etc" / "climbing").symlink_to("../../../../usr/lib/os-release")
    (root / "lib").symlink_to("usr/lib")
    (tmp_path / "outside").write_text("ID=outside")
    (root / "etc" / "escaping").symlink_to("../../outside")
    for path in ("/etc/absolute", "/etc/relative", "/etc/climbing", "/lib/os-release"):
        assert files.read_text(str(root), path) == "ID=inside"
    assert files.read_text(str(root), "/etc/escaping") is None
    assert files.link_target(str(root), "/etc/absolute") == "/usr/lib/os-release"


def test_links_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert files.read_text(str(tmp_path), "/a") is None
    assert not files.exists(str(tmp_path), "/a")
    assert files.device_node(str(tmp_path), "/a") is None


def test_a_dangling_link_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "driver").symlink_to("../drivers/nvidia")
    assert not files.exists(str(tmp_path), "/driver")
    assert files.link_target(str(tmp_path), "/driver") == "../drivers/nvidia"


def test_access_to_a_device_node_is_known_on_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert files.device_node(str(tmp_path), "/dev/nvidia0") == DeviceNode(path="/dev/nvidia0")
    assert files.device_node("/", "/dev/null") == DeviceNode(path="/dev/null", readable=True, writable=True)
    assert files.device_node("/", "/dev/no-such-node") is None


def test_a_folder_left_by_a_bind_mount_is_no_device_node(tmp_path: Path) -> None:
    assert files.device_node("/", str(tmp_path)) is None


def test_a_piece_of_a_file_is_read_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"0123456789\xff")
    root = str(tmp_path)
    assert files.read_bytes(root, "/config", 8, 2) == b"89"
    assert files.read_bytes(root, "/config", 10, 4) == b"\xff"
    for path, offset in (("/config", 11), ("/config", 1 << 63), ("/missing", 0), ("/", 0), ("/nul\0byte", 0)):
        assert files.read_bytes(root, path, offset, 4) == b""
    os.mkfifo(tmp_path / "fifo")
    assert files.read_bytes(root, "/fifo", 0, 4) == b""
