"""Products and sums whose gradients are fast and exact in half precision too."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .plain import is_plain

BLOCK = 16
"""Rows and columns of the blocks in which a matrix is transposed: one or two lines of cache in bfloat16."""


def product(x: Array, weight: Array) -> Array:
    """`x @ weight`, where `weight` is a matrix.

    XLA:CPU has fast products in bfloat16, on processors that do, but not for the transposed matrix in a gradient, which
    it converts to float32 instead. So that is transposed here, where both its sides are multiples of `BLOCK`; JAX then
    refuses forward mode by its own error.
    """
    rows, inputs = math.prod(x.shape[:-1]), x.shape[-1]
    half = x.dtype == weight.dtype == jnp.bfloat16 and rows % BLOCK == inputs % BLOCK == 0
    if not half or is_plain() or jax.default_backend() != "cpu":
        return x @ weight
    y: Array = _half(x.reshape(rows, inputs), weight)
    return y.reshape(*x.shape[:-1], -1)


@jax.custom_vjp
def _half(x: Array, weight: Array) -> Array:
    return x @ weight


def _gradient(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    return lax.dot_general(slope, weight, (((1,), (1,)), ((), ()))), transposed(x) @ slope


_half.defvjp(lambda x, weight: (x @ weight, (x, weight)), _gradient)


@jax.custom_jvp
def transposed(x: Array) -> Array:
    """The transpose of a matrix in 16 bits, moved in blocks.

    It is moved as integers, since XLA:CPU would take bfloat16 to float32 for it, and behind barriers, since it would
    else be made part of what reads it.
    """
    rows, columns = x.shape
    bits = lax.bitcast_convert_type(x, jnp.uint16)
    blocks = bits.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).transpose(2, 0, 3, 1)
    moved = lax.optimization_barrier(blocks).transpose(0, 2, 1, 3).reshape(columns, rows)
    return lax.bitcast_convert_type(lax.optimization_barrier(moved), x.dtype)


@transposed.defjvp
def _(primals: Any, tangents: Any) -> tuple[Array, Array]:
    return transposed(*primals), tangents[0].T


def shifted(x: Array, bias: Array) -> Array:
    """`x + bias`, whose gradient in the bias is summed in float32 or better: more exact and, in bfloat16, faster."""
    return x + jnp.broadcast_to(wide(bias), x.shape).astype(bias.dtype)


def wide(x: Array) -> Array:
    """In float32 or better."""
    return x if jnp.finfo(x.dtype).bits >= 32 else x.astype(jnp.float32)
