from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil  # loaded before a test says that this is another system
import pytest

from envkit.facts.machine import Cpu
from envkit.probes import cpu

RECORDED = sorted((Path(__file__).parents[2] / "../shared/hardware/proc").resolve().glob("*cpuinfo*.txt"))
ARM = "processor\t: {}\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\n"
X86 = "processor\t: {}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\n{}flags\t\t: fpu avx avx2 avx512f\n\n"


def observe(folder: Path, cpuinfo: str, files: dict[str, str] | None = None) -> Cpu:
    for path, text in {"/proc/cpuinfo": cpuinfo, **(files or {})}.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    facts = cpu.observe(str(folder)).facts
    assert facts
    return facts


def test_x86_tells_sockets_cores_and_threads(tmp_path: Path) -> None:
    places = [(socket, core) for socket in (0, 1) for core in (0, 1, 2) for _ in range(2)]
    blocks = [X86.format(n, f"physical id\t: {s}\ncore id\t\t: {c}\n") for n, (s, c) in enumerate(places)]
    facts = observe(tmp_path, "".join(blocks))
    assert (facts.sockets, facts.cores, facts.threads) == (2, 6, 12)
    assert (facts.model, facts.vendor) == ("Xeon", "GenuineIntel")
    assert facts.flags == ["fpu", "avx", "avx2", "avx512f"]


def test_a_hidden_topology_is_unknown(tmp_path: Path) -> None:
    facts = observe(tmp_path, X86.format(0, "") + X86.format(1, ""))
    assert (facts.sockets, facts.cores, facts.threads) == (None, None, 2)


def test_sysfs_tells_the_topology_that_arm_leaves_out_of_cpuinfo(tmp_path: Path) -> None:
    files = {"/sys/devices/system/cpu/online": "0-1,4\n"}
    for number, siblings in {0: "0-1", 1: "0-1", 4: "4"}.items():
        files[f"/sys/devices/system/cpu/cpu{number}/topology/physical_package_id"] = "0\n"
        files[f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list"] = f"{siblings}\n"
    facts = observe(tmp_path, "".join(ARM.format(n) for n in (0, 1, 4)), files)
    assert (facts.sockets, facts.cores, facts.threads) == (1, 2, 3)
    files["/sys/devices/system/cpu/cpu4/topology/physical_package_id"] = "-1\n"
    facts = observe(tmp_path, ARM.format(0), files)
    assert (facts.sockets, facts.cores) == (None, 2)


def test_arm_names_its_maker_and_the_device_tree_its_model(tmp_path: Path) -> None:
    facts = observe(tmp_path, ARM.format(0))
    assert (facts.model, facts.vendor, facts.flags) == (None, "ARM", ["fp", "asimd", "sve"])
    facts = observe(tmp_path, ARM.format(0), {"/proc/device-tree/cpus/cpu@0/compatible": "arm,cortex-a72\0arm,armv8\0"})
    assert facts.model == "arm,cortex-a72"


def test_an_unknown_maker_stays_unknown(tmp_path: Path) -> None:
    for code in ("0x7f", "garbage", ""):
        assert observe(tmp_path, f"processor : 0\nCPU implementer : {code}\n").vendor is None


def test_power_lists_no_flags(tmp_path: Path) -> None:
    text = "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.0MHz\n\nplatform\t: PowerNV\n"
    facts = observe(tmp_path, text)
    assert (facts.model, facts.flags, facts.threads) == ("POWER9, altivec supported", None, 1)


def test_ibm_z_writes_one_line_per_processor(tmp_path: Path) -> None:
    text = "vendor_id       : IBM/S390\n# processors    : 2\nfeatures\t: esan3 zarch vx\n"
    text += "processor 0: version = FF,  identification = 1\nprocessor 1: version = FF,  identification = 2\n"
    facts = observe(tmp_path, text)
    assert (facts.vendor, facts.threads, facts.flags) == ("IBM/S390", 2, ["esan3", "zarch", "vx"])


def test_riscv_extensions_are_flags(tmp_path: Path) -> None:
    facts = observe(tmp_path, "processor : 0\nhart : 0\nmodel name : X60\nisa : rv64imafdcv_zba_zbb\n")
    assert (facts.model, facts.flags) == ("X60", ["rv64imafdcv", "zba", "zbb"])


@pytest.mark.parametrize("online", ["", "garbage", "0-", "5-1,x", "0-99999999999", "\0"])
def test_a_strange_list_of_processors_falls_back_to_cpuinfo(tmp_path: Path, online: str) -> None:
    assert observe(tmp_path, ARM.format(0), {"/sys/devices/system/cpu/online": online}).threads == 1


def test_another_machine_says_nothing_of_this_process(tmp_path: Path) -> None:
    facts = observe(tmp_path, ARM.format(0))
    assert (facts.affinity_threads, facts.architecture, facts.cgroup_quota_cores) == (None, None, None)


def test_the_quota_of_the_control_group_is_in_cores(tmp_path: Path) -> None:
    group = {
        "/proc/self/cgroup": "0::/job\n",
        "/proc/self/mountinfo": "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/job/cpu.max": "250000 100000\n",
    }
    assert observe(tmp_path, ARM.format(0), group).cgroup_quota_cores == 2.5


@pytest.mark.parametrize("number", [2, 300])
def test_the_governors_of_some_processors_are_asked(tmp_path: Path, number: int) -> None:
    folder = "/sys/devices/system/cpu/cpufreq"
    files = {f"{folder}/boost": "1\n", f"{folder}/policy0/scaling_driver": "acpi-cpufreq\n"}
    files |= {f"{folder}/policy{n}/scaling_governor": "schedutil\n" if n else "powersave\n" for n in range(number)}
    facts = observe(tmp_path, ARM.format(0), files)
    assert (facts.frequency_driver, facts.frequency_governors) == ("acpi-cpufreq", ["powersave", "schedutil"])


def test_without_a_driver_there_is_no_governor(tmp_path: Path) -> None:
    facts = observe(tmp_path, ARM.format(0))
    assert (facts.frequency_driver, facts.frequency_governors) == (None, None)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0" * 50, b"no colon here\n"])
def test_garbage_is_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_bytes(content)
    assert cpu.observe(str(tmp_path)).outcome == "unknown"


@pytest.mark.skipif(not RECORDED, reason="no recorded machines beside the repository")
def test_every_recorded_machine_makes_sense(tmp_path: Path) -> None:
    for file in RECORDED:
        facts = observe(tmp_path, file.read_text())
        assert facts.threads, file
        assert bool(facts.flags) == ("power" not in file.name), file
        assert facts.sockets is None or 1 <= facts.sockets <= (facts.cores or 0) <= facts.threads, file
        assert facts.vendor or facts.model, file
        assert not facts.flags or all(flag and " " not in flag for flag in facts.flags), file


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_this_machine_agrees_with_the_scheduler() -> None:
    facts = cpu.observe().facts
    assert facts
    assert facts.architecture == os.uname().machine
    assert facts.threads == os.sysconf("SC_NPROCESSORS_ONLN")
    assert facts.affinity_threads == len(os.sched_getaffinity(0))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs 2 CPUs")
def test_affinity_counts_what_this_process_may_use() -> None:
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        facts = cpu.observe().facts
    finally:
        os.sched_setaffinity(0, all_of_them)
    assert facts
    assert facts.affinity_threads == 1


def test_elsewhere_psutil_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    facts = cpu.observe().facts
    assert facts
    assert facts.threads == psutil.cpu_count()
    assert facts.flags is None
