"""The reference models as numbers, and sketches."""

from __future__ import annotations

import ast
import hashlib
import math
import random
import statistics
import struct
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from envkit.smoke import cases
from envkit.smoke.cases import BATCHES, CASES, MODELS, PROBES, SKETCHES, Case, Tensor, prescribed, sketch


def tensors(case: Case) -> list[Tensor]:
    batches = [*case.batches, case.probe] if case.probe else case.batches
    return [*case.weights, *(tensor for batch in batches for tensor in batch)]


def in_float32(values: list[float]) -> list[float]:
    return list(struct.unpack(f"{len(values)}f", struct.pack(f"{len(values)}f", *values)))


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("mlp", "fda26092"),
        ("cnn", "f44b0cad"),
        ("cnn-smooth", "4b44ed3e"),
        ("lstm", "ebd989f2"),
        ("transformer", "0bc40526"),
    ],
)
def test_the_numbers_are_the_same_everywhere(name: str, digest: str) -> None:
    assert hashlib.sha256(repr(tensors(CASES[name](0))).encode()).hexdigest()[:8] == digest


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_exact_in_float32(name: str) -> None:
    for tensor in tensors(CASES[name](7)):
        values = [(byte - tensor.zero) * tensor.scale for byte in range(256)]
        assert in_float32(values) == values
        assert len(tensor.data) == math.prod(tensor.shape)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mlp", 121), ("cnn", 75_338), ("cnn-smooth", 75_338), ("lstm", 1_169), ("transformer", 105_499)],
)
def test_the_models_have_the_parameters_they_are_known_for(name: str, parameters: int) -> None:
    weights = CASES[name](0).weights
    assert sum(math.prod(weight.shape) for weight in weights) == parameters
    assert len({weight.name for weight in weights}) == len(weights)


def test_the_cases_are_what_the_models_mean() -> None:
    assert [name for names in MODELS.values() for name in names] == list(CASES)
    assert all(make(0).name == name and len(make(0).batches) == BATCHES for name, make in CASES.items())


def test_seeds_give_other_numbers() -> None:
    assert all(len({repr(tensors(make(seed))) for seed in range(3)}) == 3 for make in CASES.values())


@pytest.mark.parametrize(
    ("name", "classes", "most"), [("mlp", 2, 0.7), ("cnn", 10, 0.3), ("lstm", 2, 0.6), ("transformer", 27, 0.3)]
)
def test_no_constant_answer_is_good(name: str, classes: int, most: float) -> None:
    targets = Counter(b"".join(y.data for _, y in CASES[name](0).batches))
    assert set(targets) <= set(range(classes))
    assert max(targets.values()) < most * sum(targets.values())


def test_each_bit_of_the_lstm_is_compared_with_the_one_before() -> None:
    for x, y in cases.lstm(1).batches:
        for start in range(0, 32 * 16, 16):
            bits, targets = x.data[start : start + 16], y.data[start : start + 16]
            assert list(targets) == [bits[0], *(a ^ b for a, b in pairwise(bits))]


def test_the_transformer_is_asked_for_the_next_letter() -> None:
    x, y = cases.transformer(0).batches[0]
    assert all(x.data[start + 1 : start + 32] == y.data[start : start + 31] for start in range(0, 16 * 32, 32))
    words = "".join(cases.LETTERS[byte] for byte in x.data[:32]).split()
    assert set(words[:-1]) <= set(cases.WORDS)


def test_only_the_cnn_with_kinks_has_a_probe_and_it_has_no_trajectory() -> None:
    assert [name for name, make in CASES.items() if make(0).probe or not make(0).steps] == ["cnn"]
    assert cases.cnn(len(PROBES) - 1).probe
    assert cases.cnn(len(PROBES)).probe is None


def test_the_prescribed_gradients_span_ten_decades_and_are_exact_in_float32() -> None:
    start, steps = prescribed()
    values = [abs(value) for row in steps for value in row]
    assert (len(start), len(steps), {len(row) for row in steps}) == (48, 60, {48})
    assert in_float32(start) == start
    assert in_float32(values) == values
    assert max(values) / min(filter(None, values)) > 1e10
    assert 0.05 < values.count(0) / len(values) < 0.2
    assert not any(any(row[7::8]) for row in steps[:10])


def test_every_element_drifts_far_enough_to_be_judged() -> None:
    columns = list(zip(*prescribed()[1], strict=True))
    assert all(abs(sum(column)) > 0.1 * sum(map(abs, column)) for column in columns)


def test_one_changed_element_is_found_exactly() -> None:
    values = [float(byte) for byte in random.Random(0).randbytes(1000)]
    changed = [*values]
    changed[123] += 3
    found = zip(sketch(values, "w")[1:], sketch(changed, "w")[1:], strict=True)
    assert {abs(b - a) for a, b in found} == {3}


def test_a_distance_is_estimated_within_its_bounds() -> None:
    rng = random.Random(0)
    ratios = []
    for trial in range(300):
        a, b = ([rng.gauss(0, 1) for _ in range(50)] for _ in range(2))
        pairs = zip(sketch(a, str(trial))[1:], sketch(b, str(trial))[1:], strict=True)
        ratios.append(statistics.fmean((p - q) ** 2 for p, q in pairs) / math.dist(a, b) ** 2)
    assert statistics.fmean(ratios) == pytest.approx(1, abs=0.1)
    assert statistics.stdev(ratios) == pytest.approx(math.sqrt(2 / SKETCHES), rel=0.2)
    assert min(ratios) > 0.2


def test_a_sketch_is_the_same_everywhere_and_its_signs_depend_on_name_and_size() -> None:
    assert sketch([1.0, 2.0, 4.0], "w") == [21, 1, -7, -5, 3, 1, 7, 5, -5, 5, -1, 1, -5, -7, 5, 1, 3]
    assert len({tuple(sketch([1.0, 2.0, 4.0] * 9, name)) for name in ("w", "v")}) == 2


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e308])
def test_a_sketch_of_what_is_not_finite_is_not_finite(wrong: float) -> None:
    assert not all(map(math.isfinite, sketch([wrong, -wrong, wrong, wrong, 1.0], "w")))


def test_it_runs_in_any_interpreter_with_the_standard_library_alone() -> None:
    tree = ast.parse(Path(str(cases.__file__)).read_text("utf-8"), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
