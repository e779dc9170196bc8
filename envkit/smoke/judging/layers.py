"""Where in a model a tensor stands, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envkit.smoke.cases import CASES

BEFORE = {
    "cnn": {"dense1": "max pool", "conv2": "relu", "dense2": "relu"},
    "cnn-smooth": {"dense1": "average pool", "conv2": "tanh", "dense2": "tanh"},
    "mlp": {"dense2": "relu"},
}
"""What without weights stands before a layer."""


def named(tensors: Sequence[str]) -> str:
    """A list for people: "conv1.kernel, conv1.bias"; only the ends of a long one."""
    if len(tensors) > 6:
        return f"{', '.join(tensors[:2])} ... {tensors[-1]} ({len(tensors)} tensors)"
    return ", ".join(tensors)


def in_order(case: str, figures: Mapping[str, float]) -> dict[str, float]:
    """Figures of tensors from the input of the model to its output."""
    names = [tensor.name for tensor in CASES[case](0).weights if tensor.name in figures]
    return {name: figures[name] for name in names}


def layer(tensor: str) -> str:
    """The layer of a tensor: "conv1.kernel" -> "conv1"."""
    return tensor.rpartition(".")[0] or tensor


def between(case: str, wrong: Sequence[str], right: Sequence[str]) -> str:
    """Where the backward pass goes wrong, when it is right down to some layer and wrong before it."""
    if not right:
        return "in the backward pass, from the loss on"
    last, first = layer(wrong[-1]), layer(right[0])
    if last == first:
        return f"in the backward pass of {first}"
    passed = BEFORE.get(case, {}).get(first)
    return f"in the backward pass between {first} and {last}" + (f" ({passed})" if passed else "")
