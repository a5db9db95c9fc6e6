"""What targets may be: shapes that equal those of the outputs, classes in range, probabilities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import DataError, ShapeError
from .contract import Check, Shape, spread

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def same_shape(name: str, shape: Shape, targets: Array, mask: Array | None = None) -> None:
    """Targets of exactly the shape of the outputs."""
    if targets.shape == shape:
        return
    raise ShapeError(
        name,
        expected=f"targets of shape {shape}, that of the outputs",
        got=str(targets.shape),
        remedy=_remedy(shape, targets.shape),
    )


def _remedy(shape: Shape, found: Shape) -> str:
    if shape == (*found, 1):
        return "Write targets[..., None]; broadcasting would compare every target with every output."
    if (*shape, 1) == found:
        return "Write targets[..., 0]; broadcasting would compare every target with every output."
    if shape[:1] != found[:1]:
        return "Give one target per example."
    return "Change the network's last layer or the targets, so that there is one target per output."


def within(low: float, high: float, remedy: str) -> Check:
    """A check for targets of the outputs' shape with low <= target <= high."""
    expected = f"targets of at least {low:g}" if high == np.inf else f"targets between {low:g} and {high:g}"

    def check(name: str, shape: Shape, targets: Array, mask: Array | None) -> None:
        same_shape(name, shape, targets)
        if (values := _known(targets)) is not None:
            _refuse(name, ~((values >= low) & (values <= high)), values, mask, expected, remedy)

    return check


def signs(name: str, shape: Shape, targets: Array, mask: Array | None) -> None:
    """Targets of the outputs' shape that are -1 or 1."""
    same_shape(name, shape, targets)
    if (values := _known(targets)) is not None:
        _refuse(name, np.abs(values) != 1, values, mask, "targets that are -1 or 1", "From 0 and 1: 2 * targets - 1.")


def classes_or_distributions(name: str, shape: Shape, targets: Array, mask: Array | None) -> None:
    """Integer classes of shape `(batch, ...)`, or probabilities of the outputs' shape `(batch, ..., classes)`."""
    if shape[-1:] == (1,):
        raise ShapeError(
            name,
            expected="outputs of one logit per class",
            got=str(shape),
            remedy="For yes or no by one output use losses.binary_cross_entropy, for numbers losses.mse.",
        )
    if len(shape) < 2 or targets.shape not in {shape, shape[:-1]}:
        raise ShapeError(
            name,
            expected=f"classes of shape {shape[:-1]} or probabilities of shape {shape}",
            got=str(targets.shape),
            remedy="Write targets[..., 0]." if targets.shape == (*shape[:-1], 1) else _remedy(shape, targets.shape),
        )
    if targets.shape == shape:
        distributions(name, shape, targets, mask)
    elif not jnp.issubdtype(targets.dtype, jnp.integer):
        raise DataError(
            name,
            expected="classes as integers",
            got=str(targets.dtype),
            remedy="Write targets.astype(int), if they are classes; for numbers use losses.mse.",
        )
    elif (values := _known(targets)) is not None:
        expected = f"classes from 0 to {shape[-1] - 1}"
        remedy = "Number the classes from 0, and give the network one output per class."
        _refuse(name, (values < 0) | (values >= shape[-1]), values, mask, expected, remedy)


def distributions(name: str, shape: Shape, targets: Array, mask: Array | None) -> None:
    """Probabilities of the outputs' shape: nonnegative, with a sum of 1 over the last axis."""
    same_shape(name, shape, targets)
    if (values := _known(targets)) is None:
        return
    _refuse(name, ~(values >= 0), values, mask, "probabilities of at least 0", "Apply jax.nn.softmax to logits.")
    totals = values.sum(-1)
    tolerance = 1e-3 if targets.dtype.itemsize > 2 else 1e-2
    expected = "probabilities with a sum of 1 over the last axis"
    _refuse(name, ~(np.abs(totals - 1) < tolerance), totals, mask, expected, "Divide them by their sum.")


def _known(targets: Array) -> Values | None:
    """The numbers, where there are any: a traced array has none."""
    return None if isinstance(targets, jax.core.Tracer) else np.asarray(targets, np.float64)


def _refuse(name: str, bad: np.ndarray, values: Values, mask: Array | None, expected: str, remedy: str) -> None:
    if isinstance(mask, jax.core.Tracer):
        return
    if mask is not None:
        bad = bad & np.asarray(spread(name, "mask", mask, values.shape))
    if bad.any():
        position = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(name, expected=expected, got=f"{values[position]:g} at position {position}", remedy=remedy)
