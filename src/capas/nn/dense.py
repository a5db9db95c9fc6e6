"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from . import require
from .layer import Layer
from .parameter import Parameter, Shape, Tree
from .product import product, shifted


@final
@dataclass(frozen=True, repr=False)
class Dense(Layer):
    r"""Fully connected layer, $Y = X\,\mathrm{weight} + \mathrm{bias}$, on the last axis.

    With the bias as the first column of $W = [\mathrm{bias} \mid \mathrm{weight}^\mathsf{T}]$ this is the lecture's
    $Y = [1\; X]\,W^\mathsf{T}$; see `augmented`. For data whose information is spread over all components.

    Args:
        features: number of outputs.
        bias: whether to add one.

    Parameters are `weight` of shape `(inputs, features)` and `bias` of shape `(features,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.Dense(2)
        >>> params = {"weight": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "bias": jnp.array([10.0, 20.0])}
        >>> y, _ = layer.apply(params, {}, jnp.array([[1.0, 1.0]]))
        >>> y.tolist()
        [[14.0, 26.0]]
    """

    features: int
    bias: bool = True

    def __post_init__(self) -> None:
        require.positive(self, features=self.features)
        require.switches(self, bias=self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return (*shape[:-1], self.features)

    def parameters(self, shape: Shape) -> Tree:
        inputs = require.features(self, shape)
        weight = Parameter((inputs, self.features), "kernel", fan_in=inputs, fan_out=self.features)
        return {"weight": weight, "bias": Parameter((self.features,), "bias")} if self.bias else {"weight": weight}

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, params["weight"].shape[0])
        y = product(x, params["weight"])
        return (shifted(y, params["bias"]) if self.bias else y), state

    def augmented(self, params: Tree) -> Float[Array, "features inputs_and_one"]:
        r"""The lecture's $W = [\mathrm{bias} \mid \mathrm{weight}^\mathsf{T}]$, shape `(features, 1 + inputs)`.

        Without a bias its column is zero.
        """
        weight = params["weight"]
        bias = params["bias"] if self.bias else jnp.zeros(self.features, weight.dtype)
        return jnp.concatenate([bias[:, None], weight.T], axis=1)

    @staticmethod
    def from_augmented(matrix: Float[Array, "features inputs_and_one"]) -> tuple[Dense, Tree]:
        """The layer and its parameters for an augmented matrix; the inverse of `augmented`.

        Example:
            >>> import jax.numpy as jnp
            >>> from capas import nn
            >>> layer, params = nn.Dense.from_augmented(jnp.array([[10.0, 1.0, 3.0], [20.0, 2.0, 4.0]]))
            >>> layer, params["bias"].tolist()
            (nn.Dense(2), [10.0, 20.0])
        """
        return Dense(matrix.shape[0]), {"weight": matrix[:, 1:].T, "bias": matrix[:, 0]}
