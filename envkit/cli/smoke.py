"""`envkit smoke`: train reference networks, and say whether each came out right."""

from __future__ import annotations

import sys

import typer

from envkit.cli import _common

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
    device: str = typer.Option("", "--device", help="Train here instead, for example cpu."),
    format_: str = typer.Option("text", "--format", "-f", help="Output format: text, json."),
    timeout: float = typer.Option(
        300.0, "--timeout", min=1, max=86400, help="Seconds for one import, or one training."
    ),
) -> None:
    """Train reference networks and judge each run.

    An MLP and a CNN in each framework, on the device found. Changes nothing.

    Exit status: 0 all trained as they should, 1 one did not, 2 wrong usage, 3 nothing could be said.
    """
    import pkgutil
    from typing import get_args

    from envkit import interpreter
    from envkit.cli._training import train
    from envkit.errors import InputError
    from envkit.profile import Device
    from envkit.smoke import adapters
    from envkit.smoke.data import MODELS

    _common.one_of("--format", format_, ("text", "json"))
    for name in (chosen := _common.split(framework)):
        _common.one_of("--framework", name, [info.name for info in pkgutil.iter_modules(adapters.__path__)])
    for name in (models := _common.split(model)):
        _common.one_of("--model", name, list(MODELS))
    if device:
        _common.one_of("--device", device, get_args(Device))
    found = interpreter.find(python or None)
    if not found:
        raise InputError("no Python to train with was found", hint="`envkit setup --profile cpu` makes one")
    report = train(
        found,
        lambda facts: _common.profile_of(profile, facts),
        frameworks=chosen,
        models=models,
        device=device,
        deadline_seconds=timeout,
    )
    if format_ == "json":
        _common.write_json(report)
    else:
        from envkit.smoke.show import render

        _common.write(render(report, _common.style()))
        if not report.runs:
            sys.stderr.write(f"  hint: no framework is installed in {found.path}: envkit setup --profile cpu\n")
    raise typer.Exit({"healthy": 0, "unhealthy": 1, "unknown": 3}[report.status])
