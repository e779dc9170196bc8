"""How findings become a report: causes first, verdicts, overrides. With checks made for the purpose."""

from __future__ import annotations

import pytest

from envkit import facts as f
from envkit.checks import Check, _describe, check, discover
from envkit.doctor import examine, exit_status
from envkit.errors import InputError
from envkit.facts.accelerators import Nvidia
from envkit.facts.machine import Memory
from envkit.facts.software import Torch
from envkit.findings import Findings, Report, fail, unsure, warn
from envkit.knowledge import Knowledge, load
from envkit.profile import CheckOverride, Profile, Requires


@check(area="accelerators")
def gpu_lost(nvidia: Nvidia) -> Findings:
    """A GPU has fallen off the bus."""
    for gpu in nvidia.gpus or []:
        if gpu.error:
            yield fail("lost", subject=f"GPU {gpu.index}")


@check(area="accelerators", after="gpu-lost")
def gpu_hot(nvidia: Nvidia) -> Findings:
    """A GPU is hot."""
    for gpu in nvidia.gpus or []:
        yield fail("hot", subject=f"GPU {gpu.index}")


@check(area="frameworks", after="gpu-hot")
def torch_slow(torch: Torch | None) -> Findings:
    """PyTorch is slow."""
    if torch is None:
        yield warn("no torch at all")
    else:
        yield fail("slow")


@check(area="machine")
def memory_low(memory: Memory, *, minimum_bytes: int = 100) -> Findings:
    """Little memory is available."""
    if memory.memory_available_bytes is None:
        yield unsure("not known")
    elif memory.memory_available_bytes < minimum_bytes:
        yield warn(f"below {minimum_bytes}")


@check(area="machine")
def broken(memory: Memory) -> Findings:
    """A check with a defect."""
    raise ValueError("oops")


KNOWLEDGE: Knowledge = load()
MEMORY = f.ok(Memory(memory_available_bytes=1000))


def checks(*functions: object) -> dict[str, Check]:
    return {c.id: c for c in (_describe(function) for function in functions)}  # type: ignore[arg-type]


def judge(facts: f.Facts, *functions: object, profile: Profile = Profile(), **options: list[str]) -> Report:  # noqa: B008
    return examine(facts, profile, KNOWLEDGE, checks(*functions), **options)


def gpus(*errors: str | None) -> f.Section[Nvidia]:
    from envkit.facts.accelerators import NvidiaGpu

    return f.ok(Nvidia(gpus=[NvidiaGpu(index=i, error=error) for i, error in enumerate(errors)]))


def test_a_consequence_names_its_cause_and_stands_right_behind_it() -> None:
    report = judge(
        f.Facts(nvidia=gpus("GPU_IS_LOST"), memory=MEMORY, torch=f.ok(Torch(version="2"))),
        torch_slow,
        gpu_hot,
        gpu_lost,
        memory_low,
    )
    assert [(x.check, x.caused_by) for x in report.findings] == [
        ("gpu-lost", None),
        ("gpu-hot", "gpu-lost"),
        ("torch-slow", "gpu-hot"),
        ("memory-low", None),
    ]
    assert report.headline.endswith("lost")


def test_a_fault_of_one_gpu_does_not_explain_that_of_another() -> None:
    report = judge(f.Facts(nvidia=gpus("GPU_IS_LOST", None)), gpu_lost, gpu_hot)
    assert {(x.check, x.subject): x.caused_by for x in report.findings} == {
        ("gpu-lost", "GPU 0"): None,
        ("gpu-hot", "GPU 0"): "gpu-lost",
        ("gpu-hot", "GPU 1"): None,
    }


def test_an_absent_section_skips_a_check_unless_it_takes_none() -> None:
    report = judge(f.Facts(nvidia=f.absent("none on PCI"), torch=f.absent("not installed")), gpu_lost, torch_slow)
    assert {x.check: x.status for x in report.findings} == {"torch-slow": "warn", "gpu-lost": "skip"}
    assert report.status == "degraded"


def test_an_unknown_section_is_said_once_and_is_never_healthy() -> None:
    report = judge(f.Facts(nvidia=f.unknown("no answer within 10 s"), memory=MEMORY), gpu_lost, gpu_hot, memory_low)
    assert [x.check for x in report.findings if x.status == "unknown"] == ["nvidia-unknown"]
    assert report.status == "unknown"
    assert exit_status(report, "fail") == 3


def test_an_unknown_section_of_foreign_hardware_is_no_doubt() -> None:
    @check(area="accelerators")
    def tpu_missing(tpu: object) -> Findings:
        """A TPU is missing."""
        return []

    facts = f.Facts(tpu=f.unknown("/sys is not readable"), memory=MEMORY)
    assert judge(facts, tpu_missing, memory_low).status == "healthy"
    wanted = Profile(name="tpu", requires=Requires(accelerator="tpu"))
    assert judge(facts, tpu_missing, memory_low, profile=wanted).status == "unknown"


def test_no_check_run_is_never_healthy() -> None:
    report = judge(f.Facts(), gpu_lost)
    assert report.status == "unknown"
    assert exit_status(judge(f.Facts(memory=MEMORY), memory_low, ignore=["machine"]), "fail") == 3


def test_a_check_that_raises_is_a_crash_and_the_others_go_on() -> None:
    report = judge(f.Facts(memory=MEMORY), broken, memory_low)
    assert {x.check: x.status for x in report.findings} == {"broken": "crash", "memory-low": "pass"}
    assert "ValueError: oops" in report.findings[0].message
    assert report.status == "unknown"


def test_not_knowing_enough_to_judge_is_said_but_fails_nothing() -> None:
    report = judge(f.Facts(memory=f.ok(Memory())), memory_low, gpu_lost)
    assert report.findings[0].status == "unknown"
    assert exit_status(report, "fail") == 3  # nothing else was judged
    report = judge(f.Facts(memory=f.ok(Memory()), nvidia=gpus(None)), memory_low, gpu_lost)
    assert report.status == "healthy"
    assert "1 thing unknown" in report.headline


def test_a_profile_sets_severity_threshold_and_ignores_with_a_reason() -> None:
    def status(override: CheckOverride) -> str:
        profile = Profile(name="p", checks={"memory-low": override})
        return judge(f.Facts(memory=MEMORY), memory_low, profile=profile).findings[0].status

    assert status(CheckOverride()) == "pass"
    assert status(CheckOverride(thresholds={"minimum_bytes": 2000})) == "warn"
    assert status(CheckOverride(thresholds={"minimum_bytes": 2000}, severity="fail")) == "fail"
    assert status(CheckOverride(ignore="tiny on purpose")) == "skip"


def test_select_and_ignore_take_ids_and_areas_and_refuse_others() -> None:
    facts = f.Facts(memory=MEMORY, nvidia=gpus(None))
    assert {x.check for x in judge(facts, gpu_lost, memory_low, select=["machine"]).findings} == {"memory-low"}
    assert {x.check for x in judge(facts, gpu_lost, memory_low, ignore=["memory-low"]).findings} == {"gpu-lost"}
    with pytest.raises(InputError, match="did you mean 'memory-low'"):
        judge(facts, gpu_lost, memory_low, select=["memory-lo"])


@pytest.mark.parametrize(
    ("available", "fail_on", "expected"), [(1000, "warn", 0), (1, "fail", 0), (1, "warn", 1), (1, "never", 0)]
)
def test_exit_status_follows_fail_on(available: int, fail_on: str, expected: int) -> None:
    report = judge(f.Facts(memory=f.ok(Memory(memory_available_bytes=available))), memory_low)
    assert exit_status(report, fail_on) == expected  # type: ignore[arg-type]


def test_what_judges_gpus_is_skipped_where_nobody_has_listed_them() -> None:
    def status(section: f.Section[Nvidia]) -> str:
        return judge(f.Facts(nvidia=section), gpu_lost).findings[-1].status

    assert status(gpus()) == "pass"
    assert status(f.ok(Nvidia(gpus=None))) == "skip"


def test_of_facts_that_hold_nothing_nothing_is_told() -> None:
    report = examine(f.Facts(), Profile(), KNOWLEDGE, discover())
    assert report.status == "unknown"
    assert "nothing that was observed" in report.headline
