"""Where a loss stopped being finite."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..errors import NotFiniteError
from ..nn.layer import Layer, observing
from ..nn.walk import paths
from .examples import Examples
from .step import Objective, TrainState

REMEDY = "Use a smaller learning rate, clip the gradients as the default optimizer does, or start from scheme='auto'."


def is_finite(tree: Any) -> bool:
    """Whether every floating number of a tree is finite."""
    return all(bool(jnp.isfinite(a).all()) for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating))


def diagnose(objective: Objective, now: TrainState, batch: Examples) -> NotFiniteError:
    """The error that names the first layer whose output, or else whose gradient, is not finite at this step."""
    try:
        with observing(_require_finite):
            outputs, _ = objective.outputs(now.params, now.state, batch, now.step)
        _require_finite(objective.network, outputs)
    except NotFiniteError as error:
        return error
    slopes, _ = jax.grad(objective, has_aux=True)(now.params, now.state, batch, now.step)
    bad = [path for path, slope in paths(slopes) if not is_finite(slope)]
    return NotFiniteError(
        f"gradient of {bad[0]!r}" if bad else "loss",
        expected="a finite number at every step",
        got=f"none at step {int(now.step)}, from finite outputs of the network",
        remedy=REMEDY,
    )


def not_finite_in_validation(name: str, value: float, epoch: int) -> NotFiniteError:
    """The error of an epoch after which what is held out has no finite loss, or none of what is watched."""
    return NotFiniteError(
        name,
        expected="a finite number after every epoch",
        got=f"{value} after epoch {epoch}, from finite weights",
        remedy="Look through the validation data for symbols outside of the vocabulary and classes that the network "
        "does not have.",
    )


def _require_finite(layer: Layer, output: Array) -> None:
    wrong = int((~jnp.isfinite(output)).sum())
    if wrong:
        raise NotFiniteError(
            type(layer).__name__,
            expected="a finite output",
            got=f"{wrong} of {output.size} numbers that are not",
            remedy=REMEDY,
        )
