"""The two reference models as numbers: initial weights, training data, hyperparameters, the bound on the loss.

Sent to the inspected interpreter beside an adapter: standard library only, Python 3.9 and newer. Every tensor
is made from a seed and quantised to bytes, so that all frameworks start from the same float32 values, bit by bit.

    mlp   10 - 10 relu - 1 sigmoid; binary cross-entropy; Adam
    cnn   28x28x1 - conv 32 relu - conv 64 relu (3x3, valid) - max pool 2x2 - dense 9216-128 relu - dense 10;
          cross-entropy; SGD with momentum

Layouts are NHWC for images, HWIO for convolution kernels, (in, out) for dense kernels.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

BATCH = 32
BATCHES = 4
"""The batches repeat; with a multiple of 4, plus 1, steps, the last step sees the batch of the first one again."""

CNN_CLASSES = 10
CNN_SIDE = 28
STRIPES = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2), (3, 1), (1, 3)]
"""One direction (down, right) of stripes for each class."""


class Tensor(NamedTuple):
    """Bytes that stand for (byte - zero) * scale; exact in float32."""

    shape: tuple[int, ...]
    data: bytes
    zero: float = 0.0
    scale: float = 1.0


class Reference(NamedTuple):
    """One model to train and what is expected of it."""

    optimizer: str
    learning_rate: float
    momentum: float
    steps: int
    loss_bound: float
    """The loss of the last step must be below it."""
    loss_ratio_bound: float
    """And below this part of the first step's loss."""
    weights: list[Tensor]
    """Kernel and bias of each layer in turn."""
    batches: list[tuple[Tensor, Tensor]]
    """Inputs and labels: (32, 10) and (32, 1) for mlp; (32, 28, 28, 1) and classes (32,) for cnn."""


def mlp(seed: int = 0) -> Reference:
    """The MLP; its labels are the side of a hyperplane that the inputs lie on."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    weights = _weights(rng, [(10, 10), (10, 1)])
    normal = [rng.choice((-3, -2, -1, 1, 2, 3)) for _ in range(10)]
    batches = []
    for _ in range(BATCHES):
        data = rng.randbytes(BATCH * 10)
        rows = [data[start : start + 10] for start in range(0, len(data), 10)]
        labels = bytes(_dot(normal, [2 * byte - 255 for byte in row]) > 0 for row in rows)
        batches.append((Tensor((BATCH, 10), data, 127.5, 2.0**-6), Tensor((BATCH, 1), labels)))
    return Reference("adam", 0.02, 0.0, 61, 0.25, 0.5, weights, batches)


def cnn(seed: int = 0) -> Reference:
    """The CNN; its classes are the directions of stripes seen through noise."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    weights = _weights(rng, [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, CNN_CLASSES)])
    pixels = CNN_SIDE * CNN_SIDE
    patterns = [_stripes(down, right) for down, right in STRIPES]
    low_bits = int.from_bytes(b"\x7f" * pixels, "big")
    batches = []
    for _ in range(BATCHES):
        labels = bytes(rng.randrange(CNN_CLASSES) for _ in range(BATCH))
        # The stripes are the top bit of each pixel, noise is the rest.
        images = [
            ((rng.getrandbits(8 * pixels) & low_bits) | patterns[label]).to_bytes(pixels, "big") for label in labels
        ]
        shape = (BATCH, CNN_SIDE, CNN_SIDE, 1)
        batches.append((Tensor(shape, b"".join(images), 127.5, 2.0**-7), Tensor((BATCH,), labels)))
    return Reference("sgd", 0.003, 0.9, 17, 0.3, 0.5, weights, batches)


MODELS = {"mlp": mlp, "cnn": cnn}


def _weights(rng: random.Random, kernels: list[tuple[int, ...]]) -> list[Tensor]:
    """Uniform weights in the range of He et al. (2015), and small biases that are not zero."""
    tensors = []
    for shape in kernels:
        fan_in = math.prod(shape[:-1])
        scale = round(math.sqrt(6 / fan_in) / 127.5 * 2**20) / 2**20
        tensors.append(Tensor(shape, rng.randbytes(math.prod(shape)), 127.5, scale))
        tensors.append(Tensor(shape[-1:], rng.randbytes(shape[-1]), 127.5, 2.0**-13))
    return tensors


def _stripes(down: int, right: int) -> int:
    side = range(CNN_SIDE)
    pixels = [0x80 if (down * i + right * j) % 8 < 4 else 0 for i in side for j in side]
    return int.from_bytes(bytes(pixels), "big")


def _dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(map(int.__mul__, a, b))
