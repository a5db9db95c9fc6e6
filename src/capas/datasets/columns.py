"""Columns of a table as inputs of a network: numbers are standardized, categories become one input each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from . import cells
from .cells import Value
from .description import described
from .idx import HostArray

# So few values can each stand for a class, however rare; more of them must recur, or they are names and notes.
FEW_VALUES = 20

DATE = re.compile(
    r"(\d{4}(?P<a>[-/.])\d{1,2}(?P=a)\d{1,2}|\d{1,2}(?P<b>[-/.])\d{1,2}(?P=b)\d{4})([ T]\d{1,2}:\d{2}.*)?"
)


@described
@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: `(value - mean) / std`.

    Where training had missing cells, these become 0, the mean, and a second input says which: 1 if missing, else 0.

    Attributes:
        name: of the column.
        mean: of the numbers of training.
        std: standard deviation of the numbers of training (divisor n).
        has_missing: whether training had missing cells; if not, they are refused.

    Example:
        >>> import pandas
        >>> from capas import datasets
        >>> column = datasets.NumberColumn("age", mean=40.0, std=10.0, has_missing=True)
        >>> column.prepare(pandas.DataFrame({"age": [20, None]}))
        array([[-2., 0.],
               [ 0., 1.]], dtype=float32)
    """

    name: str
    mean: float
    std: float
    has_missing: bool

    @property
    def features(self) -> tuple[str, ...]:
        """What each input stands for."""
        return (self.name, f"{self.name} is missing") if self.has_missing else (self.name,)

    def prepare(self, frame: Any) -> HostArray:
        """Inputs, float32 of shape (rows, features); see the class. Raises `DataError` naming the first bad row."""
        scaled = cells.standardized(frame[self.name], self.mean, self.std)
        missing = np.isnan(scaled)
        if not self.has_missing:
            cells.require_complete(self.name, missing)
            return scaled[:, None]
        return np.stack((np.where(missing, np.float32(0), scaled), missing.astype(np.float32)), axis=1)


@described
@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories: one input for each value, 1 where the row has it, else 0.

    Attributes:
        name: of the column.
        values: those of training, in order; None, at the end, if cells were missing.

    Example:
        >>> import pandas
        >>> from capas import datasets
        >>> column = datasets.CategoryColumn("wind", values=("east", "west", None))
        >>> column.prepare(pandas.DataFrame({"wind": ["west", None]}))
        array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
    """

    name: str
    values: tuple[Value, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """What each input stands for."""
        return tuple(f"{self.name} is missing" if v is None else f"{self.name}={v}" for v in self.values)

    def prepare(self, frame: Any) -> HostArray:
        """Inputs, float32 of shape (rows, features); see the class. Raises `DataError` naming the first bad row."""
        codes = cells.encode(frame[self.name], self.values)
        return (codes[:, None] == np.arange(len(self.values))).astype(np.float32)


def fit_column(column: Any) -> NumberColumn | CategoryColumn | None:
    """How a column of training data is encoded; None if it is the same in every row."""
    return _fit_numbers(column) if cells.holds_numbers(column) else _fit_categories(column)


def _fit_numbers(column: Any) -> NumberColumn | CategoryColumn | None:
    values = cells.numbers(column)
    present = values[~np.isnan(values)]
    has_missing = len(present) < len(values)
    if len(present) == 0 or present.min() == present.max():
        # One number or nothing: all that such a cell says is which of the two.
        return CategoryColumn(column.name, (float(present[0]), None)) if has_missing and len(present) else None
    mean, std = moments(column.name, present)
    return NumberColumn(column.name, mean, std, has_missing)


def _fit_categories(column: Any) -> CategoryColumn | None:
    values = categories(column)
    if column.isna().any():
        values = (*values, None)
    return CategoryColumn(column.name, values) if len(values) > 1 else None


def moments(name: str, values: HostArray) -> tuple[float, float]:
    """Mean and standard deviation of numbers that differ. Refuses those too large or too close for double precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(values.mean()), float(values.std())
    if not (np.isfinite(std) and std > 0):
        raise cells.refusal(
            name,
            "numbers with a standard deviation that double precision can hold",
            f"numbers from {values.min()} to {values.max()}",
            "Rescale them; leave cells empty that hold a placeholder.",
        )
    return mean, std


def categories(column: Any) -> tuple[Value, ...]:
    """The different values of a column, in order. Refuses dates, mixtures, and values most of which occur once."""
    codes, values = cells.distinct(column)
    kinds = {type(value) for value in values}
    if not kinds <= {str, bool, int, float} or len(kinds) > 1:
        raise _not_categories(column.name, " and ".join(sorted(kind.__name__ for kind in kinds)))
    if kinds == {str} and all(DATE.fullmatch(value) for value in values):
        raise _not_categories(column.name, f"dates or times like {values[0]!r}")
    _require_recurring(column.name, values, int((codes >= 0).sum()))
    return tuple(sorted(values))


def _not_categories(name: str, got: str) -> DataError:
    return cells.refusal(
        name,
        "numbers, or values of one kind out of str, bool, int and float",
        got,
        "Turn dates and times into numbers (year, month, days since a day), mixtures into text; or drop the column.",
    )


def _require_recurring(name: str, values: Sequence[Value], rows: int) -> None:
    if len(values) > max(FEW_VALUES, rows / 2):
        raise cells.refusal(
            name,
            "categories that recur",
            f"{len(values)} different values in {rows} rows",
            "Names, notes and identifiers say nothing about new rows: drop the column, or group its values.",
        )
