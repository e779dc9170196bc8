"""An image built by the Dockerfile against one that plain uv fills from the same lock in the same kind of Dockerfile.

    python benchmarks/image.py --base python:3.12-slim [--rounds 3] [--profile cpu] [--build-arg NAME=VALUE ...]

Caches are warm: the base, the wheels of the lock, and what envkit and uv themselves need are there. From there on
everything is built: the environment (plain uv: `uv venv`, `uv pip install --require-hashes`), and the image that it is
copied into. Medians of rounds, the order going round; the load is that before each round. Training, which proves what
plain uv only installs, is shown beside it and is not in the ratio. Sizes are those of whole images.

The health check is `envkit doctor --phase run` in a container: medians, and the largest resident size.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("pyproject.toml", "README.md", "LICENSE", "profiles", "envkit", "deploy", ".dockerignore")
MOST_TIME, MOST_SIZE, MOST_SECONDS, MOST_MEMORY = 1.10, 1.03, 0.4, 60
ANEW = "ARG ROUND\nRUN : ${ROUND}\n"
UV = "FROM ${BASE_IMAGE} AS uv\nRUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir uv\n"
BY_UV = """
FROM wheels AS environment
ARG PROFILE
ARG VARIANT=""
COPY --from=uv /opt/uv /opt/uv
RUN python=$(python3 -c 'import sys; print("%d%d" % sys.version_info[:2])') && \\
    lock=/opt/locks/${PROFILE}/${VARIANT}/py${python}-linux-$(uname -m).txt && \\
    /opt/uv/bin/uv venv --quiet --python python3 /home/train/venv && \\
    UV_NO_CACHE=1 /opt/uv/bin/uv pip install --quiet --python /home/train/venv/bin/python --no-index \\
        --find-links /opt/wheels --no-deps --require-hashes -r "$lock"
FROM ${BASE_IMAGE}
RUN useradd --create-home --uid 10001 --user-group train && chmod 755 /home/train
COPY --from=environment --chown=10001:10001 /home/train/venv /home/train/venv
USER 10001
"""
ASK = """
import resource, subprocess, time
for _ in range(7):
    started = time.perf_counter()
    subprocess.run(["envkit", "doctor", "--phase", "run"], stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def docker(*argv: str) -> str:
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        sys.exit(f"docker {argv[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def dockerfiles() -> tuple[str, str]:
    """Ours and plain uv's, which share the stage of the wheels; both build anew what comes after it."""
    ours = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    head, envkit, wheels, rest = re.split(
        r"(?=^FROM \S+ AS envkit$|^FROM \S+ AS wheels$|^FROM wheels AS)", ours, flags=re.MULTILINE
    )
    return _anew(head + envkit + wheels + rest), _anew(head + UV + wheels + BY_UV)


def _anew(text: str) -> str:
    return re.sub(r"^(FROM wheels AS environment|FROM \$\{BASE_IMAGE\})\n", rf"\1\n{ANEW}", text, flags=re.MULTILINE)


def verdict(good: bool) -> str:
    return "ok" if good else "TOO MUCH"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="an image with Python, pip and venv")
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    given = [f"BASE_IMAGE={options.base}", f"PROFILE={options.profile}", *options.build_arg]
    ours, plain = dockerfiles()
    ways = {"plain uv": (plain, []), "envkit": (ours, ["OPTIONS=--no-smoke"]), "and proved": (ours, [])}
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder, name))

        def build(way: str, number: int, target: str = "") -> float:
            text, more = ways[way]
            Path(folder, "Dockerfile").write_text(text, encoding="utf-8")
            words = [word for one in [*given, *more, f"ROUND={number}"] for word in ("--build-arg", one)]
            started = time.perf_counter()
            docker("build", "--network", "host", *words, "--target" if target else "--tag", target or tag(way), folder)
            return time.perf_counter() - started

        for way in ways:
            for target in ("wheels", "uv" if way == "plain uv" else "envkit"):
                build(way, 0, target)
        order, loads = list(ways), []
        took: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(1, options.rounds + 1):
            loads.append(round(os.getloadavg()[0], 1))
            for way in order[number % 3 :] + order[: number % 3]:
                took[way].append(build(way, number))
    size = {way: int(docker("image", "inspect", "--format", "{{.Size}}", tag(way))) for way in ways}
    print(f"load {loads}")
    base = statistics.median(took["plain uv"]), size["plain uv"]
    for way in ways:
        middle = statistics.median(took[way])
        print(f"{way:<12} {middle:6.1f} s ({middle / base[0]:.2f})", end=" ")
        print(f"{size[way] / 1e6:7.0f} MB ({size[way] / base[1]:.3f})  {[round(each, 1) for each in took[way]]}")
    ratio, larger = statistics.median(took["envkit"]) / base[0], size["and proved"] / base[1]
    print(f"time: at most {MOST_TIME} {verdict(ratio <= MOST_TIME)}; size: at most {MOST_SIZE}", end=" ")
    print(verdict(larger <= MOST_SIZE))
    asked = docker("run", "--rm", "--network", "none", "--entrypoint", "python3", tag("and proved"), "-c", ASK)
    rows = [list(map(float, line.split())) for line in asked.splitlines()]
    wall, memory = statistics.median(row[0] for row in rows[1:]), max(row[2] for row in rows)
    cpu = (rows[-1][1] - rows[0][1]) / (len(rows) - 1)
    print(
        f"health check: {wall:.2f} s wall ({cpu:.2f} s CPU), at most {MOST_SECONDS} {verdict(wall <= MOST_SECONDS)};",
        end=" ",
    )
    print(f"{memory:.0f} MB, at most {MOST_MEMORY} {verdict(memory <= MOST_MEMORY)}")


def tag(way: str) -> str:
    return f"envkit-benchmark:{way.replace(' ', '-')}"


if __name__ == "__main__":
    main()
