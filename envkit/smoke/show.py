"""A smoke report for a terminal. Pure."""

from __future__ import annotations

import textwrap

from envkit.formats import VERDICT_MARKS, Style
from envkit.redact import plain
from envkit.smoke.types import RunResult, SmokeReport

TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}
MIB = 1 << 20


def render(report: SmokeReport, style: Style) -> str:
    """The verdict, then one line for each run, and what went wrong below it."""
    lines = [f"{style.mark(VERDICT_MARKS[report.status])} {style.paint(_headline(report), 'bold')}", ""]
    for run in report.runs:
        lines += _run(run, style)
    return "\n".join(lines) + "\n"


def _headline(report: SmokeReport) -> str:
    passed = sum(run.status == "pass" for run in report.runs)
    total = len(report.runs)
    if not total:
        return "smoke: nothing was trained"
    return f"smoke: {passed} of {total} runs trained as they should, in {report.seconds:.1f} s"


def _run(run: RunResult, style: Style) -> list[str]:
    name = f"{TITLES.get(run.framework, run.framework)} {run.version or ''}".strip()
    head = f"{style.mark(run.status)} {name:<24} {run.model:<5}{run.device_used or run.device:<7}"
    if run.status == "pass":
        return [head + " ".join(_figures(run)), style.paint(f"  {'':<24} {_costs(run)}", "dim")]
    cause = f" [{run.cause}]" if run.cause else ""
    return [
        head + run.status,
        *textwrap.wrap(
            plain(run.message + cause),
            max(style.width, 40),
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        ),
    ]


def _figures(run: RunResult) -> list[str]:
    figures = [run.dtype or ""]
    if run.loss_first is not None and run.loss_last is not None and run.loss_bound is not None:
        figures.append(f" loss {run.loss_first:.3f} → {run.loss_last:.3f} (bound {run.loss_bound:.3f})")
    if run.steps_per_second:
        figures.append(f" {run.steps_per_second:,.0f} steps/s")
    return figures


def _costs(run: RunResult) -> str:
    costs = [run.device_name or ""]
    for seconds, what in ((run.import_seconds, "import"), (run.train_seconds, "training")):
        if seconds is not None:
            costs.append(f"{what} {seconds:.1f} s")
    if run.peak_memory_bytes is not None:
        costs.append(f"peak {run.peak_memory_bytes / MIB:,.0f} MiB")
    return ", ".join(cost for cost in costs if cost)
