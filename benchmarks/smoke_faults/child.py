"""`python -m benchmarks.smoke_faults.child TASK`, where NumPy is: one JSON line for each observation.

{"seed", "golden"}; {"seed", "fault" (null: none), "observation"}; {"seed", "fault", "optimizer", "values"}
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

STEPS = 20
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
    """task: {"case", "seeds", "framework" ("numpy" or one with an adapter), "dtype", "variant"}."""
    name, framework, dtype, variant = (task[what] for what in ("case", "framework", "dtype", "variant"))
    form = frameworks.form(framework)
    for count, seed in enumerate(task["seeds"]):
        case, expected = with_probe(name, seed, form)
        emit(seed=seed, golden=expected, form=form)
        optimizer = case.optimizer.name
        if framework != "numpy":
            emit(seed=seed, fault=None, observation=frameworks.observe(framework, case, dtype, variant, STEPS))
            values = frameworks.optimize(framework, optimizer, seed, dtype, variant)
            emit(seed=seed, fault=None, optimizer=optimizer, values=values)
            continue
        for fault in (None, *(fault for fault in FAULTS if name in fault.cases)):
            said = {"seed": seed, "fault": fault.name if fault else None}
            steps = 0 if fault and fault.at_once and count >= TRAINED else STEPS
            emit(**said, observation=observe(case, fault, dtype, steps))
            if fault is None or (ALONE & fault.update.keys() and fault.update.get("decay") != "matrices"):
                emit(**said, optimizer=optimizer, values=optimize(optimizer, seed, fault, dtype))


def with_probe(name: str, seed: int, form: str) -> tuple[Case, dict[str, Any]]:
    """The case of a seed and its golden data; the CNN's with two images without kinks, which only some seeds have."""
    case = CASES[name](seed)
    if name == "cnn" and case.probe is None:
        case = case._replace(probe=images(random.Random(f"probe {seed} {best(seed)}"), 2))
    return case, {
        "case": name,
        "seed": seed,
        "gradient": start(case, case.batches[0]),
        "probe": start(case, case.probe) if case.probe else None,
        "trajectory": {form: trajectory(case, form, STEPS)} if case.steps else {},
    }


def emit(**record: Any) -> None:
    RECORDS.write(json.dumps(record) + "\n")
    RECORDS.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
