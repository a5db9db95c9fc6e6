"""What is reported beside the loss: functions of outputs and targets that give one value per example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .. import losses
from ..errors import ArgumentError, ShapeError
from ..losses.targets import classes_or_distributions, same_shape

PerExample = Callable[[Array, Array], Array]


def accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the largest output is at the target class: indices, or the largest of one-hot or soft targets."""
    return _per_example(outputs.argmax(-1) == _classes("accuracy", outputs, targets))


def top_5_accuracy(outputs: Array, targets: Array) -> Array:
    """Whether fewer than five outputs are larger than that of the target class."""
    classes = _classes("top_5_accuracy", outputs, targets)
    chosen = jnp.take_along_axis(outputs, classes[..., None], axis=-1)
    return _per_example((outputs > chosen).sum(-1) < 5)


def binary_accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the sign of each logit agrees with its target, 0 or 1."""
    same_shape("binary_accuracy", outputs.shape, targets)
    return _per_example((outputs > 0) == (targets > 0.5))


def _classes(name: str, outputs: Array, targets: Array) -> Array:
    """The class of each target, if targets are what classes can be compared with."""
    classes_or_distributions(name, outputs.shape, targets, None)
    return targets if targets.shape == outputs.shape[:-1] else targets.argmax(-1)


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

LARGER_IS_BETTER: dict[str, PerExample] = {
    "accuracy": accuracy,
    "top_5_accuracy": top_5_accuracy,
    "binary_accuracy": binary_accuracy,
}
SMALLER_IS_BETTER: dict[str, PerExample] = {"mae": losses.mae, "mse": losses.mse}


def defaults(loss: Callable[..., Any]) -> tuple[str, ...]:
    """What to report where nothing was asked for: the accuracy that goes with a classification loss."""
    base = losses.bare(loss)
    accuracies = {losses.softmax_cross_entropy: "accuracy", losses.binary_cross_entropy: "binary_accuracy"}
    return ("loss", accuracies[base]) if base in accuracies else ("loss",)


def resolve(metrics: Sequence[str | PerExample], loss: PerExample) -> dict[str, PerExample]:
    """Metrics by name; "loss" is the loss itself, and callables go by their own name."""
    if isinstance(metrics, str):
        raise _refused("a list of metrics", repr(metrics), f"Write metrics=[{metrics!r}].")
    known = {"loss": loss, **SMALLER_IS_BETTER, **LARGER_IS_BETTER}
    found: dict[str, PerExample] = {}
    for metric in metrics:
        name = getattr(metric, "__name__", repr(metric)) if callable(metric) else metric
        if name in found or (callable(metric) and (name in RECORDED or name.startswith("val_"))):
            expected = "metrics of different names, which are not those of the record itself"
            raise _refused(expected, f"another {name!r}", "Define it as a function with a name of its own.")
        if not (callable(metric) or metric in known):
            expected = f"one of {', '.join(map(repr, known))}, or a function of outputs and targets"
            raise _refused(expected, repr(metric), "Write it as a function that gives one value per example.")
        found[name] = metric if callable(metric) else known[metric]
    return found


def _refused(expected: str, got: str, remedy: str) -> ArgumentError:
    return ArgumentError("metrics", expected=expected, got=got, remedy=remedy)
