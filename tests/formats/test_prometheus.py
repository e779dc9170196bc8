"""Metrics for node_exporter's textfile collector, read back by Prometheus' own client library."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import Facts, decode, ok
from envkit.facts.accelerators import Nvidia
from envkit.facts.nvidia import NvidiaGpu
from envkit.facts.nvidia_links import NvLink
from envkit.findings import Finding, Report
from envkit.formats import Style
from envkit.formats.prometheus import METRICS, render
from envkit.knowledge import load
from envkit.profile import Profile
from envkit.profile import load as load_profile

MACHINES = Path(__file__).parents[1] / "machines"
LARGEST = 400  # series of a machine with 8 GPUs

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Series:
    """Series to value; a series that stands twice is an error, as it is for node_exporter."""
    series: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.timestamp is None
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, key
            series[key] = sample.value
    return series


def rendered(report: Report, facts: Facts) -> Series:
    return read(render(report, Style(), facts))


def machine(name: str) -> Facts:
    return decode((MACHINES / name / "facts.json").read_text(), name)


def judged(facts: Facts, profile: str = "") -> tuple[Report, Series]:
    report = examine(facts, load_profile(profile) if profile else Profile(), load(), discover())
    return report, rendered(report, facts)


def value(series: Series, metric: str, **labels: str) -> float | None:
    """The value of the one series with at least these labels; None where there is none."""
    found = [v for (name, ls), v in series.items() if name == metric and labels.items() <= set(ls)]
    assert len(found) < 2, found
    return found[0] if found else None


def of(*findings: Finding, status: str = "unhealthy") -> Series:
    return rendered(Report(status=status, headline="", findings=list(findings)), Facts())


def finding(status: str, check: str = "gpu-hot", caused_by: str | None = None) -> Finding:
    return Finding(check=check, area="accelerators", status=status, message="m", caused_by=caused_by)


def with_gpu(**fields: object) -> Series:
    nvidia = Nvidia(gpus=[NvidiaGpu(index=0, uuid="GPU-1", **fields)])
    return rendered(Report(status="healthy", headline=""), Facts(nvidia=ok(nvidia)))


@pytest.mark.parametrize("name", sorted(path.name for path in MACHINES.iterdir() if path.is_dir()))
def test_every_machine_is_read_back_with_declared_metrics_and_labels_only(name: str) -> None:
    report, series = judged(machine(name))
    for metric, labels in series:
        assert {label for label, _ in labels} <= set(METRICS[metric].labels)
    looked = {f.check for f in report.findings if f.status != "skip"}
    assert {dict(ls)["check"] for m, ls in series if m == "envkit_check_status"} == looked
    assert sum(v for (m, _), v in series.items() if m == "envkit_checks") == len({f.check for f in report.findings})


def test_eight_gpus_that_tell_everything_stay_within_the_budget() -> None:
    facts = machine("h100-passed-through")  # read from a real one
    assert facts.nvidia.facts
    assert facts.nvidia.facts.gpus
    links = [NvLink(index=i, active=True, errors=0, remote="switch") for i in range(18)]
    told = replace(facts.nvidia.facts.gpus[0], nvlinks=links)
    told = replace(told, throttle_reasons=["sw_power_cap", "hw_slowdown", "hw_thermal_slowdown"])
    gpus = [replace(told, index=i, uuid=f"GPU-{i}", pci_address=f"0000:{i:02x}:00.0") for i in range(8)]
    facts = replace(facts, nvidia=ok(replace(facts.nvidia.facts, gpus=gpus)))
    _, series = judged(facts, "cuda12")
    assert value(series, "envkit_gpus") == 8
    assert value(series, "envkit_gpu_nvlinks_active", gpu="7") == 18
    assert len(series) <= LARGEST
    assert len(judged(machine("h100x8"))[1]) <= LARGEST


def test_a_check_has_one_series_whose_value_is_its_worst_finding() -> None:
    assert value(of(finding("warn"), finding("fail")), "envkit_check_status", check="gpu-hot") == 2
    assert value(of(finding("pass")), "envkit_check_status", check="gpu-hot") == 0


@pytest.mark.parametrize("status", ["unknown", "crash"])
def test_a_check_that_could_not_tell_is_no_pass(status: str) -> None:
    assert value(of(finding(status)), "envkit_check_status", check="gpu-hot") == 3


def test_a_skipped_check_is_counted_and_says_nothing_itself() -> None:
    series = of(finding("skip"))
    assert value(series, "envkit_check_status") is None
    assert value(series, "envkit_checks", status="skip") == 1
    assert value(series, "envkit_checks", status="pass") == 0


@pytest.mark.parametrize(("status", "code"), [("healthy", 0), ("degraded", 1), ("unhealthy", 2), ("unknown", 3)])
def test_only_a_healthy_machine_is_zero(status: str, code: int) -> None:
    assert value(of(status=status), "envkit_verdict") == code


def test_what_follows_from_another_check_names_it_unless_it_stands_for_itself_too() -> None:
    explained, own = finding("fail", caused_by="gpu-lost"), finding("fail")
    assert value(of(explained), "envkit_check_consequence", check="gpu-hot", cause="gpu-lost") == 1
    assert value(of(explained, own), "envkit_check_consequence") is None


def test_units_are_prometheus_base_units() -> None:
    series = with_gpu(clock_sm_megahertz=1980, fan_percent=57, power_watts=72.021, memory_total_bytes=85899345920)
    assert value(series, "envkit_gpu_sm_clock_hertz") == 1_980_000_000
    assert value(series, "envkit_gpu_fan_speed_ratio") == 0.57
    assert value(series, "envkit_gpu_power_watts") == 72.021
    assert value(series, "envkit_gpu_memory_size_bytes") == 85899345920
    assert value(series, "envkit_gpu_temperature_celsius") is None  # not told: never 0


def test_a_lost_gpu_is_down_and_its_last_readings_are_not_told_as_todays() -> None:
    series = with_gpu(error="GPU_IS_LOST", temperature_celsius=41)
    assert value(series, "envkit_gpu_up", gpu="0") == 0
    assert value(series, "envkit_gpus", vendor="nvidia") == 0
    assert value(series, "envkit_gpu_temperature_celsius") is None
    assert value(judged(machine("h100x8-one-gpu-lost"))[1], "envkit_gpus") == 7


def test_gpus_of_a_driver_that_does_not_answer_are_not_counted_as_none() -> None:
    _, series = judged(machine("driver-hangs"))
    assert value(series, "envkit_gpus") is None
    assert value(series, "envkit_verdict") == 2


def test_links_are_not_summed_where_one_of_them_is_not_known() -> None:
    up, silent = NvLink(index=0, active=True, errors=0), NvLink(index=1, errors=3)
    series = with_gpu(nvlinks=[up, silent])
    assert value(series, "envkit_gpu_nvlinks_active") is None
    assert value(series, "envkit_gpu_nvlink_errors_total") == 3


def test_the_run_is_dated_by_its_facts_and_an_undated_one_is_not() -> None:
    dated = Report(status="healthy", headline="", taken_at="2026-11-26T08:14:24+00:00")
    assert value(rendered(dated, Facts()), "envkit_last_run_timestamp_seconds") == 1795680864
    assert value(of(), "envkit_last_run_timestamp_seconds") is None


def test_names_from_a_device_cannot_break_the_file() -> None:
    name = 'say "hi" \\ \n\x1b[31m Gerät #1 }'
    series = with_gpu(name=name)
    assert value(series, "envkit_gpu_info", name='say "hi" \\  \ufffd[31m Gerät #1 }') == 1


def test_the_documentation_lists_each_metric_with_its_type_and_labels() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = [line for line in text.split("\n") if line.startswith("| `envkit_")]
    assert rows == [
        f"| `{name}` | {metric.kind} | {', '.join(metric.labels) or '-'} | {metric.help} |"
        for name, metric in METRICS.items()
    ]
