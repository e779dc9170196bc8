"""What has no tolerance, and what was never promised, is not judged: neither right nor wrong."""

from __future__ import annotations

import msgspec
import pytest

from envkit.knowledge import Knowledge
from envkit.smoke.conclude import Said, conclude, golden
from envkit.smoke.judging import Gradient, Observation, judge
from envkit.smoke.types import verdict

TABLE = Knowledge().smoke


def right(case: str, dtype: str = "float32", scale: float = 1.0) -> Observation:
    """What float64 gives, or scale times its gradient."""
    expected = golden(case)
    tensors = {
        name: [scale**2 * squares, *(scale * part for part in parts)]
        for name, (squares, *parts) in expected.gradient.tensors.items()
    }
    return Observation(
        case=case,
        framework="torch",
        device="cuda:0",
        dtype=dtype,
        gradient=Gradient(loss=expected.gradient.loss, tensors=tensors),
        tensors=[(name, "cuda:0", "float32") for name in tensors],
    )


def test_numbers_without_a_single_tolerance_are_unknown_and_never_right() -> None:
    nothing = msgspec.structs.replace(TABLE, tolerances={})
    gradient, device = judge(right("mlp"), golden("mlp"), "torch", nothing)
    assert (gradient.status, device.status) == ("unknown", "pass")
    assert "no tolerance is known" in gradient.words
    assert gradient.measures


def test_a_run_that_could_not_be_judged_says_why_and_leaves_nothing_healthy() -> None:
    said = Said(observations=[msgspec.structs.replace(right("mlp"), dtype="an unknown precision")])
    said.observations[0] = msgspec.structs.replace(said.observations[0], gradient=None)
    facts = {"framework": "torch", "model": "mlp", "device": "cuda", "form": "torch"}
    run = conclude(facts, said)
    assert (run.status, run.cause, run.message) == ("unknown", None, "mlp: no gradient was reported")
    assert verdict([run]) == "unknown"
    assert verdict([run, msgspec.structs.replace(run, status="pass")]) == "unknown"


@pytest.mark.parametrize(
    ("asked", "case", "scale", "status"),
    [
        ("tf32", "transformer", 1 + 1e-7, "fail"),
        ("tf32", "mlp", 1 + 1e-7, "pass"),  # allowed, not promised: small products are as fast in float32
        ("bfloat16", "mlp", 1 + 1e-7, "fail"),
        ("bfloat16", "lstm", 1 + 5e-4, "pass"),  # cuDNN's LSTM is given float16
        ("bfloat16", "lstm", 1 + 1e-7, "fail"),
    ],
)
def test_a_finer_precision_is_a_finding_only_where_the_other_one_is_promised(
    asked: str, case: str, scale: float, status: str
) -> None:
    gradient, *_ = judge(right(case, asked, scale), golden(case), "torch", TABLE)
    assert gradient.status == status
