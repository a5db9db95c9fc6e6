"""Activations with a scale and a shift on either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from . import require
from .activation import Activation, PReLU, Swish, as_layer
from .layer import Layer
from .parameter import Shape, Tree


@final
@dataclass(frozen=True, repr=False)
class Shaped(Layer):
    r"""$y = \gamma\,(\phi(\alpha x + \beta) + \delta)$: an activation with a scale and a shift on either side.

    `capas.tailor` chooses the four numbers for a whole network, such that it keeps mean and power of the signal and
    bounds the growth of gradients, however deep it is. They are not trained; parameters are those of the activation.

    Source: Martens et al. (2021), "Rapid training of deep neural networks without skip connections or normalization
    layers using Deep Kernel Shaping"; for leaky ReLU Zhang et al. (2022), "Deep learning without shortcuts".

    Args:
        activation: $\phi$, a name out of `nn.activations`, a function of arrays, `nn.PReLU` or `nn.Swish`.
        alpha: scale of what goes in.
        beta: shift of what goes in.
        gamma: scale of what comes out.
        delta: shift of what comes out, before its scale.

    Raises `ArgumentError` for another kind of layer, and for numbers that are not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.Shaped("relu", beta=1.0, gamma=2.0, delta=-1.0)
        >>> layer
        nn.Shaped(nn.Activation('relu'), beta=1.0, gamma=2.0, delta=-1.0)
        >>> layer.apply({}, {}, jnp.array([-3.0, 0.0, 3.0]))[0].tolist()
        [-2.0, 0.0, 6.0]
    """

    activation: Layer
    alpha: float = 1.0
    beta: float = 0.0
    gamma: float = 1.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", as_layer(self.activation))
        if not isinstance(self.activation, (Activation, PReLU, Swish)):
            raise ArgumentError(
                "Shaped",
                expected="an activation: a name, a function of arrays, nn.PReLU or nn.Swish",
                got=repr(self.activation),
                remedy="Put other layers before or after it.",
            )
        require.finite(self, alpha=self.alpha, beta=self.beta, gamma=self.gamma, delta=self.delta)

    def output_shape(self, shape: Shape) -> Shape:
        return self.activation.output_shape(shape)

    def parameters(self, shape: Shape) -> Tree:
        return self.activation.parameters(shape)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        y, state = self.activation.apply(params, state, self.alpha * x + self.beta, key=key, training=training)
        return self.gamma * (y + self.delta), state
