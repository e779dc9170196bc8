"""The reference models as numbers, and the program that a child gets."""

from __future__ import annotations

import ast
import hashlib
import math
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest

from envkit.smoke import adapters, child, data
from envkit.smoke.data import BATCH, BATCHES, MODELS, Tensor

ADAPTERS = sorted(path for path in Path(adapters.__path__[0]).glob("*.py") if path.stem != "__init__")


def tensors(model: str) -> list[Tensor]:
    reference = MODELS[model]()
    return [*reference.weights, *(tensor for batch in reference.batches for tensor in batch)]


@pytest.mark.parametrize(("model", "digest"), [("mlp", "6dd99be2"), ("cnn", "3e50e3a4")])
def test_the_numbers_are_the_same_everywhere(model: str, digest: str) -> None:
    found = hashlib.sha256(b"".join(tensor.data for tensor in tensors(model))).hexdigest()
    assert found.startswith(digest)


@pytest.mark.parametrize("model", MODELS)
def test_every_value_is_exact_in_float32(model: str) -> None:
    for tensor in tensors(model):
        values = [(byte - tensor.zero) * tensor.scale for byte in range(256)]
        assert list(struct.unpack("256f", struct.pack("256f", *values))) == values
        assert len(tensor.data) == math.prod(tensor.shape)


@pytest.mark.parametrize(("model", "parameters"), [("mlp", 121), ("cnn", 1_199_882)])
def test_the_models_have_the_parameters_they_are_known_for(model: str, parameters: int) -> None:
    assert sum(math.prod(weight.shape) for weight in MODELS[model]().weights) == parameters


@pytest.mark.parametrize("model", MODELS)
def test_the_last_step_sees_the_batch_of_the_first(model: str) -> None:
    reference = MODELS[model]()
    assert len(reference.batches) == BATCHES
    assert reference.steps % BATCHES == 1
    assert reference.loss_ratio_bound < 1


@pytest.mark.parametrize(("model", "classes"), [("mlp", 2), ("cnn", 10)])
def test_no_constant_answer_is_good(model: str, classes: int) -> None:
    labels = Counter(b"".join(labels.data for _, labels in MODELS[model]().batches))
    assert sorted(labels) == list(range(classes))
    assert max(labels.values()) < 0.65 * BATCH * BATCHES
    # The loss of always answering with the frequency of each class: the bound must ask for more.
    total = BATCH * BATCHES
    guessing = -sum(count / total * math.log(count / total) for count in labels.values())
    assert MODELS[model]().loss_bound < guessing / 2


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_an_adapter_has_the_protocol_and_imports_only_its_framework(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert {"open_device", "build", "out_of_memory", "peak_memory"} <= functions(tree)
    assert "VERSION" in {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert imported(tree) <= {path.stem, *sys.stdlib_module_names}


@pytest.mark.parametrize("module", [child, data])
def test_the_rest_of_the_payload_imports_the_standard_library_alone(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"), feature_version=(3, 9))
    assert imported(tree) <= set(sys.stdlib_module_names)


def functions(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}
