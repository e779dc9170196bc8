"""`envkit smoke`: train reference networks, and say whether each came out right."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from envkit.cli import _common

if TYPE_CHECKING:
    from envkit.smoke.types import SmokeReport

FORMATS = ("text", "json", "junit", "github", "markdown")

app = _common.new_app()


@app.command()
def smoke(
    profile: str = typer.Option(
        "",
        "--profile",
        "-p",
        help="Run what this profile asks for: a name, or a file.",
        autocompletion=_common.complete_profile,
    ),
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    framework: list[str] = typer.Option([], "--framework", help="Only these, for example torch."),
    model: list[str] = typer.Option([], "--model", help="Only these, for example mlp."),
    device: str = typer.Option("", "--device", help="Train here instead: cpu, cuda:1, or all for every GPU."),
    compiled: bool = typer.Option(False, "--compiled", help="Also as torch.compile, XLA and jax.jit make it."),
    precision: list[str] = typer.Option(
        [], "--precision", help="float32, float64, tf32, bfloat16, float16; bfloat16 and float16 by autocast."
    ),
    long: bool = typer.Option(False, "--long", help="200 steps instead of 20."),
    nproc: int | None = typer.Option(None, "--nproc", min=1, help="Train data-parallel on so many processes."),
    plot: bool = typer.Option(False, "--plot", help="Draw each loss beside the reference's."),
    format_: str = typer.Option(
        "text", "--format", "-f", help="Output format: text, json, and for CI junit, github, markdown."
    ),
    output: str = typer.Option("", "--output", metavar="FILE", help=_common.OUTPUT_HELP),
    timeout: float = typer.Option(
        300.0, "--timeout", min=1, max=86400, help="Seconds for one import, or one training."
    ),
) -> None:
    """Train reference networks and compare every number with a float64 reference.

    Gradient, optimizer, trajectory and device of each model in each framework, on the device found. Changes nothing.

    Exit status: 0 all computed what they should, 1 one did not, 2 wrong usage, 3 nothing could be said.
    """
    import pkgutil
    from typing import get_args

    import msgspec

    from envkit import interpreter
    from envkit.cli import _output, _together
    from envkit.cli._training import train
    from envkit.errors import InputError
    from envkit.smoke import adapters
    from envkit.smoke.cases import MODELS
    from envkit.smoke.types import Precision

    together = nproc or _together.launched()
    _common.one_of("--format", format_, ("text", "json") if together else FORMATS)
    for name in (chosen := _common.split(framework)):
        _common.one_of("--framework", name, [info.name for info in pkgutil.iter_modules(adapters.__path__)])
    for name in (models := _common.split(model)):
        _common.one_of("--model", name, list(MODELS))
    if device:
        _check_device(device)
    for name in _common.split(precision):
        _common.one_of("--precision", name, get_args(Precision))
    precisions: list[Precision] = msgspec.convert(_common.split(precision) or ["float32"], list[Precision])
    found = interpreter.find(python or None)
    if not found:
        raise InputError("no Python to train with was found", hint="`envkit setup --profile cpu` makes one")
    if together:
        given = {
            "--profile": profile,
            "--output": output,
            "--compiled": compiled,
            "--precision": precision,
            "--long": long,
            "--plot": plot,
        }
        status = _together.train(
            found,
            nproc,
            frameworks=chosen,
            models=models,
            format_=format_,
            timeout=timeout,
            device=device,
            unused=[name for name, value in given.items() if value],
        )
        raise typer.Exit(status)
    if output:
        _output.refuse_unwritable(output)
    report = train(
        found,
        lambda facts: _common.profile_of(profile, facts),
        frameworks=chosen,
        models=models,
        device=device,
        variants=("eager", "compiled") if compiled else ("eager",),
        precisions=precisions,
        long=long,
        deadline_seconds=timeout,
    )
    _show(report, format_, output, plot=plot)
    if not report.runs:
        sys.stderr.write(f"  hint: no framework is installed in {found.path}: envkit setup --profile cpu\n")
    raise typer.Exit({"healthy": 0, "unhealthy": 1, "unknown": 3}[report.status])


def _show(report: SmokeReport, format_: str, output: str, *, plot: bool) -> None:
    """Print it; with a file as output, that has it, and stdout the text."""
    import msgspec

    from envkit.cli import _output
    from envkit.facts import Facts
    from envkit.formats import find
    from envkit.redact import redact
    from envkit.smoke.findings import as_report
    from envkit.smoke.show import render, render_plot

    style = _common.style()
    text = redact(render(report, style) + (f"\n{render_plot(report, style)}" if plot else ""))
    if format_ == "text":
        _output.deliver(text, text, output)
    elif format_ == "json":
        _output.deliver(
            redact(msgspec.json.format(msgspec.json.encode(report), indent=2).decode()) + "\n", text, output
        )
    else:
        judged = _output.redacted(as_report(report))
        _output.deliver(find(format_).render(judged, style, Facts()), text, output)
        if format_ == "github":
            _output.summarise(find("markdown").render(judged, style, Facts()))


def _check_device(device: str) -> None:
    """Raise InputError where it names no device: a kind, perhaps with a number, or all."""
    from typing import get_args

    from envkit.errors import InputError
    from envkit.profile import Device

    kind, colon, index = device.partition(":")
    _common.one_of("--device", kind, (*get_args(Device), "all"))
    if colon and kind in {"cpu", "all"}:
        raise InputError(f"--device {device}: {kind} has no numbers", hint="for example --device cuda:1")
    if colon and not (index.isascii() and index.isdigit()):
        raise InputError(f"--device {device}: {index!r} is no number of a device", hint="for example --device cuda:1")
