"""Peaks, floors, baselines and reasons, from facts alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from envkit.bench import reasons
from envkit.bench.judge import judged
from envkit.bench.limits import Gpu, Limit, gpu_of, limit_of
from envkit.bench.sampling import Sampler
from envkit.bench.types import Event, Measurement, verdict
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia
from envkit.facts.gpus import Amd, AmdGpu
from envkit.facts.machine import Cpu
from envkit.facts.nvidia import GpuProcess, NvidiaGpu
from envkit.facts.nvidia_links import GpuPair, NvLink
from envkit.knowledge import Knowledge

PEAKS = Knowledge().peaks
H100 = "NVIDIA H100 80GB HBM3"
GIB = 1 << 30


def measured(
    kind: Any = "memory", device: str = "cuda:0", variant: str = "", value: float | None = 100.0
) -> Measurement:
    return Measurement(kind=kind, device=device, variant=variant, status="pass", value=value, unit="GB/s")


def two(remote: Any, links: int = 18) -> tuple[dict[str, Gpu], Nvidia]:
    """Two H100 with NVLinks to each other, or to a switch."""
    addresses = ["0000:01:00.0", "0000:02:00.0"]
    gpus = [
        NvidiaGpu(
            index=i,
            name=H100,
            uuid=f"GPU-{i}",
            pci_address=addresses[i],
            nvlinks=[
                NvLink(index=n, active=n < links, remote=remote, remote_address=addresses[1 - i] if n < links else None)
                for n in range(18)
            ],
        )
        for i in range(2)
    ]
    nvidia = Nvidia(gpus=gpus, pairs=[GpuPair(first=0, second=1, p2p_nvlink="ok")])
    return {f"cuda:{i}": gpu_of(f"cuda:{i}", H100, 80 * GIB, str(1 - i), nvidia) for i in range(2)}, nvidia


def test_cuda_and_nvml_count_differently_and_are_joined_by_the_uuid() -> None:
    gpus, _ = two("switch")
    assert gpus["cuda:0"].nvml is not None
    assert gpus["cuda:0"].nvml.index == 1


@pytest.mark.parametrize(
    ("remote", "links", "peak", "of"),
    [("switch", 18, 450.0, "18 NVLinks"), ("gpu", 4, 100.0, "4 NVLinks"), ("gpu", 1, 25.0, "1 NVLink")],
)
def test_two_gpus_have_the_links_that_join_them(remote: str, links: int, peak: float, of: str) -> None:
    gpus, nvidia = two(remote, links)
    assert limit_of(measured("peer", "cuda:0-cuda:1"), gpus, nvidia, PEAKS) == Limit(peak, of)


def test_without_nvlink_it_is_pcie_between_two_and_unknown_for_all() -> None:
    gpus, nvidia = two("switch")
    bare = msgspec.structs.replace(nvidia, pairs=[])
    limit = limit_of(measured("peer", "cuda:0-cuda:1"), gpus, bare, PEAKS)
    assert limit == Limit(pytest.approx(63.0, abs=0.1), "PCIe 5.0 x16")
    assert limit_of(measured("all-reduce", "all"), gpus, bare, PEAKS) is None
    assert limit_of(measured("all-reduce", "all"), gpus, nvidia, PEAKS) == Limit(450.0, "18 NVLinks")


@pytest.mark.parametrize(
    ("device", "name", "memory"),
    [
        ("cpu", H100, 80),
        ("cuda:0", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10),
        ("cuda:0", H100, 40),
        ("cuda:0", "NVIDIA GeForce RTX 4090 Laptop GPU", 16),
        ("cuda:0", "Voodoo 2", 1),
    ],
)
def test_what_is_no_whole_known_card_has_no_peak(device: str, name: str, memory: int) -> None:
    gpus = {"cuda:0": Gpu("cuda:0", name, memory * GIB)}
    assert limit_of(measured("matmul", device, "bfloat16"), gpus, None, PEAKS) is None


def test_nothing_to_compare_with_is_no_failure_and_no_fraction() -> None:
    found = judged(measured(), None, None, ["it is hot"], PEAKS)
    assert (found.status, found.fraction, found.baseline_fraction, found.reasons) == ("pass", None, None, ["it is hot"])


@pytest.mark.parametrize(("value", "status"), [(59.9, "fail"), (60.1, "pass"), (120.0, "pass")])
def test_the_floor_divides(value: float, status: str) -> None:
    assert judged(measured(value=value), Limit(100.0, "it"), None, [], PEAKS).status == status


@pytest.mark.parametrize(
    ("kind", "value", "status"), [("memory", 79.0, "fail"), ("memory", 81.0, "pass"), ("disk", 51.0, "pass")]
)
def test_each_kind_may_vary_as_much_as_it_does(kind: str, value: float, status: str) -> None:
    found = judged(measured(kind, value=value), None, measured(kind), [], PEAKS)
    assert (found.status, found.baseline_fraction) == (status, pytest.approx(value / 100))


def test_what_failed_or_was_another_unit_is_compared_with_nothing() -> None:
    failed = msgspec.structs.replace(measured(value=None), status="crash", cause="hang")
    assert judged(failed, Limit(100.0, "it"), measured(), [], PEAKS) == failed
    other = msgspec.structs.replace(measured(value=900.0), unit="TFLOPS")
    assert judged(measured(), None, other, [], PEAKS).baseline is None
    assert judged(measured(), None, failed, [], PEAKS).baseline is None


def test_the_verdict_needs_something_that_passed() -> None:
    good, skipped = measured(), Measurement(kind="disk", device="disk", status="skip")
    assert verdict([good, skipped]) == "healthy"
    assert verdict([skipped]) == verdict([]) == "unknown"
    assert verdict([good, msgspec.structs.replace(good, status="fail")]) == "unhealthy"


def why(kind: Any, before: dict[str, Any], *meanwhile: dict[str, Any]) -> list[str]:
    gpus = {"cuda:0": Gpu("cuda:0", H100, None, NvidiaGpu(index=0, **before))}
    during = [NvidiaGpu(index=0, **fields) for fields in meanwhile]
    return reasons.of_gpus(measured(kind), Nvidia(), gpus, during)


def test_clocks_are_explained_by_what_nvml_told_meanwhile() -> None:
    capped = {"throttle_reasons": ["sw_power_cap"], "clock_sm_megahertz": 1200, "power_watts": 349.0}
    assert why("matmul", {"clock_sm_max_megahertz": 1980, "power_limit_watts": 350.0}, {}, capped) == [
        "it is at its power limit (1200 of 1980 MHz, 349 of 350 W)"
    ]
    assert why("matmul", {"power_limit_watts": 300.0, "power_limit_default_watts": 700.0}) == [
        "its power limit is set to 300 W, by default it has 700 W"
    ]
    assert why("transfer", {"throttle_reasons": ["gpu_idle"]}, capped) == []


def test_an_idle_link_is_no_reason_when_it_is_wide_at_work() -> None:
    idle = {"pcie_width": 4, "pcie_width_max": 16, "pcie_generation": 1, "pcie_generation_max": 5}
    work = {"pcie_width": 16, "pcie_width_max": 16, "pcie_generation": 5, "pcie_generation_max": 5}
    assert why("transfer", idle, work) == []
    assert why("transfer", idle, {**work, "pcie_width": 8}) == ["PCIe x8 of x16"]
    assert why("transfer", idle) == ["PCIe x4 of x16", "PCIe generation 1 of 5"]
    assert why("transfer", {"pcie_width": 4, "pcie_width_max": 4}) == ["PCIe x4"]


def test_of_amds_only_gpu_the_power_limit_and_the_lanes_are_told() -> None:
    card = AmdGpu(power_limit_watts=500.0, power_limit_default_watts=750.0, pcie_width=8, pcie_width_max=16)
    idle = msgspec.structs.replace(card, pcie_generation=1, pcie_generation_max=5)
    one = {"cuda:0": gpu_of("cuda:0", "AMD Instinct MI300X", None, "", None, amd=Amd(gpus=[idle]))}
    assert reasons.of_gpus(measured("matmul"), None, one, []) == [
        "its power limit is set to 500 W, by default it has 750 W"
    ]
    assert reasons.of_gpus(measured("transfer"), None, one, []) == ["PCIe x8 of x16"]
    assert gpu_of("cuda:0", "AMD Instinct MI300X", None, "", None, amd=Amd(gpus=[idle, card])).amd is None


def test_other_programs_on_the_gpu_are_a_reason() -> None:
    one = [GpuProcess(pid=1, kind="compute"), GpuProcess(pid=2, kind="graphics")]
    assert why("memory", {"processes": one}) == ["1 other program computes on it"]
    assert why("memory", {"processes": one * 2}) == ["2 other programs compute on it"]


def test_what_limits_the_processors() -> None:
    cpu = Cpu(threads=8, cores=8, affinity_threads=4, cgroup_quota_cores=1.5, frequency_governors=["powersave"])
    assert reasons.of_host(Facts(cpu=ok(cpu)), load=6.0, threads="2") == [
        "only 4 of 8 processors may be used",
        "the control group allows the time of 1.5 processors",
        "OMP_NUM_THREADS is 2",
        "other programs kept 6.0 of 8 processors busy",
        "the processors' clocks are held low (powersave)",
    ]
    assert reasons.of_host(Facts(cpu=ok(Cpu(threads=8, affinity_threads=8))), load=0.4, threads=None) == []


def test_a_sample_belongs_to_a_measurement_only_if_that_ran_all_the_while() -> None:
    sampler = Sampler()
    begin = Event(kind="matmul", device="cuda:0", variant="fp8")
    gpu = NvidiaGpu(index=0)
    sampler.ask(lambda: [gpu])
    sampler.hear(begin)
    sampler.ask(lambda: [gpu])
    sampler.ask(lambda: (sampler.hear(msgspec.structs.replace(begin, result=measured())), [gpu])[1])
    assert sampler.during(("matmul", "cuda:0", "fp8")) == [gpu]
