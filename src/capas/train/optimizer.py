"""The optimizer that is used where none is given."""

from __future__ import annotations

from typing import Any

import jax
import optax

from ..nn.layer import Layer, Shape, paths, walk


def depth(network: Layer, shape: Shape) -> int:
    """Number of layers with a kernel, copies counted."""
    rows = walk(network, shape)
    return sum(r.copies for r in rows if any(p.role == "kernel" for _, p in paths(r.layer.parameters(r.shape))))


def default_learning_rate(network: Layer, shape: Shape) -> float:
    """min(0.002, 0.05 / depth): the rate a plain network bears falls as one over its depth."""
    return min(2e-3, 0.05 / max(depth(network, shape), 1))


def default_optimizer(network: Layer, shape: Shape, steps: int, learning_rate: float | None) -> Any:
    """AdamW with gradients clipped at norm 1, a warm-up over a tenth of the steps and a cosine decay to zero.

    Kernels decay by 0.01 times the rate; biases and what normalization learns do not.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization".
    """
    peak = default_learning_rate(network, shape) if learning_rate is None else learning_rate
    schedule = optax.warmup_cosine_decay_schedule(0.0, peak, max(steps // 10, 1), max(steps, 2))
    decayed = jax.tree.map(lambda p: p.role == "kernel", network.parameters(shape))
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01, mask=decayed))
