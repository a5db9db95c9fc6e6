"""What stands in the columns of a pandas frame, and what is refused there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from ..errors import DataError, missing_extra
from .idx import HostArray

Value = Any  # str, bool, int, float; None stands for a cell with nothing in it


def require_frame(frame: Any) -> None:
    """Refuse what is not a pandas frame with rows, and named, distinct columns."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise missing_extra("datasets.TablePreparation", "data", error) from error
    if not isinstance(frame, DataFrame):
        got, remedy = type(frame).__name__, "Make one: pandas.DataFrame(data)."
    elif not all(isinstance(name, str) for name in frame.columns):
        got, remedy = f"columns {listed(frame.columns)}", "Name them: frame.columns = frame.columns.astype(str)."
    elif not frame.columns.is_unique:
        got, remedy = f"twice {listed(frame.columns[frame.columns.duplicated()])}", "Rename one of them."
    elif len(frame) == 0:
        got, remedy = "no rows", "Check how the table was made."
    else:
        return
    raise DataError(
        "table", expected="a pandas DataFrame with rows, and named, distinct columns", got=got, remedy=remedy
    )


def require_columns(frame: Any, names: Iterable[str]) -> None:
    """Refuse a frame without one of the columns."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            "table",
            expected=f"columns {listed(absent)}",
            got=f"only {listed(frame.columns)}",
            remedy="Check the names; a model needs every column it was trained on.",
        )


def refusal(name: str, expected: str, got: str, remedy: str) -> DataError:
    """The error of a column."""
    return DataError(f"column {name!r}", expected=expected, got=got, remedy=remedy)


def first_row(flags: HostArray) -> str:
    """The first row at which a flag is set, as errors name it."""
    return f"row {int(np.argmax(flags))} (the first is row 0)"


def listed(values: Iterable[Any]) -> str:
    """Up to ten values for a message."""
    shown = [repr(plain(value)) for value in values]
    return ", ".join(shown[:10]) + (f", … ({len(shown)} in all)" if len(shown) > 10 else "")


def plain(value: Any) -> Value:
    """A value of Python's own types, which JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


def holds_numbers(column: Any) -> bool:
    """Whether a column is numeric: by its type, or because all its cells are numbers. Bool and categories are not."""
    if column.dtype != object:
        return column.dtype.kind in "iuf"
    return {type(value) for value in distinct(column)[1]} in ({int}, {float}, {int, float}, {Decimal})


def numbers(column: Any) -> HostArray:
    """The column as float64, with NaN where nothing stands. Refuses infinity, and what is not a number."""
    from pandas import to_numeric

    missing = np.asarray(column.isna())
    numeric = column if column.dtype.kind in "biuf" else to_numeric(column.astype(object), errors="coerce")
    if numeric.dtype.kind == "c":
        raise refusal(column.name, "finite numbers", "complex numbers", "Make two columns of their parts.")
    values = numeric.to_numpy(np.float64, na_value=np.nan)
    bad = np.isinf(values) | (np.isnan(values) & ~missing)
    if bad.any():
        got = f"{listed([column.iloc[int(np.argmax(bad))]])} in {first_row(bad)}"
        raise refusal(column.name, "finite numbers", got, "Correct the cell.")
    return values


def standardized(column: Any, mean: float, std: float) -> HostArray:
    """`(value - mean) / std` as float32, with NaN where nothing stands. Refuses what float32 cannot hold."""
    values = numbers(column)
    with np.errstate(over="ignore"):
        scaled = ((values - mean) / std).astype(np.float32)
    bad = np.isinf(scaled)
    if bad.any():
        got = f"{listed(values[bad][:1])} in {first_row(bad)}"
        raise refusal(column.name, "numbers of the size of those of training", got, "Correct the cell.")
    return scaled


def distinct(column: Any) -> tuple[HostArray, list[Value]]:
    """For each row the index of its value, -1 where nothing stands; and the different values."""
    from pandas import factorize

    try:
        codes, values = factorize(column)
    except TypeError as error:
        raise refusal(column.name, "single values", "lists or other containers", "Drop the column.") from error
    return codes, [plain(value) for value in values.tolist()]


def encode(column: Any, values: Sequence[Value]) -> HostArray:
    """For each row the index of its value among `values`, where None stands for nothing. Refuses all others."""
    codes, found = distinct(column)
    index = {value: i for i, value in enumerate(values)}
    unseen = np.isin(codes, [code for code, value in enumerate(found) if value not in index])
    if unseen.any():
        raise refusal(
            column.name,
            f"the values of training, {listed(values)}",
            f"{found[codes[np.argmax(unseen)]]!r} in {first_row(unseen)}",
            "Correct the cell, or train again with rows that have this value.",
        )
    if None not in index:
        require_complete(column.name, codes < 0)
    return np.array([index[value] for value in found] + [index.get(None, -1)])[codes]


def require_complete(name: str, missing: HostArray) -> None:
    """Refuse missing cells in a column that had none in training."""
    if missing.any():
        raise refusal(
            name,
            "a value in every row, as in training",
            f"none in {first_row(missing)}",
            "Fill it in, or train again with rows in which it is missing.",
        )
