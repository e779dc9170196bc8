"""The float64 reference against the frameworks, finite differences and its own golden data."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest

from envkit import smoke
from envkit.smoke.cases import BATCHES, CASES, MODELS, PROBES

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
GOLDEN = Path(smoke.__path__[0], "golden")


def run(python: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    argv = [str(python), *arguments]
    found = subprocess.run(argv, cwd=PEERS, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def golden(name: str, folder: Path = GOLDEN) -> Any:
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("peer", ["torch", "jax", "keras"])
def test_gradients_and_optimisers_agree_with_a_framework_in_float64(cpu_stack: Path, peer: str) -> None:
    if run(cpu_stack, "-c", f"import importlib.util; print(importlib.util.find_spec({peer!r}) is None)") == "True\n":
        pytest.skip(f"the stack has no {peer}")
    found = json.loads(run(cpu_stack, "compare.py", peer))
    assert (len(found["gradients"]), len(found["optimizers"])) == {"torch": (6, 3), "jax": (6, 0), "keras": (0, 3)}[
        peer
    ]
    assert max([*found["gradients"].values(), *found["optimizers"].values()]) < 1e-13


def test_gradients_agree_with_finite_differences(cpu_stack: Path) -> None:
    assert max(json.loads(run(cpu_stack, "differences.py")).values()) < 1e-8


def differences(found: Any, right: Any) -> list[float]:
    """Relative to a number, to the norm of a sketched tensor, or to the largest of the losses."""
    if isinstance(right, dict):
        assert found.keys() == right.keys()
        return [value for key in right for value in differences(found[key], right[key])]
    if isinstance(right, list) and len(right) == 17:
        norm = math.sqrt(right[0])
        return [abs(found[0] / right[0] - 1), *(abs(a - b) / norm for a, b in zip(found[1:], right[1:], strict=True))]
    if isinstance(right, list):
        return [abs(a - b) / max(right) for a, b in zip(found, right, strict=True)]
    return [abs(found / right - 1)] if isinstance(right, float) else [float(found != right)]


@pytest.mark.parametrize("steps", [20, pytest.param(200, marks=pytest.mark.heavy)])
def test_the_golden_data_are_what_the_reference_computes(cpu_stack: Path, tmp_path: Path, steps: int) -> None:
    run(cpu_stack, "-m", "envkit.smoke.reference", "--steps", str(steps), "--out", str(tmp_path))
    for name in CASES:
        right = golden(name)
        for trajectory in right["trajectory"].values():
            trajectory["losses"] = trajectory["losses"][: steps + 1]
            trajectory["travel"] = {at: sketches for at, sketches in trajectory["travel"].items() if int(at) <= steps}
        assert max(differences(golden(name, tmp_path), right)) < 1e-13


def test_there_is_golden_data_for_each_case_and_no_other() -> None:
    assert (
        {path.stem for path in GOLDEN.glob("*.json")}
        == set(CASES)
        == {case for cases in MODELS.values() for case in cases}
    )
    for name, make in CASES.items():
        case, data = make(0), golden(name)
        names = {weight.name for weight in case.weights}
        assert (data["case"], data["seed"]) == (name, 0)
        assert data["gradient"]["tensors"].keys() == names
        assert (data["probe"] is None) == (case.probe is None)
        for trajectory in data["trajectory"].values():
            assert len(trajectory["losses"]) == 201
            assert [set(travel) for travel in trajectory["travel"].values()] == [names, names]


@pytest.mark.parametrize(("name", "left"), [("mlp", 0.5), ("cnn-smooth", 0.01), ("lstm", 0.01), ("transformer", 0.03)])
def test_a_right_implementation_learns(name: str, left: float) -> None:
    for trajectory in golden(name)["trajectory"].values():
        losses = trajectory["losses"]
        assert statistics.fmean(losses[-BATCHES:]) < left * statistics.fmean(losses[:BATCHES])


def test_the_forms_of_adam_differ_by_more_than_rounding() -> None:
    for name in ("mlp", "lstm", "transformer"):
        torch, keras = (golden(name)["trajectory"][form]["losses"][20] for form in ("torch", "keras"))
        assert 1e-7 < abs(keras / torch - 1) < 1e-2


def test_the_probes_are_the_best_of_their_candidates_and_clear_of_kinks(cpu_stack: Path) -> None:
    program = """
from envkit.smoke.cases import cnn
from envkit.smoke.reference.golden import initial
from envkit.smoke.reference.models import array
from envkit.smoke.reference.probes import best, margin
for seed in (0, 1, 63):
    print(best(seed), margin(initial(cnn(seed)), array(cnn(seed).probe[0])))
"""
    lines = [line.split() for line in run(cpu_stack, "-c", program).splitlines()]
    assert [int(index) for index, _ in lines] == [PROBES[seed] for seed in (0, 1, 63)]
    assert min(float(margin) for _, margin in lines) > 5e-5
