"""`envkit bench`: measure the machine, and say how close it comes to what it should be."""

from __future__ import annotations

import typer

from envkit.cli import _common

app = _common.new_app()

SECTIONS = ("cpu", "memory", "nvidia", "amd", "apple")


@app.command()
def bench(
    python: str = typer.Option("", "--python", help=_common.PYTHON_HELP),
    only: list[str] = typer.Option(
        [], "--only", help="Only these: matmul, memory, transfer, step, peer, all-reduce, disk; several by commas."
    ),
    device: list[str] = typer.Option(["all"], "--device", help="all, cpu (with its disk), cuda:0, mps:0, ..."),
    baseline: str = typer.Option("", "--baseline", help="Compare with this file, which --save wrote."),
    profile: str = typer.Option(
        "",
        "--profile",
        "-p",
        help="Expect at least what this profile says: a name, or a file.",
        autocompletion=_common.complete_profile,
    ),
    save: str = typer.Option("", "--save", help="Write the report, as JSON, to this file."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Show sizes, repeats and spread."),
    format_: str = typer.Option("text", "--format", "-f", help="Output format: text, json."),
    timeout: float = typer.Option(60.0, "--timeout", min=1, max=86400, help="Seconds for one measurement."),
) -> None:
    """Measure the machine and compare it with what it should be.

    Matrix products, copies, links between GPUs, the disk: against the hardware's peak, a profile's floors, and
    a baseline. The one file it
    writes, without --save, has no name and is gone when it ends.

    Exit status: 0 nothing is too slow, 1 something is or failed, 2 wrong usage, 3 nothing could be said.
    """
    from envkit import interpreter, knowledge
    from envkit.bench import baseline as saved
    from envkit.bench import floors
    from envkit.bench.machine import machine_of
    from envkit.bench.plan import KINDS
    from envkit.bench.run import Wanted
    from envkit.bench.run import bench as measure
    from envkit.capture import capture
    from envkit.cli._bench import gpus_of_nvml, progress
    from envkit.errors import InputError

    _common.one_of("--format", format_, ("text", "json"))
    for name in (kinds := _common.split(only)):
        _common.one_of("--only", name, KINDS)
    devices = [] if "all" in (chosen := _common.split(device)) else chosen
    for name in devices:
        _common.one_of("--device", name.partition(":")[0], ("all", "cpu", "cuda", "mps", "xpu"))
    devices = [name if ":" in name or name == "cpu" else f"{name}:0" for name in devices]
    if save:
        saved.refuse_unwritable(save)
    earlier = saved.read(baseline) if baseline else None
    expected = _common.profile_of(profile) if profile else None
    if expected:
        floors.refuse_wrong(expected)
    found = interpreter.find(python or None)
    if not found:
        raise InputError("no Python to measure with was found", hint="`envkit setup --profile cpu` makes one")
    facts = capture(python=None, only=SECTIONS)
    if earlier:
        saved.refuse_another_machine(baseline, earlier.machine, machine_of(facts))
    with progress() as tell:
        report = measure(
            found.path,
            facts,
            knowledge.load().peaks,
            Wanted([kind for kind in KINDS if not kinds or kind in kinds], devices),
            deadline_seconds=timeout,
            baseline=earlier,
            profile=expected,
            on_event=tell,
            observe=gpus_of_nvml if facts.nvidia.facts else None,
        )
    if save:
        saved.write(save, report)
    if format_ == "json":
        _common.write_json(report)
    else:
        from envkit.bench.show import render

        _common.write(render(report, _common.style(verbose=verbose)))
    raise typer.Exit({"healthy": 0, "unhealthy": 1, "unknown": 3}[report.status])
