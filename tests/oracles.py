"""What every layer computes, written a second time: float64 NumPy, plain loops, nothing from capas or JAX.

An oracle is called with the layer's arrays (parameters and state in one tree) and a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = dict[str, Any]
Oracle = Callable[[Arrays, Array], Array]
Pairs = Sequence[tuple[int, int]]


def identity(p: Arrays, x: Array) -> Array:
    return x


def elementwise(function: Callable[[Array], Array]) -> Oracle:
    return lambda p, x: function(x)


def dense(p: Arrays, x: Array) -> Array:
    return np.einsum("...i,io->...o", x, p["weight"]) + p.get("bias", 0)


def prelu(p: Arrays, x: Array) -> Array:
    return np.maximum(x, 0) + p["slope"] * np.minimum(x, 0)


def swish(p: Arrays, x: Array) -> Array:
    return x / (1 + np.exp(-p["beta"] * x))


def shaped(activation: Oracle, alpha: float, beta: float, gamma: float, delta: float) -> Oracle:
    return lambda p, x: gamma * activation(p, alpha * x + beta) + gamma * delta


def softmax(p: Arrays, x: Array) -> Array:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def log_softmax(p: Arrays, x: Array) -> Array:
    return np.log(softmax(p, x))


def embedding(p: Arrays, x: Array) -> Array:
    return np.array([p["weight"][i] for i in x.reshape(-1)]).reshape(*x.shape, -1)


def reshape(*shape: int) -> Oracle:
    return lambda p, x: np.array([example.reshape(shape) for example in x])


def _taps(
    sizes: Sequence[int], window: Sequence[int], stride: Sequence[int], dilation: Sequence[int], pads: Pairs
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """(output position, tap, input position) of every tap of every window position; some lie outside the signal."""
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    outputs = [(n + lo + hi - r) // s + 1 for n, r, s, (lo, hi) in zip(sizes, spans, stride, pads, strict=True)]
    for q in product(*map(range, outputs)):
        for t in product(*map(range, window)):
            yield (
                q,
                t,
                tuple(a * s + b * d - lo for a, s, b, d, (lo, _) in zip(q, stride, t, dilation, pads, strict=True)),
            )


def _inside(position: Sequence[int], sizes: Sequence[int]) -> bool:
    return all(0 <= a < n for a, n in zip(position, sizes, strict=True))


def conv(
    pads: Pairs, stride: Sequence[int] = (), dilation: Sequence[int] = (), groups: int = 1, wrap: bool = False
) -> Oracle:
    ones = (1,) * len(pads)

    def oracle(p: Arrays, x: Array) -> Array:
        w, sizes = p["weight"], x.shape[1:-1]
        *window, inputs, features = w.shape
        outputs = features // groups
        found: dict[tuple[int, ...], Array] = {}
        for q, t, a in _taps(sizes, window, stride or ones, dilation or ones, pads):
            y = found.setdefault(q, np.zeros((len(x), features)) + p.get("bias", 0))
            at = tuple(np.mod(a, sizes)) if wrap else a
            if not _inside(at, sizes):
                continue
            for g in range(groups):
                out = slice(g * outputs, (g + 1) * outputs)
                y[:, out] += x[(slice(None), *at)][:, g * inputs : (g + 1) * inputs] @ w[t][:, out]
        return _grid(found)

    return oracle


def conv_transpose(crop: Pairs, stride: Sequence[int] = (), dilation: Sequence[int] = ()) -> Oracle:
    """Every input position adds its window to the output: y[p stride + t dilation - low] += x[p] w[t]."""
    ones = (1,) * len(crop)

    def oracle(p: Arrays, x: Array) -> Array:
        w, sizes = p["weight"], x.shape[1:-1]
        *window, _, features = w.shape
        s, d = stride or ones, dilation or ones
        full = [(n - 1) * a + (k - 1) * b + 1 for n, a, k, b in zip(sizes, s, window, d, strict=True)]
        shape = [n - lo - hi for n, (lo, hi) in zip(full, crop, strict=True)]
        y = np.zeros((len(x), *shape, features)) + p.get("bias", 0)
        for a in product(*map(range, sizes)):
            for t in product(*map(range, window)):
                q = tuple(i * u + j * v - lo for i, u, j, v, (lo, _) in zip(a, s, t, d, crop, strict=True))
                if _inside(q, shape):
                    y[(slice(None), *q)] += x[(slice(None), *a)] @ w[t]
        return y

    return oracle


def pool(reduce: Callable[..., Array], window: Sequence[int], stride: Sequence[int], pads: Pairs) -> Oracle:
    def oracle(p: Arrays, x: Array) -> Array:
        sizes, ones = x.shape[1:-1], (1,) * len(window)
        found: dict[tuple[int, ...], list[Array]] = {}
        for q, _, a in _taps(sizes, window, stride, ones, pads):
            if _inside(a, sizes):
                found.setdefault(q, []).append(x[(slice(None), *a)])
        return _grid({q: reduce(values, axis=0) for q, values in found.items()})

    return oracle


def _grid(found: dict[tuple[int, ...], Array]) -> Array:
    """One array (batch, *positions, channels) out of one (batch, channels) per position."""
    sizes = [max(axis) + 1 for axis in zip(*found, strict=True)]
    stacked = np.array([found[q] for q in product(*map(range, sizes))])
    return np.moveaxis(stacked, 0, 1).reshape(stacked.shape[1], *sizes, -1)


def global_pool(reduce: Callable[..., Array]) -> Oracle:
    return lambda p, x: reduce(x.reshape(len(x), -1, x.shape[-1]), axis=1)


def _standard(values: Array, epsilon: float) -> Array:
    return (values - values.mean()) / np.sqrt(values.var() + epsilon)


def _affine(p: Arrays, x: Array) -> Array:
    return x * p.get("scale", 1) + p.get("bias", 0)


def batch_norm(epsilon: float = 1e-5) -> Oracle:
    return lambda p, x: _affine(p, (x - p["mean"]) / np.sqrt(p["variance"] + epsilon))


def layer_norm(epsilon: float = 1e-5) -> Oracle:
    return lambda p, x: _affine(p, np.apply_along_axis(_standard, -1, x, epsilon))


def rms_norm(epsilon: float = 1e-6) -> Oracle:
    return lambda p, x: _affine(p, np.apply_along_axis(lambda v: v / np.sqrt((v @ v) / len(v) + epsilon), -1, x))


def group_norm(groups: int, epsilon: float = 1e-5) -> Oracle:
    def oracle(p: Arrays, x: Array) -> Array:
        y, size = np.empty_like(x), x.shape[-1] // groups
        for b in range(len(x)):
            for g in range(groups):
                block = (b, ..., slice(g * size, (g + 1) * size))
                y[block] = _standard(x[block], epsilon)
        return _affine(p, y)

    return oracle


def instance_norm(channels: int, epsilon: float = 1e-5) -> Oracle:
    return group_norm(channels, epsilon)


def weight_standardized(inner: Oracle, epsilon: float = 1e-8) -> Oracle:
    def oracle(p: Arrays, x: Array) -> Array:
        w = np.empty_like(p["weight"])
        for o in range(w.shape[-1]):
            fan_in = w[..., o].size
            w[..., o] = p["gain"][o] * _standard(p["weight"][..., o], epsilon) / np.sqrt(fan_in)
        return inner({**p, "weight": w}, x)

    return oracle


def chain(*steps: Oracle, **named: Oracle) -> Oracle:
    def oracle(p: Arrays, x: Array) -> Array:
        for name, step in named.items() or enumerate(steps):
            x = step(p.get(str(name), {}), x)
        return x

    return oracle


def residual(block: Oracle, shortcut: Oracle = identity, scale: float = 1.0) -> Oracle:
    return lambda p, x: shortcut(p.get("shortcut", {}), x) + scale * block(p.get("block", {}), x)


def parallel(combine: Callable[[list[Array]], Array], *branches: Oracle) -> Oracle:
    return lambda p, x: combine([branch(p.get(str(i), {}), x) for i, branch in enumerate(branches)])


def repeat(block: Oracle, copies: int) -> Oracle:
    def one(p: Arrays, i: int) -> Arrays:
        return {name: one(value, i) if isinstance(value, dict) else value[i] for name, value in p.items()}

    def oracle(p: Arrays, x: Array) -> Array:
        for i in range(copies):
            x = block(one(p, i).get("block", {}), x)
        return x

    return oracle
