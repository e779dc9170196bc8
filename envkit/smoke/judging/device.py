"""Check D: everything lay where it should, in the type it should; the CPU computes right numbers too."""

from __future__ import annotations

from envkit.smoke.judging.types import Judgement, Observation

PARAMETERS = {"float64": "float64"}
"""The dtype of every tensor by the precision asked for; float32 for all others."""

AUTOCAST = {"bfloat16", "float16"}
"""Precisions in which an output may be narrower than the parameters."""


def judge_device(observation: Observation) -> Judgement:
    """Devices, types, finite numbers, changed parameters, and what the driver saw of it."""
    for words, confirm, causes in (_elsewhere(observation), _unseen(observation), _mistyped(observation)):
        if words:
            return _failed(words, confirm, causes)
    if not observation.finite:
        return _failed("a number is not finite", "the same case in float32 on the CPU", [])
    if observation.unchanged:
        return _failed(
            f"training never changed {', '.join(observation.unchanged)}",
            "whether its gradient is 0 (then the backward pass lost it) or the optimizer leaves it out",
            [],
        )
    if not observation.tensors:
        return Judgement(check="device", status="unknown", words="no tensor said where it lay")
    unasked = [witness.what for witness in observation.witness if witness.saw is None]
    words = f"{len(observation.tensors)} tensors on {observation.device}"
    if observation.witness:
        words += f", seen by {len(observation.witness) - len(unasked)} of {len(observation.witness)} witnesses"
    return Judgement(check="device", status="pass", words=words)


def _failed(words: str, confirm: str, causes: list[str]) -> Judgement:
    return Judgement(check="device", status="fail", words=words, confirm=confirm, causes=causes)


Said = tuple[str, str, list[str]]
NOTHING: Said = ("", "", [])


def _elsewhere(observation: Observation) -> Said:
    asked = observation.device
    placed = [(name, kind) for name, kind, _ in observation.tensors]
    elsewhere = [(name, kind) for name, kind in placed if asked not in {kind, kind.partition(":")[0]}]
    if not elsewhere:
        return NOTHING
    name, kind = elsewhere[0]
    words = f"{len(elsewhere)} of {len(placed)} tensors ({name}, ...) lie on {kind}, not on {asked}"
    return words, "the same model with every tensor placed by hand", _fallback_causes(observation)


def _unseen(observation: Observation) -> Said:
    against = [witness for witness in observation.witness if witness.saw is False]
    if not against:
        return NOTHING
    said = "; ".join(f"{witness.what}: {witness.words or 'nothing seen'}" for witness in against)
    words = f"the framework says {observation.device}, the driver saw no work there ({said})"
    return (
        words,
        "the time of a step: a large matrix product takes the CPU many times longer",
        _fallback_causes(observation),
    )


def _mistyped(observation: Observation) -> Said:
    wanted = PARAMETERS.get(observation.dtype, "float32")
    allowed = {wanted, observation.dtype} if observation.dtype in AUTOCAST else {wanted}
    mistyped = [(name, dtype) for name, _, dtype in observation.tensors if dtype not in allowed]
    if not mistyped:
        return NOTHING
    name, dtype = mistyped[0]
    words = f"{len(mistyped)} of {len(observation.tensors)} tensors ({name}, ...) are {dtype}, not {wanted}"
    confirm = "jax_enable_x64, keras.backend.floatx() and torch.get_default_dtype() in the child"
    return words, confirm, []


def _fallback_causes(observation: Observation) -> list[str]:
    return [f"{observation.framework}-trains-on-cpu", "cpu-only-build", "gpu-visible-devices-hides"]
