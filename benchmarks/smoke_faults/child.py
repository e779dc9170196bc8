"""`python -m benchmarks.smoke_faults.child TASK`, where NumPy is: one JSON line for each observation.

{"task"}; {"seed", "golden"}; {"seed", "fault" (null: none), "observation"}; {"seed", "fault", "optimizer", "values"}
"""

from __future__ import annotations

import json
import os
import random
import sys
from typing import Any

from benchmarks.smoke_faults import frameworks
from benchmarks.smoke_faults.faults import FAULTS
from benchmarks.smoke_faults.training import observe, optimize
from envkit.smoke.cases import CASES, Case, images
from envkit.smoke.reference.golden import start, trajectory
from envkit.smoke.reference.probes import best

TRAINED = 3
"""Seeds in which faults of the gradient are trained with; in the others their gradient is enough."""
RECORDS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a framework prints is no record
ALONE = {
    *("rate", "epsilon", "root", "keras", "corrected", "ahead", "beta1", "beta2", "decay"),
    *("nesterov", "dampening", "momentum", "stuck"),
}
"""Settings of an update that an optimizer has without a model too."""


def main(task: dict[str, Any]) -> None:
    """task: {"case", "seeds", "framework" ("numpy" or one with an adapter), "dtype", "variant", "device", "steps"}."""
    name, framework, dtype, steps = (task[what] for what in ("case", "framework", "dtype", "steps"))
    form = frameworks.form(framework)
    emit(task=task)
    for count, seed in enumerate(task["seeds"]):
        case, expected = with_probe(name, seed, form, steps)
        emit(seed=seed, golden=expected, form=form)
        optimizer = case.optimizer.name
        if framework != "numpy":
            emit(seed=seed, fault=None, observation=frameworks.observe(case, task))
            emit(seed=seed, fault=None, optimizer=optimizer, values=frameworks.optimize(optimizer, seed, task))
            continue
        for fault in (None, *(fault for fault in FAULTS if name in fault.cases)):
            said = {"seed": seed, "fault": fault.name if fault else None}
            untrained = fault and fault.at_once and count >= TRAINED
            emit(**said, observation=observe(case, fault, dtype, 0 if untrained else steps))
            if fault is None or (ALONE & fault.update.keys() and fault.update.get("decay") != "matrices"):
                emit(**said, optimizer=optimizer, values=optimize(optimizer, seed, fault, dtype))


def with_probe(name: str, seed: int, form: str, steps: int) -> tuple[Case, dict[str, Any]]:
    """The case of a seed and its golden data; the CNN's with two images without kinks, which only some seeds have."""
    case = CASES[name](seed)
    if name == "cnn" and case.probe is None:
        case = case._replace(probe=images(random.Random(f"probe {seed} {best(seed)}"), 2))
    return case, {
        "case": name,
        "seed": seed,
        "gradient": start(case, case.batches[0]),
        "probe": start(case, case.probe) if case.probe else None,
        "trajectory": {form: trajectory(case, form, steps)} if case.steps else {},
    }


def emit(**record: Any) -> None:
    RECORDS.write(json.dumps(record) + "\n")
    RECORDS.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
