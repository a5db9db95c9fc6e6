"""The IDX format, in which MNIST and its relatives come."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError

HostArray = np.ndarray[Any, Any]

UNSIGNED_BYTE = 8
MOST_AXES = 64  # of a NumPy array


def read_idx(path: str | os.PathLike[str]) -> HostArray:
    """The array of an IDX file of unsigned bytes, compressed with gzip or not.

    The file holds two zero bytes, the type of its numbers (8: unsigned bytes), the number of axes, the length of each
    axis as a big-endian 32-bit integer, and the numbers, last axis fastest.

    Returns: array of uint8 with the axes that the file states.

    Raises `DataError` for a file that is missing, cut short, too long, or of another format.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998, file formats.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from capas import datasets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "two-by-three"
        ...     _ = file.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 20, 21, 22]))
        ...     datasets.read_idx(file)
        array([[10, 11, 12],
               [20, 21, 22]], dtype=uint8)
    """
    content = _content(Path(path))
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]) or content[3] > MOST_AXES:
        raise _refusal(path, f"a file that starts with {content[:4].hex(' ') or 'nothing'}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _refusal(path, f"{len(content)} bytes, which end before the lengths of its {content[3]} axes")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    size = int(np.prod(shape, dtype=object))
    if len(content) - start != size:
        raise _refusal(path, f"{len(content) - start} numbers where shape {shape} has {size}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(path, "a damaged gzip file") from error
    except OSError as error:
        raise _refusal(path, f"{error.strerror}") from error


def _refusal(path: str | os.PathLike[str], got: str) -> DataError:
    return DataError(
        os.fspath(path),
        expected="an IDX file of unsigned bytes",
        got=got,
        remedy="Fetch the file again, or name the right one.",
    )
