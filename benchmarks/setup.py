"""`envkit setup --profile cpu` against the same `uv venv` and `uv pip install` by hand, caches warm; and a second run.

    python benchmarks/setup.py

Medians of rounds, each into an empty folder, and the ratios. Whoever links 30,000 files second finds the file system
busy with the first: the order alternates, and each waits for the disk. --no-smoke: training is benchmarks/smoke.py.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from envkit.profile import load
from envkit.setup.sources import read_sources
from envkit.setup.uv import find_uv


def seconds(argv: list[str], **options: object) -> float:
    started = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    return time.perf_counter() - started


def by_hand(folder: Path, environment: dict[str, str]) -> float:
    uv, environment_folder = find_uv(), folder / "by-hand"
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(load("cpu").packages))
    python = str(environment_folder / "bin" / "python")
    create = [uv, "venv", "-q", "--relocatable", "--python", sys.executable, str(environment_folder)]
    install = [uv, "pip", "install", "-q", "--python", python, "-r", str(requirements)]
    return seconds(create, env=environment) + seconds(install, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    environment = read_sources(os.environ).child_environment(os.environ)
    setup = [sys.executable, "-m", "envkit", "setup", "--profile", "cpu", "--no-smoke"]
    hand, ours, again = [], [], []
    for number in range(options.rounds + 1):
        first_by_hand = number % 2 == 0
        times = {}
        for by_whom in ("hand", "ours") if first_by_hand else ("ours", "hand"):
            with tempfile.TemporaryDirectory(dir=Path.home()) as name:
                os.sync()
                if by_whom == "hand":
                    times["hand"] = by_hand(Path(name), environment)
                else:
                    times["ours"] = seconds(setup, cwd=name)
                    times["again"] = seconds(setup, cwd=name)
        if number:  # the first warms the caches
            for values, kind in ((hand, "hand"), (ours, "ours"), (again, "again")):
                values.append(times[kind])
    print(f"by hand          {statistics.median(hand):6.2f} s   {[round(x, 2) for x in hand]}")
    print(f"envkit setup     {statistics.median(ours):6.2f} s   {[round(x, 2) for x in ours]}")
    print(f"nothing to do    {statistics.median(again):6.2f} s   {[round(x, 2) for x in again]}")
    ratio = statistics.median(ours) / statistics.median(hand)
    print(f"envkit setup / by hand: {ratio:.2f} (at most 1.15) {'ok' if ratio <= 1.15 else 'TOO SLOW'}")
    print(f"nothing to do: at most 1 s {'ok' if statistics.median(again) <= 1 else 'TOO SLOW'}")


if __name__ == "__main__":
    main()
