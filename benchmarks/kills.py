"""SIGKILL at random moments of `envkit setup` over an environment with real PyTorch and TensorFlow, training and all.

    python benchmarks/kills.py --kills 50

After each kill what is at the target must train (`envkit smoke`), and the next setup must succeed and leave no more
than the environment and the previous one. The two profiles differ in one package: each run replaces the other's.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXTRA = {"one": "colorama==0.4.6", "two": "iniconfig==2.1.0"}


def start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "envkit", "setup", "--profile", f"{name}.yaml", "--venv", "env"]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(child: subprocess.Popen[bytes]) -> tuple[bool, float]:
    started = time.monotonic()
    return child.wait() == 0, time.monotonic() - started


def trains(folder: Path) -> bool:
    argv = [sys.executable, "-m", "envkit", "smoke", "--profile", "one.yaml", "--python", "env/bin/python"]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    good = 0
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        folder = Path(name)
        for profile, package in EXTRA.items():
            (folder / f"{profile}.yaml").write_text(f"extends: cpu\npackages: [{package}]\n")
        usual = min(finish(start(folder, profile))[1] for profile in ("one", "two", "one"))
        wanted = "two"
        for number in range(options.kills):
            child = start(folder, wanted)
            moment = chance.uniform(0.0, 1.0) * usual
            time.sleep(moment)
            child.send_signal(signal.SIGKILL)
            child.wait()
            left = sorted(path.name for path in folder.glob("env*"))
            trained = trains(folder)
            ready, _ = finish(start(folder, wanted))
            clean = sorted(path.name for path in folder.glob("env*")) == ["env", "env.previous"]
            good += trained and ready and clean
            print(f"{number + 1:3} {moment:6.2f} s  {left}  trains {trained}, next {ready}, clean {clean}", flush=True)
            wanted = "one" if wanted == "two" else "two"
    print(f"{good} of {options.kills} kills left an environment that trains and a setup that succeeds")
    sys.exit(good != options.kills)


if __name__ == "__main__":
    main()
