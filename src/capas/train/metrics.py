"""What is reported beside the loss: functions of outputs and targets that give one value per example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .. import losses
from ..errors import ArgumentError, ShapeError

PerExample = Callable[[Array, Array], Array]


def accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the largest output is at the target class: indices, or the largest of one-hot or soft targets."""
    classes = targets if targets.ndim == outputs.ndim - 1 else targets.argmax(-1)
    return _per_example(outputs.argmax(-1) == classes)


def top_5_accuracy(outputs: Array, targets: Array) -> Array:
    """Whether fewer than five outputs are larger than that of the target class."""
    classes = targets if targets.ndim == outputs.ndim - 1 else targets.argmax(-1)
    chosen = jnp.take_along_axis(outputs, classes[..., None], axis=-1)
    return _per_example((outputs > chosen).sum(-1) < 5)


def binary_accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the sign of each logit agrees with its target, 0 or 1."""
    return _per_example((outputs > 0) == (targets > 0.5))


def _per_example(hits: Array) -> Array:
    return hits.astype(jnp.float32).reshape(len(hits), -1).mean(1)


def values(function: PerExample, outputs: Array, targets: Array) -> Array:
    """What a loss or metric gives; refused, by its name, if it is not one number per example."""
    found, count = function(outputs, targets), len(outputs)
    if found.shape == (count,):
        return found
    raise ShapeError(
        getattr(function, "__name__", repr(function)),
        expected=f"a value for each of the {count} examples, shape ({count},)",
        got=str(found.shape),
        remedy="Compare outputs and targets of one shape, and average over the axes behind the first.",
    )


RECORDED = {"epoch", "step", "loss", "seconds"}
"""What the record of an epoch has beside metrics."""

named: dict[str, PerExample] = {
    "accuracy": accuracy,
    "top_5_accuracy": top_5_accuracy,
    "binary_accuracy": binary_accuracy,
    "mae": losses.mae,
    "mse": losses.mse,
}


def defaults(loss: Callable[..., Any]) -> tuple[str, ...]:
    """What to report where nothing was asked for: the accuracy that goes with a classification loss."""
    base = losses.bare(loss)
    accuracies = {losses.softmax_cross_entropy: "accuracy", losses.binary_cross_entropy: "binary_accuracy"}
    return ("loss", accuracies[base]) if base in accuracies else ("loss",)


def resolve(metrics: Sequence[str | PerExample], loss: PerExample) -> dict[str, PerExample]:
    """Metrics by name; "loss" is the loss itself, and callables go by their own name."""
    found: dict[str, PerExample] = {}
    for metric in metrics:
        if callable(metric):
            name = getattr(metric, "__name__", repr(metric))
            if name in found or name in RECORDED:
                expected = "metrics of different names, which are not those of the record itself"
                remedy = "Define it as a function with a name of its own."
                raise ArgumentError("metrics", expected=expected, got=f"another {name!r}", remedy=remedy)
            found[name] = metric
        elif metric == "loss":
            found["loss"] = loss
        elif metric in named:
            found[metric] = named[metric]
        else:
            raise ArgumentError(
                "metrics",
                expected=f"'loss', {', '.join(map(repr, sorted(named)))}, or a function of outputs and targets",
                got=repr(metric),
                remedy="Write it as a function that gives one value per example.",
            )
    return found
