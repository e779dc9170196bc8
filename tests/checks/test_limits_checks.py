"""Checks of limits: locked memory, open files, processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from envkit.checks import limits as checks
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Amd, AmdGpu, Nvidia, NvidiaGpu
from envkit.facts.host import Limits
from envkit.facts.machine import Container
from envkit.findings import Finding
from envkit.profile import Profile, Requires

GIB, MIB = 1024**3, 1024**2
ANY, CPU = Profile(), Profile(name="cpu")
CUDA = Profile(name="p", requires=Requires(accelerator="nvidia"))
NO_FACTS = Facts()
WITH_GPU = Facts(nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=0)])))
WITH_AMD = Facts(amd=ok(Amd(gpus=[AmdGpu()])))
RDMA = ["/dev/infiniband/uverbs0"]


def one(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def memlock(limit: Any = 8 * MIB, *, rdma: list[str] | None = RDMA, exempt: bool | None = False) -> Limits:
    return Limits(memlock_limit_bytes=limit, rdma_device_nodes=rdma, memlock_exempt=exempt)


@pytest.mark.parametrize("facts", [WITH_GPU, WITH_AMD])
def test_memlock_limited_fires(facts: Facts) -> None:
    found = one(checks.memlock_limited(memlock(), facts, ANY))
    assert (found.status, found.message.split(" of ")[0]) == ("warn", "only 8 MiB")
    assert found.remedy is not None
    assert "limits.conf" in found.remedy.text


def test_memlock_limited_fires_in_a_container_with_its_option() -> None:
    facts = Facts(nvidia=WITH_GPU.nvidia, container=ok(Container(runtime="docker")))
    found = one(checks.memlock_limited(memlock(), facts, CUDA))
    assert found.remedy is not None
    assert "--ulimit memlock=-1" in found.remedy.text


def test_memlock_limited_fires_where_a_profile_asks() -> None:
    assert one(checks.memlock_limited(memlock(rdma=[]), NO_FACTS, CPU, minimum_bytes=GIB)).status == "warn"


@pytest.mark.parametrize(
    ("limits", "facts", "profile"),
    [
        (memlock("unlimited"), WITH_GPU, ANY),
        (memlock(GIB), WITH_GPU, ANY),
        (memlock(None), WITH_GPU, ANY),
        (memlock(exempt=True), WITH_GPU, ANY),  # root on the host
        (memlock(rdma=[]), WITH_GPU, ANY),
        (memlock(rdma=None), WITH_GPU, ANY),
        (memlock(), NO_FACTS, ANY),  # a network card that could do RDMA, and nothing to train with
        (memlock(), WITH_GPU, CPU),
    ],
)
def test_memlock_limited_near_miss(limits: Limits, facts: Facts, profile: Profile) -> None:
    assert not list(checks.memlock_limited(limits, facts, profile))


@pytest.mark.parametrize(("hard", "who"), [("unlimited", "user"), (4096, "user"), (256, "admin"), (None, "admin")])
def test_open_files_limit_low_fires(hard: Any, who: str) -> None:
    found = one(checks.open_files_limit_low(Limits(open_files_limit=256, open_files_limit_hard=hard)))
    assert found.remedy is not None
    assert (found.remedy.who, bool(found.remedy.commands)) == (who, who == "user")


@pytest.mark.parametrize("soft", [1024, 1048576, "unlimited", None])
def test_open_files_limit_low_near_miss(soft: Any) -> None:
    assert not list(checks.open_files_limit_low(Limits(open_files_limit=soft, open_files_limit_hard=4096)))


def test_open_files_limit_low_fires_above_the_default_where_a_profile_asks() -> None:
    limits = Limits(open_files_limit=1024, open_files_limit_hard=1048576)
    assert one(checks.open_files_limit_low(limits, minimum=65536)).status == "warn"


@pytest.mark.parametrize(("used", "status"), [(80_000, "warn"), (94_999, "warn"), (95_000, "fail")])
def test_file_handles_scarce_fires(used: int, status: str) -> None:
    found = one(checks.file_handles_scarce(Limits(file_handles=used, file_handles_limit=100_000)))
    assert found.status == status


@pytest.mark.parametrize(
    ("used", "limit"), [(79_999, 100_000), (7000, 9223372036854775807), (None, 100), (100, None), (100, 0)]
)
def test_file_handles_scarce_near_miss(used: int | None, limit: int | None) -> None:
    assert not list(checks.file_handles_scarce(Limits(file_handles=used, file_handles_limit=limit)))


@pytest.mark.parametrize(
    ("limits", "subject", "status"),
    [
        (Limits(cgroup_tasks=3277, cgroup_tasks_limit=4096), "the control group", "warn"),
        (Limits(cgroup_tasks=3892, cgroup_tasks_limit=4096), "the control group", "fail"),
        (Limits(cgroup_tasks=5, cgroup_tasks_limit=100), "the control group", "warn"),  # 95 left are too few
        (Limits(user_tasks=4000, user_tasks_limit=4096), "this user", "fail"),
        (Limits(tasks=31_000, tasks_limit=32_768), "the machine", "warn"),
    ],
)
def test_tasks_near_limit_fires(limits: Limits, subject: str, status: str) -> None:
    found = one(checks.tasks_near_limit(limits))
    assert (found.subject, found.status) == (subject, status)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(cgroup_tasks=3000, cgroup_tasks_limit=4096),
        Limits(cgroup_tasks=100_000, cgroup_tasks_limit="unlimited"),
        Limits(cgroup_tasks=None, cgroup_tasks_limit=4096),
        Limits(user_tasks=None, user_tasks_limit=100),  # root
        Limits(tasks=600, tasks_limit=32_768),
        Limits(tasks=600, tasks_limit=None),
    ],
)
def test_tasks_near_limit_near_miss(limits: Limits) -> None:
    assert not list(checks.tasks_near_limit(limits))


def test_zombies_many_fires() -> None:
    assert one(checks.zombies_many(Limits(zombies=1000, tasks=2500), NO_FACTS)).status == "warn"
    facts = Facts(container=ok(Container(runtime="docker")))
    found = one(checks.zombies_many(Limits(zombies=5000), facts))
    assert found.remedy is not None
    assert "--init" in found.remedy.text


@pytest.mark.parametrize("zombies", [None, 0, 999])
def test_zombies_many_near_miss(zombies: int | None) -> None:
    assert not list(checks.zombies_many(Limits(zombies=zombies, tasks=2500), NO_FACTS))
