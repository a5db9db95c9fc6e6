"""Measuring a model on data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import losses
from ..compiler import jit
from ..errors import ArgumentError, DataError
from ..model import BATCH, Model
from ..nn import require
from ..nn.layer import Layer
from ..nn.parameter import Tree
from . import metrics as metrics_
from .examples import Examples, examples, require_finite
from .feeds import StreamFeed, sequential
from .metrics import PerExample
from .precision import cast
from .settings import is_arrays, require_fit, require_head, require_loss, require_model


def evaluate(
    model: Model,
    data: Any,
    *,
    loss: PerExample = losses.softmax_cross_entropy,
    metrics: Sequence[str | PerExample] | None = None,
    batch_size: int = BATCH,
) -> dict[str, float]:
    """Mean loss and metrics of a model over data, outside training (dropout off, running statistics).

    Args:
        model: the model.
        data: `(x, y)`, `(x, y, weights)`, or an iterable of such batches.
        loss: per-example loss.
        metrics: names or functions of outputs and targets; by default "loss" and the accuracy that goes with it.
        batch_size: examples at a time, for arrays.

    Raises `DataError` and `ShapeError` for data that the network, the loss or a metric does not take.

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
    if not chosen:
        raise ArgumentError("metrics", expected="at least one", got="none", remedy="Leave them out for the usual ones.")
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
