"""The search for two images on which no activation of the CNN is near a kink (see `cases.Case.probe`)."""

from __future__ import annotations

import random

import numpy as np

from envkit.smoke.cases import cnn, images
from envkit.smoke.reference.golden import initial
from envkit.smoke.reference.layers import Array, Arrays, conv, dense, flatten, max_pool, quarters, relu
from envkit.smoke.reference.models import array

CANDIDATES = 96


def margin(weights: Arrays, x: Array) -> float:
    """The least distance from a kink: of a value before relu from 0, of a window's largest pixel from the next."""
    first = conv(weights, {}, "conv1")(x)[0]
    second = conv(weights, {}, "conv2")(relu(first)[0])[0]
    pixels = np.sort(quarters(second), axis=0)
    third = dense(weights, {}, "dense1")(flatten(max_pool(relu(second)[0])[0])[0])[0]
    # Where relu silences the whole window it does not matter which pixel is the largest.
    gaps = (pixels[3] - pixels[2])[pixels[3] > 0]
    return float(min(np.abs(z).min() for z in (first, second, third, gaps)))


def candidate(seed: int, index: int) -> Array:
    return array(images(random.Random(f"probe {seed} {index}"), 2)[0])  # noqa: S311 - repeatable, not secret


def best(seed: int) -> int:
    """The candidate with the largest margin: what `cases.PROBES` has for the seed."""
    weights = initial(cnn(seed))
    return max(range(CANDIDATES), key=lambda index: margin(weights, candidate(seed, index)))
