"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from . import require
from .layer import Layer
from .parameter import Shape, Tree


@final
@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    r"""Inverted dropout: in training each entry is zeroed with probability `rate`, the others divided by 1 - rate.

    The mean is kept; mean $m$ and variance $v$ become $m$ and $(v + \mathrm{rate}\, m^2) / (1 - \mathrm{rate})$.
    Outside training it does nothing.

    Source: Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        rate: probability of zeroing, in [0, 1).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> y, _ = nn.Dropout(0.5).apply({}, {}, jnp.ones((1, 1000)), key=jax.random.key(0), training=True)
        >>> sorted(set(y[0].tolist()))
        [0.0, 2.0]
    """

    rate: float

    def __post_init__(self) -> None:
        require.between(self, 0, 1, rate=self.rate)

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training or self.rate == 0:
            return x, state
        if key is None:
            raise ArgumentError(
                "Dropout",
                expected="a random key in training",
                got="key=None",
                remedy="Call apply(..., key=jax.random.key(seed), training=True).",
            )
        kept = jax.random.bernoulli(key, 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0), state
