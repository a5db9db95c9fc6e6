"""What examples say of a network's input: moments of every feature, and the first layers made for them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import ArgumentError, DataError, ShapeError
from ..nn import Dense, Layer
from ..nn.layer import Shape, Tree, lecun, materialize
from .operating import Reading
from .reader import read_streams
from .streams import Kernel

SHOWN = 5
"""Columns that a message names."""

TRIED, TOLERANCE = 16, 0.02
"""Examples on which a folded network is held against the one it stands for, and what rounding may do."""


@dataclass(frozen=True, eq=False)
class InputData:
    """Examples, shape `(n, *input_shape)`, and the moments of every feature: of a column, or of a channel.

    Args:
        examples: at least two.
        shape: of one.

    Raises `ShapeError` for another shape and `DataError` for numbers that are not finite, with the columns they are in.
    Warns of columns in which all numbers are equal: no weight can make use of them.
    """

    examples: ArrayLike
    shape: Shape

    def __post_init__(self) -> None:
        rows = np.asarray(self.examples)
        if rows.ndim != len(self.shape) + 1 or rows.shape[1:] != self.shape or len(rows) < 2:
            raise ShapeError(
                "init",
                expected=f"data of shape (n, {', '.join(map(str, self.shape))}), n at least 2",
                got=str(rows.shape),
                remedy="Give it examples like those that the network will see.",
            )
        columns = rows.astype(np.float32, copy=False).reshape(-1, self.shape[-1])
        object.__setattr__(self, "examples", columns)
        if bad := np.flatnonzero(~np.isfinite(columns).all(0)).tolist():
            raise DataError(
                "init",
                expected="finite numbers in data",
                got=f"NaN or infinity in {_named(bad)}",
                remedy="Fill them in, or leave the columns out.",
            )
        if bad := np.flatnonzero((columns == columns[0]).all(0)).tolist():
            text = f"init: all numbers are equal in {_named(bad)}, which say nothing of an example"
            warnings.warn(text, stacklevel=5)

    @property
    def mean(self) -> Any:
        """Of every feature."""
        return np.asarray(self.examples).mean(0, dtype=np.float64)

    @property
    def std(self) -> Any:
        """Standard deviation of every feature; 1 where all numbers are equal."""
        std = np.asarray(self.examples).std(0, dtype=np.float64)
        return np.where(std > 0, std, 1.0)

    def power(self, reading: Reading) -> float:
        """Mean square of what a kernel reads of the examples."""
        return float(jnp.square(reading(jnp.asarray(self.examples))).mean())


def _named(columns: Sequence[int]) -> str:
    shown = ", ".join(map(str, columns[:SHOWN]))
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return f"column{'s' if len(columns) > 1 else ''} {shown}{more}"


def standardize(network: Layer, shape: Shape, params: Tree, data: InputData) -> Tree:
    r"""Fold $(x_i - \mu_i) / \sigma_i$ into the first layers: $w_i / \sigma_i$ and $b - \sum_i w_i \mu_i / \sigma_i$.

    Raises `ArgumentError` where it cannot be folded: convolutions pad with zeros, skips pass the input on, a layer has
    no bias.
    """
    readers = {path: kernel for path, kernel in read_streams(network, shape).items() if kernel.reads.is_input}
    for path, kernel in readers.items():
        _require_foldable(path, kernel)
    if not readers:
        raise _unfoldable("no dense layer that reads it")
    folded = params
    for path in readers:
        folded = _folded(folded, path.split("/"), data)
    few = jnp.asarray(data.examples[: math.prod(shape[:-1]) * TRIED]).reshape(-1, *shape)  # type: ignore[index]
    state = materialize(network.statistics(shape), jax.random.key(0), lecun)
    raw, standard = (
        network.apply(weights, state, x)[0] for weights, x in ((folded, few), (params, (few - data.mean) / data.std))
    )
    if jnp.abs(raw - standard).max() > TOLERANCE * (1 + jnp.abs(standard).max()):
        raise _unfoldable("a network that passes the input on beside them")
    return folded


def _require_foldable(path: str, kernel: Kernel) -> None:
    if not isinstance(kernel.layer, Dense) or not kernel.layer.bias or kernel.reads.functions or kernel.copies > 1:
        raise _unfoldable(f"{path}, {kernel.layer!r}")


def _unfoldable(got: str) -> ArgumentError:
    return ArgumentError(
        "init",
        expected="standardize=True with dense layers that read the input as it is and have a bias",
        got=got,
        remedy="Standardize the data before, with datasets.ImagePreparation or TablePreparation, and leave it out.",
    )


def _folded(params: Tree, path: Sequence[str], data: InputData) -> Tree:
    name, *rest = path
    if rest:
        return {**params, name: _folded(params[name], rest, data)}
    weight: Any = params[name]
    repeats = weight.shape[0] // len(data.mean)
    inverse = jnp.asarray(np.tile(1 / data.std, repeats)[:, None], weight.dtype)
    shift = jnp.asarray(np.tile(data.mean, repeats), weight.dtype)
    scaled = weight * inverse
    return {**params, name: scaled, "bias": params["bias"] - shift @ scaled}
