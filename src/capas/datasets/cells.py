"""What stands in the columns of a pandas frame, and what is refused there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, missing_extra
from .idx import HostArray

Value = str | bool | int | float | None

# A few values can each be a class or category; many must at least recur, or they are names and notes.
FEW_VALUES = 20

DATE = re.compile(r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})([ T]\d{1,2}:\d{2}.*)?")


def require_frame(frame: Any) -> None:
    """Refuse what is not a pandas frame with named, distinct columns and at least one row."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise missing_extra("datasets.TablePreparation", "data", error) from error
    if not isinstance(frame, DataFrame):
        got, remedy = type(frame).__name__, "Make one: pandas.DataFrame(data)."
    elif not all(isinstance(name, str) for name in frame.columns):
        got, remedy = f"columns {listed(frame.columns)}", "Name them: frame.columns = frame.columns.astype(str)."
    elif not frame.columns.is_unique:
        double = next(name for name in frame.columns if list(frame.columns).count(name) > 1)
        got, remedy = f"several columns {double!r}", "Rename them."
    elif len(frame) == 0:
        got, remedy = "no rows", "Check how the table was made."
    else:
        return
    raise DataError("table", expected="a pandas DataFrame of named, distinct columns", got=got, remedy=remedy)


def require_columns(frame: Any, names: Iterable[str]) -> None:
    """Refuse a frame without one of the columns."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            "table",
            expected=f"the column{'s' * (len(absent) > 1)} {listed(absent)}",
            got=f"the columns {listed(frame.columns)}",
            remedy="Add what is missing, with the name it had in training.",
        )


def refusal(name: str, expected: str, got: str, remedy: str) -> DataError:
    """The error of a column."""
    return DataError(f"column {name!r}", expected=expected, got=got, remedy=remedy)


def row(flags: HostArray) -> str:
    """The first row at which a flag is set, as errors name it."""
    return f"row {int(np.argmax(flags))} (the first is row 0)"


def listed(values: Iterable[Any]) -> str:
    """Up to ten values for a message."""
    shown = [repr(v) for v in values]
    return ", ".join(shown[:10]) + (f", … ({len(shown)} in all)" if len(shown) > 10 else "")


def numbers(column: Any) -> HostArray:
    """The column as float64, with NaN where nothing stands. Refuses text that is not a number, and infinity."""
    from pandas import to_numeric
    from pandas.api.types import is_numeric_dtype

    missing = np.asarray(column.isna())
    if not is_numeric_dtype(column.dtype):
        column = to_numeric(column.astype(object), errors="coerce")
    values = column.to_numpy(np.float64, na_value=np.nan)
    return values


def distinct(column: Any) -> tuple[HostArray, list[Value]]:
    """The different values of a column, and for each row the index of its value; -1 where nothing stands."""
    import pandas

    try:
        codes, values = pandas.factorize(column)
    except TypeError as error:
        raise _not_scalar(column.name, type(column.iloc[0]).__name__) from error
    return codes, [_plain(v) for v in values.tolist()]
