"""What examples say of a network's input: moments of every feature, and what a kernel reads of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import ArgumentError, DataError, ShapeError
from ..nn.parameter import Shape
from ..signal.quadrature import Numbers
from .reading import Reading

SHOWN = 5
"""Columns that a message names."""

NARROW = 1e-5
"""The least spread against the mean: float32 rounds an input by 6e-8 of its size, here already 0.6 % of the spread."""

NOISE = 16 * float(np.finfo(np.float64).eps)
"""How far apart, against their size, numbers may be that only the rounding of float64 keeps from being equal."""

ROUNDED = 1e-6
"""Mean deviations, in standard ones, that float32 makes where all numbers are equal; of others they are 2/sqrt(n)."""

LARGEST = 1e30
"""Root mean squares up to it, and down to its inverse, can be undone by weights in float32, also of many inputs."""

BEFORE = "Standardize the data before, with datasets.ImagePreparation or TablePreparation"
ENCODE = "Make numbers of them, as datasets.TablePreparation does"


@dataclass(frozen=True, eq=False)
class InputData:
    """Examples, shape `(n, *input_shape)`, and the moments of every feature: of a column, or of a channel.

    Args:
        examples: at least two; kept as float32 of shape `(n * positions, features)`. Messages name the columns of a
            data frame by their names, those of an array by their numbers, from 0.
        shape: of one.

    Attributes:
        names: of the features.
        mean: of every feature, before it is rounded to float32.
        std: standard deviation of every feature, likewise; the size of the numbers (at least 1) where all are equal.

    Raises `ShapeError` for another shape, and `DataError` with the columns for what is no number, is not finite, is
    too large for float32, or is the same in float32 for all examples without being equal.
    Warns of columns in which all numbers are equal: no weight can make use of them.
    """

    examples: ArrayLike
    shape: Shape
    names: Sequence[Any] = field(init=False)
    mean: Numbers = field(init=False)
    std: Numbers = field(init=False)

    def __post_init__(self) -> None:
        rows = np.asarray(self.examples)
        _require_shape(rows, self.shape)
        names = _names(self.examples, self.shape[-1])
        columns = _numbers(rows.reshape(-1, self.shape[-1]), names)
        equal = _equal(columns, names)
        if equal.any():
            text = f"init: all numbers are equal in {_named(equal, names)}, which say nothing of an example"
            warnings.warn(text, stacklevel=5)
        mean, std = columns.mean(0, dtype=np.float64), columns.std(0, dtype=np.float64)
        object.__setattr__(self, "examples", columns.astype(np.float32, copy=False))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", np.where(equal, np.maximum(abs(mean), 1.0), std))

    @property
    def size(self) -> Numbers:
        r"""How large the deviations of every feature are where there are some: $\sqrt{2/\pi}\; E d^2 / E |d|$.

        Of normal numbers that is the standard deviation. Of a feature that is zero but for a few examples it is about
        the size of these, where the standard deviation is near zero.
        """
        normal = math.sqrt(2 / math.pi)
        deviations = np.abs((np.asarray(self.examples) - self.mean) / self.std).mean(0, dtype=np.float64)
        return self.std * normal / np.where(deviations > ROUNDED, deviations, normal)

    def power(self, reading: Reading) -> float:
        """Mean square of what a kernel reads of the examples, in float64: squares in float32 overflow at 2e19.

        Raises `ArgumentError` where it is zero, or nothing that weights in float32 could undo.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            power = float(np.square(read(reading, self.examples)).mean())
        if not 1 / LARGEST <= math.sqrt(power) <= LARGEST:
            raise _powerless(reading, power)
        return power

    def require_spread(self) -> None:
        """Raises `DataError` with the columns whose numbers lie too close together for float32."""
        _refuse(
            self.std < NARROW * abs(self.mean),
            self.names,
            expected=f"columns with a standard deviation of at least {NARROW:g} of their mean",
            got="less, too little for float32,",
            remedy=BEFORE,
        )


def _require_shape(rows: Numbers, shape: Shape) -> None:
    if rows.ndim != len(shape) + 1 or rows.shape[1:] != shape or len(rows) < 2:
        raise ShapeError(
            "init",
            expected=f"data of shape (n, {', '.join(map(str, shape))}), n at least 2",
            got=str(rows.shape),
            remedy="Give it examples like those that the network will see.",
        )


def _names(examples: Any, count: int) -> Sequence[Any]:
    """What the columns are called; their numbers, where they have no names."""
    names = list(getattr(examples, "columns", ()))
    return names if len(names) == count and all(isinstance(name, (str, int)) for name in names) else range(count)


def _named(flags: Numbers, names: Sequence[Any]) -> str:
    """The columns at which a flag is set."""
    columns = [repr(names[i]) for i in np.flatnonzero(flags).tolist()]
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return f"column{'s' if len(columns) > 1 else ''} {', '.join(columns[:SHOWN])}{more}"


def _refuse(bad: Numbers, names: Sequence[Any], *, expected: str, got: str, remedy: str) -> None:
    """Refuse the columns at which a flag is set."""
    if bad.any():
        where, rest = _named(bad, names), "or leave the columns out."
        raise DataError("init", expected=expected, got=f"{got} in {where}", remedy=f"{remedy}, {rest}")


def _numbers(columns: Numbers, names: Sequence[Any]) -> Numbers:
    """The columns, if there are numbers in them; in float64, if they came as Python objects."""
    if columns.dtype.kind in "biu" or jnp.issubdtype(columns.dtype, jnp.floating):
        return columns
    cells = columns.astype(object)
    odd = ~np.frompyfunc(_is_number, 1, 1)(cells).astype(bool)
    kinds = ", ".join(sorted({type(cell).__name__ for cell in cells[odd]}))
    _refuse(odd.any(0), names, expected="numbers in data", got=kinds, remedy=ENCODE)
    return cells.astype(np.float64)


def _is_number(cell: object) -> bool:
    """Whether a Python object is one; None counts as NaN."""
    return cell is None or isinstance(cell, (Real, Decimal))


def _equal(columns: Numbers, names: Sequence[Any]) -> Numbers:
    """For every column whether all its numbers are equal. Refuses what float32 cannot hold, or not tell apart."""
    ends = np.stack((columns.min(0), columns.max(0))).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = ends.astype(np.float32)
        equal = ends[1] - ends[0] <= NOISE * abs(ends).max(0)
    infinite, large = (np.logical_not(np.isfinite(numbers).all(0)) for numbers in (ends, rounded))
    lost = (rounded[0] == rounded[1]) & ~equal
    _refuse(infinite, names, expected="finite numbers in data", got="NaN or infinity", remedy="Fill them in")
    _refuse(large, names, expected="numbers in data that float32 can hold", got="larger ones", remedy="Rescale them")
    _refuse(lost, names, expected="numbers that differ in float32", got="some that it makes equal", remedy=BEFORE)
    return equal


def read(reading: Reading, examples: ArrayLike) -> Numbers:
    """What a kernel reads of the examples: computed in float64, if the functions can.

    Where it is centred, without what all features of an example have in common.
    """
    try:
        with jax.enable_x64(True):
            found = np.asarray(reading(jnp.asarray(examples, jnp.float64)), np.float64)
    except TypeError:  # a constant of another width inside
        found = np.asarray(reading(jnp.asarray(examples)), np.float64)
    return found - found.mean(-1, keepdims=True) if reading.centred else found


def _powerless(reading: Reading, power: float) -> ArgumentError:
    wanted = f"have a root mean square from {1 / LARGEST:g} to {LARGEST:g}" if power else "are not zero everywhere"
    behind = f" behind {', '.join(map(repr, reading.functions))}" if reading.functions else ""
    return ArgumentError(
        "init",
        expected=f"examples that {wanted} where the first layer reads them",
        got=(f"{math.sqrt(power):.2g}" if power else "zeros") + behind,
        remedy="Rescale them, give it others, or leave data out.",
    )
