"""What training eats: inputs, targets and weights, as arrays or memory maps, looked through and divided."""

from __future__ import annotations

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

    @property
    def is_on_disk(self) -> bool:
        """Whether inputs are read from a memory map when they are asked for."""
        return isinstance(self.x, (np.memmap, Chosen))

    def take(self, rows: Any) -> Examples:
        """The examples at `rows`."""
        return Examples(self.x[rows], self.y[rows], self.weights[rows])

    def choose(self, rows: HostArray) -> Examples:
        """The examples at `rows`; what is on disk stays there."""
        return Examples(*(Chosen(a, rows) if self.is_on_disk and isinstance(a, np.memmap) else a[rows] for a in self))


@dataclass(frozen=True)
class Chosen:
    """Rows of a memory map, which are read when they are asked for."""

    array: HostArray
    rows: HostArray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> HostArray:
        return np.asarray(self.array[self.rows[index]])

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.array.shape[1:])

    @property
    def dtype(self) -> Any:
        return self.array.dtype


def spaced(rows: int, count: int) -> HostArray:
    """Numbers of so many rows, from the first to the last in equal steps; all, if there are no more."""
    return np.linspace(0, rows - 1, min(rows, count)).astype(int)


def examples(data: Any, subject: str = "data") -> Examples:
    """`(x, y)` or `(x, y, weights)` as host arrays of one length, in the precision that JAX will use.

    Memory maps stay on disk, and are looked at for NaN when they are read. Raises `DataError` for anything else.
    """
    if not isinstance(data, (tuple, list)) or len(data) not in {2, 3}:
        raise DataError(
            subject,
            expected="(x, y) or (x, y, weights)",
            got=type(data).__name__ if not isinstance(data, (tuple, list)) else f"{len(data)} things",
            remedy="Pass inputs and targets as a tuple.",
        )
    x, y = (_host(a, subject) for a in data[:2])
    w = _host(data[2], subject) if len(data) == 3 else np.ones(len(x), np.float32)
    if w.size and w.min() < 0:
        raise DataError(subject, expected="weights of at least 0", got=f"{w.min():g}", remedy="Weights count examples.")
    if not len(x) == len(y) == len(w) or len(x) == 0:
        raise DataError(
            subject,
            expected="x, y and weights with the same number of rows, at least one",
            got=", ".join(str(a.shape) for a in (x, y, w)),
            remedy="Check which rows belong together.",
        )
    if w.ndim != 1:
        expected, remedy = f"one weight for each example, shape ({len(w)},)", "Write weights[:, 0], or average them."
        raise DataError(subject, expected=expected, got=str(w.shape), remedy=remedy)
    return Examples(x, y, w)


def _host(values: Any, subject: str) -> HostArray:
    try:
        array = values if isinstance(values, np.memmap) else np.asarray(values)
    except ValueError as error:
        remedy = "Give arrays; batches go into a list, [(x, y), ...]."
        raise DataError(subject, expected="rows of one shape", got=str(error).rstrip("."), remedy=remedy) from error
    if not array.ndim:
        raise DataError(subject, expected="arrays with a row for each example", got=repr(values), remedy="Give arrays.")
    if array.dtype == object and all(isinstance(value, Real) for value in array.flat):
        array = array.astype(np.float32)  # a data frame of numbers of several types
    if array.dtype == object or array.dtype.kind in "USM":
        raise DataError(
            subject,
            expected="numbers",
            got=f"an array of {array.dtype}",
            remedy="Encode categories as whole numbers; for tables use capas.datasets.",
        )
    return array if isinstance(array, np.memmap) else narrow(array, subject)


def narrow(array: HostArray, subject: str) -> HostArray:
    """An array in the precision that JAX will use. Raises `DataError` for numbers that it does not hold."""
    from jax.dtypes import canonicalize_dtype

    kind = canonicalize_dtype(array.dtype)
    if kind != array.dtype and array.dtype.kind in "iu" and array.size:
        _require_range(array, np.iinfo(kind), subject)
    return array.astype(kind, copy=False)


def _require_range(array: HostArray, kind: Any, subject: str) -> None:
    low, high = int(array.min()), int(array.max())
    if low < kind.min or high > kind.max:
        raise DataError(
            subject,
            expected=f"whole numbers from {kind.min} to {kind.max}",
            got=str(low if low < kind.min else high),
            remedy="Number symbols and classes from 0; make floating numbers of quantities, x.astype('float32').",
        )


def require_finite(data: Examples, subject: str = "data", first_row: int = 0) -> None:
    """Refuse NaN and infinity in what is in memory, with the place of the first one."""
    for name, array in zip(Examples._fields, data, strict=True):
        if not (data.is_on_disk and isinstance(array, (np.memmap, Chosen))):
            require.finite_numbers(subject, name, array, first_row)


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
    strata = _strata(data.y)
    ends = np.rint(fraction * np.cumsum([len(rows) for rows in strata])).astype(int)
    for rows, count in zip(strata, np.diff(ends, prepend=0), strict=True):
        held.append(generator.permutation(rows)[:count])
    chosen = np.zeros(data.rows, bool)
    chosen[np.concatenate(held)] = True
    if not 0 < chosen.sum() < data.rows:
        raise DataError(
            "validation",
            expected="at least one example on each side of the split",
            got=f"{data.rows} examples and validation={fraction}",
            remedy="Use a larger fraction, pass validation=(x, y), or validation=None.",
        )
    return data.choose(np.flatnonzero(~chosen)), data.choose(np.flatnonzero(chosen))


def _strata(y: HostArray) -> list[HostArray]:
    if y.ndim != 1 or y.dtype.kind not in "iub":
        return [np.arange(len(y))]
    order = np.argsort(y, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(y[order])) + 1)
