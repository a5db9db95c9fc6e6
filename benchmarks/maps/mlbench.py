"""Two data sets out of the Debian package r-cran-mlbench, which are files of R: the letters and the shuttle."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from capas.datasets.fetch import cache_folder

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]

PACKAGE_FOLDER = Path("/usr/lib/R/site-library/mlbench/data")
REMEDY = """The {name} data was not found in {places}. Get it from Debian, with root:

    apt-get install r-cran-mlbench

or without, 1 MB instead of all of R:

    apt-get download r-cran-mlbench && dpkg-deb --extract r-cran-mlbench_*.deb mlbench
    mkdir -p {cache} && cp mlbench{package}/{file} {cache}"""
RDATA_REMEDY = "The {name} data is a file of R: ./dev python -m pip install rdata"


class Frame(NamedTuple):
    """A table of the package.

    Attributes:
        name: in messages.
        table: its name in R, and that of its file.
        target: the column with the class.
        folder: in the cache, where the file may be instead.
    """

    name: str
    table: str
    target: str
    folder: str


LETTER = Frame("letter", "LetterRecognition", "lettr", "letter-recognition")
SHUTTLE = Frame("shuttle", "Shuttle", "Class", "shuttle")


def find(frame: Frame) -> Path:
    """Where the file is; ends the program with what to do where it is not, or cannot be read."""
    name, file, cache = frame.name, f"{frame.table}.rda", cache_folder() / frame.folder
    places = (PACKAGE_FOLDER, cache)
    found = [place / file for place in places if (place / file).is_file()]
    if not found:
        where = " or ".join(map(str, places))
        raise SystemExit(REMEDY.format(name=name, places=where, cache=cache, package=PACKAGE_FOLDER, file=file))
    if find_spec("rdata") is None:
        raise SystemExit(RDATA_REMEDY.format(name=name))
    return found[0]


def read(frame: Frame) -> Pair:
    """All rows in the order of the file: numbers, and the class as its place among the sorted names."""
    import rdata

    table = rdata.read_rda(find(frame), default_encoding="ascii")[frame.table]
    y = np.unique(table[frame.target].astype(str).to_numpy(), return_inverse=True)[1]
    return table.drop(columns=frame.target).to_numpy(np.float32), y.astype(np.int32)
