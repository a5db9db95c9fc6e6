"""What `fit` and `evaluate` are asked for, checked before anything is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .. import losses
from ..errors import ArgumentError
from ..model import Model
from ..nn import Activation, Layer, Sequential, Softmax, require
from ..nn.parameter import Shape
from .examples import Examples
from .metrics import PerExample

REAL = (int, float, np.number)


def require_model(subject: str, model: Any) -> None:
    """Refuse a network that has no parameters yet."""
    if not isinstance(model, Model):
        expected, got = "a model", f"an object of type {type(model).__name__}"
        raise ArgumentError(subject, expected=expected, got=got, remedy="Make one: capas.init(network, input_shape).")


def require_loss(subject: str, loss: Any) -> None:
    """Refuse what is no function."""
    if not callable(loss):
        raise ArgumentError(subject, expected="a loss function", got=repr(loss), remedy="For example loss=losses.mse.")


def require_settings(loss: Any, optimizer: Any, learning_rate: Any, seed: Any, callbacks: Any, **counts: Any) -> None:
    """Refuse what cannot be meant; counts are whole numbers of at least 1, or not given."""
    require.counts("fit", **counts)
    require.seed("fit", seed)
    require_loss("fit", loss)
    if not (isinstance(callbacks, Sequence) and all(map(callable, callbacks))):
        raise _refused("callbacks to be a list of functions", callbacks, "For example callbacks=[f].")
    if not (learning_rate is None or _is_rate(learning_rate)):
        raise _refused("a learning rate above 0", learning_rate, "Without one there is a default.")
    if optimizer is not None and not hasattr(optimizer, "update"):
        remedy = "For example optimizer=optax.adam(1e-3); without one there is a default."
        raise _refused("an Optax optimizer", optimizer, remedy)
    if optimizer is not None and learning_rate is not None:
        raise ArgumentError(
            "fit",
            expected="an optimizer or a learning rate",
            got="both",
            remedy="Set the rate where you make the optimizer.",
        )


def _is_rate(value: Any) -> bool:
    return isinstance(value, REAL) and not isinstance(value, bool) and 0 < float(value) < math.inf


def _refused(expected: str, got: Any, remedy: str) -> ArgumentError:
    return ArgumentError("fit", expected=expected, got=repr(got), remedy=remedy)


def is_arrays(data: Any) -> bool:
    """Whether data is inputs and targets, rather than batches of them."""
    return isinstance(data, tuple) or (isinstance(data, list) and bool(data) and not isinstance(data[0], (tuple, list)))


def require_fit(network: Layer, shape: Shape, loss: PerExample, data: Examples) -> None:
    """Refuse inputs that are not the network's, and targets that the loss does not take, before anything runs."""
    if data.x.shape[1:] != shape:
        Model(network, shape, {}, {}).require_input(data.x.shape, 1)
    losses.check_targets(loss, (data.rows, *network.output_shape(shape)), data.y)


def require_head(network: Layer, loss: Callable[..., Any]) -> None:
    """Refuse a network that ends in probabilities where the loss works from logits."""
    last = network
    while isinstance(last, Sequential) and last.layers:
        last = last.layers[-1][1]
    probabilities = isinstance(last, Softmax) or (
        isinstance(last, Activation) and last.function in {jax.nn.softmax, jax.nn.sigmoid}
    )
    if probabilities and losses.from_logits(loss):
        raise ArgumentError(
            "loss",
            expected="a network that ends in logits, since the loss applies the softmax or sigmoid itself",
            got=f"one that ends in {last!r}",
            remedy="Drop its last layer, and apply it to the outputs afterwards.",
        )
