"""`envkit setup --profile cpu` against plain uv and plain pip for the same pins, caches warm; and a second run.

    python benchmarks/setup.py [--rounds 5] [--pip-rounds 1]

uv: `uv venv` and `uv pip install --no-deps` of the very lock that setup installs from; pip: `python -m venv` and `pip
install --no-deps` of its pins. Medians of rounds, each into an empty folder, and the ratios: of wall-clock time, and of
CPU time (user and system), which a busy machine disturbs less. Whoever links 30,000 files second finds the file system
busy with the first: the order alternates, and each waits for the disk. --no-smoke: training is benchmarks/smoke.py.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from envkit.setup.resolving.pylock import read_lock
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv

MOST_UV, LEAST_PIP, MOST_AGAIN = 1.1, 5.0, 0.5


class Cost(NamedTuple):
    """What a command took, in seconds."""

    wall: float
    cpu: float


def cost(*commands: list[str], cwd: Path, environment: Mapping[str, str]) -> Cost:
    """Run one after the other."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for argv in commands:
        subprocess.run(argv, check=True, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def in_empty_folder(measure: Callable[[Path], list[Cost]]) -> list[Cost]:
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        os.sync()
        return measure(Path(name))


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def tell(label: str, costs: list[Cost]) -> Cost:
    middle = median(costs)
    walls = [round(each.wall, 2) for each in costs]
    print(f"{label:<14} {middle.wall:6.2f} s wall, {middle.cpu:6.2f} s CPU   {walls}")
    return middle


def verdict(good: bool) -> str:
    return "ok" if good else "TOO SLOW"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pip-rounds", type=int, default=1, help="after one that fills its cache; 0: leave pip out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.home()) as caches:
        # Once installed, envkit has its bytecode; here it is made in the first round, outside of the working tree.
        own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own |= {"PYTHONPYCACHEPREFIX": f"{caches}/bytecode"}
        sources = read_sources(os.environ)
        plain = sources.child_environment(os.environ)
        for_pip = {**os.environ, "PIP_CACHE_DIR": f"{caches}/pip", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        setup = [sys.executable, "-m", "envkit", "setup", "--profile", "cpu", "--no-smoke"]
        shown = subprocess.run([*setup, "--dry-run", "--format", "json"], check=True, capture_output=True, env=own)
        lock = Path(json.loads(shown.stdout)["lock"]).expanduser()  # the home folder is written as ~
        pins = Path(caches) / "requirements.txt"
        packages = read_lock(lock.read_text(encoding="utf-8"))
        pins.write_text("".join(f"{package.name}=={package.version}\n" for package in packages), encoding="utf-8")

        def by_uv(folder: Path) -> list[Cost]:
            create = [find_uv(), "venv", "-q", "--relocatable", "--python", sys.executable, "env"]
            install = [find_uv(), "pip", "install", "-q", "--no-deps", *sources.flags, "--python", "env/bin/python"]
            return [cost(create, [*install, "-r", str(lock)], cwd=folder, environment=plain)]

        def by_pip(folder: Path) -> list[Cost]:
            create = [sys.executable, "-m", "venv", "env"]
            install = ["env/bin/python", "-m", "pip", "install", "-q", "--no-deps", "-r", str(pins)]
            return [cost(create, install, cwd=folder, environment=for_pip)]

        def by_envkit(folder: Path) -> list[Cost]:
            return [cost(setup, cwd=folder, environment=own) for _ in range(2)]

        uv, ours, again = [], [], []
        for number in range(options.rounds + 1):
            first, second = (by_uv, by_envkit) if number % 2 == 0 else (by_envkit, by_uv)
            costs = {who: in_empty_folder(who) for who in (first, second)}
            if number:  # the first warms the caches
                uv.append(costs[by_uv][0])
                ours.append(costs[by_envkit][0])
                again.append(costs[by_envkit][1])
        pip = [in_empty_folder(by_pip)[0] for _ in range(options.pip_rounds + 1)][1:] if options.pip_rounds else []
    plain_uv, envkit, nothing = tell("plain uv", uv), tell("envkit setup", ours), tell("nothing to do", again)
    ratio = envkit.wall / plain_uv.wall
    print(f"envkit setup / plain uv: {ratio:.2f} (at most {MOST_UV}; CPU {envkit.cpu / plain_uv.cpu:.2f})", end=" ")
    print(verdict(ratio <= MOST_UV))
    print(f"nothing to do: at most {MOST_AGAIN} s {verdict(nothing.wall <= MOST_AGAIN)}")
    if pip:
        ratio = tell("pip", pip).wall / envkit.wall
        print(f"pip / envkit setup: {ratio:.1f} (at least {LEAST_PIP:g}) {verdict(ratio >= LEAST_PIP)}")


if __name__ == "__main__":
    main()
