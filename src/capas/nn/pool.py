"""Pooling: a window, or all positions, reduced to one value per channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from . import require
from .layer import Layer
from .parameter import Shape, Tree
from .plain import is_plain
from .window import Padding, PerAxis, output_sizes, pad_positions, pads, per_axis, require_padding, require_window


def _check(layer: MaxPool | AvgPool) -> None:
    require_window(layer, layer.window)
    require_padding(layer, layer.padding, len(layer.window), ("same", "valid"))
    _stride(layer)
    if isinstance(layer.padding, tuple) and any(max(p) >= w for p, w in zip(layer.padding, layer.window, strict=True)):
        raise ArgumentError(
            type(layer).__name__,
            expected=f"padding narrower than the window {layer.window}",
            got=repr(layer.padding),
            remedy="Pad less: a window of nothing but padding has no maximum and no mean.",
        )


def _stride(layer: MaxPool | AvgPool) -> Shape:
    stride = layer.window if layer.stride is None else layer.stride
    return per_axis(layer, "stride", stride, len(layer.window))


def _pooled_shape(layer: MaxPool | AvgPool, shape: Shape) -> Shape:
    sizes = require.positions(layer, shape, len(layer.window))
    return (*output_sizes(layer, layer.padding, sizes, layer.window, _stride(layer)), shape[-1])


def _reduce(
    layer: MaxPool | AvgPool, x: Array, fill: float, over_axes: Callable[..., Array], over_windows: Callable[..., Array]
) -> Array:
    """Reduce each window.

    Where windows tile the positions, XLA's CPU backend differentiates a reshape fast: the gradient of a sliding maximum
    is twice as slow. But of a convolution and all that is behind it XLA makes one program, as long as windows slide.
    """
    require.matches(layer, x, x.shape[-1], len(layer.window) + 2)
    *sizes, _ = _pooled_shape(layer, x.shape[1:])
    stride = _stride(layer)
    x = pad_positions(x, pads(layer.padding, x.shape[1:-1], layer.window, stride), constant_values=fill)

    def slide(x: Array) -> Array:
        return over_windows(x, fill, (1, *layer.window, 1), (1, *stride, 1))

    def tile(x: Array) -> Array:
        tiled = x[(slice(None), *(slice(n * w) for n, w in zip(sizes, stride, strict=True)))]
        split = tiled.reshape(len(x), *(n for pair in zip(sizes, stride, strict=True) for n in pair), x.shape[-1])
        return over_axes(split, axis=tuple(range(2, 2 * len(sizes) + 1, 2)))

    if stride != layer.window:
        return slide(x)
    return tile(x) if is_plain() else _differentiated_as(tile, slide)(x)


def _differentiated_as(other: Callable[[Array], Array], function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function, with the derivative of another that computes the same."""
    joined = jax.custom_jvp(function)
    joined.defjvp(partial(jax.jvp, other))
    return joined


# The fill is a NumPy constant: of a tracer, which jnp.array gives inside jit, JAX cannot see that it is the neutral
# element, and what it does not know as a maximum or a sum it does not differentiate.
def _slide_max(x: Array, fill: float, window: Shape, stride: Shape) -> Array:
    return lax.reduce_window(x, np.array(fill, x.dtype), lax.max, window, stride, "VALID")


def _slide_sum(x: Array, fill: float, window: Shape, stride: Shape) -> Array:
    return lax.reduce_window(x, np.array(fill, x.dtype), lax.add, window, stride, "VALID")


@final
@dataclass(frozen=True, repr=False)
class MaxPool(Layer):
    r"""Maximum over each window, per channel: $y[p, c] = \max_t x[p \cdot \mathrm{stride} + t, c]$.

    Padding never wins. Where several entries of a window share the maximum, the gradient is divided equally among
    them if windows tile the positions (stride = window), and goes to the first one otherwise.

    Args:
        window: one size per axis; its length is the rank.
        stride: step between windows, one number or one per axis; the window itself by default.
        padding: "valid", "same", or a (low, high) pair per axis, narrower than the window.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import nn
        >>> y, _ = nn.MaxPool((2,)).apply({}, {}, jnp.array([[[1.0], [3.0], [2.0], [0.0]]]))
        >>> y[0, :, 0].tolist()
        [3.0, 2.0]
    """

    window: Shape
    stride: PerAxis | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        _check(self)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled_shape(self, shape)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return _reduce(self, x, -math.inf, jnp.max, _slide_max), state


@final
@dataclass(frozen=True, repr=False)
class AvgPool(Layer):
    r"""Mean over each window, per channel; padding is not counted.

    $y[p, c] = \frac{1}{n_p} \sum_t x[p \cdot \mathrm{stride} + t, c]$ with $n_p$ the window's taps inside the signal.

    Args:
        window: one size per axis; its length is the rank.
        stride: step between windows, one number or one per axis; the window itself by default.
        padding: "valid", "same", or a (low, high) pair per axis, narrower than the window.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import nn
        >>> y, _ = nn.AvgPool((2,), padding="same").apply({}, {}, jnp.array([[[1.0], [3.0], [2.0]]]))
        >>> y[0, :, 0].tolist()
        [2.0, 2.0]
    """

    window: Shape
    stride: PerAxis | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        _check(self)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled_shape(self, shape)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        inside = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
        total, count = (_reduce(self, a, 0.0, jnp.sum, _slide_sum) for a in (x, inside))
        return total / count, state


@final
@dataclass(frozen=True, repr=False)
class GlobalMaxPool(Layer):
    """Maximum over all positions: `(batch, *positions, channels)` to `(batch, channels)`. Ties share the gradient.

    Example:
        >>> from capas import nn
        >>> nn.GlobalMaxPool().output_shape((7, 7, 64))
        (64,)
    """

    def output_shape(self, shape: Shape) -> Shape:
        require.positions(self, shape)
        return shape[-1:]

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        self.output_shape(x.shape[1:])
        return jnp.max(x, axis=tuple(range(1, x.ndim - 1))), state


@final
@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """Mean over all positions: `(batch, *positions, channels)` to `(batch, channels)`.

    Example:
        >>> from capas import nn
        >>> nn.GlobalAvgPool().output_shape((7, 7, 64))
        (64,)
    """

    def output_shape(self, shape: Shape) -> Shape:
        require.positions(self, shape)
        return shape[-1:]

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        self.output_shape(x.shape[1:])
        return jnp.mean(x, axis=tuple(range(1, x.ndim - 1))), state
