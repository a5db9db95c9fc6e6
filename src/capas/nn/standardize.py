"""Mean 0 and variance 1 over a batch, with a gradient that takes two sums and one pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .plain import is_plain


def standardize(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, Array, Array]:
    r"""$s\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + b$ of each channel; its $\mu$; its $\sigma^2$.

    s is the scale, b the bias. With the standardized signal $\hat x$, a gradient g and n values a channel, that of x is
    $\frac{s}{\sqrt{\sigma^2 + \epsilon}}\,(g - \frac{1}{n}\sum g - \hat x\,\frac{1}{n}\sum g \hat x)$. The two sums are
    also those of bias and scale, and only x is kept for it. Source: Ioffe and Szegedy (2015), section 3.
    """
    return (_plain if is_plain() else _lean)(x, scale, bias, epsilon)


def _plain(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, Array, Array]:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = jnp.square(x - mean).mean(axes)
    return by_statistics(x, mean, variance, scale, bias, epsilon), mean, variance


def by_statistics(x: Array, mean: Array, variance: Array, scale: Array, bias: Array, epsilon: float) -> Array:
    """The same with a mean and a variance that are given."""
    return (x - mean) * (lax.rsqrt(variance + epsilon) * scale) + bias


_lean: Any = jax.custom_jvp(_plain, nondiff_argnums=(3,))


def _tangent(epsilon: float, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Any, Any]:
    (x, scale, bias), (moved, _, _) = primals, tangents
    y, mean, variance = _lean(x, scale, bias, epsilon)
    moved_y = _of_output(x, mean, lax.rsqrt(variance + epsilon), scale, tangents)
    axes = tuple(range(x.ndim - 1))
    return (y, mean, variance), (moved_y, moved.mean(axes), 2 * ((x - mean) * moved).mean(axes))


_lean.defjvp(_tangent)


@partial(jax.checkpoint, prevent_cse=False)
def _of_output(x: Array, mean: Array, over: Array, scale: Array, tangents: tuple[Array, ...]) -> Array:
    """Written so that its transpose has the two sums in common; what stands here is computed anew on the way back."""
    moved, changed, shift = tangents
    axes, standard, moved = tuple(range(x.ndim - 1)), (x - mean) * over, moved * (scale * over)
    return moved + (-moved).mean(axes) + standard * (standard * -moved).mean(axes) + standard * changed + shift
