"""The report and the GPUs' readings as metrics, for node_exporter's textfile collector.

Prometheus' text format, version 0.0.4, with its conventions of names and base units. Samples have no timestamps: the
collector refuses a file that has one. What could not be read has no sample; a check that was not run has none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Literal, NamedTuple, get_args

from envkit.facts import Facts
from envkit.findings import Finding, Report, Status, Verdict
from envkit.formats import MARKS, Style
from envkit.redact import plain


class Metric(NamedTuple):
    """What stands in the HELP and TYPE lines, and which labels a sample has."""

    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One line: a value under a metric's name and labels."""

    metric: str
    labels: Mapping[str, str]
    value: float


# As monitoring plugins have counted since Nagios. A check that was skipped has no code: it did not look.
CODES: dict[Status, int] = {"pass": 0, "warn": 1, "fail": 2, "unknown": 3, "crash": 3}
VERDICT_CODES: dict[Verdict, int] = {"healthy": 0, "degraded": 1, "unhealthy": 2, "unknown": 3}

# The index of a GPU changes when one before it is lost; its UUID does not.
_GPU = ("vendor", "gpu", "uuid")
METRICS: dict[str, Metric] = {
    "envkit_info": Metric("gauge", "The envkit that judged, and by which profile.", ("version", "profile")),
    "envkit_last_run_timestamp_seconds": Metric("gauge", "When the facts were taken, by the machine's clock."),
    "envkit_verdict": Metric("gauge", "Verdict: 0 healthy, 1 degraded, 2 unhealthy, 3 could not tell."),
    "envkit_checks": Metric("gauge", "How many checks ended so, each by its worst finding.", ("status",)),
    "envkit_check_status": Metric(
        "gauge",
        "Worst finding of a check: 0 pass, 1 warn, 2 fail, 3 could not tell; a check that was skipped has none.",
        ("check", "area"),
    ),
    "envkit_check_consequence": Metric(
        "gauge", "A check whose warning or failure follows from that of another: 1.", ("check", "cause")
    ),
    "envkit_gpus": Metric("gauge", "GPUs that the driver lists and that can be used.", ("vendor",)),
    "envkit_gpu_info": Metric("gauge", "A GPU's name, address and driver.", (*_GPU, "name", "pci_address", "driver")),
    "envkit_gpu_up": Metric("gauge", "1: the driver answers for the GPU; 0: it is lost, or does not answer.", _GPU),
    "envkit_gpu_temperature_celsius": Metric("gauge", "Temperature of a GPU's chip.", _GPU),
    "envkit_gpu_memory_temperature_celsius": Metric("gauge", "Temperature of a GPU's memory.", _GPU),
    "envkit_gpu_fan_speed_ratio": Metric("gauge", "Speed that a GPU's fan is told to have, of the greatest.", _GPU),
    "envkit_gpu_power_watts": Metric("gauge", "What a GPU draws.", _GPU),
    "envkit_gpu_power_limit_watts": Metric("gauge", "What a GPU may draw.", _GPU),
    "envkit_gpu_utilization_ratio": Metric("gauge", "Share of the last second in which a kernel ran.", _GPU),
    "envkit_gpu_sm_clock_hertz": Metric("gauge", "Clock of a GPU's multiprocessors; lower while it idles.", _GPU),
    "envkit_gpu_throttle_reason": Metric("gauge", "A reason why clocks are lowered now: 1.", (*_GPU, "reason")),
    "envkit_gpu_memory_size_bytes": Metric("gauge", "A GPU's memory.", _GPU),
    "envkit_gpu_memory_used_bytes": Metric("gauge", "Memory of a GPU that is in use.", _GPU),
    "envkit_gpu_ecc_errors_total": Metric(
        "counter", "ECC errors since the driver was loaded: corrected, uncorrected.", (*_GPU, "kind")
    ),
    "envkit_gpu_remapped_rows": Metric(
        "gauge", "Rows of memory replaced over a GPU's life, by the errors that made it so.", (*_GPU, "cause")
    ),
    "envkit_gpu_retired_pages": Metric("gauge", "Pages of memory taken out of use over a GPU's life.", _GPU),
    "envkit_gpu_pcie_lanes": Metric("gauge", "PCIe lanes in use.", _GPU),
    "envkit_gpu_pcie_lanes_max": Metric("gauge", "PCIe lanes that a GPU and its slot have.", _GPU),
    "envkit_gpu_pcie_replays_total": Metric("counter", "PCIe packets sent again since a GPU's last reset.", _GPU),
    "envkit_gpu_nvlinks_active": Metric("gauge", "NVLinks of a GPU that are up.", _GPU),
    "envkit_gpu_nvlink_errors_total": Metric("counter", "Errors of all NVLinks of a GPU since last cleared.", _GPU),
}

_PER_CENT = 0.01
_MEGA = 1_000_000
# A field of the facts, its metric without "envkit_gpu_", what one unit of the field is in the metric's, more labels.
_READINGS: tuple[tuple[str, str, float, dict[str, str]], ...] = (
    ("temperature_celsius", "temperature_celsius", 1, {}),
    ("memory_temperature_celsius", "memory_temperature_celsius", 1, {}),
    ("fan_percent", "fan_speed_ratio", _PER_CENT, {}),
    ("power_watts", "power_watts", 1, {}),
    ("power_limit_watts", "power_limit_watts", 1, {}),
    ("utilization_percent", "utilization_ratio", _PER_CENT, {}),
    ("clock_sm_megahertz", "sm_clock_hertz", _MEGA, {}),
    ("memory_total_bytes", "memory_size_bytes", 1, {}),
    ("memory_used_bytes", "memory_used_bytes", 1, {}),
    ("ecc_corrected", "ecc_errors_total", 1, {"kind": "corrected"}),
    ("ecc_uncorrected", "ecc_errors_total", 1, {"kind": "uncorrected"}),
    ("remapped_rows_correctable", "remapped_rows", 1, {"cause": "correctable"}),
    ("remapped_rows_uncorrectable", "remapped_rows", 1, {"cause": "uncorrectable"}),
    ("retired_pages", "retired_pages", 1, {}),  # NVIDIA's
    ("pages_retired", "retired_pages", 1, {}),  # AMD's
    ("pcie_width", "pcie_lanes", 1, {}),
    ("pcie_width_max", "pcie_lanes_max", 1, {}),
    ("pcie_replays", "pcie_replays_total", 1, {}),
)


def render(report: Report, style: Style, facts: Facts) -> str:  # noqa: ARG001 - the protocol of every format
    """The metrics in the order of METRICS, each with HELP and TYPE; those without a sample are left out."""
    samples: dict[str, list[Sample]] = {}
    for sample in (*_judged(report), *_gpus(facts)):
        samples.setdefault(sample.metric, []).append(sample)
    lines: list[str] = []
    for name, metric in METRICS.items():
        if name in samples:
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}", *map(_line, samples[name])]
    return "\n".join(lines) + "\n"


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
    return f"{sample.metric}{{{labels}}} {sample.value}" if labels else f"{sample.metric} {sample.value}"


def _escaped(text: str) -> str:
    return plain(text).replace("\\", r"\\").replace('"', r"\"")


def _judged(report: Report) -> Iterator[Sample]:
    yield Sample("envkit_info", {"version": report.envkit, "profile": report.profile}, 1)
    taken_at = _seconds(report.taken_at)
    if taken_at is not None:
        yield Sample("envkit_last_run_timestamp_seconds", {}, taken_at)
    yield Sample("envkit_verdict", {}, VERDICT_CODES[report.status])
    by_check: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_check.setdefault(finding.check, []).append(finding)
    worst = {check: min((f.status for f in found), key=list(MARKS).index) for check, found in by_check.items()}
    for status in get_args(Status):
        yield Sample("envkit_checks", {"status": status}, list(worst.values()).count(status))
    for check, status in sorted(worst.items()):
        if status in CODES:
            yield Sample("envkit_check_status", {"check": check, "area": by_check[check][0].area}, CODES[status])
        causes = [f.caused_by for f in by_check[check] if f.status == status]
        if causes[0] and all(causes):
            yield Sample("envkit_check_consequence", {"check": check, "cause": causes[0]}, 1)


def _seconds(moment: str) -> int | None:
    """Seconds since 1970 of a moment as facts tell it; None where they tell none."""
    try:
        told = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return int((told if told.tzinfo else told.replace(tzinfo=timezone.utc)).timestamp())


def _gpus(facts: Facts) -> Iterator[Sample]:
    for vendor in ("nvidia", "amd", "intel"):
        there = getattr(facts, vendor).facts
        gpus = there.gpus if there else None
        if gpus is None:
            continue
        usable = [gpu for gpu in gpus if getattr(gpu, "error", None) is None]
        yield Sample("envkit_gpus", {"vendor": vendor}, len(usable))
        for position, gpu in enumerate(gpus):
            index = getattr(gpu, "index", position)
            of_gpu = {"vendor": vendor, "gpu": str(index), "uuid": getattr(gpu, "uuid", None) or ""}
            yield from _gpu(gpu, of_gpu, getattr(there, "driver_version", None) or "")


def _gpu(gpu: object, labels: dict[str, str], driver: str) -> Iterator[Sample]:
    """The samples of one GPU; a GPU that is lost has no readings: those in the facts are of before."""
    named = {"name": getattr(gpu, "name", None) or "", "pci_address": getattr(gpu, "pci_address", None) or ""}
    yield Sample("envkit_gpu_info", {**labels, **named, "driver": driver}, 1)
    if hasattr(gpu, "error"):
        yield Sample("envkit_gpu_up", labels, int(gpu.error is None))
        if gpu.error is not None:
            return
    for field, metric, unit, more in _READINGS:
        value = getattr(gpu, field, None)
        if value is not None:
            yield Sample(f"envkit_gpu_{metric}", {**labels, **more}, round(value * unit, 6))
    for reason in getattr(gpu, "throttle_reasons", None) or ():
        yield Sample("envkit_gpu_throttle_reason", {**labels, "reason": reason}, 1)
    links = getattr(gpu, "nvlinks", None) or ()
    for field, metric in (("active", "nvlinks_active"), ("errors", "nvlink_errors_total")):
        values = [getattr(link, field) for link in links]
        if values and None not in values:  # a sum over some of them would look like links that went down
            yield Sample(f"envkit_gpu_{metric}", labels, sum(values))
    for kind, field in (("corrected", "correctable"), ("uncorrected", "uncorrectable")):  # AMD counts by block
        counts = [n for block in getattr(gpu, "errors", None) or () if (n := getattr(block, field)) is not None]
        if counts:
            yield Sample("envkit_gpu_ecc_errors_total", {**labels, "kind": kind}, sum(counts))
