"""How long `envkit --version` and `envkit doctor` take, against `import typer` and torch's collect_env in one run.

    python benchmarks/startup.py --python ENVIRONMENT/bin/python

--python: an environment with PyTorch and TensorFlow. Medians of interleaved runs, output not on a terminal.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def seconds(argv: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    commands = {
        "import typer": [sys.executable, "-c", "import typer"],
        "envkit --version": [sys.executable, "-m", "envkit", "--version"],
        "envkit doctor": [sys.executable, "-m", "envkit", "doctor", "--python", options.python],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, argv in commands.items():
            times[name].append(seconds(argv))
    collect = [seconds([options.python, "-m", "torch.utils.collect_env"]) for _ in range(3)]
    median = {name: statistics.median(values) for name, values in times.items()}
    median["torch.utils.collect_env"] = statistics.median(collect)
    for name, value in median.items():
        print(f"{name:<26} {value * 1000:8.0f} ms")
    for name, base, bound in (
        ("envkit --version", "import typer", 1.3),
        ("envkit doctor", "import typer", 4.0),
        ("envkit doctor", "torch.utils.collect_env", 1 / 15),
    ):
        ratio = median[name] / median[base]
        print(f"{name} / {base}: {ratio:.3f} (at most {bound:.3f}) {'ok' if ratio <= bound else 'TOO SLOW'}")


if __name__ == "__main__":
    main()
