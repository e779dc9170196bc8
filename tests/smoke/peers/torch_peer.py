"""The reference models by PyTorch's own functions, for `compare.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Weights = dict[str, Any]


def gradient(name: str, weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, Weights]:
    leaves = {key: torch.tensor(value, requires_grad=True) for key, value in weights.items()}
    logits = MODELS[name](leaves, torch.tensor(x))
    if name in {"mlp", "lstm"}:
        loss = functional.binary_cross_entropy_with_logits(logits, torch.tensor(y))
    else:
        loss = functional.cross_entropy(logits.flatten(0, -2), torch.tensor(y).flatten().long())
    loss.backward()
    return loss.item(), {key: leaf.grad.numpy() for key, leaf in leaves.items()}


def dense(w: Weights, name: str, x: Any) -> Any:
    return functional.linear(x, w[f"{name}.kernel"].T, w.get(f"{name}.bias"))


def mlp(w: Weights, x: Any) -> Any:
    return dense(w, "dense2", dense(w, "dense1", x).relu())


def cnn(w: Weights, x: Any, activation: Any = torch.relu, pool: Any = functional.max_pool2d) -> Any:
    x = x.permute(0, 3, 1, 2)
    for name in ("conv1", "conv2"):
        x = activation(functional.conv2d(x, w[f"{name}.kernel"].permute(3, 2, 0, 1), w[f"{name}.bias"]))
    x = pool(x, 2).permute(0, 2, 3, 1).flatten(1)
    return dense(w, "dense2", activation(dense(w, "dense1", x)))


def cnn_smooth(w: Weights, x: Any) -> Any:
    return cnn(w, x, torch.tanh, functional.avg_pool2d)


def lstm(w: Weights, x: Any) -> Any:
    module = torch.nn.LSTM(1, 16, batch_first=True, dtype=torch.float64)
    parameters = {
        "weight_ih_l0": w["lstm.kernel"].T,
        "weight_hh_l0": w["lstm.recurrent"].T,
        "bias_ih_l0": w["lstm.bias"],
        "bias_hh_l0": torch.zeros(64, dtype=torch.float64),
    }
    return dense(w, "dense", torch.func.functional_call(module, parameters, (x,))[0])


def transformer(w: Weights, x: Any) -> Any:
    def norm(name: str, x: Any) -> Any:
        return functional.layer_norm(x, (64,), w[f"{name}.scale"], w[f"{name}.bias"], 1e-5)

    x = functional.embedding(x.long(), w["embedding.tokens"]) + w["embedding.places"]
    for block in ("block1", "block2"):
        normal = norm(f"{block}.norm1", x)
        heads = [dense(w, f"{block}.{part}", normal).unflatten(2, (4, 16)) for part in ("query", "key", "value")]
        mixed = functional.scaled_dot_product_attention(*(part.transpose(1, 2) for part in heads), is_causal=True)
        x = x + dense(w, f"{block}.out", mixed.transpose(1, 2).flatten(2))
        x = x + dense(w, f"{block}.down", functional.gelu(dense(w, f"{block}.up", norm(f"{block}.norm2", x))))
    return dense(w, "head", norm("norm", x))


MODELS = {"mlp": mlp, "cnn": cnn, "cnn-smooth": cnn_smooth, "lstm": lstm, "transformer": transformer}


def optimize(optimizer: Any, start: list[float], gradients: list[list[float]]) -> list[float]:
    """Where PyTorch's own optimiser goes from a start on given gradients."""
    weight = torch.tensor(start, dtype=torch.float64)
    betas = {"betas": (optimizer.beta1, optimizer.beta2), "eps": optimizer.epsilon}
    options = {"momentum": optimizer.momentum} if optimizer.name == "sgd" else betas
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer.name]
    descent = kind([weight], lr=optimizer.learning_rate, weight_decay=optimizer.weight_decay, **options)
    for values in gradients:
        weight.grad = torch.tensor(values, dtype=torch.float64)
        descent.step()
    assert all(map(math.isfinite, weight.tolist()))
    return weight.tolist()
