"""The reference models as numbers (initial weights, training data, optimiser), and sketches of tensors.

Sent to the inspected interpreter beside an adapter: standard library only, Python 3.9 and newer. Every tensor is made
from a seed and quantised to bytes: the float64 reference and every framework start from the same values, bit by bit.

    mlp          10 - 10 relu - 1; binary cross-entropy; Adam. Which side of a plane?
    cnn          28x28x1 - conv 8 relu - conv 16 relu (3x3, valid) - max pool 2x2 - dense 2304-32 relu - dense 10;
                 cross-entropy; SGD with momentum. Which way do the stripes run? Gradients only: see `Case.probe`.
    cnn-smooth   the same with tanh and average pool; its trajectory can be compared in float32
    lstm         1 - LSTM 16 - dense 1 at each of 16 steps; binary cross-entropy; Adam. Has this bit changed?
    transformer  27 characters, 32 places, width 64, 2 pre-norm blocks (4 heads, causal; 64-256-64, GELU by erf), norm,
                 dense 64-27; cross-entropy; AdamW. Which letter is next?

Layouts: images (batch, height, width, channel), convolution kernels (height, width, in, out) and not flipped, dense
kernels (in, out); the pooled image is flattened in the order height, width, channel. LSTM: the gates i, f, g, o stand
side by side in the last axis; one bias; start state 0. Attention: head h has the columns 16 h to 16 h + 15; scores are
divided by sqrt(16); the keys have no bias, since its gradient is zero and Adam would turn its rounding into full steps.
LayerNorm: biased variance, epsilon 1e-5. Losses are means over all outputs, from logits. All tensors decay.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import compress
from operator import mul, or_
from typing import NamedTuple

BATCHES = 4
"""The batches repeat: step t sees batch t % 4."""
SIDE = 28
STRIPES = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2), (3, 1), (1, 3)]
"""One direction (down, right) of stripes for each class."""
WORDS = "the cat sat on a mat and saw some red fox jump over lazy brown dog".split()  # noqa: SIM905
LETTERS = " abcdefghijklmnopqrstuvwxyz"
LAYER_NORM_EPSILON = 1e-5
SKETCHES = 16


class Tensor(NamedTuple):
    """Bytes that stand for (byte - zero) * scale; exact in float32."""

    name: str
    shape: tuple[int, ...]
    data: bytes
    zero: float = 0.0
    scale: float = 1.0


class Optimizer(NamedTuple):
    """How to descend: sgd (with momentum; no Nesterov, no dampening), adam or adamw (decoupled decay)."""

    name: str
    learning_rate: float
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0


class Case(NamedTuple):
    """One model to train from given numbers."""

    name: str
    optimizer: Optimizer
    weights: list[Tensor]
    batches: list[tuple[Tensor, Tensor]]
    """Inputs and targets."""
    probe: tuple[Tensor, Tensor] | None = None
    """Two images on which no activation is near a kink of relu or max pool: in float32 their gradient is as sharp as a
    smooth model's, where an activation that rounds across a kink changes an ordinary batch's by a finite jump."""
    steps: int = 20
    """Steps of the trajectory; 0 where float32 allows none."""


OPTIMIZERS = {
    "sgd": Optimizer("sgd", 0.01, momentum=0.9),
    "adam": Optimizer("adam", 0.01),
    "adamw": Optimizer("adamw", 0.01, weight_decay=0.1),
}
"""The optimisers that are tested alone, on `prescribed` gradients."""


def mlp(seed: int = 0) -> Case:
    """121 parameters; the labels are the side of a hyperplane that the inputs lie on."""
    rng = random.Random(f"mlp {seed}")  # noqa: S311 - repeatable, not secret
    weights = [*_layer(rng, "dense1", (10, 10)), *_layer(rng, "dense2", (10, 1))]
    normal = [2 * byte - 255 for byte in rng.randbytes(10)]
    batches = []
    for _ in range(BATCHES):
        data = rng.randbytes(32 * 10)
        rows = [data[start : start + 10] for start in range(0, len(data), 10)]
        sides = bytes(sum(map(mul, normal, (2 * byte - 255 for byte in row))) > 0 for row in rows)
        batches.append((Tensor("x", (32, 10), data, 127.5, 2.0**-6), Tensor("y", (32, 1), sides)))
    return Case("mlp", Optimizer("adam", 0.001), weights, batches)


def cnn(seed: int = 0) -> Case:
    """75,338 parameters; relu and max pool."""
    probe = images(random.Random(f"probe {seed} {PROBES[seed]}"), 2) if seed < len(PROBES) else None  # noqa: S311
    return cnn_smooth(seed)._replace(name="cnn", probe=probe, steps=0)


def cnn_smooth(seed: int = 0) -> Case:
    """75,338 parameters; tanh and average pool."""
    rng = random.Random(f"cnn {seed}")  # noqa: S311
    kernels = {"conv1": (3, 3, 1, 8), "conv2": (3, 3, 8, 16), "dense1": (2304, 32), "dense2": (32, 10)}
    weights = [tensor for name, shape in kernels.items() for tensor in _layer(rng, name, shape)]
    return Case("cnn-smooth", Optimizer("sgd", 0.01, momentum=0.9), weights, [images(rng, 16) for _ in range(BATCHES)])


def images(rng: random.Random, count: int) -> tuple[Tensor, Tensor]:
    """Striped images under noise, and the class of each."""
    labels = bytes(byte % 10 for byte in rng.randbytes(count))
    pixels = bytearray()
    for label in labels:
        # The stripes are the top bit of each pixel, noise is the rest.
        noise = (byte & 0x7F for byte in rng.randbytes(SIDE * SIDE))
        pixels += bytes(map(or_, _stripes(label), noise))
    return Tensor("x", (count, SIDE, SIDE, 1), bytes(pixels), 127.5, 2.0**-7), Tensor("y", (count,), labels)


def lstm(seed: int = 0) -> Case:
    """1,169 parameters; the label of each bit is whether it differs from the one before (0 before the first)."""
    rng = random.Random(f"lstm {seed}")  # noqa: S311
    weights = [
        _uniform(rng, "lstm.kernel", (1, 64), 1.0),
        _uniform(rng, "lstm.recurrent", (16, 64), 0.5),
        _uniform(rng, "lstm.bias", (64,), 0.5),
        *_layer(rng, "dense", (16, 1)),
    ]
    batches = []
    for _ in range(BATCHES):
        bits = bytes(byte & 1 for byte in rng.randbytes(32 * 16))
        differs = bytes(bit ^ (bits[i - 1] if i % 16 else 0) for i, bit in enumerate(bits))
        batches.append((Tensor("x", (32, 16, 1), bits, 0.5, 2.0), Tensor("y", (32, 16, 1), differs)))
    return Case("lstm", Optimizer("adam", 0.01), weights, batches)


def transformer(seed: int = 0) -> Case:
    """105,499 parameters; the text is made of a few words in random order."""
    rng = random.Random(f"transformer {seed}")  # noqa: S311
    weights = [_uniform(rng, "embedding.tokens", (27, 64), 0.5), _uniform(rng, "embedding.places", (32, 64), 0.5)]
    for block in ("block1", "block2"):
        weights += [*_norm(rng, f"{block}.norm1"), *_layer(rng, f"{block}.query", (64, 64))]
        weights += [_layer(rng, f"{block}.key", (64, 64))[0], *_layer(rng, f"{block}.value", (64, 64))]
        weights += [*_layer(rng, f"{block}.out", (64, 64)), *_norm(rng, f"{block}.norm2")]
        weights += [*_layer(rng, f"{block}.up", (64, 256)), *_layer(rng, f"{block}.down", (256, 64))]
    weights += [*_norm(rng, "norm"), *_layer(rng, "head", (64, 27))]
    batches = []
    for _ in range(BATCHES):
        # Each word has two characters or more with its space: 17 of them fill 33 places.
        texts = [" ".join(WORDS[byte % len(WORDS)] for byte in rng.randbytes(17))[:33] for _ in range(16)]
        rows = [bytes(map(LETTERS.index, text)) for text in texts]
        inputs, targets = b"".join(row[:-1] for row in rows), b"".join(row[1:] for row in rows)
        batches.append((Tensor("x", (16, 32), inputs), Tensor("y", (16, 32), targets)))
    return Case("transformer", Optimizer("adamw", 0.001, weight_decay=0.01), weights, batches)


CASES: dict[str, Callable[[int], Case]] = {
    "mlp": mlp,
    "cnn": cnn,
    "cnn-smooth": cnn_smooth,
    "lstm": lstm,
    "transformer": transformer,
}
MODELS = {"mlp": ["mlp"], "cnn": ["cnn", "cnn-smooth"], "lstm": ["lstm"], "transformer": ["transformer"]}
"""What a user names, and the cases that it means."""
PROBES = bytes.fromhex(
    "11540d58413e20425c101c211248081f3d5b15484337590a123d2437433c2951"
    "292c57372f57455f292a4821433451134d2341501f5a1e3d09015d49234f221f"
)
"""For each seed the best of 96 candidates, found by `envkit.smoke.reference.probes`; other seeds have no probe."""


def prescribed(seed: int = 0) -> tuple[list[float], list[list[float]]]:
    """48 start values and their gradients in each of 60 steps, over 10 decades: the test of an optimiser alone.

    Every element drifts one way, so that none ends where it began; some gradients are zero, some for the first 10.
    """
    rng = random.Random(f"optimizer {seed}")  # noqa: S311
    scales = [2.0 ** (33 * i // 47 - 34) for i in range(48)]
    start = [(byte - 127.5) * min(scales[i], 2.0**-10) for i, byte in enumerate(rng.randbytes(48))]
    signed = [-scale if i % 2 else scale for i, scale in enumerate(scales)]
    gradients = []
    for step in range(60):
        row = rng.randbytes(48)
        zero = [byte < 26 or (i % 8 == 7 and step < 10) for i, byte in enumerate(row)]
        gradients.append([0.0 if zero[i] else (byte - 96) * signed[i] for i, byte in enumerate(row)])
    return start, gradients


def sketch(values: Sequence[float], name: str) -> list[float]:
    """The sum of squares and 16 sums under random signs, which depend on the name and the number of values only.

    The mean square of the differences of the 16 between two tensors estimates the square of their distance, with a
    relative standard deviation of at most sqrt(2 / 16); a difference in one element it gives exactly. Each sum is
    rounded once (`math.fsum`), so a sketch is the same everywhere; it is not a number where a value is not finite.

    Source: Alon, Matias, Szegedy (1996), The space complexity of approximating the frequency moments.
    """
    total = _sum(values)
    projections = [2 * _sum(compress(values, positive)) - total for positive in _signs(name, len(values))]
    return [_sum(map(mul, values, values)), *projections]


@cache
def _signs(name: str, size: int) -> list[bytes]:
    """For each projection 1 where the sign is positive and 0 where it is negative."""
    rng = random.Random(f"sketch {name} {size}")  # noqa: S311
    binary = bytes.maketrans(b"01", b"\x00\x01")
    return [f"{rng.getrandbits(size):0{size}b}".encode().translate(binary) for _ in range(SKETCHES)]


def _sum(values: Iterable[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # what fsum raises for inf - inf, and for sums beyond the largest number
        return math.nan


def _layer(rng: random.Random, name: str, shape: tuple[int, ...]) -> list[Tensor]:
    """A kernel, uniform in the range of He et al. (2015), and a bias that is small but not zero."""
    spread = math.sqrt(6 / math.prod(shape[:-1]))
    return [_uniform(rng, f"{name}.kernel", shape, spread), _uniform(rng, f"{name}.bias", shape[-1:], 2.0**-4)]


def _norm(rng: random.Random, name: str) -> list[Tensor]:
    """A LayerNorm's scale, around 1, and its bias."""
    scale = Tensor(f"{name}.scale", (64,), rng.randbytes(64), 127.5 - 2**10, 2.0**-10)
    return [scale, _uniform(rng, f"{name}.bias", (64,), 2.0**-4)]


def _uniform(rng: random.Random, name: str, shape: tuple[int, ...], spread: float) -> Tensor:
    # The scale has 13 bits and a byte less 127.5 has 8: their product is exact in float32.
    return Tensor(name, shape, rng.randbytes(math.prod(shape)), 127.5, math.ceil(spread / 127.5 * 2**20) / 2**20)


@cache
def _stripes(label: int) -> bytes:
    down, right = STRIPES[label]
    return bytes(0x80 if (down * i + right * j) % 8 < 4 else 0 for i in range(SIDE) for j in range(SIDE))
