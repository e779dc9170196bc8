"""Gradient, trajectory and device: what a deviation looks like is said in words."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from envkit.checks import discover
from envkit.knowledge import Knowledge
from envkit.smoke.cases import sketch
from envkit.smoke.judging import (
    Golden,
    Gradient,
    Judgement,
    Observation,
    Witness,
    agreement,
    judge,
)
from envkit.smoke.judging.types import Trajectory

SIZES = {
    "conv1.kernel": 72,
    "conv1.bias": 8,
    "conv2.kernel": 1152,
    "conv2.bias": 16,
    "dense1.kernel": 2000,
    "dense1.bias": 32,
    "dense2.kernel": 320,
    "dense2.bias": 10,
}
RNG = random.Random(1)
TENSORS = {name: [RNG.gauss(0, 1) for _ in range(size)] for name, size in SIZES.items()}
TRAVEL = {name: [RNG.gauss(0, 0.01) for _ in range(size)] for name, size in SIZES.items()}
LOSSES = [2.3 / (1 + step) for step in range(21)]
TABLE = Knowledge().smoke
Tensors = dict[str, list[float]]


def sketches(tensors: Tensors) -> Tensors:
    return {name: sketch(values, name) for name, values in tensors.items()}


GOLDEN = Golden(
    case="cnn-smooth",
    seed=0,
    gradient=Gradient(loss=2.3, tensors=sketches(TENSORS)),
    trajectory={"torch": Trajectory(losses=LOSSES, travel={"20": sketches(TRAVEL)})},
)
RIGHT = Observation(
    case="cnn-smooth",
    framework="torch",
    device="cpu",
    dtype="float32",
    gradient=Gradient(loss=2.3, tensors=sketches(TENSORS)),
    losses=[*LOSSES[:20]],
    travel=sketches(TRAVEL),
    tensors=[(name, "cpu", "float32") for name in SIZES],
)


def judged(check: str, changed: Observation) -> Judgement:
    return next(judgement for judgement in judge(changed, GOLDEN, "torch", TABLE) if judgement.check == check)


def with_gradient(tensors: Tensors, loss: float | None = 2.3, dtype: str = "float32") -> Judgement:
    gradient = Gradient(loss=loss, tensors=sketches({**TENSORS, **tensors}))
    return judged("gradient", msgspec.structs.replace(RIGHT, gradient=gradient, dtype=dtype))


def with_travel(tensors: Tensors, losses: list[float | None] | None = None) -> Judgement:
    travel = sketches({**TRAVEL, **tensors})
    return judged("trajectory", msgspec.structs.replace(RIGHT, travel=travel, losses=losses or RIGHT.losses))


def noisy(values: list[float], size: float, seed: int = 2) -> list[float]:
    rng = random.Random(seed)
    return [value + size * rng.gauss(0, 1) * math.hypot(*values) / math.sqrt(len(values)) for value in values]


def test_what_is_right_passes_every_check() -> None:
    judgements = judge(RIGHT, GOLDEN, "torch", TABLE)
    assert [judgement.status for judgement in judgements] == ["pass"] * 3


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-5])
def test_a_sketch_tells_the_distance_to_a_third(size: float) -> None:
    judgement = with_gradient({name: noisy(values, size) for name, values in TENSORS.items()})
    assert judgement.status == "fail"
    total = next(measure for measure in judgement.measures if measure.what == "gradient total")
    assert total.deviation == pytest.approx(size, rel=0.4)


def test_a_gradient_that_is_lost_is_located_between_two_layers() -> None:
    lost = {name: [0.0] * SIZES[name] for name in ("conv1.kernel", "conv1.bias", "conv2.kernel", "conv2.bias")}
    words = with_gradient(lost).words
    assert "the loss is right" in words
    assert "exactly 0 in conv1.kernel, conv1.bias, conv2.kernel, conv2.bias" in words
    assert "between dense1 and conv2 (average pool)" in words


def test_one_wrong_kernel_is_told_from_a_wrong_pass() -> None:
    alone = with_gradient({"conv2.kernel": noisy(TENSORS["conv2.kernel"], 1e-3)}).words
    assert "conv2.kernel alone is wrong" in alone
    assert "without a pattern" in alone
    scaled = with_gradient({"conv2.kernel": [1.01 * value for value in TENSORS["conv2.kernel"]]}).words
    assert "1.01 times" in scaled
    below = {name: noisy(TENSORS[name], 0.3) for name in ("conv1.kernel", "conv1.bias", "conv2.kernel")}
    assert "backward pass of conv2" in with_gradient(below).words


def test_a_loss_averaged_over_another_number_scales_every_gradient() -> None:
    half = {name: [value / 2 for value in values] for name, values in TENSORS.items()}
    assert "0.5 times what it should be" in with_gradient(half, loss=1.15).words


@pytest.mark.parametrize(
    ("asked", "size", "said"),
    [
        ("float32", 5e-4, "as coarse as TF32-like"),
        ("tf32", 1e-7, "as exact as float32"),
        ("bfloat16", 1e-7, "as exact as float32"),
        ("float64", 1e-7, "as coarse as float32"),
    ],
)
def test_another_precision_than_asked_for_is_a_finding(asked: str, size: float, said: str) -> None:
    judgement = with_gradient({name: noisy(values, size) for name, values in TENSORS.items()}, dtype=asked)
    assert judgement.status == "fail"
    assert said in judgement.words


def test_tf32_that_looks_like_tf32_passes() -> None:
    rounded = {name: noisy(values, 5e-4) for name, values in TENSORS.items()}
    assert with_gradient(rounded, dtype="tf32").status == "pass"


def test_numbers_that_are_not_finite_are_wrong_by_infinity() -> None:
    assert "not finite" in with_gradient({}, loss=None).words
    broken = with_gradient({"dense2.bias": [math.nan] * 10})
    assert broken.status == "fail"
    assert "not finite" in broken.words
    assert "step 7 is not finite" in with_travel({}, [*LOSSES[:7], None, *LOSSES[8:20]]).words


def test_a_learning_rate_is_named_by_its_factor() -> None:
    words = with_travel({name: [1.001 * value for value in values] for name, values in TRAVEL.items()}).words
    assert "learning rate x 1.001" in words


def test_a_frozen_tensor_and_one_that_is_scaled_are_named() -> None:
    assert "conv1.bias never moved" in with_travel({"conv1.bias": [0.0] * 8}).words
    scaled = with_travel({"dense1.bias": [1.01 * value for value in TRAVEL["dense1.bias"]]})
    assert "dense1.bias alone is off" in scaled.words


def test_one_wrong_result_in_the_middle_is_told_from_a_wrong_update() -> None:
    everywhere = {name: noisy(values, 1e-3) for name, values in TRAVEL.items()}
    late = with_travel(everywhere, [loss * (1 + (1e-4 if step > 9 else 0)) for step, loss in enumerate(LOSSES[:20])])
    assert "deviates from step 10 on, suddenly" in late.words
    assert "ecc-uncorrected" in late.causes
    early = with_travel(everywhere, [loss * (1 + 1e-4 * step) for step, loss in enumerate(LOSSES[:20])])
    assert "deviates from step 1 on" in early.words
    assert "check O" in early.confirm


def test_tensors_that_lie_elsewhere_are_a_fall_back_to_the_cpu() -> None:
    judgement = judged("device", msgspec.structs.replace(RIGHT, device="cuda"))
    assert "lie on cpu, not on cuda" in judgement.words
    assert "torch-trains-on-cpu" in judgement.causes
    placed = [(name, "cuda:0", "float32") for name in SIZES]
    assert judged("device", msgspec.structs.replace(RIGHT, device="cuda", tensors=placed)).status == "pass"
    unseen = msgspec.structs.replace(
        RIGHT, device="cuda:0", tensors=placed, witness=[Witness(what="process list", saw=False)]
    )
    assert "the driver saw no work there" in judged("device", unseen).words


def test_a_silent_float32_and_a_parameter_that_never_changed_are_findings() -> None:
    assert "float32, not float64" in judged("device", msgspec.structs.replace(RIGHT, dtype="float64")).words
    assert (
        "never changed conv1.bias" in judged("device", msgspec.structs.replace(RIGHT, unchanged=["conv1.bias"])).words
    )


def test_a_training_that_ends_early_for_its_loss_is_wrong_at_that_step() -> None:
    assert "step 3 is not finite" in with_travel({}, [*LOSSES[:3], None]).words


def other(tensors: Tensors) -> Gradient:
    return Gradient(loss=2.3, tensors=sketches({**TENSORS, **tensors}))


def test_frameworks_that_err_alike_point_at_the_device_and_one_alone_at_itself() -> None:
    right, broken = other({}), other({"conv2.kernel": noisy(TENSORS["conv2.kernel"], 0.1)})
    alone = agreement({"torch": broken, "jax": right}, ["torch"], GOLDEN.gradient)
    assert alone.startswith("torch alone is wrong, jax right")
    alike = agreement({"torch": broken, "jax": broken}, ["torch", "jax"], GOLDEN.gradient)
    assert "in the same way" in alike
    differently = other({"conv2.kernel": noisy(TENSORS["conv2.kernel"], 0.1, seed=3)})
    assert "each in its own way" in agreement({"torch": broken, "jax": differently}, ["torch", "jax"], GOLDEN.gradient)
    assert not agreement({"torch": right, "jax": right}, [], GOLDEN.gradient)


def test_a_gradient_that_comes_out_otherwise_the_second_time_is_a_finding_where_that_is_promised() -> None:
    assert "repetition" not in {judgement.check for judgement in judge(RIGHT, GOLDEN, "torch", TABLE)}
    assert judged("repetition", msgspec.structs.replace(RIGHT, differing=[])).status == "pass"
    differs = judged("repetition", msgspec.structs.replace(RIGHT, differing=["loss", "conv1.kernel"]))
    assert differs.status == "fail"
    assert "differs in loss and conv1.kernel" in differs.words


def test_the_row_of_the_table_with_more_words_wins() -> None:
    assert TABLE.tolerance({"float32", "torch", "cnn"}).gradient_total == 2e-3
    assert TABLE.tolerance({"float32", "torch", "lstm"}).gradient_total == 3e-6
    assert TABLE.tolerance({"float32", "torch", "cnn"}).probe_total == TABLE.tolerance({"float32"}).probe_total
    assert TABLE.tolerance({"an unknown precision"}).gradient_total is None


def test_precisions_are_told_apart_only_where_no_kink_can_be_crossed() -> None:
    assert TABLE.precision(1e-7, smooth=False) == "float32"
    assert TABLE.precision(5e-4, smooth=True) == "TF32-like"
    assert TABLE.precision(5e-4, smooth=False) is None
    assert TABLE.precision(1.0, smooth=True) is None


def test_every_id_that_a_judgement_names_is_known_to_doctor_or_explain() -> None:
    known = {*discover(), *Knowledge().causes}
    wrong = {name: noisy(values, 0.3) for name, values in TENSORS.items()}
    late = [loss * (1 + (1e-4 if step > 9 else 0)) for step, loss in enumerate(LOSSES[:20])]
    gradient = Gradient(loss=2.3, tensors=sketches(wrong))
    broken = msgspec.structs.replace(RIGHT, gradient=gradient, losses=late, travel=sketches({**TRAVEL, **wrong}))
    seen = [
        *(msgspec.structs.replace(broken, device=device) for device in ("cpu", "cuda")),
        *(msgspec.structs.replace(RIGHT, dtype=dtype) for dtype in ("tf32", "bfloat16", "float16")),
        *(msgspec.structs.replace(RIGHT, framework=name, device="cuda") for name in ("torch", "tensorflow", "jax")),
        msgspec.structs.replace(broken, variant="compiled"),
    ]
    judgements = [judgement for observation in seen for judgement in judge(observation, GOLDEN, "torch", TABLE)]
    named = {cause for judgement in judgements for cause in judgement.causes}
    assert len(named) > 5
    assert named <= known
