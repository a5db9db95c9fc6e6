"""Layers that move numbers without changing them, and the one that looks them up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError, DataError, ShapeError
from . import require
from .layer import Layer
from .parameter import Parameter, Shape, Tree


@final
@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """All axes of an example in one: `(batch, *shape)` to `(batch, product of shape)`, last axis fastest.

    Example:
        >>> from capas import nn
        >>> nn.Flatten().output_shape((28, 28, 1))
        (784,)
    """

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return x.reshape(len(x), *self.output_shape(x.shape[1:])), state


@final
@dataclass(frozen=True, repr=False)
class Reshape(Layer):
    """Each example in another shape, last axis fastest.

    Args:
        shape: the new shape of an example; one entry may be -1, which stands for what remains.

    Example:
        >>> from capas import nn
        >>> nn.Reshape((28, 28, -1)).output_shape((784,))
        (28, 28, 1)
    """

    shape: Shape

    def __post_init__(self) -> None:
        sizes = isinstance(self.shape, tuple) and all(isinstance(n, int) and (n > 0 or n == -1) for n in self.shape)
        if not sizes or self.shape.count(-1) > 1:
            raise ArgumentError(
                "Reshape",
                expected="a tuple of sizes, of which one may be -1",
                got=repr(self.shape),
                remedy="For example nn.Reshape((28, 28, 1)).",
            )

    def output_shape(self, shape: Shape) -> Shape:
        known = math.prod(n for n in self.shape if n != -1)
        free, rest = divmod(math.prod(shape), known)
        if rest or (free != 1 and -1 not in self.shape):
            raise ShapeError(
                "Reshape",
                expected=f"examples that fill shape {self.shape}",
                got=f"{shape}, {math.prod(shape)} numbers",
                remedy="Change one of the two shapes.",
            )
        return tuple(free if n == -1 else n for n in self.shape)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return x.reshape(len(x), *self.output_shape(x.shape[1:])), state


@final
@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """A learned vector for each of `vocabulary` symbols: integers `(batch, *shape)` to `(batch, *shape, features)`.

    An index outside the vocabulary is an error; inside a compiled program, where nothing can be raised, it gives NaN.

    Args:
        vocabulary: number of symbols, 0 to vocabulary - 1.
        features: length of each vector.

    The parameter is `weight` of shape `(vocabulary, features)`, with fan-in 1: one symbol is present at a time.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> layer = nn.Embedding(1000, 16)
        >>> params, state = layer.init(jax.random.key(0), (12,))
        >>> layer.apply(params, state, jax.numpy.zeros((4, 12), int))[0].shape
        (4, 12, 16)
    """

    vocabulary: int
    features: int

    def __post_init__(self) -> None:
        require.positive(self, vocabulary=self.vocabulary, features=self.features)

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, self.features)

    def parameters(self, shape: Shape) -> Tree:
        size = (self.vocabulary, self.features)
        return {"weight": Parameter(size, "kernel", fan_in=1, fan_out=self.features)}

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise DataError(
                "Embedding",
                expected="integers that name symbols",
                got=str(x.dtype),
                remedy="Convert them: x.astype(int).",
            )
        self._check_range(x)
        inside = (x >= 0) & (x < self.vocabulary)
        return jnp.where(inside[..., None], params["weight"][jnp.where(inside, x, 0)], jnp.nan), state

    def _check_range(self, x: Array) -> None:
        if isinstance(x, jax.core.Tracer) or x.size == 0:
            return
        symbols = np.asarray(x)  # not jnp: a constant inside a traced function would turn into a tracer
        low, high = int(symbols.min()), int(symbols.max())
        if low < 0 or high >= self.vocabulary:
            raise DataError(
                "Embedding",
                expected=f"symbols from 0 to {self.vocabulary - 1}",
                got=f"symbols from {low} to {high}",
                remedy="Enlarge the vocabulary, or map unknown symbols to one that is kept for them.",
            )
