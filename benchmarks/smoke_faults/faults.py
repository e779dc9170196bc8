"""The faults: what each does to the operations, the data or the update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.smoke_faults.maths import Array, Maths

ALL = ("mlp", "cnn", "cnn-smooth", "lstm", "transformer")
TRAINED = ("mlp", "cnn-smooth", "lstm", "transformer")
IMAGES = ("cnn", "cnn-smooth")


LAST = ("dense2", "dense", "head")
"""The layers that give the outputs; their products come first under these names."""


class Fault(NamedTuple):
    """A fault, and the cases in which it is tried.

    operation: changes a `Maths`. update: settings of the optimizer (see `training.Update`). data: changes labels.
    near_rounding: of the size of float32's own rounding: reported, but may be missed.
    """

    name: str
    cases: tuple[str, ...]
    operation: Callable[[Maths], None] | None = None
    update: Mapping[str, Any] = MappingProxyType({})
    data: Callable[[Array], Array] | None = None
    near_rounding: bool = False

    @property
    def at_once(self) -> bool:
        """It shows in the first gradient."""
        return bool(self.data or self.operation) and "once" not in self.name


def rounded(a: Array, bits: int) -> Array:
    """float32 with so many bits of mantissa, rounded to nearest even."""
    drop = 23 - bits
    whole = np.ascontiguousarray(a, np.float32).view(np.uint32).astype(np.uint64)
    whole += (1 << (drop - 1)) - 1 + ((whole >> drop) & 1)
    return ((whole >> drop) << drop).astype(np.uint32).view(np.float32).reshape(a.shape)


def narrow(bits: int) -> Callable[[Maths], None]:
    def change(m: Maths) -> None:
        m.matmul = lambda a, b, _where: rounded(a, bits) @ rounded(b, bits)

    return change


def noisy(size: float, where_only: str = "") -> Callable[[Maths], None]:
    """Relative noise on the results of matrix products."""

    def change(m: Maths) -> None:
        rng = np.random.RandomState(1)

        def matmul(a: Array, b: Array, where: str) -> Array:
            c = a @ b
            if where_only and where != where_only:
                return c
            return (c * (1 + size * rng.standard_normal(c.shape))).astype(c.dtype)

        m.matmul = matmul

    return change


def scaled(layer: str, factor: float) -> Callable[[Maths], None]:
    def change(m: Maths) -> None:
        m.matmul = lambda a, b, where: (a @ b) * a.dtype.type(factor if where == layer else 1)

    return change


def once(step: int) -> Callable[[Maths], None]:
    """The largest of the model's outputs is doubled, in one step (in a layer before, relu or tanh may hide it)."""

    def change(m: Maths) -> None:
        done: list[int] = []

        def matmul(a: Array, b: Array, where: str) -> Array:
            c = a @ b
            if m.step == step and not done and where in LAST:
                done.append(step)
                c = c.copy()
                c.flat[c.argmax()] *= 2
            return c

        m.matmul = matmul

    return change


def loses_rows(layer: str, rows: int) -> Callable[[Maths], None]:
    def change(m: Maths) -> None:
        right = m.weight_gradient

        def weight_gradient(a: Array, b: Array, where: str) -> Array:
            if where != layer:
                return right(a, b, where)
            return right(a.reshape(-1, a.shape[-1])[:-rows], b.reshape(-1, b.shape[-1])[:-rows], where)

        m.weight_gradient = weight_gradient

    return change


def inexact(name: str, size: float) -> Callable[[Maths], None]:
    """A function of the library is off by a relative error, which differs from element to element."""

    def change(m: Maths) -> None:
        right = getattr(m, name)
        setattr(m, name, lambda x: (right(x) * (1 + size * np.sin(97 * x))).astype(x.dtype))

    return change


def how(**settings: Any) -> Callable[[Maths], None]:
    def change(m: Maths) -> None:
        m.how.update({name.replace("_", " "): value for name, value in settings.items()})

    return change


ADAM = ("mlp", "lstm", "transformer")
ADAMW = ("transformer",)
SGD = ("cnn-smooth",)

FAULTS = [
    Fault("TF32-like matmul inputs", ALL, narrow(10)),
    Fault("bf16-like matmul inputs", ALL, narrow(7)),
    Fault("matmul noise 1e-3", ALL, noisy(1e-3)),
    Fault("matmul noise 1e-4", ALL, noisy(1e-4)),
    Fault("matmul noise 1e-5", ALL, noisy(1e-5), near_rounding=True),
    Fault("one product x2, once (step 3)", TRAINED, once(3)),
    Fault("conv2 x(1+1e-3)", IMAGES, scaled("conv2", 1 + 1e-3)),
    Fault("conv2 x(1+1e-4)", IMAGES, scaled("conv2", 1 + 1e-4)),
    Fault("conv2 x(1+1e-5)", IMAGES, scaled("conv2", 1 + 1e-5), near_rounding=True),
    Fault("conv2 wgrad noise 1e-3", IMAGES, noisy(1e-3, "conv2 wgrad")),
    Fault("conv2 wgrad noise 1e-4", IMAGES, noisy(1e-4, "conv2 wgrad")),
    Fault("conv2 wgrad loses 64 rows", IMAGES, loses_rows("conv2", 64)),
    Fault("pool loses its gradient", IMAGES, how(pool_lost=True)),
    Fault("conv kernel flipped", IMAGES, how(flip=True)),
    Fault("conv window off by one", IMAGES, how(window=True)),
    Fault("edge row taken as padding", IMAGES, how(edge_row=True)),
    Fault("exp error 1e-4", ("cnn", "cnn-smooth", "mlp", "lstm", "transformer"), inexact("exp", 1e-4)),
    Fault("tanh error 1e-4", ("cnn-smooth", "lstm"), inexact("tanh", 1e-4)),
    Fault("rsqrt error 1e-4", ("transformer",), inexact("rsqrt", 1e-4)),
    Fault("GELU by tanh", ("transformer",), how(gelu="tanh")),
    Fault("LayerNorm epsilon 1e-6", ("transformer",), how(epsilon=1e-6)),
    Fault("LayerNorm epsilon 1e-3", ("transformer",), how(epsilon=1e-3)),
    Fault("LayerNorm unbiased variance", ("transformer",), how(unbiased=True)),
    Fault("attention not scaled by 1/sqrt(d)", ("transformer",), how(scale=1 / 16)),
    Fault("causal mask off by one", ("transformer",), how(mask=1)),
    Fault("duplicates lost in embedding", ("transformer",), how(duplicates=True)),
    Fault("gates i, f, o, g", ("lstm",), how(gates=(0, 1, 3, 2))),
    Fault("both LSTM biases trained", ("lstm",), update={"twice": "lstm.bias"}),
    Fault("labels shifted", ALL, data=lambda y: np.roll(y, 1, axis=0)),
    Fault("gradients one step late", TRAINED, update={"late": True}),
    Fault("learning rate x1.01", TRAINED, update={"rate": 1.01}),
    Fault("learning rate x1.001", TRAINED, update={"rate": 1.001}),
    Fault("learning rate x1.0001", TRAINED, update={"rate": 1.0001}),
    Fault("one tensor's update x1.01", TRAINED, update={"more": 1.01}),
    Fault("a bias frozen", TRAINED, update={"frozen": True}),
    Fault("one weight stuck", TRAINED, update={"stuck": True}),
    Fault("weights stored in bf16", TRAINED, update={"bits": 7}),
    Fault("Adam epsilon 1e-7", ADAM, update={"epsilon": 1e-7}),
    Fault("Adam epsilon in the root", ADAM, update={"root": True}),
    Fault("Adam in Keras's form", ADAM, update={"keras": True}),
    Fault("no bias correction", ADAM, update={"corrected": False}),
    Fault("bias correction at t + 1", ADAM, update={"ahead": 1}),
    Fault("beta2 0.99", ADAM, update={"beta2": 0.99}),
    Fault("beta2 0.9999", ADAM, update={"beta2": 0.9999}),
    Fault("beta1 0.899", ADAM, update={"beta1": 0.899}),
    Fault("L2 for decoupled decay", ADAMW, update={"decay": "l2"}),
    Fault("decay not times the rate", ADAMW, update={"decay": "unscaled"}),
    Fault("decay after the step", ADAMW, update={"decay": "after"}),
    Fault("no decay of biases", ADAMW, update={"decay": "matrices"}),
    Fault("Nesterov", SGD, update={"nesterov": True}),
    Fault("dampening 0.9", SGD, update={"dampening": 0.9}),
    Fault("momentum 0.899", SGD, update={"momentum": 0.899}),
]
