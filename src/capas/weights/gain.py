"""The factor on the weights that an activation asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..nn import Activation
from .reading import Reading

Function = Callable[..., Any]


def gain(activation: str | Function | Activation) -> float:
    r"""$1 / \sqrt{E f(z)^2}$ for a standard normal z: weights of this gain undo what the activation takes.

    A layer whose inputs are $f(z)$ and whose weights have variance $\mathrm{gain}^2 / \mathrm{fan_{in}}$ gives outputs
    of second moment 1. Exact to 1e-12 for any elementwise function, by quadrature.

    Args:
        activation: a name out of `nn.activations`, a function of arrays, or an `nn.Activation`.

    Raises `ArgumentError` for functions that are not elementwise, are zero, or grow too fast.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> f"{weights.gain('relu'):.10f}", f"{weights.gain(jax.nn.gelu):.10f}"
        ('1.4142135624', '1.5335805217')
        >>> f"{weights.gain(nn.Activation('leaky_relu', negative_slope=0.1)):.10f}"
        '1.4071950895'
    """
    function = activation if isinstance(activation, Activation) else Activation(activation)
    return 1 / math.sqrt(Reading((function,)).second(1.0))
