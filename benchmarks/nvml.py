"""How long `envkit doctor` takes with a driver that answers for eight GPUs, and with one that never does.

    python benchmarks/nvml.py --python ENVIRONMENT/bin/python

The driver is the stand-in of tests/nvml, built with the system's compiler. Medians of interleaved runs.
"""

from __future__ import annotations

import argparse
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAND_IN = runpy.run_path(str(Path(__file__).resolve().parents[1] / "tests/nvml/stand_in.py"))
DEADLINE_SECONDS = 5.0
MOST_TIMES_AS_LONG = 1.5
MOST_SECONDS_AFTER_DEADLINE = 1.0


def seconds(python: str, environment: dict[str, str]) -> float:
    argv = [sys.executable, "-m", "envkit", "doctor", "--python", python, "--timeout", str(DEADLINE_SECONDS)]
    started = time.perf_counter()
    subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def playing(machine: str, folder: Path) -> dict[str, str]:
    """The environment in which the stand-in is the driver and plays that machine."""
    script = folder / f"{machine}.txt"
    script.write_text(STAND_IN["Machine"]().read(machine).script)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder), "NVML_SCRIPT": str(script)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if STAND_IN["build"](Path(name)) is None:
            sys.exit("no C compiler to build the stand-in with")
        environments = {
            "no GPU": dict(os.environ),
            "8 GPUs": playing("h100x8", Path(name)),
            "16 GPUs": playing("a40x16", Path(name)),
        }
        times: dict[str, list[float]] = {machine: [] for machine in environments}
        for _ in range(options.rounds):
            for machine, environment in environments.items():
                times[machine].append(seconds(options.python, environment))
        hung = seconds(options.python, playing("h100x8-one-getter-never-returns", Path(name)))
    median = {machine: statistics.median(values) for machine, values in times.items()}
    for machine, value in median.items():
        print(f"{machine:<8} {value * 1000:6.0f} ms")
    ratio = median["8 GPUs"] / median["no GPU"]
    verdict = "ok" if ratio <= MOST_TIMES_AS_LONG else "TOO SLOW"
    print(f"8 GPUs / no GPU: {ratio:.2f} (at most {MOST_TIMES_AS_LONG:g}) {verdict}")
    late, most = hung - DEADLINE_SECONDS, MOST_SECONDS_AFTER_DEADLINE
    verdict = "ok" if late <= most else "TOO SLOW"
    print(f"a function that never returns: {late:.2f} s after the deadline (at most {most:g}) {verdict}")


if __name__ == "__main__":
    main()
