"""Schemes whose entries depend on each other: orthogonal, delta-orthogonal, identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..nn import Parameter
from ..randomness import enough
from .schemes import Law, Scheme, require_numbers


def _taps(kernel: Parameter) -> int:
    return math.prod(kernel.shape[:-2])


def block_shape(kernel: Parameter, taps: int) -> tuple[int, int]:
    """Rows and columns of the matrix that one group of a kernel is, over so many taps of its window."""
    return taps * kernel.shape[-2], kernel.shape[-1] // kernel.groups


def host(array: Array) -> Any:
    """On the host, where operations need not be compiled for every new shape; a traced array as it is."""
    return array if isinstance(array, jax.core.Tracer) else np.asarray(array)


def _orthogonal(key: PRNGKeyArray, kernel: Parameter, taps: int) -> Any:
    """A uniformly random matrix with orthonormal columns, or rows if there are fewer; those of groups side by side.

    What `jax.random.orthogonal` gives, which takes up to half a second to compile for every shape. The numbers that it
    starts from do not depend on how many there are, so they are drawn in a few sizes.
    """
    rows, columns = block_shape(kernel, taps)
    shape = kernel.groups, max(rows, columns), min(rows, columns)
    count = math.prod(shape)
    normal = host(jax.random.normal(key, (enough(count, base=4, least=4096),)))[:count].reshape(shape)
    xp = normal.__array_namespace__()
    q, r = xp.linalg.qr(normal)
    q = q * xp.sign(xp.diagonal(r, axis1=-2, axis2=-1))[:, None, :]
    return _beside(xp.swapaxes(q, -2, -1) if rows < columns else q)


def _beside(blocks: Any) -> Any:
    """The matrices (groups, rows, columns) side by side: outputs of a grouped convolution are ordered by group."""
    return blocks.__array_namespace__().moveaxis(blocks, 0, 1).reshape(blocks.shape[1], -1)


def _at_centre(kernel: Parameter, matrix: Any) -> Array:
    """A kernel with this matrix at the centre of its window and zero elsewhere."""
    around = [((n - 1) // 2, n // 2) for n in kernel.shape[:-2]]
    centre = matrix.reshape(*(1 for _ in around), *matrix.shape)
    return jax.device_put(matrix.__array_namespace__().pad(centre, (*around, (0, 0), (0, 0))))


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

    def __post_init__(self) -> None:
        require_numbers(self, gain=self.gain)

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return jax.device_put(self.gain * _orthogonal(key, kernel, _taps(kernel)).reshape(kernel.shape))

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

    def __post_init__(self) -> None:
        require_numbers(self, gain=self.gain)

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return _at_centre(kernel, self.gain * _orthogonal(key, kernel, 1))

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

    def __post_init__(self) -> None:
        require_numbers(self, gain=self.gain)

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        block = self.gain * jnp.eye(*block_shape(kernel, 1))
        return _at_centre(kernel, _beside(jnp.tile(block, (kernel.groups, 1, 1))))

    def law(self, kernel: Parameter) -> Law:
        rows, columns = block_shape(kernel, 1)
        share = min(rows, columns) / (rows * columns * _taps(kernel))
        return Law(self.gain * share, self.gain**2 * share * (1 - share), "identity")
