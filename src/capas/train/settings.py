"""What `fit` is asked for, checked before anything is read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..model import Model
from ..nn import require

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


def require_settings(loss: Any, optimizer: Any, learning_rate: Any, seed: Any, **counts: Any) -> None:
    """Refuse what cannot be meant; counts are whole numbers of at least 1, or not given."""
    require.counts("fit", **counts)
    require.seed("fit", seed)
    require_loss("fit", loss)
    if learning_rate is not None and not (isinstance(learning_rate, REAL) and 0 < float(learning_rate) < math.inf):
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


def _refused(expected: str, got: Any, remedy: str) -> ArgumentError:
    return ArgumentError("fit", expected=expected, got=repr(got), remedy=remedy)
