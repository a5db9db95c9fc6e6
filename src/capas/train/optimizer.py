"""The optimizer that is used where none is given."""

from __future__ import annotations

from typing import Any

import jax
import optax

from ..model import Model
from ..nn.layer import Layer, Shape, paths, walk
from ..weights.operating import is_asymmetric
from ..weights.streams import Kernel, read_streams
from .updates import centre_updates, kernel_rate, scale_updates


def depth(network: Layer, shape: Shape) -> int:
    """Number of layers with a kernel, copies counted."""
    rows = walk(network, shape)
    return sum(r.copies for r in rows if any(p.role == "kernel" for _, p in paths(r.layer.parameters(r.shape))))


def default_learning_rate(network: Layer, shape: Shape) -> float:
    """min(0.002, 0.05 / depth): the rate a plain network bears falls as one over its depth."""
    return min(2e-3, 0.05 / max(depth(network, shape), 1))


def default_optimizer(model: Model, steps: int, learning_rate: float | None) -> Any:
    """AdamW made for any depth.

    Gradients clipped at norm 1; kernels decay by 0.01 times the rate, biases and what normalization learns do not;
    kernels behind activations that are not odd have centred updates, and those between two others a rate in proportion
    to their size; a warm-up over a tenth of the steps and a cosine decay to zero.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization"; see `centre_updates`, `kernel_rate`.
    """
    network, shape = model.network, model.input_shape
    peak = default_learning_rate(network, shape) if learning_rate is None else learning_rate
    schedule = optax.warmup_cosine_decay_schedule(0.0, peak, max(steps // 10, 1), max(steps, 2))
    decayed = jax.tree.map(lambda p: p.role == "kernel", network.parameters(shape))
    kernels = read_streams(network, shape)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(),
        centre_updates(_by_path(model.params, lambda path, _: path in kernels and is_asymmetric(kernels[path]))),
        scale_updates(_by_path(model.params, lambda path, array: _rate(kernels.get(path), array))),
        optax.add_decayed_weights(0.01, mask=decayed),
        optax.scale_by_learning_rate(schedule),
    )


def _by_path(params: Any, function: Any) -> Any:
    """A tree like the parameters of a function of paths and arrays."""
    name = lambda path: "/".join(step.key for step in path)  # noqa: E731
    return jax.tree_util.tree_map_with_path(lambda path, array: function(name(path), array), params)


def _rate(kernel: Kernel | None, array: jax.Array) -> float:
    """Of a kernel between two activations in proportion to its size; else 1."""
    if kernel is None or not kernel.reads.functions or (kernel.writes.root.ends and not kernel.repeats):
        return 1.0
    return kernel_rate(array, kernel.parameter.fan_in)
