"""Warnings of inputs and targets that are far larger or smaller than what networks learn from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import reduce

import numpy as np

from .. import losses
from ..model import Model
from ..weights.inputs import input_kernels
from .data import Examples, HostArray
from .metrics import PerExample

FAR = 10.0
"""Sizes up to it, and down to its inverse, are taken as they are."""

ROWS = 1_000
"""Examples that are looked at."""

NUMBERS = (losses.mse, losses.mae, losses.huber)
"""Losses for which an output is a number in the unit of the targets."""


def warn_of_sizes(model: Model, data: Examples, loss: PerExample) -> None:
    """Warn where inputs were not what a first layer was made for, and where targets of numbers are not of about 1."""
    for text in (*_inputs(model, data.x[:ROWS]), *(_targets(data.y[:ROWS]) if loss in NUMBERS else ())):
        warnings.warn(f"fit: {text}", stacklevel=3)


def _inputs(model: Model, x: HostArray) -> Iterator[str]:
    size = _size(x)
    for path, kernel in input_kernels(model.network, model.input_shape).items():
        weight = reduce(lambda tree, name: tree[name], filter(None, path.split("/")), model.params)["weight"]
        gives = size * _size(weight) * math.sqrt(kernel.parameter.fan_in)
        if path not in model.inputs and _is_far(size) and _is_far(gives):
            yield (
                f"inputs of root mean square {size:.2g} give what layer {path!r} writes a size of {gives:.2g}; it was "
                "made for inputs of about 1. Make the model for them, capas.init(..., data=x), or standardize them."
            )


def _targets(y: HostArray) -> Iterator[str]:
    mean, std = float(np.mean(y, dtype=np.float64)), float(np.std(y, dtype=np.float64))
    if std > 0 and (math.hypot(mean, std) > FAR or std < 1 / FAR):
        yield (
            f"targets of mean {mean:.3g} and standard deviation {std:.2g}; outputs begin at 0 with variance 0.1, and "
            "numbers of about 1 are learned best. Train on (y - mean) / std, or use datasets.TablePreparation."
        )


def _size(numbers: HostArray) -> float:
    return math.sqrt(np.square(np.asarray(numbers, np.float64)).mean())


def _is_far(size: float) -> bool:
    return size > FAR or 0 < size < 1 / FAR
