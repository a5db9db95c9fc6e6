"""Schemes whose entries depend on each other: orthogonal, delta-orthogonal, identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..nn import Parameter
from .schemes import Law, Scheme


def _taps(kernel: Parameter) -> int:
    return math.prod(kernel.shape[:-2])


def block_shape(kernel: Parameter, taps: int) -> tuple[int, int]:
    """Rows and columns of the matrix that one group of a kernel is, over so many taps of its window."""
    return taps * kernel.shape[-2], kernel.shape[-1] // kernel.groups


def _beside(blocks: Float[Array, "groups rows columns"]) -> Float[Array, "rows groups_columns"]:
    """The groups' matrices side by side: outputs of a grouped convolution are ordered by group."""
    return jnp.moveaxis(blocks, 0, 1).reshape(blocks.shape[1], -1)


def _at_centre(kernel: Parameter, matrix: Float[Array, "rows columns"]) -> Array:
    """A kernel with this matrix at the centre of its window and zero elsewhere."""
    centre = tuple((n - 1) // 2 for n in kernel.shape[:-2])
    return jnp.zeros(kernel.shape, matrix.dtype).at[centre].set(matrix)


@final
@dataclass(frozen=True)
class Orthogonal(Scheme):
    r"""A random matrix with orthonormal columns (or rows, if there are fewer), times the gain; uniform among all.

    The kernel is read as a matrix of (window and inputs) by outputs, one per group. A square one keeps the norm of
    every signal and gradient exactly, at any depth. Its entries have variance $\mathrm{gain}^2 /
    \max(\mathrm{rows}, \mathrm{columns})$. Source: Saxe et al. (2014).

    Args:
        gain: factor on the matrix.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> w = weights.Orthogonal().sample(jax.random.key(0), nn.Parameter((64, 64), "kernel", fan_in=64))
        >>> bool(jax.numpy.allclose(w @ w.T, jax.numpy.eye(64), atol=1e-5))
        True
    """

    gain: float = 1.0

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        rows, columns = block_shape(kernel, _taps(kernel))
        blocks = jax.random.orthogonal(key, rows, (kernel.groups,), m=columns)
        return self.gain * _beside(blocks).reshape(kernel.shape)

    def law(self, kernel: Parameter) -> Law:
        return Law(0.0, self.gain**2 / max(block_shape(kernel, _taps(kernel))), "orthogonal")


@final
@dataclass(frozen=True)
class DeltaOrthogonal(Scheme):
    r"""A convolution that starts as one random orthogonal matrix at every position: zero but for the window's centre.

    Keeps the norm of every signal and gradient through a convolution of stride 1, whatever its padding, and lets
    signals of all spatial frequencies through alike. For a dense kernel it is `Orthogonal`. Source: Xiao et al. (2018).

    Args:
        gain: factor on the matrix.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((3, 3, 8, 8), "kernel", fan_in=72, fan_out=72)
        >>> w = weights.DeltaOrthogonal().sample(jax.random.key(0), kernel)
        >>> float(abs(w[0, 0]).max()), round(float((w[1, 1] ** 2).sum()), 4)
        (0.0, 8.0)
    """

    gain: float = 1.0

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        rows, columns = block_shape(kernel, 1)
        return _at_centre(kernel, self.gain * _beside(jax.random.orthogonal(key, rows, (kernel.groups,), m=columns)))

    def law(self, kernel: Parameter) -> Law:
        return Law(0.0, self.gain**2 / (max(block_shape(kernel, 1)) * _taps(kernel)), "delta_orthogonal")


@final
@dataclass(frozen=True)
class Identity(Scheme):
    """Passes its inputs on: the identity matrix, at the centre of the window of a convolution.

    With more outputs than inputs the rest are zero, with fewer the last inputs are dropped. For recurrent and very
    deep ReLU networks. Source: Le et al. (2015), "A simple way to initialize recurrent networks of rectified linear
    units".

    Args:
        gain: the diagonal.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> weights.Identity(0.5).sample(jax.random.key(0), nn.Parameter((2, 2), "kernel")).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """

    gain: float = 1.0

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        block = self.gain * jnp.eye(*block_shape(kernel, 1))
        return _at_centre(kernel, _beside(jnp.tile(block, (kernel.groups, 1, 1))))

    def law(self, kernel: Parameter) -> Law:
        rows, columns = block_shape(kernel, 1)
        share = min(rows, columns) / (rows * columns * _taps(kernel))
        return Law(self.gain * share, self.gain**2 * share * (1 - share), "identity")
