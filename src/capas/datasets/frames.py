"""Tables from files."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

from ..errors import DataError, missing_extra
from .columns import CategoryColumn
from .tables import TablePreparation
from .targets import ClassTarget

Location = str | os.PathLike[str]


def read_table(path: Location, preparation: TablePreparation | None = None) -> Any:
    """The pandas DataFrame of a `.csv` or `.parquet` file.

    Args:
        path: of the file.
        preparation: the one of the trained model, for rows to predict. Columns that were text in training are read as
            text, even if all cells of a CSV file look like numbers now.

    Raises `DataError` for files that are missing, damaged, of another kind, or have columns without a name or two of
    one, and `MissingExtraError` without pandas, or pyarrow for Parquet.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from capas import datasets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "people.csv"
        ...     _ = file.write_text("age,city\\n30,Rome\\n,Lima\\n")
        ...     datasets.read_table(file)
            age  city
        0  30.0  Rome
        1   NaN  Lima
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise _refusal(path, f"the suffix {suffix!r}", "Save the table as one of the two.")
    try:
        frame = _csv(path, _text_columns(preparation)) if suffix == ".csv" else _parquet(path)
    except ImportError as error:
        raise missing_extra("datasets.read_table", "data", error) from error
    except FileNotFoundError as error:
        raise _refusal(path, "no such file", "Check the path.") from error
    except (OSError, ValueError) as error:
        reason = f"{error}".split("\n")[0].rstrip(".")
        raise _refusal(path, f"one that cannot be read ({reason})", "Repair it or save it anew.") from error
    _require_names(path, frame)
    if suffix == ".csv":
        _require_different(path)
    return frame


def _csv(path: Location, text: list[str]) -> Any:
    from pandas import errors, read_csv

    # In one piece (low_memory=False): in several, pandas may find different types for one column.
    # Of rows longer than the first line, pandas would make the first cell a label (index_col=None) and so give every
    # cell to another column, or leave out the last one and warn (index_col=False).
    with warnings.catch_warnings():
        warnings.simplefilter("error", errors.ParserWarning)
        try:
            return read_csv(path, dtype=dict.fromkeys(text, str), low_memory=False, index_col=False)
        except errors.ParserWarning as error:
            raise ValueError("rows have more cells than the first line has names") from error


def _parquet(path: Location) -> Any:
    import pandas
    import pyarrow  # noqa: F401  (pandas would not name what is missing)

    return pandas.read_parquet(path, engine="pyarrow")


def _text_columns(preparation: TablePreparation | None) -> list[str]:
    known = (*preparation.columns, preparation.target) if preparation else ()
    return [
        column.name
        for column in known
        if isinstance(column, (CategoryColumn, ClassTarget)) and {type(v) for v in column.values} <= {str, type(None)}
    ]


def _require_names(path: Location, frame: Any) -> None:
    """pandas writes its row numbers into a column without a name, and a network would learn from them."""
    nameless = [i for i, name in enumerate(frame.columns) if re.fullmatch(r"Unnamed: \d+", str(name))]
    if nameless:
        raise DataError(
            os.fspath(path),
            expected="a name for every column",
            got=f"none for column {nameless[0]} (the first is column 0)",
            remedy="Name it, or remove it: pandas leaves row numbers out with frame.to_csv(path, index=False).",
        )


def _require_different(path: Location) -> None:
    """pandas calls the second of two columns of one name "name.1", and a network would read the target in it."""
    from pandas import read_csv

    names = read_csv(path, header=None, nrows=1, dtype=str, index_col=False).loc[0]
    if names.duplicated().any():
        twice = names[names.duplicated()].iloc[0]
        expected, remedy = "columns of different names", "Rename one of them, or remove it."
        raise DataError(os.fspath(path), expected=expected, got=f"{twice!r} twice", remedy=remedy)


def _refusal(path: Location, got: str, remedy: str) -> DataError:
    return DataError(os.fspath(path), expected="a table in a .csv or .parquet file", got=got, remedy=remedy)
