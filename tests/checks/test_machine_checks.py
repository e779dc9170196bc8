"""Checks of operating system, processor and memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import cpu as cpu_checks
from envkit.checks import memory as memory_checks
from envkit.checks import system as system_checks
from envkit.facts import Facts, ok
from envkit.facts.machine import Cpu, Memory, System
from envkit.facts.software import Python, Tensorflow, Torch
from envkit.findings import Finding
from envkit.profile import Profile, Requires

GIB, MIB = 1024**3, 1024**2
ANY, NO_FACTS = Profile(), Facts()
WITH_TORCH = Facts(torch=ok(Torch(version="2.13.0+cpu")))


def requiring(**requires: Any) -> Profile:
    return Profile(name="p", requires=Requires(**requires))


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_os_unsupported_fires() -> None:
    assert one(system_checks.os_unsupported(System(os="darwin"), requiring(os=["linux"]))).status == "fail"


def test_os_unsupported_near_miss() -> None:
    assert not list(system_checks.os_unsupported(System(os="linux"), requiring(os=["darwin", "linux"])))
    assert not list(system_checks.os_unsupported(System(os=None), requiring(os=["linux"])))
    assert not list(system_checks.os_unsupported(System(os="windows"), ANY))


def test_architecture_unsupported_fires() -> None:
    profile = requiring(architecture=["x86_64"])
    assert "riscv64" in one(system_checks.architecture_unsupported(System(architecture="riscv64"), profile)).message


def test_architecture_unsupported_near_miss() -> None:
    profile = requiring(architecture=["x86_64", "arm64"])
    assert not list(system_checks.architecture_unsupported(System(architecture="aarch64"), profile))
    assert not list(system_checks.architecture_unsupported(System(architecture="AMD64"), profile))


@pytest.mark.parametrize(
    ("system", "profile"),
    [
        (System(libc="glibc", libc_version="2.17"), requiring(glibc=">=2.28")),
        (System(libc="musl", libc_version="1.2.4"), requiring(glibc=">=2.28")),
        (System(libc="musl"), ANY),
    ],
)
def test_glibc_too_old_fires(system: System, profile: Profile) -> None:
    assert one(system_checks.glibc_too_old(system, NO_FACTS, profile)).status == "fail"


@pytest.mark.parametrize(
    ("system", "facts", "profile"),
    [
        (System(libc="glibc", libc_version="2.28"), NO_FACTS, requiring(glibc=">=2.28")),
        (System(libc="glibc", libc_version=None), NO_FACTS, requiring(glibc=">=2.28")),
        (System(libc="glibc", libc_version="2.5"), NO_FACTS, ANY),
        (System(libc="musl"), WITH_TORCH, ANY),
    ],
)
def test_glibc_too_old_near_miss(system: System, facts: Facts, profile: Profile) -> None:
    assert not list(system_checks.glibc_too_old(system, facts, profile))


OLD = Cpu(architecture="x86_64", flags=["sse4_2"])


@pytest.mark.parametrize(
    ("facts", "profile", "status"),
    [
        (Facts(tensorflow=ok(Tensorflow(version="2.21.0"))), ANY, "fail"),
        (NO_FACTS, Profile(name="p", packages=["tensorflow-cpu==2.21.0"]), "fail"),
        (NO_FACTS, ANY, "warn"),
    ],
)
def test_cpu_no_avx_fires(facts: Facts, profile: Profile, status: str) -> None:
    assert one(cpu_checks.cpu_no_avx(OLD, facts, profile)).status == status


@pytest.mark.parametrize(
    "cpu",
    [
        Cpu(architecture="x86_64", flags=["avx"]),
        Cpu(architecture="x86_64", flags=None),
        Cpu(architecture="aarch64", flags=["asimd"]),
    ],
)
def test_cpu_no_avx_near_miss(cpu: Cpu) -> None:
    assert not list(cpu_checks.cpu_no_avx(cpu, NO_FACTS, ANY))


def test_cpu_no_avx2_fires() -> None:
    assert one(cpu_checks.cpu_no_avx2(Cpu(architecture="x86_64", flags=["avx"]))).status == "warn"


def test_cpu_no_avx2_near_miss() -> None:
    assert not list(cpu_checks.cpu_no_avx2(Cpu(architecture="x86_64", flags=["avx", "avx2"])))


def with_threads(said: str) -> Facts:
    return Facts(python=ok(Python(executable="python", version="3.11.7", environment={"OMP_NUM_THREADS": said})))


@pytest.mark.parametrize(
    ("cpu", "facts"),
    [
        (Cpu(threads=64, affinity_threads=64, cgroup_quota_cores=2.0), NO_FACTS),
        (Cpu(threads=64, affinity_threads=8, cgroup_quota_cores="unlimited"), with_threads("64")),
    ],
)
def test_cpu_oversubscribed_fires(cpu: Cpu, facts: Facts) -> None:
    finding = one(cpu_checks.cpu_oversubscribed(cpu, facts))
    assert finding.remedy is not None
    assert finding.remedy.commands[0][1] == f"OMP_NUM_THREADS={2 if cpu.affinity_threads == 64 else 8}"


@pytest.mark.parametrize(
    ("cpu", "facts"),
    [
        (Cpu(threads=64, affinity_threads=8, cgroup_quota_cores="unlimited"), NO_FACTS),  # OpenMP honours the mask
        (Cpu(threads=8, affinity_threads=8, cgroup_quota_cores=7.5), NO_FACTS),
        (Cpu(threads=64, affinity_threads=64, cgroup_quota_cores=2.0), with_threads("2")),
        (Cpu(), NO_FACTS),
    ],
)
def test_cpu_oversubscribed_near_miss(cpu: Cpu, facts: Facts) -> None:
    assert not list(cpu_checks.cpu_oversubscribed(cpu, facts))


@pytest.mark.parametrize(
    ("memory", "status"),
    [
        (Memory(memory_available_bytes=GIB), "warn"),
        (Memory(memory_available_bytes=64 * GIB, cgroup_available_bytes=100 * MIB), "fail"),
    ],
)
def test_memory_low_fires(memory: Memory, status: str) -> None:
    assert one(memory_checks.memory_low(memory)).status == status


def test_memory_low_near_miss() -> None:
    assert not list(
        memory_checks.memory_low(Memory(memory_available_bytes=2 * GIB, cgroup_available_bytes="unlimited"))
    )
    assert one(memory_checks.memory_low(Memory())).status == "unknown"


def test_memory_below_profile_fires() -> None:
    memory = Memory(memory_total_bytes=4 * GIB)
    assert one(memory_checks.memory_below_profile(memory, requiring(memory=8 * GIB))).status == "fail"


def test_memory_below_profile_near_miss() -> None:
    nominal = Memory(memory_total_bytes=int(7.6 * GIB))  # what the kernel shows of 8 GiB
    assert not list(memory_checks.memory_below_profile(nominal, requiring(memory=8 * GIB)))


def test_cgroup_memory_limit_low_fires() -> None:
    memory = Memory(memory_total_bytes=64 * GIB, cgroup_limit_bytes=2 * GIB)
    assert one(memory_checks.cgroup_memory_limit_low(memory, requiring(memory=8 * GIB))).status == "fail"


def test_cgroup_memory_limit_low_near_miss() -> None:
    for limit in (8 * GIB, "unlimited", None):
        memory = Memory(memory_total_bytes=64 * GIB, cgroup_limit_bytes=limit)
        assert not list(memory_checks.cgroup_memory_limit_low(memory, requiring(memory=8 * GIB)))


def test_cgroup_oom_kills_fires() -> None:
    assert one(memory_checks.cgroup_oom_kills(Memory(cgroup_oom_kills=3, cgroup_limit_bytes=GIB))).status == "warn"


def test_cgroup_oom_kills_near_miss() -> None:
    assert not list(memory_checks.cgroup_oom_kills(Memory(cgroup_oom_kills=0)))
    assert not list(memory_checks.cgroup_oom_kills(Memory(cgroup_oom_kills=None)))
