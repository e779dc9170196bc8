"""`envkit doctor --from`: texts instead of the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Envkit = Callable[..., Any]

LOST = "Unable to determine the device handle for GPU3: 0000:3B:00.0: GPU is lost.  Reboot the system\n"
XID = "[   12.345678] NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.\n"


def test_a_text_is_judged_and_its_fault_reported(envkit: Envkit, tmp_path: Path) -> None:
    (tmp_path / "paste.txt").write_text(f"it broke:\n{LOST}")
    ran = envkit("doctor", "--from", tmp_path / "paste.txt", "--format", "json")
    assert (ran.status, ran.err) == (1, "")
    assert "gpu-lost" in {finding["check"] for finding in ran.json["findings"] if finding["status"] == "fail"}


def test_several_files_are_one_machine_and_stdin_is_one_of_them(envkit: Envkit, tmp_path: Path) -> None:
    (tmp_path / "dmesg").write_text(XID)
    for arguments in (("--from", "-", tmp_path / "dmesg"), ("--from", "-", "--from", tmp_path / "dmesg")):
        ran = envkit("doctor", *arguments, "--format", "json", "--verbose", stdin=LOST)
        assert (ran.status, ran.err) == (1, "")
        assert {"fail"} <= {finding["status"] for finding in ran.json["findings"]}


def test_a_text_of_nothing_known_is_wrong_input(envkit: Envkit, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    ran = envkit("doctor", "--from", tmp_path / "letter.txt")
    assert (ran.status, ran.out) == (2, "")
    assert "letter.txt: nothing in it" in ran.err
    assert "hint:" in ran.err


def test_files_that_cannot_be_read_and_options_that_contradict_are_wrong_usage(envkit: Envkit, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(LOST)
    for arguments in (
        ("--from", tmp_path / "none"),
        ("--from", tmp_path),
        ("--from", tmp_path / "x", "--deep"),
        ("--from", tmp_path / "x", "--facts", tmp_path / "x"),
        (tmp_path / "x",),
    ):
        ran = envkit("doctor", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("error: ")
