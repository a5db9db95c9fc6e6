"""Activations of a description as functions of a number."""

from __future__ import annotations

import jax
from jaxtyping import Array

from ..nn import Activation, PReLU, Shaped, Swish


def plain(layer: Activation | PReLU | Swish | Shaped) -> Activation:
    """An activation that is learned or shaped as the function that it starts as."""
    match layer:
        case PReLU(start=slope):
            return Activation("leaky_relu", negative_slope=slope)
        case Swish(start=beta):
            return Activation(_swish, beta=beta)
        case Shaped(activation, alpha, beta, gamma, delta):
            inner = plain(activation)  # type: ignore[arg-type]
            return Activation(_shaped, inner=inner, alpha=alpha, beta=beta, gamma=gamma, delta=delta)
    return layer


def _shaped(x: Array, inner: Activation, alpha: float, beta: float, gamma: float, delta: float) -> Array:
    return gamma * (inner(alpha * x + beta) + delta)


def _swish(x: Array, beta: float) -> Array:
    return x * jax.nn.sigmoid(beta * x)
