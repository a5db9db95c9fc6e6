"""Activations as layers: any callable, those with parameters, softmax."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError, ShapeError
from . import require
from .functions import Function, known_name, named
from .layer import Layer
from .parameter import Parameter, Shape, Tree


@final
@dataclass(frozen=True, repr=False, init=False)
class Activation(Layer):
    r"""Any function of arrays as a layer: $y = f(x)$. Chains make one of every callable they are given.

    Args:
        function: a name out of `nn.activations`, or any callable `f(x, **options)` that keeps the batch axis.
        options: numbers passed on to it.

    Functions without a name work everywhere, but cannot be written to JSON.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> nn.Activation(jax.nn.relu), nn.Activation("leaky_relu", negative_slope=0.2)
        (nn.Activation('relu'), nn.Activation('leaky_relu', negative_slope=0.2))
        >>> nn.Activation("leaky_relu", negative_slope=0.5)(jnp.array([-2.0, 2.0])).tolist()
        [-1.0, 2.0]
    """

    function: Function
    options: tuple[tuple[str, Any], ...]

    def __init__(self, function: str | Function, **options: Any) -> None:
        if isinstance(function, functools.partial) and not function.args:
            options = {**function.keywords, **options}
            function = function.func
        found = named(function) if isinstance(function, str) else function
        if isinstance(found, type) or not callable(found):
            expected, remedy = "a function of arrays, or its name", "Layers stand in a chain as they are."
            raise ArgumentError("Activation", expected=expected, got=repr(found), remedy=remedy)
        object.__setattr__(self, "function", found)
        object.__setattr__(self, "options", tuple(sorted(options.items())))

    @property
    def name(self) -> str | None:
        """Its name in `nn.activations`; None if it has none."""
        return known_name(self.function)

    def __call__(self, x: Array) -> Array:
        """The function with its options, as a plain callable."""
        return self.function(x, **dict(self.options))

    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name or self.function,), dict(self.options)

    def output_shape(self, shape: Shape) -> Shape:
        if self.name is not None:
            return shape
        found = jax.eval_shape(self, jax.ShapeDtypeStruct((2, *shape), jnp.float32)).shape
        if found[:1] == (2,):
            return tuple(found[1:])
        raise ShapeError(
            "Activation",
            expected=f"{self.function} to keep the batch axis of (2, {', '.join(map(str, shape))})",
            got=f"an output of shape {found}",
            remedy="Write it for x of shape (batch, ...).",
        )

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return self(x), state


def as_layer(value: object) -> Layer:
    """A layer as it is; a name or any other callable as an `Activation`."""
    if isinstance(value, Layer):
        return value
    if isinstance(value, str) or (callable(value) and not isinstance(value, type)):
        return Activation(value)
    raise ArgumentError(
        "nn",
        expected="a layer, a function of arrays, or the name of an activation",
        got=repr(value),
        remedy=f"Write nn.{value.__name__}(...)."
        if isinstance(value, type)
        else "Put nn.Sequential(...) around lists.",
    )


@final
@dataclass(frozen=True, repr=False)
class PReLU(Layer):
    r"""$y = \max(x, 0) + a \min(x, 0)$ with one learned slope per channel.

    Source: He et al. (2015), "Delving deep into rectifiers". The parameter is `slope`, shape `(channels,)`.

    Args:
        start: the slope before training.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> nn.PReLU().init(jax.random.key(0), (3,))[0]["slope"].tolist()
        [0.25, 0.25, 0.25]
    """

    start: float = 0.25

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return {"slope": Parameter((require.features(self, shape),), "scale", start=self.start)}

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, len(params["slope"]))
        return jnp.where(x >= 0, x, params["slope"] * x), state


@final
@dataclass(frozen=True, repr=False)
class Swish(Layer):
    r"""$y = x\,\sigma(\beta x)$ with one learned $\beta$ per channel; $\beta = 1$ is SiLU.

    Source: Ramachandran et al. (2017), "Searching for activation functions".

    The parameter is `beta`, shape `(channels,)`.

    Args:
        start: beta before training.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> nn.Swish().init(jax.random.key(0), (2,))[0]["beta"].tolist()
        [1.0, 1.0]
    """

    start: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return {"beta": Parameter((require.features(self, shape),), "scale", start=self.start)}

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, len(params["beta"]))
        return x * jax.nn.sigmoid(params["beta"] * x), state


@final
@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    r"""$y_i = e^{x_i - \max x} / \sum_j e^{x_j - \max x}$ over the last axis: safe for logits of any size.

    A network that is trained with a loss from logits must not end in it.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import nn
        >>> nn.Softmax().apply({}, {}, jnp.array([[1e4, 1e4]]))[0].tolist()
        [[0.5, 0.5]]
    """

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, x.shape[-1])
        return jax.nn.softmax(x), state


@final
@dataclass(frozen=True, repr=False)
class LogSoftmax(Layer):
    r"""$y_i = x_i - \max x - \log \sum_j e^{x_j - \max x}$ over the last axis: safe for logits of any size.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import nn
        >>> nn.LogSoftmax().apply({}, {}, jnp.array([[1e4, 0.0]]))[0].tolist()
        [[0.0, -10000.0]]
    """

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, x.shape[-1])
        return jax.nn.log_softmax(x), state
