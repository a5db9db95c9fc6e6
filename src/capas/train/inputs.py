"""An Optax optimizer for raw inputs: it moves the first layers as if what they read were standardized."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from ..nn.walk import changed

Inputs = Mapping[str, Mapping[str, Array]]


def standardize_inputs(optimizer: optax.GradientTransformation, inputs: Inputs) -> optax.GradientTransformation:
    r"""Another optimizer that does to a network of raw inputs what this one does to the same network of standard ones.

    A layer $x W + b$ that reads features with means $\mu_i$ and standard deviations $\sigma_i$ is $\hat x V + c$ of
    standard features $\hat x$, with $V_i = \sigma_i W_i$ and $c = b + \sum_i \mu_i W_i$. The optimizer is shown V, c
    and their gradients; what it adds to them is $\Delta W_i = \Delta V_i / \sigma_i$ and
    $\Delta b = \Delta c - \sum_i \mu_i \Delta W_i$. Without it Adam, which moves every weight by the same rate, moves
    the output by that rate times the size of the input: of pixels from 0 to 255 by a hundred times as much. In
    convolutions the sums are over the window, too; layers without a bias keep the mean. A bias whose own updates are
    held at zero moves with its weights still, so that the response to the mean stays; freeze both.

    Args:
        optimizer: any of Optax. `fit` does this to the one that it uses.
        inputs: by the path of a layer the "mean" and "std" of its features, as in `Model.inputs`. Fewer numbers than
            features repeat: those of channels, at every position.

    Source: exact, a linear change of coordinates; that inputs should be centred and of one size is LeCun et al. (1998),
    "Efficient BackProp".

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from capas.train import standardize_inputs
        >>> inputs = {"0": {"mean": jnp.array([100.0]), "std": jnp.array([50.0])}}
        >>> optimizer = standardize_inputs(optax.sgd(1.0), inputs)
        >>> params = {"0": {"weight": jnp.zeros((1, 1)), "bias": jnp.zeros(1)}}
        >>> gradient = {"0": {"weight": jnp.array([[150.0]]), "bias": jnp.ones(1)}}  # of an input of 150
        >>> updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        >>> weight, bias = updates["0"]["weight"][0, 0], updates["0"]["bias"][0]
        >>> round(float(weight), 4), float(bias)  # the standard input is 1: both move the output by 1
        (-0.02, 1.0)
    """
    if not inputs:
        return optimizer
    standard, raw = partial(_each, inputs, _standard), partial(_each, inputs, _raw)

    def update(updates: Any, state: Any, params: Any) -> tuple[Any, Any]:
        seen = standard(params)
        (gradients,) = jax.linear_transpose(raw, seen)(updates)
        updates, state = optimizer.update(gradients, state, seen)
        return raw(updates), state

    return optax.GradientTransformation(lambda params: optimizer.init(standard(params)), update)


def _each(inputs: Inputs, change: Any, params: Any) -> Any:
    for path, moments in inputs.items():
        params = changed(params, path, partial(change, **moments))
    return params


def _standard(layer: dict[str, Array], mean: Array, std: Array) -> dict[str, Array]:
    """The parameters for standard inputs, out of those for raw ones."""
    weight = layer["weight"]
    return _layer(layer, weight * _column(std, weight), _outputs(mean, weight))


def _raw(layer: dict[str, Array], mean: Array, std: Array) -> dict[str, Array]:
    """And back."""
    weight = layer["weight"] / _column(std, layer["weight"])
    return _layer(layer, weight, -_outputs(mean, weight))


def _layer(layer: dict[str, Array], weight: Array, shift: Array) -> dict[str, Array]:
    changed = {"weight": weight, **({"bias": layer["bias"] + shift} if "bias" in layer else {})}
    return {**layer, **{name: array.astype(layer[name].dtype) for name, array in changed.items()}}


def _outputs(mean: Array, weight: Array) -> Array:
    """What the means give, summed over all inputs."""
    return (_column(mean, weight) * weight).sum(tuple(range(weight.ndim - 1)))


def _column(numbers: Array, weight: Array) -> Array:
    return jnp.tile(numbers, weight.shape[-2] // len(numbers))[:, None]
