"""How often `envkit explain` names the right cause, over a folder of reports.

    python -m benchmarks.diagnosis DIR

Each folder in DIR has input.txt, what somebody pasted, and label.json: `label`, the cause, and `acceptable`, other
names that are also right. A report labelled not-environment must not be blamed on the environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from envkit import knowledge
from envkit.cli.explain import explanation, read

NEGATIVE = "not-environment"


@dataclass
class Score:
    """misses: a line each. blamed: negatives for which an environment's fault is named first."""

    reports: int = 0
    first: int = 0
    among_three: int = 0
    negatives: int = 0
    blamed: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)


def judge(folder: Path) -> Score:
    score = Score()
    tables = knowledge.load()
    for label_file in sorted(folder.glob("*/label.json")):
        label = json.loads(label_file.read_text(encoding="utf-8"))
        right = {label["label"], *label.get("acceptable", ())}
        found = explanation(read(str(label_file.with_name("input.txt"))), tables)
        names = [cause.cause for cause in found.causes]
        score.reports += 1
        score.among_three += bool(right & set(names[:3]))
        if right & set(names[:1]):
            score.first += 1
        else:
            said = ", ".join(f"{c.cause} {c.confidence:.2f}" for c in (found.causes or found.possible)[:3])
            score.misses.append(f"{label_file.parent.name}: {label['label']}, {found.status}: {said or 'nothing'}")
        if label["label"] == NEGATIVE:
            score.negatives += 1
            if found.causes and found.causes[0].environment and not right & set(names[:1]):
                score.blamed.append(label_file.parent.name)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    started = time.perf_counter()
    score = judge(folder)
    if not score.reports:
        sys.exit(f"{folder}: no */label.json in it")
    for miss in score.misses:
        print(f"miss   {miss}")
    print(f"top-1  {score.first}/{score.reports} ({score.first / score.reports:.1%})")
    print(f"top-3  {score.among_three}/{score.reports} ({score.among_three / score.reports:.1%})")
    print(f"negatives blamed  {len(score.blamed)}/{score.negatives}{''.join(f' {name}' for name in score.blamed)}")
    print(f"seconds  {time.perf_counter() - started:.2f}")


if __name__ == "__main__":
    main()
