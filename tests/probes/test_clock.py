from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

import pytest

from envkit import harness
from envkit.facts.host import Clock
from envkit.probes import clock

SOURCES = "sys/devices/system/clocksource/clocksource0"


def observe(folder: Path, *paths: str, links: tuple[str, ...] = ()) -> Clock:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("tsc\n")
    for link in links:
        (folder / "run/systemd/units").mkdir(parents=True, exist_ok=True)
        (folder / "run/systemd/units" / link).symlink_to("no-such-id")  # systemd's links lead nowhere
    facts = clock.observe(str(folder)).facts
    assert facts is not None
    return facts


def test_of_a_tree_only_files_speak(tmp_path: Path) -> None:
    assert observe(tmp_path, f"{SOURCES}/current_clocksource") == Clock(source="tsc")


@pytest.mark.parametrize(
    ("link", "service"),
    [
        ("invocation:chrony.service", "chrony"),
        ("invocation:systemd-timesyncd.service", "systemd-timesyncd"),
        ("invocation:systemd-timedated.service", None),
    ],
)
def test_a_service_of_systemd_is_found(tmp_path: Path, link: str, service: str | None) -> None:
    assert observe(tmp_path, links=("invocation:ssh.service", link)).service == service


def test_a_service_without_systemd_is_found(tmp_path: Path) -> None:
    assert observe(tmp_path, "run/ntpd.pid").service == "ntpd"


def test_timesyncd_notes_that_it_has_done_it(tmp_path: Path) -> None:
    assert observe(tmp_path, "run/systemd/timesync/synchronized") == Clock(
        service="systemd-timesyncd", synchronised=True
    )


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a hypervisor, without a filter of system calls, and with a clock that is not synchronised."""
    files = {"/proc/self/status": "Name:\tx\nSeccomp:\t0\n", f"/{SOURCES}/available_clocksource": "tsc hpet acpi_pm"}
    monkeypatch.setattr(clock, "exists", lambda _root, _path: False)
    monkeypatch.setattr(clock, "read_text", lambda _root, path: files.get(path))
    monkeypatch.setattr(clock, "read_line", lambda _root, path: files.get(path))
    monkeypatch.setattr(clock, "_kernel_status", lambda: 0x2041)


@pytest.mark.usefixtures("bare")
def test_bare_metal_asks_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock._synchronised("/") is False
    monkeypatch.setattr(clock, "_kernel_status", lambda: 0x2001)
    assert clock._synchronised("/") is True
    monkeypatch.setattr(clock, "_kernel_status", lambda: None)
    assert clock._synchronised("/") is None


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("status", "sources"), [("\nSeccomp:\t2\n", "tsc hpet"), (None, "tsc"), ("\nSeccomp:\t0\n", "tsc kvm-clock")]
)
def test_a_container_or_a_virtual_machine_does_not(
    monkeypatch: pytest.MonkeyPatch, status: str | None, sources: str
) -> None:
    monkeypatch.setattr(clock, "read_text", lambda _root, _path: status)
    monkeypatch.setattr(clock, "read_line", lambda _root, _path: sources)
    monkeypatch.setattr(clock, "_kernel_status", lambda: pytest.fail("asked"))
    assert clock._synchronised("/") is None


@pytest.mark.skipif(sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != 8, reason="needs adjtimex")
def test_asking_the_kernel_changes_nothing_and_gives_its_status() -> None:
    code = "from envkit.probes import clock; print(clock._kernel_status())"
    child = harness.run([sys.executable, "-c", code], deadline_seconds=20)
    assert child.succeeded, "it would be killed where a filter forbids the call"
    assert child.stdout.strip() == "None" or 0 <= int(child.stdout) < 1 << 16


def test_a_clock_of_another_decade_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2015, 1, 1, 0, 0, 0, 0, 0, 0)))
    section = clock.observe()
    if section.outcome == "absent":
        pytest.skip("no Linux")
    assert section.facts is not None
    assert section.facts.behind is True


def test_broken_files_leave_the_section_ok(tmp_path: Path) -> None:
    (tmp_path / SOURCES).mkdir(parents=True)
    os.mkfifo(tmp_path / SOURCES / "current_clocksource")
    (tmp_path / "run").write_text("no folder")
    assert clock.observe(str(tmp_path)).facts == Clock()


def test_elsewhere_there_are_no_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert clock.observe().outcome == "absent"
