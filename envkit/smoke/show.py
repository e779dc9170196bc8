"""A smoke report for a terminal. Pure."""

from __future__ import annotations

import textwrap

from envkit.formats import VERDICT_MARKS, Style
from envkit.redact import plain
from envkit.smoke.types import RunResult, SmokeReport

TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}
MIB = 1 << 20
BARS = "▁▂▃▄▅▆▇█"


def render(report: SmokeReport, style: Style) -> str:
    """The verdict, then one line for each run, and what went wrong below it."""
    lines = [f"{style.mark(VERDICT_MARKS[report.status])} {style.paint(headline(report), 'bold')}", ""]
    for run in report.runs:
        lines += _run(run, style)
    lines += [f"{style.mark('warn')} {plain(sentence)}" for sentence in report.agreement]
    return "\n".join(lines) + "\n"


def headline(report: SmokeReport) -> str:
    passed = sum(run.status == "pass" for run in report.runs)
    total = len(report.runs)
    if not total:
        return "smoke: nothing was trained"
    return f"smoke: {passed} of {total} runs computed what they should, in {report.seconds:.1f} s"


def _run(run: RunResult, style: Style) -> list[str]:
    name = f"{TITLES.get(run.framework, run.framework)} {run.version or ''}".strip()
    way = "" if run.variant == "eager" else f"{run.variant} "
    head = (
        f"{style.mark(run.status)} {name:<24} {run.model:<12}{run.device_used or run.device:<7}{way}{run.precision}  "
    )
    if run.status == "pass":
        return [head + run.message, style.paint(f"  {'':<24} {_costs(run)}", "dim")]
    cause = f" [{run.cause}]" if run.cause else ""
    failed = [check for check in run.checks if check.status == "fail"]
    said = [plain(run.message + cause)]
    said += [plain(check.message) for check in failed if check.message and check.message not in run.message]
    said += [f"to confirm it: {plain(check.confirm)}" for check in failed if check.confirm]
    return [head + run.status, *(line for text in dict.fromkeys(said) for line in _wrapped(text, style))]


def _wrapped(text: str, style: Style) -> list[str]:
    return textwrap.wrap(
        text,
        max(style.width, 40),
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _costs(run: RunResult) -> str:
    costs = []
    if run.loss_last is not None and run.losses_expected:
        costs.append(f"loss {run.loss_last:.6f} after {run.steps} steps, float64 {run.losses_expected[-1]:.6f}")
    if run.steps_per_second:
        costs.append(f"{run.steps_per_second:,.0f} steps/s")
    costs.append(run.device_name or "")
    if run.import_seconds is not None:
        costs.append(f"import {run.import_seconds:.1f} s")
    if run.peak_memory_bytes is not None:
        costs.append(f"peak {run.peak_memory_bytes / MIB:,.0f} MiB")
    return ", ".join(cost for cost in costs if cost)


def render_plot(report: SmokeReport, style: Style) -> str:
    """Each run's loss beside the float64 reference's, one column a step, the highest loss of both at the top."""
    lines = []
    for run in report.runs:
        losses = [loss for loss in run.losses if loss is not None]
        if not losses or not run.losses_expected:
            continue
        top = max(*losses, *run.losses_expected)
        name = f"{TITLES.get(run.framework, run.framework)} {run.model} {run.variant} {run.precision}"
        lines += [
            style.paint(name, "bold"),
            f"  computed   {_bars(losses, top, style.width - 14)}  {losses[-1]:.6g}",
            f"  reference  {_bars(run.losses_expected, top, style.width - 14)}  {run.losses_expected[-1]:.6g}",
        ]
    return "\n".join([*lines, ""]) if lines else "no curve to draw: no trajectory was trained\n"


def _bars(losses: list[float], top: float, width: int) -> str:
    """A bar for each loss; of more than fit, as many as fit, evenly chosen."""
    width = max(10, min(width - 12, len(losses)))
    chosen = [losses[index * len(losses) // width] for index in range(width)]
    return "".join(BARS[min(int(max(loss, 0.0) / top * len(BARS)), len(BARS) - 1)] for loss in chosen)
