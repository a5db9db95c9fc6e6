"""Tables: how the columns of a pandas frame become inputs and targets of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from . import cells
from .cells import Value
from .columns import CategoryColumn, NumberColumn, fit_column
from .description import described
from .idx import HostArray
from .targets import ClassTarget, NumberTarget, fit_target


@described
@dataclass(frozen=True)
class TablePreparation:
    """From the raw rows of a table to inputs and targets of a network. It is fitted once, and kept with the model.

    Attributes:
        columns: those that are inputs, in the order of the table.
        target: the column to predict.
        dropped: columns that were the same in every row of training, and are ignored.

    Example:
        >>> import pandas
        >>> from capas import datasets
        >>> frame = pandas.DataFrame(
        ...     {"age": [30, 50], "city": ["Rome", "Lima"], "planet": "Earth", "ill": [True, False]}
        ... )
        >>> preparation = datasets.TablePreparation.fit(frame, target="ill")
        >>> preparation.features, preparation.classes, preparation.dropped
        (('age', 'city=Lima', 'city=Rome'), (False, True), ('planet',))
        >>> preparation.prepare(frame)
        array([[-1., 0., 1.],
               [ 1., 1., 0.]], dtype=float32)
        >>> preparation.targets(frame)
        array([1, 0], dtype=int32)
    """

    columns: tuple[NumberColumn | CategoryColumn, ...]
    target: ClassTarget | NumberTarget
    dropped: tuple[str, ...] = ()

    @classmethod
    def fit(cls, frame: Any, target: str, task: str | None = None) -> TablePreparation:
        """The preparation for the rows of a training table.

        Numbers, integers included, are standardized; text, bool and pandas categories become one input for each value.
        A column with one number and missing cells is a category. Columns that are the same in every row are dropped.
        Dates, and text that is different in most rows, are refused.

        Args:
            frame: pandas DataFrame.
            target: the column to predict.
            task: "classification" or "regression". If None, a target of text, bool, categories, or at most 20 different
                integers is one of classes; any other is one of numbers.

        Raises `DataError` naming the column, and the row where there is one, and `ArgumentError` for another task.

        Example:
            >>> import pandas
            >>> from capas import datasets
            >>> frame = pandas.DataFrame({"size": [1.0, 3.0], "price": [100.0, 300.0]})
            >>> datasets.TablePreparation.fit(frame, target="price").target
            NumberTarget(name='price', mean=200.0, std=100.0)
        """
        cells.require_frame(frame)
        cells.require_columns(frame, [target])
        goal = fit_target(frame[target], task)
        fitted = {name: fit_column(frame[name]) for name in frame.columns if name != target}
        columns = tuple(column for column in fitted.values() if column is not None)
        if not columns:
            raise DataError(
                "table",
                expected=f"columns beside {target!r} that are not the same in every row",
                got=cells.listed(fitted) or "none",
                remedy="Add columns to predict from.",
            )
        return cls(columns, goal, tuple(name for name, column in fitted.items() if column is None))

    @property
    def features(self) -> tuple[str, ...]:
        """What each input stands for."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def input_shape(self) -> tuple[int]:
        """Shape of one example."""
        return (len(self.features),)

    @property
    def classes(self) -> tuple[Value, ...]:
        """What each class index means; empty for regression."""
        return self.target.values if isinstance(self.target, ClassTarget) else ()

    def prepare(self, frame: Any) -> HostArray:
        """Inputs for raw rows, as in training.

        Args:
            frame: pandas DataFrame with the columns of training in any order; others, and the target, are ignored.

        Returns: float32 of shape (rows, features).

        Raises `DataError` naming missing columns; or the column and row of a value that training did not have, of a
        missing cell where training had none, and of text and infinity among numbers.

        Example: see the class.
        """
        cells.require_frame(frame)
        cells.require_columns(frame, [column.name for column in self.columns])
        return np.concatenate([column.prepare(frame) for column in self.columns], axis=1)

    def targets(self, frame: Any) -> HostArray:
        """Targets for rows that have them, to train and evaluate on.

        Returns: class indices, int32 of shape (rows,); or standardized numbers, float32 of shape (rows, 1).

        Raises `DataError` if the column is missing, and naming the row of a target that is missing or unknown.

        Example: see the class.
        """
        cells.require_frame(frame)
        cells.require_columns(frame, [self.target.name])
        return self.target.encode(frame)

    def unscale(self, outputs: Any) -> HostArray:
        """Predictions in the unit of the target: `outputs · std + mean`, float64 of the shape of `outputs`.

        Raises `ArgumentError` for a target of classes.

        Example:
            >>> import numpy as np, pandas
            >>> from capas import datasets
            >>> frame = pandas.DataFrame({"size": [1.0, 3.0], "price": [100.0, 300.0]})
            >>> datasets.TablePreparation.fit(frame, target="price").unscale(np.array([[0.0], [0.5]]))
            array([[200.],
                   [250.]])
        """
        if isinstance(self.target, ClassTarget):
            raise ArgumentError(
                "TablePreparation",
                expected="a target of numbers",
                got=f"{self.target.name!r}, a target of classes",
                remedy="Look the class up: preparation.classes[outputs.argmax(axis=-1)[row]].",
            )
        return np.asarray(outputs, np.float64) * self.target.std + self.target.mean
