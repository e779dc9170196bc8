"""The reference models of PyTorch's own layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def cross_entropy(logits: Any, targets: Any) -> Any:
    return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


def _mlp() -> tuple[Any, Any, Any]:
    network = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1))
    return network, nn.BCEWithLogitsLoss(), {**_dense("dense1", "0"), **_dense("dense2", "2")}


def _cnn(activation: Any, pool: Any) -> tuple[Any, Any, Any]:
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        activation(),
        nn.Conv2d(8, 16, 3),
        activation(),
        pool(2),
        nn.Flatten(),
        nn.Linear(2304, 32),
        activation(),
        nn.Linear(32, 10),
    )
    layout = {**_dense("conv1", "0", _hwio), **_dense("conv2", "2", _hwio), **_dense("dense1", "6")}
    # Flatten counts C, H, W here, and H, W, C in the case.
    layout["dense1.kernel"] = ("6.weight", lambda tensor: _hwio(tensor.reshape(32, 16, 12, 12)))
    return network, cross_entropy, {**layout, **_dense("dense2", "8")}


class _Lstm(nn.Module):  # type: ignore[misc,unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 16, batch_first=True)
        self.dense = nn.Linear(16, 1)
        # PyTorch adds two biases, the case has one.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, x: Any) -> Any:
        return self.dense(self.lstm(x)[0])


def _lstm() -> tuple[Any, Any, Any]:
    layout = {
        "lstm.kernel": ("lstm.weight_ih_l0", torch.t),
        "lstm.recurrent": ("lstm.weight_hh_l0", torch.t),
        "lstm.bias": ("lstm.bias_ih_l0", _same),
        **_dense("dense"),
    }
    return _Lstm(), nn.BCEWithLogitsLoss(), layout


class _Transformer(nn.Module):  # type: ignore[misc,unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(27, 64), nn.Embedding(32, 64)
        options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.block1 = nn.TransformerEncoderLayer(64, 4, 256, **options)
        self.block2 = nn.TransformerEncoderLayer(64, 4, 256, **options)
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 27)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(32))
        for block in (self.block1, self.block2):
            # The keys have no bias in the case: it stays 0 here.
            nn.init.zeros_(block.self_attn.in_proj_bias).register_hook(_without_keys)

    def forward(self, x: Any) -> Any:
        hidden = self.tokens(x) + self.places.weight
        for block in (self.block1, self.block2):
            hidden = block(hidden, src_mask=self.mask, is_causal=True)
        return self.head(self.norm(hidden))


def _without_keys(gradient: Any) -> Any:
    return torch.cat([gradient[:64], torch.zeros_like(gradient[64:128]), gradient[128:]])


def _transformer() -> tuple[Any, Any, Any]:
    layout = {"embedding.tokens": ("tokens.weight", _same), "embedding.places": ("places.weight", _same)}
    for block in ("block1", "block2"):
        attention = f"{block}.self_attn"
        for part, view in {"query": _rows(0), "key": _rows(64), "value": _rows(128)}.items():
            layout[f"{block}.{part}.kernel"] = (f"{attention}.in_proj_weight", view)
            layout[f"{block}.{part}.bias"] = (f"{attention}.in_proj_bias", view)
        del layout[f"{block}.key.bias"]
        layout.update(_dense(f"{block}.out", f"{attention}.out_proj"))
        layout.update({**_norm(f"{block}.norm1"), **_norm(f"{block}.norm2")})
        layout.update({**_dense(f"{block}.up", f"{block}.linear1"), **_dense(f"{block}.down", f"{block}.linear2")})
    return _Transformer(), cross_entropy, {**layout, **_norm("norm"), **_dense("head")}


MODELS = {
    "mlp": _mlp,
    "cnn": lambda: _cnn(nn.ReLU, nn.MaxPool2d),
    "cnn-smooth": lambda: _cnn(nn.Tanh, nn.AvgPool2d),
    "lstm": _lstm,
    "transformer": _transformer,
}
"""Case to network, loss and layout: for each tensor of the case the parameter, and a view of it as the case has it."""


def _same(tensor: Any) -> Any:
    return tensor


def _rows(first: int) -> Any:
    return lambda tensor: tensor[first : first + 64].t()


def _hwio(tensor: Any) -> Any:
    return tensor.permute(2, 3, 1, 0)


def _dense(name: str, own: str = "", view: Any = torch.t) -> dict[str, Any]:
    own = own or name
    return {f"{name}.kernel": (f"{own}.weight", view), f"{name}.bias": (f"{own}.bias", _same)}


def _norm(name: str) -> dict[str, Any]:
    return {f"{name}.scale": (f"{name}.weight", _same), f"{name}.bias": (f"{name}.bias", _same)}
