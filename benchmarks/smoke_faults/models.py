"""The models of `envkit.smoke.cases` in NumPy: loss and gradients, by hand, through the operations of a `Maths`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.smoke_faults.maths import Array, Maths

Weights = dict[str, Array]
Result = tuple[float, Weights]


def mlp(m: Maths, w: Weights, x: Array, y: Array) -> Result:
    grads: Weights = {}
    h = m.dense(x, w, "dense1")
    a = np.maximum(h, 0)
    loss, d = m.binary_cross_entropy(m.dense(a, w, "dense2"), y)
    d = m.dense_back(a, d, w, grads, "dense2") * (h > 0)
    m.dense_back(x, d, w, grads, "dense1")
    return loss, grads


def cnn(m: Maths, w: Weights, x: Array, y: Array) -> Result:
    return _cnn(m, w, x, y, smooth=False)


def cnn_smooth(m: Maths, w: Weights, x: Array, y: Array) -> Result:
    return _cnn(m, w, x, y, smooth=True)


def _cnn(m: Maths, w: Weights, x: Array, y: Array, *, smooth: bool) -> Result:
    grads: Weights = {}

    def bend(h: Array) -> tuple[Array, Array]:
        if not smooth:
            return np.maximum(h, 0), (h > 0).astype(h.dtype)
        a = m.tanh(h)
        return a, 1 - a * a

    h1, columns1 = m.conv(x, w, "conv1")
    a1, slope1 = bend(h1)
    h2, columns2 = m.conv(a1, w, "conv2")
    a2, slope2 = bend(h2)
    n, side, _, channels = a2.shape
    windows = a2.reshape(n, side // 2, 2, side // 2, 2, channels)
    pooled = windows.mean(axis=(2, 4), dtype=a2.dtype) if smooth else windows.max(axis=(2, 4))
    flat = pooled.reshape(n, -1)
    h3 = m.dense(flat, w, "dense1")
    a3, slope3 = bend(h3)
    loss, d = m.cross_entropy(m.dense(a3, w, "dense2"), y)
    d = m.dense_back(a3, d, w, grads, "dense2") * slope3
    d = m.dense_back(flat, d, w, grads, "dense1").reshape(pooled.shape)
    if m.how.get("pool lost"):
        d = np.zeros_like(d)
    spread = d[:, :, None, :, None, :]
    chosen = np.full_like(windows, 0.25) if smooth else (windows == pooled[:, :, None, :, None, :]).astype(d.dtype)
    d = (spread * chosen).reshape(a2.shape) * slope2
    d = m.conv_back(columns2, d, w, grads, "conv2") * slope1
    m.conv_back(columns1, d, w, grads, "conv1")
    return loss, grads


def lstm(m: Maths, w: Weights, x: Array, y: Array) -> Result:
    order = m.how.get("gates", (0, 1, 2, 3))
    n, steps, _ = x.shape
    width = w["lstm.recurrent"].shape[0]
    h = c = np.zeros((n, width), x.dtype)
    kept, outputs = [], []
    for t in range(steps):
        z = m.matmul(x[:, t], w["lstm.kernel"], "lstm") + m.matmul(h, w["lstm.recurrent"], "lstm") + w["lstm.bias"]
        i, f, g, o = (z[:, k * width : (k + 1) * width] for k in order)
        i, f, g, o = m.sigmoid(i), m.sigmoid(f), m.tanh(g), m.sigmoid(o)
        new = f * c + i * g
        bent = m.tanh(new)
        kept.append((h, c, i, f, g, o, bent))
        h, c = o * bent, new
        outputs.append(h)
    hidden = np.stack(outputs, axis=1)
    loss, d = m.binary_cross_entropy(m.dense(hidden, w, "dense"), y)
    grads: Weights = {}
    dh_all = m.dense_back(hidden, d, w, grads, "dense")
    grads |= {name: np.zeros_like(w[name]) for name in ("lstm.kernel", "lstm.recurrent", "lstm.bias")}
    dh = dc = np.zeros((n, width), x.dtype)
    for t in reversed(range(steps)):
        before, c, i, f, g, o, bent = kept[t]
        dh = dh + dh_all[:, t]
        dc = dc + dh * o * (1 - bent * bent)
        parts = (dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * bent * o * (1 - o))
        dz = np.concatenate([parts[order.index(k)] for k in range(4)], axis=1)
        grads["lstm.kernel"] += m.weight_gradient(x[:, t], dz, "lstm")
        grads["lstm.recurrent"] += m.weight_gradient(before, dz, "lstm")
        grads["lstm.bias"] += dz.sum(axis=0)
        dh, dc = m.matmul(dz, w["lstm.recurrent"].T, "lstm dgrad"), dc * f
    return loss, grads


def transformer(m: Maths, w: Weights, x: Array, y: Array) -> Result:
    grads: Weights = {}
    tokens = x.astype(int)
    stream = w["embedding.tokens"][tokens] + w["embedding.places"]
    backs: list[Callable[[Array], Array]] = []
    for name in ("block1", "block2"):
        added, back = _attend(m, w, grads, stream, name)
        stream, backs = stream + added, [*backs, back]
        added, back = _widen(m, w, grads, stream, name)
        stream, backs = stream + added, [*backs, back]
    normal, *kept = m.norm(stream, w, "norm")
    loss, d = m.cross_entropy(m.dense(normal, w, "head"), y)
    d = m.norm_back((kept[0], kept[1]), m.dense_back(normal, d, w, grads, "head"), w, grads, "norm")
    for back in reversed(backs):
        d = d + back(d)
    grads["embedding.places"] = d.sum(axis=0)
    grads["embedding.tokens"] = table = np.zeros_like(w["embedding.tokens"])
    if m.how.get("duplicates"):
        table[tokens.reshape(-1)] = d.reshape(-1, d.shape[-1])
    else:
        np.add.at(table, tokens.reshape(-1), d.reshape(-1, d.shape[-1]))
    return loss, grads


def _attend(m: Maths, w: Weights, grads: Weights, stream: Array, name: str) -> tuple[Array, Callable[[Array], Array]]:
    n, places, width = stream.shape
    heads = 4
    scale = stream.dtype.type(m.how.get("scale", 1 / math.sqrt(width // heads)))
    x, normal, inverse = m.norm(stream, w, f"{name}.norm1")

    def split(a: Array) -> Array:
        return a.reshape(n, places, heads, -1).transpose(0, 2, 1, 3)

    def join(a: Array) -> Array:
        return a.transpose(0, 2, 1, 3).reshape(n, places, width)

    q, k, v = (split(m.dense(x, w, f"{name}.{part}")) for part in ("query", "key", "value"))
    scores = m.matmul(q, k.swapaxes(-1, -2), f"{name}.scores") * scale
    visible = np.tri(places, k=m.how.get("mask", 0), dtype=bool)
    scores = np.where(visible, scores, stream.dtype.type(-1e9))
    power = m.exp(scores - scores.max(axis=-1, keepdims=True))
    p = power / power.sum(axis=-1, keepdims=True)
    mixed = join(m.matmul(p, v, f"{name}.mix"))

    def back(d: Array) -> Array:
        d = split(m.dense_back(mixed, d, w, grads, f"{name}.out"))
        dp = m.matmul(d, v.swapaxes(-1, -2), f"{name}.mix dgrad")
        dv = m.matmul(p.swapaxes(-1, -2), d, f"{name}.mix dgrad")
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * scale
        dq = m.matmul(ds, k, f"{name}.scores dgrad")
        dk = m.matmul(ds.swapaxes(-1, -2), q, f"{name}.scores dgrad")
        parts = zip(("query", "key", "value"), (dq, dk, dv), strict=True)
        dx = sum(m.dense_back(x, join(part), w, grads, f"{name}.{which}") for which, part in parts)
        return m.norm_back((normal, inverse), np.asarray(dx), w, grads, f"{name}.norm1")

    return m.dense(mixed, w, f"{name}.out"), back


def _widen(m: Maths, w: Weights, grads: Weights, stream: Array, name: str) -> tuple[Array, Callable[[Array], Array]]:
    x, normal, inverse = m.norm(stream, w, f"{name}.norm2")
    a, slope = m.gelu(m.dense(x, w, f"{name}.up"))

    def back(d: Array) -> Array:
        d = m.dense_back(a, d, w, grads, f"{name}.down") * slope
        return m.norm_back((normal, inverse), m.dense_back(x, d, w, grads, f"{name}.up"), w, grads, f"{name}.norm2")

    return m.dense(a, w, f"{name}.down"), back


MODELS: dict[str, Callable[[Maths, Weights, Array, Array], Result]] = {
    "mlp": mlp,
    "cnn": cnn,
    "cnn-smooth": cnn_smooth,
    "lstm": lstm,
    "transformer": transformer,
}
