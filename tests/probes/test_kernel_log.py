"""The kernel's log: read record by record without waiting, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from envkit.probes import kernel_log

XID = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=python, GPU has fallen off the bus."


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pipe that keeps records apart as /dev/kmsg does: what is written to it is read from there."""
    reading, writing = os.pipe2(os.O_DIRECT)
    monkeypatch.setattr(kernel_log, "DEVICE", f"/proc/self/fd/{reading}")
    yield writing
    os.close(reading)
    os.close(writing)


def test_each_record_is_a_line_and_the_end_is_not_waited_for(device: int) -> None:
    os.write(device, f"4,100,1500000,-;{XID}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0\n".encode())
    os.write(device, b"6,101,2000000,-;usb 1-1: new device\xff\n")
    section = kernel_log.observe()
    assert section.facts is not None
    (message,) = section.facts.messages
    assert (message.kind, message.code, message.pci_address, message.seconds_since_boot) == (
        "xid",
        79,
        "0000:3b:00.0",
        1.5,
    )


def test_a_quiet_log_is_ok_and_empty(device: int) -> None:
    os.write(device, b"6,101,2000000,-;usb 1-1: new device\n")
    section = kernel_log.observe()
    assert (section.outcome, section.facts and section.facts.messages) == ("ok", [])


def test_a_log_that_may_not_be_read_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_log, "DEVICE", str(tmp_path / "kmsg"))
    assert kernel_log.observe().why == f"{tmp_path}/kmsg: No such file or directory"
    monkeypatch.setattr(kernel_log, "DEVICE", str(tmp_path))
    assert kernel_log.observe().why == f"{tmp_path}: Is a directory"


def test_a_fifo_in_its_place_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "kmsg")
    monkeypatch.setattr(kernel_log, "DEVICE", str(tmp_path / "kmsg"))
    assert kernel_log.observe().outcome == "ok"


def test_a_recorded_tree_has_the_log_of_its_boot(tmp_path: Path) -> None:
    assert kernel_log.observe(str(tmp_path)).outcome == "unknown"
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/dmesg").write_text(f"[    9.100000] {XID}\n")
    section = kernel_log.observe(str(tmp_path))
    assert section.facts is not None
    assert [m.seconds_since_boot for m in section.facts.messages] == [9.1]
