"""The column to predict: classes or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from . import cells
from .cells import Value
from .columns import FEW_VALUES, categories, moments
from .description import described
from .idx import HostArray


@described
@dataclass(frozen=True)
class ClassTarget:
    """A target of classes, given to the network as class indices.

    Attributes:
        name: of the column.
        values: the classes, in order.

    Example:
        >>> import pandas
        >>> from capas import datasets
        >>> datasets.ClassTarget("wind", ("east", "west")).encode(pandas.DataFrame({"wind": ["west", "east"]}))
        array([1, 0], dtype=int32)
    """

    name: str
    values: tuple[Value, ...]

    def encode(self, frame: Any) -> HostArray:
        """Class indices, int32 of shape (rows,). Raises `DataError` naming the first row without a known class."""
        _require_targets(frame[self.name])
        return cells.encode(frame[self.name], self.values).astype(np.int32)


@described
@dataclass(frozen=True)
class NumberTarget:
    """A target of numbers, given to the network standardized: `(value - mean) / std`.

    Attributes:
        name: of the column.
        mean: of the numbers of training.
        std: standard deviation of the numbers of training (divisor n).

    Example:
        >>> import pandas
        >>> from capas import datasets
        >>> datasets.NumberTarget("price", mean=100.0, std=20.0).encode(pandas.DataFrame({"price": [80, 120]}))
        array([[-1.],
               [ 1.]], dtype=float32)
    """

    name: str
    mean: float
    std: float

    def encode(self, frame: Any) -> HostArray:
        """Standardized targets, float32 of shape (rows, 1). Raises `DataError` naming the first row without one."""
        _require_targets(frame[self.name])
        return cells.standardized(frame[self.name], self.mean, self.std)[:, None]


def fit_target(column: Any, task: str | None) -> ClassTarget | NumberTarget:
    """The target that a column of training data is; see `TablePreparation.fit`."""
    _require_targets(column)
    if task not in {None, "classification", "regression"}:
        raise ArgumentError(
            "task",
            expected="'classification', 'regression', or None",
            got=repr(task),
            remedy="Choose one of them; None looks at the target.",
        )
    classes = _looks_like_classes(column) if task is None else task == "classification"
    values = categories(column) if classes else cells.numbers(column)
    if len(np.unique(np.asarray(values))) == 1:
        raise cells.refusal(
            column.name,
            "targets that differ",
            f"{cells.plain(column.iloc[0])!r} in every row",
            "Choose another target, or more rows.",
        )
    if classes:
        return ClassTarget(column.name, tuple(values))
    return NumberTarget(column.name, *moments(column.name, np.asarray(values)))


def _looks_like_classes(column: Any) -> bool:
    if not cells.holds_numbers(column):
        return True
    _, values = cells.distinct(column)
    return len(values) <= FEW_VALUES and all(isinstance(value, int) for value in values)


def _require_targets(column: Any) -> None:
    missing = np.asarray(column.isna())
    if missing.any():
        raise cells.refusal(
            column.name,
            "a target in every row",
            f"none in {cells.first_row(missing)}",
            f"Remove such rows: frame.dropna(subset=[{column.name!r}]).",
        )
