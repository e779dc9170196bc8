"""`envkit doctor` on machines that are broken for real: mounts of their own, a driver that hangs, closed streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

Envkit = Callable[..., Any]
Nvml = Callable[[str], dict[str, str]]
InMounts = Callable[[str], list[str]]

# What the kernel shows of one NVIDIA GPU with its driver loaded, in a container too.
GPU_IN_SYS = """
mount -t tmpfs none /sys
d=/sys/bus/pci/devices/0000:1a:00.0; mkdir -p $d /sys/module/nvidia /sys/module/nvidia_uvm
echo 0x10de >$d/vendor; echo 0x2236 >$d/device; echo 0x030200 >$d/class
echo 570.133.20 >/sys/module/nvidia/version
mount -t tmpfs none /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9; chmod 666 /dev/*
mknod /dev/nvidia0 c 195 0; mknod /dev/nvidiactl c 195 255; mknod /dev/nvidia-uvm c 511 0; chmod 666 /dev/nv*"""


@pytest.fixture
def nvml_child() -> Iterator[Callable[[], list[psutil.Process]]]:
    """The children that ask NVML; those left behind are ended after the test."""
    before = set(psutil.pids())

    def children() -> list[psutil.Process]:
        found = [p for p in psutil.process_iter(["cmdline"]) if p.pid not in before]
        return [p for p in found if any("nvml_child" in word for word in p.info["cmdline"] or [])]

    yield children
    for child in children():
        child.send_signal(signal.SIGKILL)


def report(ran: Any) -> tuple[int, str, list[str], dict[str, Any]]:
    """Exit status, headline, the problems that nothing else explains, and all findings by check."""
    findings = {f["check"]: f for f in ran.json["findings"]}
    problems = [f["check"] for f in ran.json["findings"] if f["status"] in {"fail", "warn"} and not f["caused_by"]]
    return ran.status, ran.json["headline"], problems, findings


@pytest.mark.parametrize(
    ("script", "check", "said"),
    [
        ("nvmlInitWithFlags * 18\n", "driver-library-mismatch", "of different versions"),
        ("nvmlInitWithFlags * abort\n", "nvml-crashed", "NVML crashed"),
        ("nvmlInitWithFlags * 999\n", "nvml-error", "NVML reports UNKNOWN"),
    ],
)
def test_a_broken_nvml_is_the_verdict(
    envkit: Envkit, nvml: Nvml, in_mounts: InMounts, cpu_stack: Path, *, script: str, check: str, said: str
) -> None:
    ran = envkit(
        *("doctor", "--profile", "cuda12", "--python", cpu_stack, "--format", "json", "--ignore", "profile"),
        env=nvml(script),
        before=in_mounts(GPU_IN_SYS),
    )
    status, headline, problems, findings = report(ran)
    if check == "nvml-error" and "container-gpu-revoked" in problems:
        pytest.skip("in a container this error has a cause of its own")
    assert (status, problems[0]) == (1, check)
    assert said in headline
    assert findings["python-unsupported"]["status"] == "pass", "the rest is judged all the same"


def test_an_nvml_that_hangs_is_the_verdict_and_costs_its_deadline_once(
    envkit: Envkit, nvml: Nvml, in_mounts: InMounts, cpu_stack: Path, nvml_child: Callable[[], list[psutil.Process]]
) -> None:
    started = time.monotonic()
    ran = envkit(
        *("doctor", "--profile", "cuda12", "--python", cpu_stack, "--format", "json", "--timeout", "2"),
        env=nvml("nvmlInitWithFlags * never\n"),
        before=in_mounts(GPU_IN_SYS),
    )
    assert time.monotonic() - started < 6
    status, headline, problems, findings = report(ran)
    assert (status, problems[0]) == (1, "nvidia-driver-hangs")
    assert headline == "cannot train with profile cuda12: the NVIDIA driver does not answer"
    assert findings["disk-low"]["status"] == "pass"
    assert len(nvml_child()) == 1, "a process inside a driver is left alone"


def test_an_nvml_that_hangs_is_said_though_the_kernel_shows_no_gpu(
    envkit: Envkit, nvml: Nvml, bare: Path, nvml_child: Callable[[], list[psutil.Process]]
) -> None:
    ran = envkit(
        *("doctor", "--profile", "cuda12", "--python", bare, "--format", "json", "--timeout", "1"),
        env=nvml("nvmlInitWithFlags * never\n"),
    )
    nvml_child()
    assert "NVIDIA" in ran.json["headline"]


def test_an_empty_sys_is_said_once_and_a_cpu_profile_is_judged_all_the_same(
    envkit: Envkit, in_mounts: InMounts, cpu_stack: Path
) -> None:
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, before=in_mounts("mount -t tmpfs none /sys"))
    assert (ran.status, ran.err) == (0, "")
    assert ran.first_line.startswith("✓ healthy: this machine can train with profile cpu, ")
    assert ran.first_line.endswith("unknown")


def test_an_empty_sys_leaves_it_open_whether_there_is_a_gpu(
    envkit: Envkit, in_mounts: InMounts, cpu_stack: Path
) -> None:
    ran = envkit(
        *("doctor", "--profile", "cuda12", "--python", cpu_stack, "--format", "json", "--ignore", "profile"),
        before=in_mounts("mount -t tmpfs none /sys"),
    )
    _, _, problems, findings = report(ran)
    assert ran.status == 3
    assert "nvidia-gpu-missing" not in problems, "what could not be read is not absent"
    assert findings["nvidia-unknown"]["status"] == "unknown"
    assert "/sys/bus/pci/devices cannot be read" in ran.json["headline"]


def test_an_empty_proc_is_not_silently_healthy(envkit: Envkit, in_mounts: InMounts, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, before=in_mounts("mount -t tmpfs none /proc"))
    assert ran.status in {0, 3}
    assert "unknown" in ran.first_line or ran.first_line.startswith("? could not tell")


def test_unreadable_files_of_proc_end_no_report(envkit: Envkit, in_mounts: InMounts, cpu_stack: Path) -> None:
    hidden = "for f in cpuinfo meminfo version mounts; do mount --bind /dev/null /proc/$f 2>&- || :; done"
    ran = envkit("doctor", "--python", cpu_stack, "--format", "json", before=in_mounts(hidden))
    assert ran.status in {0, 3}
    assert [f for f in ran.json["findings"] if f["status"] == "crash"] == []


@pytest.mark.parametrize("home", [None, "/proc/no-such-home", "/dev/null"])
def test_a_home_that_is_not_there_changes_nothing(envkit: Envkit, cpu_stack: Path, home: str | None) -> None:
    before = ["env", "-u", "HOME"] if home is None else ["env", f"HOME={home}"]
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, before=before)
    assert (ran.status, ran.err) == (0, "")


def test_without_any_environment_variable_it_still_judges(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, before=["env", "-i"])
    assert (ran.status, ran.err) == (0, "")


def test_a_working_folder_that_is_gone_is_no_end(envkit: Envkit) -> None:
    ran = envkit(
        "doctor", "--fail-on", "never", before=["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh"]
    )
    assert (ran.status, ran.err) == (0, "")


def test_another_user_gets_a_report(envkit: Envkit, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become someone else")
    before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reach = subprocess.run([*before, sys.executable, "-c", "import envkit"], cwd="/", check=False, capture_output=True)
    if reach.returncode or not Path("/usr/bin/python3").exists():
        pytest.skip("other users cannot reach the Python that runs the tests, or there is no other")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    judge = ("doctor", "--python", "/usr/bin/python3", "--fail-on", "never", "--format", "json")
    ran = envkit(*judge, before=before, cwd=Path("/"), env={"HOME": str(home)})
    assert (ran.status, ran.err) == (0, "")
    assert [f["message"] for f in ran.json["findings"] if f["status"] == "crash"] == []


def shell(script: str, environ: dict[str, str], python: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $E is envkit and $P the Python to inspect."""
    names = {"E": f"{sys.executable} -m envkit", "P": str(python)}
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env=environ | names,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    return ran


@pytest.mark.parametrize("script", ["$E probe --python $P | head -1", "$E doctor -v --python $P | true"])
def test_a_reader_that_goes_away_is_no_error(environ: dict[str, str], bare: Path, script: str) -> None:
    assert shell(script, environ, bare).stderr == ""


def test_closed_streams_keep_the_exit_status(environ: dict[str, str], cpu_stack: Path) -> None:
    judge = "$E doctor --profile cpu --python $P"
    assert shell(f"{judge} 2>&-", environ, cpu_stack).returncode == 0
    assert shell(f"{judge} >&-", environ, cpu_stack).stderr == ""


def test_a_full_disk_under_stdout_is_named(environ: dict[str, str], cpu_stack: Path) -> None:
    ran = shell("$E doctor --profile cpu --python $P >/dev/full", environ, cpu_stack)
    assert ran.returncode != 0
    assert "No space left on device" in ran.stderr
    assert "envkit itself failed" not in ran.stderr


def test_an_ascii_terminal_gets_text_that_it_can_show(envkit: Envkit, cpu_stack: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for format_ in ("text", "json"):
        ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, "--format", format_, env=ascii_only)
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.isascii()


def test_an_ascii_terminal_tells_healthy_from_unknown(envkit: Envkit, cpu_stack: Path) -> None:
    ran = envkit("doctor", "--profile", "cpu", "--python", cpu_stack, env={"PYTHONIOENCODING": "ascii"})
    assert not ran.out.startswith("?")
