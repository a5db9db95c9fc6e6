"""What has been measured, in a JSON file for each map and split, with one line for each run."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .cells import KEY, Cell, cell_of

Record = dict[str, Any]
FOLDER = Path(__file__).parent.parent / "results"


def load(name: str, split: str) -> dict[Cell, Record]:
    """The records of a map."""
    found: dict[Cell, Record] = {}
    for tuned in (False, True):
        found.update(read(_path(name, split, tuned)))
    return found


def read(path: Path) -> dict[Cell, Record]:
    """The records of a file; none where it is not there yet."""
    records = json.loads(path.read_text()) if path.exists() else []
    return {cell_of(record): record for record in records}


def add(cell: Cell, split: str, values: Record) -> None:
    """Write the record of a cell of a map."""
    write(_path(cell.map, split, cell.tuned), cell, values)


def write(path: Path, cell: Cell, values: Record) -> None:
    """Write the record of a cell. The file is whole at any moment, also when several processes write to it."""
    FOLDER.mkdir(exist_ok=True)
    with _locked():
        records = read(path)
        records[cell] = {**{name: getattr(cell, name) for name in KEY}, **values}
        ordered = [records[cell] for cell in sorted(records, key=_order)]
        part = path.with_suffix(".part")
        part.write_text("[\n" + ",\n".join(map(json.dumps, ordered)) + "\n]\n")
        part.replace(path)


def _order(cell: Cell) -> tuple[Any, ...]:
    return cell.variant, cell.weights, cell.activation, cell.depth, cell.rate or 0, cell.seed


def _path(name: str, split: str, tuned: bool) -> Path:
    """The runs at one of four rates are kept apart, since there are many."""
    return FOLDER / f"trainability_{name}_{split}{'_tuned' if tuned else ''}.json"


@contextmanager
def _locked() -> Iterator[None]:
    """One process at a time."""
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def commit() -> str:
    """The commit that is measured, with a plus where files of the library were changed since."""
    here = Path(__file__).parent.parent.parent

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", "src") else "")


def provenance(records: dict[Cell, Record]) -> Iterator[str]:
    """What the numbers were measured with, and which runs ended early."""
    for name in ("commit", "jax", "python"):
        values = sorted({record[name] for record in records.values()})
        mixed = " (results of several: --redo for one)" if name == "commit" and len(values) > 1 else ""
        yield f"{name} {', '.join(values)}{mixed}"
    unfinished = [str(cell) for cell, record in records.items() if record["ended"] == "not finite"]
    if unfinished:
        yield f"not finite: {len(unfinished)} runs, such as {unfinished[0]}"
