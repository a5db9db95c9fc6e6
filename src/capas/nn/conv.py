"""Convolution and transposed convolution in one, two and three dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ShapeError
from . import require
from .convolve import Geometry, convolve
from .layer import Layer
from .parameter import Parameter, Shape, Tree
from .product import shifted
from .window import (
    Padding,
    PerAxis,
    output_sizes,
    pad_positions,
    pads,
    per_axis,
    reach,
    require_padding,
    require_window,
)


def _declare(layer: Conv | ConvTranspose, inputs: int, groups: int, shrink: int, grow: int) -> Tree:
    """Weight and bias; a stride thins out what one input reaches (`shrink`), or what one output sums (`grow`)."""
    taps = math.prod(layer.window) / groups
    weight = Parameter(
        (*layer.window, inputs // groups, layer.features),
        "kernel",
        fan_in=taps * inputs / grow,
        fan_out=taps * layer.features / shrink,
        groups=groups,
    )
    return {"weight": weight, "bias": Parameter((layer.features,), "bias")} if layer.bias else {"weight": weight}


def _steps(layer: Conv | ConvTranspose) -> tuple[Shape, Shape]:
    rank = len(layer.window)
    return per_axis(layer, "stride", layer.stride, rank), per_axis(layer, "dilation", layer.dilation, rank)


@final
@dataclass(frozen=True, repr=False)
class Conv(Layer):
    r"""Convolution (as in every deep-learning library, a cross-correlation), channels last.

    $y[p, o] = \mathrm{bias}[o] + \sum_{t, c} w[t, c, o]\; x[p \cdot \mathrm{stride} + t \cdot \mathrm{dilation} -
    \mathrm{low}, c]$ over the taps $t$ of the window and the channels $c$ of the output's group.

    Args:
        features: number of output channels.
        window: one size per axis; its length, 1 to 3, is the rank.
        stride: step between outputs, one number or one per axis.
        dilation: step between taps, one number or one per axis.
        groups: blocks of channels that do not see each other; as many as input channels makes it depthwise.
        padding: "same" (zeros, ceil(size / stride) outputs), "circular" (the signal continued around the edge),
            "valid" (none), or a (low, high) pair per axis, filled with zeros.
        bias: whether to add one per channel.

    Parameters are `weight` of shape `(*window, inputs / groups, features)` and `bias` of shape `(features,)`.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> nn.Conv(32, (3, 3), stride=2).output_shape((28, 28, 1))
        (14, 14, 32)
        >>> depthwise = nn.Conv(8, (5,), groups=8, padding="circular")
        >>> params, _ = depthwise.init(jax.random.key(0), (100, 8))
        >>> params["weight"].shape
        (5, 1, 8)
    """

    features: int
    window: Shape
    stride: PerAxis = 1
    dilation: PerAxis = 1
    groups: int = 1
    padding: Padding = "same"
    bias: bool = True

    def __post_init__(self) -> None:
        require.positive(self, features=self.features, groups=self.groups)
        require.switches(self, bias=self.bias)
        require_window(self, self.window)
        require_padding(self, self.padding, len(self.window), ("same", "circular", "valid"))
        require.divides(self, self.groups, self.features, "output channels")
        _steps(self)

    def output_shape(self, shape: Shape) -> Shape:
        sizes = require.positions(self, shape, len(self.window))
        stride, dilation = _steps(self)
        require.divides(self, self.groups, shape[-1], "input channels")
        return (*output_sizes(self, self.padding, sizes, reach(self.window, dilation), stride), self.features)

    def parameters(self, shape: Shape) -> Tree:
        return _declare(self, shape[-1], self.groups, shrink=math.prod(_steps(self)[0]), grow=1)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        weight, rank = params["weight"], len(self.window)
        require.matches(self, x, weight.shape[-2] * self.groups, rank + 2)
        self.output_shape(x.shape[1:])
        stride, dilation = _steps(self)
        low_high = pads(self.padding, x.shape[1:-1], reach(self.window, dilation), stride)
        if self.padding == "circular":
            x, low_high = pad_positions(x, low_high, mode="wrap"), ((0, 0),) * rank
        y = convolve(x, weight, Geometry(stride, low_high, (1,) * rank, dilation, self.groups))
        return (shifted(y, params["bias"]) if self.bias else y), state


@final
@dataclass(frozen=True, repr=False)
class ConvTranspose(Layer):
    r"""Transposed convolution: the adjoint of the `Conv` with the same window, stride, dilation and padding.

    $y[q, o] = \mathrm{bias}[o] + \sum_{p, t, c} w[t, c, o]\; x[p, c]\;
    [q = p \cdot \mathrm{stride} + t \cdot \mathrm{dilation} - \mathrm{low}]$.

    Args:
        features: number of output channels.
        window: one size per axis; its length, 1 to 3, is the rank.
        stride: factor by which the signal grows, one number or one per axis.
        dilation: step between taps, one number or one per axis.
        padding: "same" (size * stride outputs), "valid" ((size - 1) * stride + reach outputs), or a (low, high) pair
            per axis of outputs to cut off.
        bias: whether to add one per channel.

    Parameters are `weight` of shape `(*window, inputs, features)` and `bias` of shape `(features,)`.

    Example:
        >>> from capas import nn
        >>> nn.ConvTranspose(16, (4, 4), stride=2).output_shape((7, 7, 32))
        (14, 14, 16)
    """

    features: int
    window: Shape
    stride: PerAxis = 1
    dilation: PerAxis = 1
    padding: Padding = "same"
    bias: bool = True

    def __post_init__(self) -> None:
        require.positive(self, features=self.features)
        require.switches(self, bias=self.bias)
        require_window(self, self.window)
        require_padding(self, self.padding, len(self.window), ("same", "valid"))
        _steps(self)

    def _crop(self, stride: Shape, span: Shape) -> tuple[tuple[int, int], ...]:
        """Outputs to cut off below and above; negative where zeros are added instead."""
        if not isinstance(self.padding, str):
            return self.padding
        totals = [r - s if self.padding == "same" else 0 for r, s in zip(span, stride, strict=True)]
        return tuple((max(t, 0) // 2, t - max(t, 0) // 2) for t in totals)

    def output_shape(self, shape: Shape) -> Shape:
        sizes = require.positions(self, shape, len(self.window))
        stride, dilation = _steps(self)
        span = reach(self.window, dilation)
        crop = self._crop(stride, span)
        full = tuple((n - 1) * s + r for n, s, r in zip(sizes, stride, span, strict=True))
        left = tuple(n - lo - hi for n, (lo, hi) in zip(full, crop, strict=True))
        if all(n >= 1 for n in left):
            return (*left, self.features)
        raise ShapeError(
            "ConvTranspose",
            expected=f"padding that leaves some of its {full} positions",
            got=repr(self.padding),
            remedy="Cut off less, or give it a longer signal.",
        )

    def parameters(self, shape: Shape) -> Tree:
        return _declare(self, shape[-1], 1, shrink=1, grow=math.prod(_steps(self)[0]))

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        weight, rank = params["weight"], len(self.window)
        require.matches(self, x, weight.shape[-2], rank + 2)
        self.output_shape(x.shape[1:])
        stride, dilation = _steps(self)
        span = reach(self.window, dilation)
        low_high = tuple((r - 1 - lo, r - 1 - hi) for r, (lo, hi) in zip(span, self._crop(stride, span), strict=True))
        y = convolve(x, jnp.flip(weight, range(rank)), Geometry((1,) * rank, low_high, stride, dilation))
        return (shifted(y, params["bias"]) if self.bias else y), state
