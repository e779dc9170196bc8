"""`python -m envkit.smoke.reference`: write the golden data."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from envkit.smoke.cases import CASES


def main() -> None:
    """Write one file for each case, on one thread: the matrices are small, and two take longer."""
    parser = argparse.ArgumentParser(prog="python -m envkit.smoke.reference", description="Write the golden data.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"all, unless named: {', '.join(CASES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "golden", metavar="DIR")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from envkit.smoke.reference.golden import golden  # noqa: PLC0415 - NumPy reads the line above when it is imported

    for name in arguments.cases or CASES:
        text = json.dumps(golden(name, arguments.seed, arguments.steps))
        (arguments.out / f"{name}.json").write_text(text + "\n", "utf-8")


main()
