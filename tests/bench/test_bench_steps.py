"""Steps of smoke's models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from envkit.bench import plan
from envkit.bench.children import Task, measure
from envkit.bench.limits import Gpu, limit_of
from envkit.bench.types import Measurement
from envkit.knowledge import Knowledge
from envkit.smoke.cases import CASES, MODELS


def test_every_model_that_smoke_trains_has_its_steps_on_every_device() -> None:
    assert set(plan.MODELS) == set(CASES) - {"cnn"}
    assert {model for model, cases in MODELS.items() if set(cases) & set(plan.MODELS)} == set(MODELS)
    assert [task.variant for task in plan.on_cpu(("step",))] == list(plan.MODELS)
    assert [task.device for task in plan.on_gpu({"device": "mps:0", "dtypes": []}, ("step",))] == ["mps:0"] * 4


def test_the_models_are_trained_and_their_steps_counted(conditions: Callable[..., Any], cpu_stack: Path) -> None:
    tasks = [*plan.on_cpu(("step",)), Task("matmul", "cpu", "float32")]
    results, survey = measure(tasks, conditions(python=str(cpu_stack)), torch=True)
    assert {result.status for result in results} == {"pass"}, results
    assert survey["version"].startswith("2.")
    mlp, cnn, _, transformer, product = results
    assert (mlp.unit, mlp.detail) == ("steps/s", "batches of 32, float32, one thread")
    assert min(mlp.value or 0, cnn.value or 0) > (transformer.value or 0) > 0
    assert product.unit == "TFLOPS"


def test_nobody_knows_how_many_steps_a_card_can_do() -> None:
    gpus = {"cuda:0": Gpu("cuda:0", "NVIDIA H100 80GB HBM3", 80 << 30)}
    step = Measurement(kind="step", device="cuda:0", variant="mlp", status="pass", value=900.0, unit="steps/s")
    assert limit_of(step, gpus, None, Knowledge().peaks) is None
