"""Normalization of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from . import require
from .activation import as_layer
from .layer import Layer
from .parameter import Parameter, Shape, Tree
from .product import wide


@final
@dataclass(frozen=True, repr=False)
class WeightStandardized(Layer):
    r"""A `Dense` or `Conv` whose kernel is standardized over each output's inputs before it is used.

    $\hat w = \mathrm{gain}\,(w - \mu_w) / \sqrt{\mathrm{fan\_in}\,(\sigma_w^2 + \epsilon)}$ per output: with inputs
    of second moment 1 every output has variance gain², whatever the weights.

    Source: Qiao et al. (2019), "Weight standardization"; scaled by fan-in as Brock et al. (2021), "Characterizing
    signal propagation".

    Args:
        layer: the layer to standardize.
        epsilon: added to the variance of the weights.

    Parameters are those of the layer and `gain`, one per output.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> layer = nn.WeightStandardized(nn.Conv(8, (3, 3)))
        >>> params, _ = layer.init(jax.random.key(0), (28, 28, 1))
        >>> sorted(params)
        ['bias', 'gain', 'weight']
    """

    layer: Layer
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", as_layer(self.layer))
        require.between(self, 0, 1, epsilon=self.epsilon)

    def output_shape(self, shape: Shape) -> Shape:
        return self.layer.output_shape(shape)

    def parameters(self, shape: Shape) -> Tree:
        inner = self.layer.parameters(shape)
        kernel = inner.get("weight")
        if not isinstance(kernel, Parameter) or kernel.role != "kernel":
            raise ArgumentError(
                "WeightStandardized",
                expected="a layer with a kernel, like nn.Dense or nn.Conv",
                got=repr(self.layer),
                remedy="Wrap the layers inside it one by one.",
            )
        return {**inner, "gain": Parameter(kernel.shape[-1:], "scale", start=1.0)}

    def statistics(self, shape: Shape) -> Tree:
        return self.layer.statistics(shape)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        weight = wide(params["weight"])
        inputs = tuple(range(weight.ndim - 1))
        centred = weight - weight.mean(inputs, keepdims=True)
        fan_in = weight[..., 0].size
        norm = jnp.sqrt(jnp.square(centred).sum(inputs) + fan_in * self.epsilon)
        standard = (centred * (wide(params["gain"]) / norm)).astype(params["weight"].dtype)
        inner = {name: value for name, value in params.items() if name != "gain"}
        return self.layer.apply({**inner, "weight": standard}, state, x, key=key, training=training)
