"""Batches of one fixed size, out of examples or of any iterable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from ..randomness import Purpose, host_generator
from .examples import Examples, HostArray, examples, narrow, require_finite


@dataclass(frozen=True)
class ArrayFeed:
    """Shuffled batches of arrays; the last is filled up from the start of the epoch's order, so all have one size."""

    data: Examples
    batch_size: int
    seed: int

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-self.data.rows // self.batch_size)

    def order(self, epoch: int) -> HostArray:
        """Rows of each batch of an epoch, shape (steps, batch size)."""
        rows = host_generator(self.seed, Purpose.ORDER, epoch).permutation(self.data.rows).astype(np.int32)
        return np.resize(rows, (self.steps, self.batch_size))

    def batches(self, epoch: int) -> Iterator[Examples]:
        """The batches themselves."""
        for i, rows in enumerate(self.order(epoch)):
            yield _read(self.data, rows, f"batch {i}")


@dataclass(frozen=True)
class StreamFeed:
    """Batches from any iterable, one pass an epoch, filled up to the size of the first with repeats of weight zero."""

    source: Iterable[Any] | Callable[[], Iterable[Any]]
    require: Callable[[Examples], None] = lambda batch: None
    subject: str = "data"

    def __post_init__(self) -> None:
        gives_items = any(hasattr(self.source, name) for name in ("__iter__", "__getitem__", "__call__"))
        if hasattr(self.source, "shape") or not gives_items:
            raise DataError(
                self.subject,
                expected="(x, y), (x, y, weights), or batches of these",
                got=f"an object of type {type(self.source).__name__} alone",
                remedy="Write inputs and targets as a tuple.",
            )
        if self.steps == 0:
            raise self._empty("batches")

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, where the source knows."""
        return len(self.source) if isinstance(self.source, Sized) else None

    def batches(self, epoch: int) -> Iterator[Examples]:
        """The batches of one pass over the source."""
        size = 0
        source = self.source() if callable(self.source) else self.source
        for i, item in enumerate(source):
            batch = examples(item, f"batch {i}")
            require_finite(batch, f"batch {i}")
            self.require(batch)
            size = size or batch.rows
            yield fill(batch, size)
        if size == 0:
            raise self._empty(f"batches in epoch {epoch + 1}")

    def _empty(self, expected: str) -> DataError:
        remedy = "A generator is used up after one pass: give a list, a loader, or a function that makes one."
        return DataError(self.subject, expected=expected, got="none", remedy=remedy)


def _read(data: Examples, rows: Any, subject: str, first_row: int = 0) -> Examples:
    """Examples as arrays in memory; those from the disk are looked through here, others were before."""
    read = Examples(*(narrow(np.asarray(array), subject) for array in data.take(rows)))
    if data.is_on_disk:
        require_finite(read, subject, first_row)
    return read


def fill(batch: Examples, size: int) -> Examples:
    """A batch brought to `size` rows by repeating its own, with weight zero."""
    missing = size - batch.rows
    if missing == 0:
        return batch
    if missing < 0:
        raise DataError(
            "data",
            expected=f"batches of at most {size} examples, the size of the first",
            got=str(batch.rows),
            remedy="Make all batches the same size; the last one may be smaller.",
        )
    x, y, w = batch.take(np.resize(np.arange(batch.rows), size))
    return Examples(x, y, np.where(np.arange(size) < batch.rows, w, 0))


def sequential(data: Examples, batch_size: int) -> Iterator[Examples]:
    """The examples in order, in batches of one size."""
    size = min(batch_size, data.rows)
    for start in range(0, data.rows, size):
        yield fill(_read(data, slice(start, start + size), "data", start), size)
