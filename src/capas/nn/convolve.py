"""The convolution of arrays, with gradients that are as fast inside a loop as outside."""

from __future__ import annotations

import math
from functools import partial, reduce
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from .parameter import Shape
from .plain import is_plain
from .product import wide
from .window import Pads

PATCHES = 5_000_000
"""Bytes of signal under all places of a window that the cache holds while a kernel's gradient is summed."""

MAX_ROWS = 32
"""Places of a window times channels of which the signal under the window is laid out for one product."""

_later = partial(jax.checkpoint, static_argnums=(2,), prevent_cse=False)
"""What is made of the signal alone is made on the way back, not kept from the way forward."""


class Geometry(NamedTuple):
    """How a window moves over the positions.

    Attributes:
        stride: positions between outputs.
        padding: zeros below and above; fewer than none cut off.
        growth: positions between inputs: zeros are put in between.
        dilation: positions between taps.
        groups: of channels.
    """

    stride: Shape
    padding: Pads
    growth: Shape
    dilation: Shape
    groups: int = 1

    def __call__(self, x: Array, kernel: Array, signal: str, taps: str, output: str) -> Array:
        """The convolution of arrays whose axes have these names."""
        return lax.conv_general_dilated(
            x,
            kernel,
            self.stride,
            self.padding,
            lhs_dilation=self.growth,
            rhs_dilation=self.dilation,
            feature_group_count=self.groups,
            dimension_numbers=(signal, taps, output),
        )


def convolve(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The convolution of `x`, examples first and channels last, with a kernel `(*window, inputs / groups, outputs)`.

    XLA:CPU has a fast convolution for one order of the axes. It brings others into that order, but not inside a loop,
    where both gradients are then 25 times slower. So they are brought into it here. Half precision is computed in
    float32: its convolutions are slower on CPUs and, where oneDNN makes them, wrong for some strides and windows.
    """
    if jax.default_backend() != "cpu" or is_plain():
        return _along(x, kernel, geometry)
    y: Array = _ordered(wide(x), wide(kernel), geometry)
    return y.astype(x.dtype)


def _along(x: Array, kernel: Array, geometry: Geometry) -> Array:
    places = _places(kernel)
    return geometry(x, kernel, f"N{places}C", f"{places}IO", f"N{places}C")


_ordered: Any = jax.custom_jvp(_along, nondiff_argnums=(2,))


@partial(_ordered.defjvp, symbolic_zeros=True)
def _tangent(geometry: Geometry, primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Any]:
    (x, kernel), (moved, changed) = primals, tangents
    parts: list[Array] = []
    if not isinstance(moved, SymbolicZero):
        parts.append(_of_signal(moved, kernel, geometry))
    if not isinstance(changed, SymbolicZero):
        parts.append(_of_kernel(x, changed, geometry))
    return _along(x, kernel, geometry), reduce(jnp.add, parts)


def _of_signal(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same, written so that the transpose in `x` has its axes in the fast order and a kernel that is not reversed.

    The transpose reverses it once more. oneDNN takes no kernel that XLA is to reverse on the way.
    """
    places, windows = _places(kernel), range(kernel.ndim - 2)
    turned = lax.optimization_barrier(jnp.flip(jnp.swapaxes(kernel, -1, -2), windows))
    return geometry(lax.optimization_barrier(x), jnp.flip(turned, windows), f"N{places}C", f"{places}OI", f"N{places}C")


def _of_kernel(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same, written so that the transpose in `kernel` is fast.

    It adds up the gradients of a few examples at a time. Where the window has one place, or the signal few channels, it
    is a matrix product.
    """
    padding = {n for pair in geometry.padding for n in pair}
    if math.prod(kernel.shape[:-2]) == 1 and padding == {0} and {*geometry.growth, geometry.groups} == {1}:
        thinned = x[(slice(None), *(slice(None, None, step) for step in geometry.stride))]
        return thinned @ kernel.reshape(kernel.shape[-2:])
    if geometry.groups == 1 and math.prod(kernel.shape[:-1]) <= MAX_ROWS:
        return _places_first(x, kernel, geometry)
    positions = math.prod(_sizes(x, kernel, geometry))
    size = _divisor(len(x), PATCHES // (4 * positions * math.prod(kernel.shape[:-1])) or 1)
    if size == len(x):
        return _examples_last(x, kernel, geometry)
    y = lax.map(lambda some: _examples_last(some, kernel, geometry), x.reshape(-1, size, *x.shape[1:]))
    return y.reshape(-1, *y.shape[2:])


@_later
def _places_first(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same as the product of what stands under each place of the window, places and channels first."""
    examples = len(x)
    grown = [(*pads, growth - 1) for pads, growth in zip(geometry.padding, geometry.growth, strict=True)]
    padded = lax.pad(jnp.moveaxis(x, -1, 0), jnp.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *grown])
    sizes = _sizes(x, kernel, geometry)
    starts = product(*(range(0, n * step, step) for n, step in zip(kernel.shape, geometry.dilation, strict=False)))
    under = jnp.stack([_under(padded, start, sizes, geometry.stride) for start in starts])
    rows = lax.optimization_barrier(under).reshape(-1, examples * math.prod(sizes))
    y = lax.dot_general(rows, kernel.reshape(len(rows), -1), (((0,), (0,)), ((), ())))
    return y.reshape(examples, *sizes, -1)


def _under(padded: Array, start: Shape, sizes: Shape, stride: Shape) -> Array:
    """The signal under one place of the window, at all positions of the output."""
    ends = [at + (n - 1) * step + 1 for at, n, step in zip(start, sizes, stride, strict=True)]
    return lax.slice(padded, (0, 0, *start), (*padded.shape[:2], *ends), (1, 1, *stride))


@_later
def _examples_last(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same, with the axes in which the transpose in `kernel` is fast."""
    places, rank = _places(kernel), kernel.ndim - 2
    x = jnp.swapaxes(lax.optimization_barrier(x), 0, -1)
    y = geometry(x, jnp.moveaxis(kernel, rank, 0), f"C{places}N", f"I{places}O", f"{places}NC")
    return jnp.moveaxis(y, rank, 0)


def _sizes(x: Array, kernel: Array, geometry: Geometry) -> Shape:
    """Positions of the output, along each axis."""
    return jax.eval_shape(partial(_along, geometry=geometry), x, kernel).shape[1:-1]


def _divisor(count: int, most: int) -> int:
    """The largest divisor of `count` that is at most `most`; `count`, where there is none that is nearly as large."""
    found = max((n for n in range(1, count + 1) if count % n == 0 and n <= most), default=count)
    return found if 4 * found >= most else count


def _places(kernel: Array) -> str:
    return "DHW"[2 - kernel.ndim :]
