"""`propagate` for what has a network in it: models, and descriptions with schemes of which nothing was drawn yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from . import signal as signals
from . import weights
from .errors import ArgumentError
from .model import Model
from .nn import Layer, require
from .nn.parameter import Shape, Tree, lecun, materialize
from .signal import FixedPoint, Flow, Signal
from .signal.maps import fixed_point as settle
from .weights.initialize import Choice


def propagate(
    network: Model | Layer | Callable[[Any, Array], Array],
    params: Any = None,
    example: Any = None,
    *,
    input_shape: Shape | None = None,
    scheme: Choice | Mapping[str, Choice] = "auto",
    training: bool = False,
    **options: Any,
) -> Flow:
    """Read a network over signals instead of arrays: moments of every signal and gradient, without data.

    Three things can be read: a `Model`, by the mean and variance of its arrays, trained or not; a description with its
    `input_shape` and `scheme`, by the laws of weights that are never drawn; any function `function(params, x)` of any
    JAX library with its parameters and an example, see `capas.signal.propagate`.

    Args:
        network: what is read.
        params, example: of a function; an example has no batch axis.
        input_shape: of a description, for one example.
        scheme: of a description.
        training: whether normalizations and dropout of a model or description are as in training.
        **options: `signal`, `loss`, `output_gradient`, `backward` of `capas.signal.propagate`.

    Raises `UnknownPrimitive` for operations that have no rule.

    Example:
        >>> import capas
        >>> from capas import nn, weights
        >>> net = nn.Sequential(nn.Dense(512), nn.Repeat(nn.Sequential("relu", nn.Dense(512)), 30))
        >>> for scheme in weights.Glorot(), weights.He():
        ...     last = capas.propagate(net, input_shape=(512,), scheme=scheme).rows[-1]
        ...     print(f"{last.second:.3g} {last.correlation:.3f} {last.gradient:.3g}")
        9.31e-10 0.972 1
        2 0.972 1
    """
    if isinstance(network, Model):
        function = _function(network.network, network.state, training)
        spec = jax.ShapeDtypeStruct(network.input_shape, jnp.float32)
        return signals.propagate(function, network.params, spec, **options)
    if isinstance(network, Layer):
        shape = _required(network, input_shape)
        function = _function(network, materialize(network.statistics(shape), jax.random.key(0), lecun), training)
        spec = jax.ShapeDtypeStruct(shape, jnp.float32)
        return signals.propagate(function, weights.laws(network, shape, scheme), spec, **options)
    return signals.propagate(network, params, example, **options)


def _function(network: Layer, state: Tree, training: bool) -> Callable[[Any, Array], Array]:
    key = jax.random.key(0) if training else None

    def function(params: Any, x: Array) -> Array:
        return network.apply(params, state, x, key=key, training=training)[0]

    return function


def _required(network: Layer, shape: Shape | None) -> Shape:
    if shape is None:
        raise ArgumentError(
            "propagate",
            expected="input_shape, the shape of one example",
            got="none",
            remedy="Write capas.propagate(network, input_shape=(784,), scheme=...), or give a model.",
        )
    return require.network("propagate", network, shape)


def fixed_point(
    block: Layer, input_shape: Shape, scheme: Choice | Mapping[str, Choice] = "auto", *, start: float = 1.0
) -> FixedPoint | None:
    """Where the signal of a block ends that is repeated for ever, and over how many blocks it gets there.

    None if it grows or shrinks for ever.

    Args:
        block: a layer that keeps the shape of its input.
        input_shape: of one example.
        scheme: of its weights.
        start: the second moment to start from.

    Source: Poole et al. (2016); Schoenholz et al. (2017) for the depth scales.

    Example:
        >>> import capas
        >>> from capas import nn, weights
        >>> block = nn.Sequential("tanh", nn.Dense(100))
        >>> end = capas.fixed_point(block, (100,), weights.LeCun(gain=1.5925))
        >>> print(f"{end.second:.3f} {end.correlation:.3f} {end.variance_slope:.3f}")
        1.000 0.000 0.461
    """
    options = {"input_shape": input_shape, "scheme": scheme, "backward": False}
    return settle(lambda signal: propagate(block, signal=signal, **options), Signal(0.0, start, 0.0))  # type: ignore[arg-type]
