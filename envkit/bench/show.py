"""A bench for a terminal. Pure."""

from __future__ import annotations

import textwrap

from envkit.bench.types import BenchReport, Measurement
from envkit.formats import VERDICT_MARKS, Style
from envkit.redact import plain

TITLES = {
    "matmul": "matrix product",
    "memory": "memory copy",
    "transfer": "copy",
    "step": "training steps of",
    "peer": "copy between GPUs",
    "all-reduce": "all-reduce",
    "disk": "file",
}
VARIANTS = {
    "tf32": "TF32",
    "h2d-pinned": "host to device, pinned",
    "h2d-pageable": "host to device, pageable",
    "d2h-pinned": "device to host, pinned",
    "d2h-pageable": "device to host, pageable",
}
SLOW = 0.7
"""Reasons are told below this fraction, of what failed, and where nobody knows the peak."""

KEPT_UP = 0.97
"""Reasons are told, too, where less than this is left of it after a while."""


def render(report: BenchReport, style: Style) -> str:
    """The verdict, then the devices, each with a line for each measurement and what is known of the slow ones."""
    lines = [f"{style.mark(VERDICT_MARKS[report.status])} {style.paint(_headline(report), 'bold')}"]
    names = {device.device: device.name for device in report.devices}
    for device in dict.fromkeys(measurement.device for measurement in report.measurements):
        title = f"{device}  {names.get(device) or ''}".rstrip()
        lines += ["", style.paint(plain(title), "bold")]
        told: set[str] = set()
        for measurement in report.measurements:
            if measurement.device == device:
                lines += _measurement(measurement, style, told)
    return "\n".join(lines) + "\n"


def _headline(report: BenchReport) -> str:
    measured = sum(m.value is not None for m in report.measurements)
    asked = sum(m.status != "skip" for m in report.measurements)
    if not measured:
        return "bench: nothing could be measured"
    slow = sum(m.cause in {"slow", "slower-than-baseline"} for m in report.measurements)
    compared = any((m.fraction, m.baseline, m.floor) != (None, None, None) for m in report.measurements)
    verdict = f", {slow} too slow" if slow else ", none too slow" if compared else ", with nothing to compare with"
    return f"bench: {measured} of {asked} measured{verdict}, in {report.seconds:.0f} s"


def _measurement(m: Measurement, style: Style, told: set[str]) -> list[str]:
    """Its lines; a reason that was told of this device before is not told again."""
    name = f"{TITLES[m.kind]} {VARIANTS.get(m.variant, m.variant)}".rstrip()
    head = f"  {style.mark(m.status)} {name:<30} "
    if m.value is None:
        cause = f" [{m.cause}]" if m.cause else ""
        return [f"{head}{'skipped' if m.status == 'skip' else m.status}", *_wrapped(m.message + cause, style)]
    lines = [head + f"{speed(m):>15}  {_compared(m)}".rstrip()]
    if m.status != "pass":
        lines += _wrapped(f"{m.message} [{m.cause}]", style)
    if m.status != "pass" or m.fraction is None or m.fraction < SLOW or _tires(m):
        new = [reason for reason in m.reasons if reason not in told]
        told.update(new)
        lines += [line for reason in new for line in _wrapped(f"· {reason}", style)]
    if style.verbose:
        repeats = f"median of {m.repeats}, quartiles {m.spread or 0:.1%} apart"
        lines += [style.paint(line, "dim") for line in _wrapped(f"{m.detail}; {repeats}", style)]
    return lines


def _tires(m: Measurement) -> bool:
    return bool(m.sustained and m.value and m.sustained < KEPT_UP * m.value)


def speed(m: Measurement, value: float | None = None) -> str:
    """The value, or another in its unit, with three figures: "712 TFLOPS", "1.29 TFLOPS", "187 GFLOPS"."""
    value, unit = value or m.value or 0.0, str(m.unit)
    if unit == "TFLOPS" and value < 1:
        value, unit = value * 1e3, "GFLOPS"
    if unit == "GB/s" and value < 1:
        value, unit = value * 1e3, "MB/s"
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f} {unit}"


def _compared(m: Measurement) -> str:
    parts = []
    if m.fraction is not None and m.peak is not None:
        parts.append(f"{m.fraction:>4.0%} of {m.peak:,.4g} ({m.peak_of})")
    if _tires(m):
        parts.append(f"sustained {speed(m, m.sustained)}")
    if m.floor_of and m.floor:
        parts.append(f"at least {m.floor:,.4g} ({m.floor_of})")
    if m.baseline_fraction is not None:
        parts.append(f"{m.baseline_fraction:>4.0%} of the baseline")
    return ", ".join(parts)


def _wrapped(text: str, style: Style) -> list[str]:
    return textwrap.wrap(
        plain(text),
        max(style.width, 40),
        initial_indent=" " * 6,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )
