"""`envkit setup` against plain uv and plain pip for the same pins, caches warm; and a second run.

    python benchmarks/setup.py [--profile cpu] [--rounds 5] [--pip-rounds 1] [--offline]

uv: `uv venv` and `uv pip install --no-deps` of the very lock that setup installs from; pip: `python -m venv` and `pip
install --no-deps` of its pins. Setup does what they do with --no-doctor --no-smoke; with --no-smoke it judges machine
and environment besides, which they do not, and is allowed half a second for that. Training is benchmarks/smoke.py.

Medians of rounds, each into an empty folder, and the ratios: of wall-clock time, and of CPU time (user and system),
which a busy machine disturbs less. Whoever links 30,000 files second finds the file system busy with the first: the
order goes round, and each waits for the disk. The load is that before each round.

What uv has in its cache it asks for again where a server wants that (Cache-Control: no-cache); setup does not where a
lock has the hashes. With --offline (UV_OFFLINE, for both) uv does not either, as with servers that do not want it.
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
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from envkit.setup.resolving.pylock import read_lock
from envkit.setup.sources.configured import read_sources
from envkit.setup.uv import find_uv

MOST_UV, LEAST_PIP, MOST_AGAIN, MOST_JUDGING = 1.1, 5.0, 0.5, 0.5


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pip-rounds", type=int, default=1, help="after one that fills its cache; 0: leave pip out")
    parser.add_argument("--offline", action="store_true", help="uv asks no index, for itself nor for envkit")
    options = parser.parse_args()
    os.environ.update({"UV_OFFLINE": "1"} if options.offline else {})
    with tempfile.TemporaryDirectory(dir=Path.home()) as caches:
        # Once installed, envkit has its bytecode; here it is made in the first round, outside of the working tree.
        own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own |= {"PYTHONPYCACHEPREFIX": f"{caches}/bytecode"}
        sources = read_sources(os.environ)
        plain = sources.child_environment(os.environ)
        for_pip = {**os.environ, "PIP_CACHE_DIR": f"{caches}/pip", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        judging = [sys.executable, "-m", "envkit", "setup", "--profile", options.profile, "--no-smoke"]
        installing = [*judging, "--no-doctor"]
        shown = subprocess.run([*installing, "--dry-run", "--format", "json"], check=True, capture_output=True, env=own)
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
            return [cost(installing, cwd=folder, environment=own)]

        def judged(folder: Path) -> list[Cost]:
            return [cost(judging, cwd=folder, environment=own) for _ in range(2)]

        ways, costs, loads = [by_uv, by_envkit, judged], defaultdict(list), []
        for number in range(options.rounds + 1):
            loads.append(round(os.getloadavg()[0], 1))
            for way in ways[number % 3 :] + ways[: number % 3]:
                taken = in_empty_folder(way)
                if number:  # the first warms the caches
                    costs[way].append(taken)
        pip = [in_empty_folder(by_pip)[0] for _ in range(options.pip_rounds + 1)][1:] if options.pip_rounds else []
    print(f"load {loads[1:]}")
    plain_uv = tell("plain uv", [taken[0] for taken in costs[by_uv]])
    envkit = tell("envkit", [taken[0] for taken in costs[by_envkit]])
    with_doctor = tell("and judged", [taken[0] for taken in costs[judged]])
    nothing = tell("nothing to do", [taken[1] for taken in costs[judged]])
    ratio, more = envkit.wall / plain_uv.wall, with_doctor.wall - envkit.wall
    print(f"envkit / plain uv: {ratio:.2f} (CPU {envkit.cpu / plain_uv.cpu:.2f}), at most {MOST_UV}", end=" ")
    print(verdict(ratio <= MOST_UV))
    print(f"judging: {more:.2f} s (with it {with_doctor.wall / plain_uv.wall:.2f} times plain uv)", end=" ")
    print(f"at most {MOST_JUDGING} s {verdict(more <= MOST_JUDGING)}")
    print(f"nothing to do: at most {MOST_AGAIN} s {verdict(nothing.wall <= MOST_AGAIN)}")
    if pip:
        ratio = tell("pip", pip).wall / with_doctor.wall
        print(f"pip / envkit, judged: {ratio:.1f}, at least {LEAST_PIP:g} {verdict(ratio >= LEAST_PIP)}")


if __name__ == "__main__":
    main()
