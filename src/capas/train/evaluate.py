"""Measuring a model on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import losses
from ..compiler import jit
from ..errors import ArgumentError, DataError
from ..model import Model
from ..nn import Activation, Sequential, Softmax, require
from ..nn.layer import Layer
from ..nn.parameter import Shape, Tree
from . import metrics as metrics_
from .examples import Examples, examples, require_finite
from .feeds import StreamFeed, sequential
from .metrics import PerExample
from .precision import cast
from .settings import require_loss, require_model


def evaluate(
    model: Model,
    data: Any,
    *,
    loss: PerExample = losses.softmax_cross_entropy,
    metrics: Sequence[str | PerExample] | None = None,
    batch_size: int = 512,
) -> dict[str, float]:
    """Mean loss and metrics of a model over data, outside training (dropout off, running statistics).

    Args:
        model: the model.
        data: `(x, y)`, `(x, y, weights)`, or an iterable of such batches.
        loss: per-example loss.
        metrics: names or functions of outputs and targets; by default "loss" and the accuracy that goes with it.
        batch_size: examples at a time, for arrays.

    Example:
        >>> import capas, numpy as np
        >>> model = capas.init(capas.nn.Dense(2), input_shape=(3,), scheme=capas.weights.Zeros())
        >>> result = capas.evaluate(model, (np.ones((4, 3)), np.array([0, 1, 0, 0])))
        >>> round(result["loss"], 4), result["accuracy"]
        (0.6931, 0.75)
    """
    require_model("evaluate", model)
    require_loss("evaluate", loss)
    chosen = metrics_.resolve(metrics_.defaults(loss) if metrics is None else metrics, loss)
    require_head(model.network, loss)
    require.counts("evaluate", batch_size=batch_size)
    if is_arrays(data):
        given = examples(data)
        require_finite(given)
        require_fit(model.network, model.input_shape, loss, given)
        return measure(model, chosen, sequential(given, batch_size))
    fits = partial(require_fit, model.network, model.input_shape, loss)
    return measure(model, chosen, StreamFeed(data, fits).batches(0))


def measure(
    model: Model, metrics: Mapping[str, PerExample], batches: Iterable[Examples], precision: str = "float32"
) -> dict[str, float]:
    """Weighted means of the metrics over batches."""
    functions = tuple(metrics.values())
    parts = [_sums(model.network, functions, precision, model.params, model.state, batch) for batch in batches]
    sums, weight = (np.sum([np.asarray(p[i], np.float64) for p in parts], axis=0) for i in (0, 1))
    if not weight:
        remedy = "Weights count examples; leave them out to count all alike."
        raise DataError("weights", expected="some that are not 0", got="none", remedy=remedy)
    return dict(zip(metrics, (float(s / weight) for s in sums), strict=True))


@partial(jit, static_argnums=(0, 1, 2))
def _sums(
    network: Layer, metrics: tuple[PerExample, ...], precision: str, params: Tree, state: Tree, batch: Examples
) -> tuple[Array, Array]:
    params, x = cast((params, batch.x), precision)
    outputs, _ = network.apply(params, state, x)
    values = jnp.stack([metrics_.values(m, outputs, batch.y) for m in metrics])
    return jnp.where(batch.weights > 0, values * batch.weights, 0).sum(1), batch.weights.sum()


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
