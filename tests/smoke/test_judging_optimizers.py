"""The optimizer alone: what is right passes, and what is not is named."""

from __future__ import annotations

import math

import pytest

from envkit.knowledge import Knowledge
from envkit.smoke.cases import OPTIMIZERS, Optimizer, prescribed
from envkit.smoke.judging import judge_optimizer
from envkit.smoke.judging.optimizers import Convention, Form, compare, updated

GIVEN = START, GRADIENTS = prescribed(0)
TOLERANCE = Knowledge().smoke.tolerance({"float32"})


def words(optimizer: Optimizer, found: list[float], form: Form = "torch") -> str:
    judgement = judge_optimizer(optimizer, form, found, GIVEN, TOLERANCE)
    assert judgement.status == "fail"
    return judgement.words


def test_one_step_of_adam_moves_by_the_learning_rate_whatever_the_gradient() -> None:
    adam = Optimizer("adam", 0.01, epsilon=0.0)
    assert updated(adam, Convention(), [1.0, 1.0], [[1e-3, -5.0]]) == pytest.approx([0.99, 1.01], rel=1e-12)


def test_two_steps_of_sgd_with_momentum_by_hand() -> None:
    sgd = Optimizer("sgd", 0.1, momentum=0.9)
    # v = 1, then .9 + 2; w = 0 - .1 - .29
    assert updated(sgd, Convention(), [0.0], [[1.0], [2.0]]) == pytest.approx([-0.39], rel=1e-12)


def test_decoupled_decay_shrinks_a_weight_without_a_gradient_and_l2_turns_into_a_step() -> None:
    adamw = Optimizer("adamw", 0.1, weight_decay=0.5)
    assert updated(adamw, Convention(), [1.0], [[0.0]]) == pytest.approx([0.95])
    assert updated(adamw, Convention(decay="l2"), [1.0], [[0.0]]) == pytest.approx([0.9])


@pytest.mark.parametrize("form", ["torch", "keras"])
@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_right_update_passes(name: str, form: Form) -> None:
    found = updated(OPTIMIZERS[name], Convention(form), START, GRADIENTS)
    judgement = judge_optimizer(OPTIMIZERS[name], form, found, GIVEN, TOLERANCE)
    assert judgement.status == "pass"
    assert [measure.deviation for measure in judgement.measures] == [0.0, 0.0]


ADAM, ADAMW, SGD = OPTIMIZERS["adam"], OPTIMIZERS["adamw"], OPTIMIZERS["sgd"]


@pytest.mark.parametrize(
    ("asked", "done", "how", "named"),
    [
        (ADAM, ADAM._replace(epsilon=1e-7), Convention(), "epsilon 1e-07 instead of 1e-08"),
        (ADAM, ADAM, Convention("keras"), "the keras form"),
        (ADAM, ADAM._replace(epsilon=1e-7), Convention("keras"), "the keras form of Adam (epsilon acts elsewhere) and"),
        (ADAM, ADAM, Convention(epsilon_in_root=True), "inside of the square root"),
        (ADAM, ADAM, Convention(bias_correction=False), "no bias correction"),
        (ADAM, ADAM, Convention(first_step=2), "one step ahead"),
        (ADAM, ADAM._replace(beta2=0.99), Convention(), "betas (0.9, 0.99)"),
        (ADAM, ADAM._replace(beta1=0.899), Convention(), "beta1 0.899"),
        (ADAM, ADAM._replace(beta2=0.998), Convention(), "beta2 0.998"),
        (ADAM, ADAM._replace(learning_rate=0.01001), Convention(), "learning rate 0.01001 (x 1.001)"),
        (ADAMW, ADAMW, Convention(decay="l2"), "L2 regularisation"),
        (ADAMW, ADAMW, Convention(decay="unscaled"), "not times the learning rate"),
        (ADAMW, ADAMW, Convention(decay="after"), "decay after the update"),
        (ADAMW, ADAMW._replace(weight_decay=0.0), Convention(), "no weight decay"),
        (ADAMW, ADAMW._replace(weight_decay=0.05), Convention(), "weight decay 0.05"),
        (SGD, SGD, Convention(nesterov=True), "Nesterov"),
        (SGD, SGD, Convention(dampening=0.9), "dampening 0.9"),
        (SGD, SGD._replace(momentum=0.899), Convention(), "momentum 0.899"),
        (SGD, SGD._replace(learning_rate=0.02), Convention(), "learning rate 0.02 (x 2)"),
    ],
)
def test_the_convention_that_was_used_is_named(asked: Optimizer, done: Optimizer, how: Convention, named: str) -> None:
    assert named in words(asked, updated(done, how, START, GRADIENTS))


def test_one_value_that_never_moved_is_told_from_a_convention() -> None:
    found = updated(SGD, Convention(), START, GRADIENTS)
    found[5] = START[5]
    assert "only 6 never changed" in words(SGD, found)


def test_noise_in_all_values_is_no_convention() -> None:
    right = updated(SGD, Convention(), START, GRADIENTS)
    found = [w + 0.01 * math.sin(37 * i) * (w - s) for i, (w, s) in enumerate(zip(right, START, strict=True))]
    assert "no convention" in words(SGD, found)


def test_values_that_are_not_finite_or_missing_are_infinitely_far() -> None:
    assert compare([math.nan, 1.0], [1.0, 1.0], [0.0, 0.0])[0] == math.inf
    assert compare([1.0], [1.0, 1.0], [0.0, 0.0])[0] == math.inf
    assert "not finite" in words(SGD, [math.nan] * len(START))
