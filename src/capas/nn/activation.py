"""Activations: any callable as a layer, the named set, and the ones with parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError, ShapeError
from . import require
from .layer import Layer, Parameter, Shape, Tree

Function = Callable[..., Any]


def gelu_exact(x: Array) -> Array:
    """GELU by the error function, z Phi(z): the default of PyTorch and Keras; `gelu` is JAX's tanh form."""
    return jax.nn.gelu(x, approximate=False)


def quick_gelu(x: Array) -> Array:
    """GELU by a sigmoid, z sigmoid(1.702 z). Source: Hendrycks and Gimpel (2016)."""
    return x * jax.nn.sigmoid(1.702 * x)


def lecun_tanh(x: Array) -> Array:
    """1.7159 tanh(2z/3), about ±1 at ±1. Source: LeCun et al. (1998), "Efficient BackProp", section 4.4."""
    return 1.7159 * jnp.tanh(2 * x / 3)


def relu_squared(x: Array) -> Array:
    """max(z, 0)². Source: So et al. (2021), "Primer"."""
    return jnp.square(jax.nn.relu(x))


def tanh_shrink(x: Array) -> Array:
    """z - tanh z."""
    return x - jnp.tanh(x)


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """z moved towards 0 by the threshold, and 0 within it."""
    return jnp.sign(x) * jax.nn.relu(jnp.abs(x) - threshold)


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """z, and 0 where |z| is within the threshold."""
    return jnp.where(jnp.abs(x) > threshold, x, 0)


activations: dict[str, Function] = {
    "identity": jax.nn.identity,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "relu_squared": relu_squared,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "gelu": jax.nn.gelu,
    "gelu_exact": gelu_exact,
    "quick_gelu": quick_gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "squareplus": jax.nn.squareplus,
    "sparse_plus": jax.nn.sparse_plus,
    "sigmoid": jax.nn.sigmoid,
    "log_sigmoid": jax.nn.log_sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "sparse_sigmoid": jax.nn.sparse_sigmoid,
    "hard_silu": jax.nn.hard_silu,
    "tanh": jnp.tanh,
    "lecun_tanh": lecun_tanh,
    "hard_tanh": jax.nn.hard_tanh,
    "tanh_shrink": tanh_shrink,
    "soft_sign": jax.nn.soft_sign,
    "soft_shrink": soft_shrink,
    "hard_shrink": hard_shrink,
    "erf": jax.scipy.special.erf,
    "arctan": jnp.arctan,
    "sin": jnp.sin,
    "abs": jnp.abs,
    "exp": jnp.exp,
}
"""The activations that have a name in JSON, on the command line, and as strings inside a chain."""

_aliases = {"swish": "silu", "hard_swish": "hard_silu", "softsign": "soft_sign", "linear": "identity"}
_same = {jax.nn.swish: "silu", jax.nn.hard_swish: "hard_silu", jax.nn.tanh: "tanh"}


def is_named(name: str) -> bool:
    """Whether a string names an activation."""
    return _aliases.get(name, name) in activations


def _named(name: str) -> Function:
    known = _aliases.get(name, name)
    if known in activations:
        return activations[known]
    raise ArgumentError(
        "Activation",
        expected=f"one of {', '.join(sorted(activations))}",
        got=repr(name),
        remedy="Pass the function itself, or give it a name first: nn.activations['mine'] = function.",
    )


def _known_name(function: Function) -> str | None:
    for name, known in activations.items():
        if known is function:
            return name
    return _same.get(function)


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
        found = _named(function) if isinstance(function, str) else function
        object.__setattr__(self, "function", found)
        object.__setattr__(self, "options", tuple(sorted(options.items())))

    @property
    def name(self) -> str | None:
        """Its name in `nn.activations`; None if it has none."""
        return _known_name(self.function)

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
