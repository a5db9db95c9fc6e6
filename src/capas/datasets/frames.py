"""Tables from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import DataError, missing_extra
from .tables import TablePreparation


def read_table(path: str | os.PathLike[str], preparation: TablePreparation | None = None) -> Any:
    """The pandas DataFrame of a `.csv` or `.parquet` file.

    Numbers in CSV are read to the last bit.

    Args:
        path: of the file.
        preparation: the one of the trained model, for rows to predict. Columns that were text in training are read as
            text, even if all cells of a CSV file look like numbers now.

    Raises `DataError` for files that are missing, damaged, of another kind, or have a column without a name, and
    `MissingExtraError` without pandas, or pyarrow for Parquet.

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
    readers = {".csv": _csv, ".parquet": _parquet}
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        raise _refusal(path, "another suffix", "Save the table as one of the two.")
    try:
        return reader(Path(path), _text_columns(preparation))
    except ImportError as error:
        raise missing_extra("datasets.read_table", "data", error) from error
    except FileNotFoundError as error:
        raise _refusal(path, "no such file", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise _refusal(path, f"one that cannot be read ({type(error).__name__})", "Repair it or save it anew.") from error


def _csv(path: Path, text: list[str]) -> Any:
    import pandas

    # pandas' quick parser of numbers may be wrong in the last digit.
    return pandas.read_csv(path, dtype=dict.fromkeys(text, str), float_precision="round_trip", low_memory=False)


def _parquet(path: Path, text: list[str]) -> Any:
    import pandas
    import pyarrow  # noqa: F401  pandas' own error would not say which package is missing

    return pandas.read_parquet(path, engine="pyarrow")


def _text_columns(preparation: TablePreparation | None) -> list[str]:
    return []


def _refusal(path: str | os.PathLike[str], got: str, remedy: str) -> DataError:
    return DataError(os.fspath(path), expected="a table in a .csv or .parquet file", got=got, remedy=remedy)
