"""What training eats: arrays, memory maps, and iterables of batches, as batches of one fixed size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DataError
from ..nn import require
from ..randomness import Purpose, host_generator

HostArray = np.ndarray[Any, Any]


class Examples(NamedTuple):
    """Inputs, targets and a weight for each; all with the same number of rows."""

    x: Any
    y: Any
    weights: Any

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.x)

    def take(self, rows: Any) -> Examples:
        """The examples at `rows`."""
        return Examples(self.x[rows], self.y[rows], self.weights[rows])


def spaced(rows: int, count: int) -> HostArray:
    """Numbers of so many rows, from the first to the last in equal steps; all, if there are no more."""
    return np.linspace(0, rows - 1, min(rows, count)).astype(int)


def examples(data: Any, subject: str = "data") -> Examples:
    """`(x, y)` or `(x, y, weights)` as host arrays of one length, in the precision that JAX will use.

    Memory maps stay on disk. Raises `DataError` for anything else.
    """
    if not isinstance(data, (tuple, list)) or len(data) not in {2, 3}:
        raise DataError(
            subject,
            expected="(x, y) or (x, y, weights)",
            got=type(data).__name__ if not isinstance(data, (tuple, list)) else f"{len(data)} things",
            remedy="Pass inputs and targets as a tuple.",
        )
    x, y = (_host(a) for a in data[:2])
    w = _host(data[2]) if len(data) == 3 else np.ones(len(x), np.float32)
    if w.size and w.min() < 0:
        raise DataError(subject, expected="weights of at least 0", got=f"{w.min():g}", remedy="Weights count examples.")
    if not len(x) == len(y) == len(w) or len(x) == 0:
        raise DataError(
            subject,
            expected="x, y and weights with the same number of rows, at least one",
            got=", ".join(str(a.shape) for a in (x, y, w)),
            remedy="Check which rows belong together.",
        )
    return Examples(x, y, w)


def _host(values: Any) -> HostArray:
    array = values if isinstance(values, np.memmap) else np.asarray(values)
    if array.dtype == object and all(isinstance(value, Real) for value in array.flat):
        array = array.astype(np.float32)  # a data frame of numbers of several types
    if array.dtype == object or array.dtype.kind in "USM":
        raise DataError(
            "data",
            expected="numbers",
            got=f"an array of {array.dtype}",
            remedy="Encode categories as whole numbers; for tables use capas.datasets.",
        )
    return array if isinstance(array, np.memmap) else _narrow(array)


def _narrow(array: HostArray) -> HostArray:
    from jax.dtypes import canonicalize_dtype

    kind = canonicalize_dtype(array.dtype)
    if kind != array.dtype and array.dtype.kind in "iu" and array.size:
        _require_range(array, np.iinfo(kind))
    return array.astype(kind, copy=False)


def _require_range(array: HostArray, kind: Any) -> None:
    low, high = int(array.min()), int(array.max())
    if low < kind.min or high > kind.max:
        raise DataError(
            "data",
            expected=f"whole numbers from {kind.min} to {kind.max}",
            got=str(low if low < kind.min else high),
            remedy="Number symbols and classes from 0; make floating numbers of quantities, x.astype('float32').",
        )


def require_finite(data: Examples, subject: str = "data") -> None:
    """Refuse NaN and infinity, with the place of the first one."""
    for name, array in zip(Examples._fields, data, strict=True):
        require.finite_numbers(subject, name, array)


def split(data: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Training and validation examples: a seeded random split, stratified where the targets are class indices."""
    if not 0 < fraction < 1:
        raise ArgumentError(
            "validation",
            expected="a fraction between 0 and 1, (x, y), batches, or None",
            got=repr(fraction),
            remedy="For example validation=0.1.",
        )
    generator = host_generator(seed, Purpose.SPLIT)
    held: list[HostArray] = []
    for rows in _strata(data.y):
        held.append(generator.permutation(rows)[: round(fraction * len(rows))])
    chosen = np.zeros(data.rows, bool)
    chosen[np.concatenate(held)] = True
    if not 0 < chosen.sum() < data.rows:
        raise DataError(
            "validation",
            expected="at least one example on each side of the split",
            got=f"{data.rows} examples and validation={fraction}",
            remedy="Use a larger fraction, pass validation=(x, y), or validation=None.",
        )
    return data.take(np.flatnonzero(~chosen)), data.take(np.flatnonzero(chosen))


def _strata(y: HostArray) -> list[HostArray]:
    if y.ndim != 1 or y.dtype.kind not in "iub":
        return [np.arange(len(y))]
    order = np.argsort(y, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(y[order])) + 1)


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
        for rows in self.order(epoch):
            batch = self.data.take(rows)
            yield Examples(*map(_narrow, batch)) if isinstance(self.data.x, np.memmap) else batch


@dataclass(frozen=True)
class StreamFeed:
    """Batches from any iterable, one pass an epoch, filled up to the size of the first with repeats of weight zero."""

    source: Iterable[Any] | Callable[[], Iterable[Any]]

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
            size = size or batch.rows
            yield fill(batch, size)
        if size == 0:
            raise DataError(
                "data",
                expected=f"batches in epoch {epoch + 1}",
                got="none",
                remedy="A generator is used up after one pass: give a list, a loader, or a function that makes one.",
            )


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
        yield fill(Examples(*(_narrow(np.asarray(a[start : start + size])) for a in data)), size)
