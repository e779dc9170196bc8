"""CPU time of judging a captured 8-GPU machine with every check, beside that of an empty Python.

`python -m benchmarks.judgement`: the goal is 15 ms at most.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from envkit.checks import discover
from envkit.doctor import examine
from envkit.facts import decode
from envkit.knowledge import Knowledge
from envkit.profile import Profile
from envkit.profile import load as load_profile

MACHINE = Path(__file__).resolve().parents[1] / "tests/machines/h100x8/facts.json"
RUNS = 20


def empty_python() -> float:
    """CPU milliseconds of `python -c pass`."""

    def one() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        after = os.times()
        return 1000 * (after.children_user + after.children_system - before.children_user - before.children_system)

    return median(one() for _ in range(RUNS))


def judgement(profile: Profile, knowledge: Knowledge | None) -> float:
    """CPU milliseconds of one judgement; without knowledge the tables are read as checks ask for them."""
    facts, checks = decode(MACHINE.read_bytes(), str(MACHINE)), discover()
    started = time.process_time()
    examine(facts, profile, knowledge or Knowledge(), checks)
    return 1000 * (time.process_time() - started)


def main() -> None:
    knowledge, profile = Knowledge(), load_profile("cuda12")
    first = judgement(profile, None)
    rows = {
        "python -c pass": empty_python(),
        "first judgement, PyYAML is imported": first,
        "judgement, tables are read": median(judgement(profile, None) for _ in range(RUNS)),
        "judgement": median(judgement(profile, knowledge) for _ in range(RUNS)),
    }
    print(f"{len(discover())} checks, 8 GPUs")
    for name, milliseconds in rows.items():
        print(f"{name:40} {milliseconds:6.1f} ms CPU")


if __name__ == "__main__":
    main()
