"""How long the whole smoke takes, against the slower framework's own floor measured in the same run.

    python benchmarks/smoke.py --python ENVIRONMENT/bin/python

--python: an environment with PyTorch and TensorFlow. A floor is a bare process that imports the framework, makes one
optimizer object and takes one step. The smoke is two models in two frameworks, side by side, envkit's harness included.
Medians of interleaved rounds; then where the smoke's time went, in the last round.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time

from envkit.profile import SmokeRun
from envkit.smoke.run import smoke
from envkit.smoke.types import SmokeReport

BOUND = 1.2

FLOORS = {
    "torch": """
import torch
model = torch.nn.Linear(10, 1)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(32, 10)).sum().backward()
optimizer.step()
""",
    "tensorflow": """
import tensorflow as tf
model = tf.keras.Sequential([tf.keras.Input((10,)), tf.keras.layers.Dense(1)])
optimizer = tf.keras.optimizers.Adam()
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(model(tf.ones((32, 10))))
optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
""",
}


def floor_seconds(python: str, source: str) -> float:
    started = time.perf_counter()
    subprocess.run([python, "-c", source], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def all_runs(python: str) -> SmokeReport:
    runs = [SmokeRun(framework="torch"), SmokeRun(framework="tensorflow")]
    report = smoke(python, runs, memory_available_bytes=8 << 30)
    if report.status != "healthy":
        raise SystemExit("\n".join(f"{run.framework} {run.model}: {run.status}: {run.message}" for run in report.runs))
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    floors: dict[str, list[float]] = {name: [] for name in FLOORS}
    reports: list[SmokeReport] = []
    for _ in range(options.rounds):
        for name, source in FLOORS.items():
            floors[name].append(floor_seconds(options.python, source))
        reports.append(all_runs(options.python))
    median = {f"floor {name}": statistics.median(values) for name, values in floors.items()}
    slower = max(median.values())
    median["smoke"] = statistics.median(report.seconds for report in reports)
    for name, value in median.items():
        print(f"{name:<18} {value:6.2f} s")
    ratio = median["smoke"] / slower
    print(f"smoke / slower floor: {ratio:.2f} (at most {BOUND:.2f}) {'ok' if ratio <= BOUND else 'TOO SLOW'}")
    print(f"\n{'seconds':<18} {'import':>7} {'build':>7} {'step 1':>7} {'train':>7} {'steps/s':>9}")
    for run in reports[-1].runs:
        parts = (run.import_seconds, run.build_seconds, run.first_step_seconds, run.train_seconds)
        cells = " ".join(f"{part or 0:7.2f}" for part in parts)
        print(f"{run.framework + ' ' + run.model:<18} {cells} {run.steps_per_second or 0:9.0f}")
    print("Both models of a framework share one import; its optimizer machinery loads in the first build.")


if __name__ == "__main__":
    main()
