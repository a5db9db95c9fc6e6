"""What `fit` is asked for, checked before anything is read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError

WHOLE = (int, np.integer)
REAL = (int, float, np.number)


def require_counts(subject: str, **counts: Any) -> None:
    """Refuse what is no whole number of at least 1."""
    for name, count in counts.items():
        if not (isinstance(count, WHOLE) and count >= 1):
            expected, remedy = f"{name} of at least 1", "Give a whole number."
            raise ArgumentError(subject, expected=expected, got=repr(count), remedy=remedy)


def require_settings(loss: Any, optimizer: Any, learning_rate: Any, seed: Any, **counts: Any) -> None:
    """Refuse what cannot be meant; counts are whole numbers of at least 1, or not given."""
    require_counts("fit", **counts)
    if not (isinstance(seed, WHOLE) and seed >= 0):
        raise _refused("seed of at least 0", seed, "Give a whole number.")
    if learning_rate is not None and not (isinstance(learning_rate, REAL) and 0 < float(learning_rate) < math.inf):
        raise _refused("a learning rate above 0", learning_rate, "Without one there is a default.")
    if not callable(loss):
        raise _refused("a loss function", loss, "For example loss=losses.mse.")
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


def _refused(expected: str, got: Any, remedy: str) -> ArgumentError:
    return ArgumentError("fit", expected=expected, got=repr(got), remedy=remedy)
