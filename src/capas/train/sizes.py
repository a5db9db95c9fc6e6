"""Warnings of inputs and targets that are far larger or smaller than what networks learn from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Array

from .. import losses
from ..model import Model
from ..nn.walk import found
from ..weights.data import read
from ..weights.inputs import first_kernels
from ..weights.reading import Reading
from ..weights.streams import Kernel
from .examples import Examples, HostArray, spaced
from .metrics import PerExample

FAR, STRONG = 10.0, 3.0
"""Sizes of features and targets up to the first, and down to its inverse, are taken as they are; so are signals up to
the second."""

ROWS, SEEN = 1_000, 1_000_000
"""Examples that are looked at, and numbers in them."""

NUMBERS = (losses.mse, losses.mae, losses.huber)
"""Losses for which an output is a number in the unit of the targets."""


def warn_of_sizes(model: Model, data: Examples, loss: PerExample) -> None:
    """Warn where inputs were not what a first layer was made for, and where targets of numbers are not of about 1."""
    rows = spaced(data.rows, min(ROWS, SEEN // math.prod(data.x.shape[1:]) + 1))
    targets = _targets(np.asarray(data.y[rows], np.float64)) if losses.bare(loss) in NUMBERS else ()
    for text in (*_inputs(model, data.x[rows]), *targets):
        warnings.warn(f"fit: {text}", stacklevel=3)


def _inputs(model: Model, x: HostArray) -> Iterator[str]:
    for path, kernel in first_kernels(model.network, model.input_shape).items():
        if path in model.inputs:
            yield from _moved(path, x, **model.inputs[path])
            continue
        seen = np.asarray(read(Reading(kernel.reads.functions), x), np.float64)
        gives = _size(seen) * _size(found(model.params, path)["weight"]) * math.sqrt(kernel.parameter.fan_in)
        if _is_strange(seen, gives, kernel):
            yield (
                f"layer {path!r} makes of these inputs a signal of size {gives:.2g}, where about 1 was meant; their "
                f"largest feature has a root mean square of {_largest(x):.2g}. Make the model for them, "
                "capas.init(..., data=x), or standardize them."
            )


def _moved(path: str, x: HostArray, mean: Array, std: Array) -> Iterator[str]:
    """Of inputs that are not those that a layer was made for."""
    seen = ((np.asarray(x, np.float64) - np.asarray(mean)) / np.asarray(std)).reshape(len(x), -1)
    away, apart = _size(seen), _size(seen - seen.mean(0))
    if away > FAR or apart < 1 / FAR:
        yield (
            f"layer {path!r} was made for data: from its mean these inputs are {away:.2g} standard deviations away, "
            f"and {apart:.2g} from each other. Give it inputs like those of capas.init(..., data=x)."
        )


def _is_strange(seen: HostArray, gives: float, kernel: Kernel) -> bool:
    """Whether a signal is neither what the layer was made for, nor of the usual size."""
    if kernel.reads.functions:
        return _is_far(gives)
    return (_largest(seen) > FAR and gives > STRONG) or (0 < _size(seen) < 1 / FAR and gives < 1 / FAR)


def _targets(y: HostArray) -> Iterator[str]:
    columns = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
    means, stds = columns.mean(0), columns.std(0)
    worst = int(np.argmax(np.hypot(means, stds)))
    mean, std = means[worst], stds[worst]
    if math.hypot(mean, std) > FAR or 0 < stds.max() < 1 / FAR:
        yield (
            f"targets of mean {mean:.3g} and standard deviation {std:.2g}; outputs begin at 0, by default with "
            "variance 0.1, and numbers of about 1 are learned best. Train on (y - mean) / std, or use "
            "datasets.TablePreparation."
        )


def _largest(x: HostArray) -> float:
    """The root mean square of the largest feature."""
    return math.sqrt(np.square(np.asarray(x, np.float64)).reshape(-1, x.shape[-1]).mean(0).max())


def _size(numbers: HostArray) -> float:
    return math.sqrt(np.square(np.asarray(numbers, np.float64)).mean())


def _is_far(size: float) -> bool:
    return size > FAR or 0 < size < 1 / FAR
