"""Files that a driver answers, read in a child."""

from __future__ import annotations

import os
from pathlib import Path

from envkit.probes import device_files


def test_each_file_is_read_and_what_gives_nothing_is_left_out(tmp_path: Path) -> None:
    for name, content in {"one": b"1\n", "empty": b"", "binary": b"\xff\x00", "huge": b"x" * 200_000}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    names = ["one", "missing", "empty", "folder", "loop", "fifo", "binary", "huge"]
    texts, unanswered = device_files.read(str(tmp_path), [f"/{name}" for name in names], 30.0)
    assert unanswered is None
    assert list(texts) == ["/one", "/empty", "/binary", "/huge"]
    assert (texts["/one"], texts["/empty"], texts["/binary"]) == ("1\n", "", "\ufffd\0")
    assert len(texts["/huge"]) == 1 << 16


def test_no_file_is_no_child() -> None:
    assert device_files.read("/", [], 0.0) == ({}, None)


def test_nothing_of_the_environment_reaches_the_child(tmp_path: Path) -> None:
    assert "-I" in device_files.PROGRAM
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    (tmp_path / "one").write_text("1")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert device_files.read(str(tmp_path), ["/one"], 30.0)[0] == {"/one": "1"}
    finally:
        os.chdir(before)
