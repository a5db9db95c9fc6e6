"""Padding arithmetic of everything that slides a window: convolutions and pooling."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array

from ..errors import ArgumentError, ShapeError
from . import require
from .layer import Layer
from .parameter import Shape

PerAxis = int | tuple[int, ...]
Padding = str | tuple[tuple[int, int], ...]
Pads = tuple[tuple[int, int], ...]


def require_window(layer: Layer, window: object) -> None:
    """Refuse anything but a tuple of positive sizes: its length is the rank."""
    if not isinstance(window, tuple) or not 1 <= len(window) <= 3:
        raise ArgumentError(
            type(layer).__name__,
            expected="window to be a tuple of 1, 2 or 3 sizes, one per axis",
            got=repr(window),
            remedy="Write (3,) for sequences, (3, 3) for images, (3, 3, 3) for volumes.",
        )
    require.positive(layer, **{f"window[{i}]": size for i, size in enumerate(window)})


def per_axis(layer: Layer, name: str, value: PerAxis, rank: int) -> Shape:
    """One positive number per axis; a single one stands for all."""
    values = (value,) * rank if isinstance(value, int) else value
    if not isinstance(values, tuple) or len(values) != rank:
        raise ArgumentError(
            type(layer).__name__,
            expected=f"{name} to be a number or {rank} of them",
            got=repr(value),
            remedy="Give one per axis of the window.",
        )
    for step in values:
        require.positive(layer, **{name: step})
    return values


def require_padding(layer: Layer, padding: object, rank: int, words: Sequence[str]) -> None:
    """Refuse anything but one of `words` or a (low, high) pair per axis."""
    if isinstance(padding, str) and padding in words:
        return
    pairs = isinstance(padding, tuple) and len(padding) == rank and all(isinstance(p, tuple) for p in padding)
    if pairs and all(len(p) == 2 and all(isinstance(n, int) and n >= 0 for n in p) for p in padding):  # type: ignore[attr-defined]
        return
    raise ArgumentError(
        type(layer).__name__,
        expected=f"padding to be {', '.join(map(repr, words))} or a (low, high) pair of numbers >= 0 per axis",
        got=repr(padding),
        remedy=f"For example padding={((1, 1),) * rank}.",
    )


def reach(window: Shape, dilation: Shape) -> Shape:
    """Positions from the first tap to the last one, both included."""
    return tuple((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))


def pads(padding: Padding, sizes: Shape, span: Shape, stride: Shape) -> Pads:
    """Positions to add below and above on each axis.

    "same" and "circular" give ceil(size / stride) outputs; what does not split evenly goes above.
    """
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(sizes, span, stride, strict=True)]
    return tuple((t // 2, t - t // 2) for t in totals)


def output_sizes(layer: Layer, padding: Padding, sizes: Shape, span: Shape, stride: Shape) -> Shape:
    """Number of window positions on each axis, of which there must be at least one."""
    low_high = pads(padding, sizes, span, stride)
    found = tuple((n + lo + hi - r) // s + 1 for n, (lo, hi), r, s in zip(sizes, low_high, span, stride, strict=True))
    if all(n >= 1 for n in found):
        return found
    raise ShapeError(
        type(layer).__name__,
        expected=f"positions of at least {span}, the reach of its window",
        got=f"{sizes} with padding {padding!r}",
        remedy='Use padding="same", a smaller window, or fewer layers that shrink the signal before it.',
    )


def pad_positions(x: Array, low_high: Pads, **how: object) -> Array:
    """Pad the axes between batch and channels."""
    return jnp.pad(x, ((0, 0), *low_high, (0, 0)), **how)  # type: ignore[arg-type]
