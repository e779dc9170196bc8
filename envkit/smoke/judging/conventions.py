"""Check O: the optimizer alone, on prescribed gradients; where it is off, which other convention gives its values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from envkit.knowledge.smoke import SmokeTolerance
from envkit.smoke.cases import Optimizer
from envkit.smoke.judging.optimizers import Convention, Form, Values, compare, updated
from envkit.smoke.judging.types import Judgement, Measure, in_bounds

Prescribed = tuple[Values, Sequence[Values]]
"""Start values and the gradients of each update: `envkit.smoke.cases.prescribed`."""

FEW = 6
"""Every so many values are enough to rule a convention out."""

EPSILONS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-10, 1e-16)
RATES = {"sgd": ("learning_rate", "momentum"), "adam": ("learning_rate", "beta1", "beta2")}
RATES["adamw"] = (*RATES["adam"], "weight_decay")
"""The numbers of an optimizer that are fitted, where no other convention is it."""

NAMES = {"learning_rate": "learning rate", "weight_decay": "weight decay"}


def judge_optimizer(
    optimizer: Optimizer, form: Form, found: Values, given: Prescribed, tolerance: SmokeTolerance
) -> Judgement:
    """Whether the values after all updates are those of the optimizer in this form, and what they are if not.

    Args:
        optimizer: with the hyperparameters that were asked for.
        form: the convention of its framework.
        found: the values that the framework came to.
        given: the values before, and the gradients of each update.
        tolerance: its optimizer_total and optimizer_element, relative to the distance travelled.
    """
    total, element, worst = compare(found, updated(optimizer, Convention(form), *given), given[0])
    where = f"value {worst + 1}"
    measures = [
        Measure(what="update", deviation=total, tolerance=tolerance.optimizer_total),
        Measure(what="worst value", deviation=element, tolerance=tolerance.optimizer_element, where=where),
    ]
    if all(measure.within for measure in measures):
        return in_bounds("optimizer", measures)
    name = _explain(optimizer, form, found, given, tolerance)
    return Judgement(
        check="optimizer",
        status="fail",
        measures=measures,
        words=f"{optimizer.name} alone, on prescribed gradients, does not give its update: {name}",
        confirm="the same gradients given to the optimizer on the CPU: if it is right there, the device or its kernels "
        "are at fault, else the framework's optimizer or its settings",
    )


def _explain(optimizer: Optimizer, form: Form, found: Values, given: Prescribed, tolerance: SmokeTolerance) -> str:
    """What gives the values found within tolerance: some values alone, another convention, or another number."""
    start, _ = given
    expected = updated(optimizer, Convention(form), *given)
    if len(found) != len(expected) or not all(map(math.isfinite, found)):
        return "a value is not finite"
    limit_total, limit_element = tolerance.optimizer_total or 0.0, tolerance.optimizer_element or 0.0
    triples = zip(found, expected, start, strict=True)
    off = [
        i
        for i, (value, right, before) in enumerate(triples)
        if abs(value - right) > limit_element * abs(right - before)
    ]
    if 0 < len(off) <= len(found) // 8:
        which = ", ".join(str(i + 1) for i in off)
        still = all(found[i] == start[i] for i in off)
        return f"of {len(found)} values only {which} {'never changed' if still else 'differ'}; the rest is right"

    few, few_given = found[::FEW], (start[::FEW], [gradient[::FEW] for gradient in given[1]])

    def fits(other: Optimizer, how: Convention) -> bool:
        if compare(few, updated(other, how, *few_given), few_given[0])[1] > limit_element:
            return False
        total, element, _ = compare(found, updated(other, how, *given), start)
        return total <= limit_total and element <= limit_element

    for words, other, how in _alternatives(optimizer, form):
        if fits(other, how):
            return f"the values are those of {words}"
    for field in RATES[optimizer.name]:
        other = _fitted(optimizer, form, field, few, few_given)
        if fits(other, Convention(form)):
            asked, got = getattr(optimizer, field), getattr(other, field)
            times = f" (x {got / asked:.7g})" if asked else ""
            return f"the values are those of {NAMES.get(field, field)} {got:.7g}{times} instead of {asked:g}"
    return "no convention known to envkit gives these values"


def _alternatives(optimizer: Optimizer, form: Form) -> Iterator[tuple[str, Optimizer, Convention]]:
    """Conventions that are taken for each other, the likely ones first: words, hyperparameters, form."""
    right = Convention(form)
    if optimizer.name == "sgd":
        yield "Nesterov's momentum", optimizer, right._replace(nesterov=True)
        yield f"dampening {optimizer.momentum:g}", optimizer, right._replace(dampening=optimizer.momentum)
        yield "no momentum", optimizer._replace(momentum=0.0), right
        return
    other_form: Form = "keras" if form == "torch" else "torch"
    for epsilon in (optimizer.epsilon, *EPSILONS):
        same = epsilon == optimizer.epsilon
        other = optimizer._replace(epsilon=epsilon)
        said = "" if same else f" and epsilon {epsilon:g} instead of {optimizer.epsilon:g}"
        if not same:
            yield said.removeprefix(" and "), other, right
        yield f"the {other_form} form of Adam (epsilon acts elsewhere){said}", other, Convention(other_form)
        yield f"epsilon inside of the square root{said}", other, right._replace(epsilon_in_root=True)
    yield "no bias correction", optimizer, right._replace(bias_correction=False)
    yield "a bias correction that is one step ahead (t + 1)", optimizer, right._replace(first_step=2)
    for beta1, beta2 in ((optimizer.beta1, 0.99), (optimizer.beta1, 0.9999), (0.0, optimizer.beta2), (0.9, 0.95)):
        other = optimizer._replace(beta1=beta1, beta2=beta2)
        yield f"betas ({beta1:g}, {beta2:g})", other, right
    if optimizer.name == "adamw":
        yield (
            "L2 regularisation (decay added to the gradient), not decoupled decay",
            optimizer,
            right._replace(decay="l2"),
        )
        yield "decay that is not times the learning rate", optimizer, right._replace(decay="unscaled")
        yield "decay after the update, not before it", optimizer, right._replace(decay="after")
        yield "no weight decay", optimizer._replace(weight_decay=0.0), right


def _fitted(optimizer: Optimizer, form: Form, field: str, found: Values, given: Prescribed) -> Optimizer:
    """The optimizer with one of its numbers as fits the values best (Gauss and Newton, in one dimension)."""

    def with_number(value: float) -> Optimizer:
        numbers: dict[str, Any] = {field: value}
        return optimizer._replace(**numbers)

    number = float(getattr(optimizer, field)) or 1e-3
    for _ in range(8):
        here = updated(with_number(number), Convention(form), *given)
        step = 1e-6 * number
        ahead = updated(with_number(number + step), Convention(form), *given)
        slope = [(a - b) / step for a, b in zip(ahead, here, strict=True)]
        steepness = math.fsum(s * s for s in slope)
        if not steepness:
            break
        change = math.fsum(s * (f - h) for s, f, h in zip(slope, found, here, strict=True)) / steepness
        # A rate stays a rate: never to 0 or below, nor (beta, momentum) to 1 or above.
        limit = math.inf if field in {"learning_rate", "weight_decay"} else (1 + number) / 2
        number, before = min(max(number + change, number / 4), limit), number
        if abs(number - before) < 1e-13 * before:
            break
    return with_number(number)
