"""Layers over sequences: embedding, LSTM, causal self-attention; as in `layers`."""

from __future__ import annotations

import math

import numpy as np

from envkit.smoke.reference.layers import Array, Arrays, Back, Layer, dense


def embedding(weights: Arrays, gradients: Arrays, name: str) -> Layer:
    """A row for each token plus one for its place; a row that is used twice gets both gradients."""
    tokens, places = weights[f"{name}.tokens"], weights[f"{name}.places"]

    def forward(x: Array) -> tuple[Array, Back]:
        rows = x.astype(int)

        def back(dy: Array) -> Array:
            gradients[f"{name}.tokens"] = np.zeros_like(tokens)
            np.add.at(gradients[f"{name}.tokens"], rows, dy)
            gradients[f"{name}.places"] = dy.sum(0)

        return tokens[rows] + places, back

    return forward


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm(weights: Arrays, gradients: Arrays, name: str) -> Layer:
    """At each step c = f c' + i g and h = o tanh c, from gates (i, f, o: sigmoid, g: tanh) of x K + h' R + b.

    x is (batch, step, feature), the output h at every step. Backpropagation through time, with the forget gate of
    Gers, Schmidhuber, Cummins (2000), Learning to forget.
    """
    kernel, recurrent, bias = (weights[f"{name}.{part}"] for part in ("kernel", "recurrent", "bias"))

    def forward(x: Array) -> tuple[Array, Back]:
        h = c = np.zeros((len(x), len(recurrent)))
        steps, outputs = [], []
        for t in range(x.shape[1]):
            i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            steps.append((h, c, i, f, g, o))
            c = f * c + i * g
            h = o * np.tanh(c)
            outputs.append(h)

        def back(dy: Array) -> Array:
            dkernel, drecurrent, dbias = np.zeros_like(kernel), np.zeros_like(recurrent), np.zeros_like(bias)
            dx = np.empty_like(x)
            dh = dc = np.zeros_like(h)
            for t in reversed(range(x.shape[1])):
                before, c, i, f, g, o = steps[t]
                squashed = np.tanh(f * c + i * g)
                dh = dh + dy[:, t]
                dc = dc + dh * o * (1 - squashed**2)
                di, df, dg, do = (
                    dc * g * i * (1 - i),
                    dc * c * f * (1 - f),
                    dc * i * (1 - g**2),
                    dh * squashed * o * (1 - o),
                )
                dz = np.concatenate([di, df, dg, do], axis=1)
                dkernel += x[:, t].T @ dz
                drecurrent += before.T @ dz
                dbias += dz.sum(0)
                dx[:, t], dh, dc = dz @ kernel.T, dz @ recurrent.T, dc * f
            gradients.update({f"{name}.kernel": dkernel, f"{name}.recurrent": drecurrent, f"{name}.bias": dbias})
            return dx

        return np.stack(outputs, axis=1), back

    return forward


def attention(weights: Arrays, gradients: Arrays, name: str, heads: int) -> Layer:
    """Causal self-attention: P = softmax(q k^T / sqrt(d)) over this and earlier places, y = (P v) W + b.

    dS = P (dP - sum of P dP) is the gradient by the scores. Source: Vaswani et al. (2017), Attention is all you need.
    """

    def split(x: Array) -> Array:  # (batch, place, width) to (batch, head, place, width of a head)
        return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    def join(x: Array) -> Array:
        return x.transpose(0, 2, 1, 3).reshape(len(x), x.shape[2], -1)

    def forward(x: Array) -> tuple[Array, Back]:
        parts = [dense(weights, gradients, f"{name}.{part}")(x) for part in ("query", "key", "value")]
        (query, query_back), (key, key_back), (value, value_back) = [(split(part), back) for part, back in parts]
        root = math.sqrt(query.shape[-1])
        later = np.triu(np.ones((x.shape[1], x.shape[1]), bool), 1)
        scores = np.where(later, -np.inf, query @ key.swapaxes(2, 3) / root)
        exponentials = np.exp(scores - scores.max(-1, keepdims=True))
        share = exponentials / exponentials.sum(-1, keepdims=True)
        y, out_back = dense(weights, gradients, f"{name}.out")(join(share @ value))

        def back(dy: Array) -> Array:
            dmixed = split(out_back(dy))
            dshare = dmixed @ value.swapaxes(2, 3)
            dscores = share * (dshare - (share * dshare).sum(-1, keepdims=True)) / root
            dquery, dkey, dvalue = dscores @ key, dscores.swapaxes(2, 3) @ query, share.swapaxes(2, 3) @ dmixed
            return query_back(join(dquery)) + key_back(join(dkey)) + value_back(join(dvalue))

        return y, back

    return forward
