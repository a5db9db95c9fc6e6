"""The activations that have a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..errors import ArgumentError

Function = Callable[..., Any]


def gelu_exact(x: Array) -> Array:
    """GELU by the error function, z Phi(z): the default of PyTorch and Keras; `gelu` is JAX's tanh form."""
    return jax.nn.gelu(x, approximate=False)


def quick_gelu(x: Array) -> Array:
    """GELU by a sigmoid, z sigmoid(1.702 z). Source: Hendrycks and Gimpel (2016)."""
    return x * jax.nn.sigmoid(1.702 * x)


def lecun_tanh(x: Array) -> Array:
    """1.7159 tanh(2z/3), about ±1 at ±1. Source: LeCun et al. (1998), "Efficient BackProp", section 4.4."""
    return 1.7159 * jnp.tanh(2 * x / 3)


def relu_squared(x: Array) -> Array:
    """max(z, 0)². Source: So et al. (2021), "Primer"."""
    return jnp.square(jax.nn.relu(x))


def tanh_shrink(x: Array) -> Array:
    """z - tanh z."""
    return x - jnp.tanh(x)


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """z moved towards 0 by the threshold, and 0 within it."""
    return jnp.sign(x) * jax.nn.relu(jnp.abs(x) - threshold)


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """z, and 0 where |z| is within the threshold."""
    return jnp.where(jnp.abs(x) > threshold, x, 0)


activations: dict[str, Function] = {
    "identity": jax.nn.identity,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "relu_squared": relu_squared,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "gelu": jax.nn.gelu,
    "gelu_exact": gelu_exact,
    "quick_gelu": quick_gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "squareplus": jax.nn.squareplus,
    "sparse_plus": jax.nn.sparse_plus,
    "sigmoid": jax.nn.sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "sparse_sigmoid": jax.nn.sparse_sigmoid,
    "hard_silu": jax.nn.hard_silu,
    "tanh": jnp.tanh,
    "lecun_tanh": lecun_tanh,
    "hard_tanh": jax.nn.hard_tanh,
    "tanh_shrink": tanh_shrink,
    "soft_sign": jax.nn.soft_sign,
    "soft_shrink": soft_shrink,
    "hard_shrink": hard_shrink,
    "erf": jax.scipy.special.erf,
    "arctan": jnp.arctan,
    "sin": jnp.sin,
    "abs": jnp.abs,
    "exp": jnp.exp,
}
"""The activations that have a name in JSON, on the command line, and as strings inside a chain."""

_aliases = {"swish": "silu", "hard_swish": "hard_silu", "softsign": "soft_sign", "linear": "identity"}
_same = {jax.nn.swish: "silu", jax.nn.hard_swish: "hard_silu", jax.nn.tanh: "tanh"}


def is_named(name: str) -> bool:
    """Whether a string names an activation."""
    return _aliases.get(name, name) in activations


def named(name: str) -> Function:
    """The function of a name; raises `ArgumentError` for others."""
    known = _aliases.get(name, name)
    if known in activations:
        return activations[known]
    raise ArgumentError(
        "Activation",
        expected=f"one of {', '.join(sorted(activations))}",
        got=repr(name),
        remedy="For a softmax write nn.Softmax(); losses from logits want none."
        if name == "softmax"
        else "Pass the function itself, or give it a name first: nn.activations['mine'] = function.",
    )


def known_name(function: Function) -> str | None:
    """The name of a function; None if it has none."""
    for name, known in activations.items():
        if known is function:
            return name
    return _same.get(function)
