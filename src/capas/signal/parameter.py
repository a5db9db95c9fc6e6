"""Parameters: from their numbers or from their law alone, whole or one step of a stack of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .atom import normal
from .field import Field, Pairs, whole
from .latent import Latent
from .law import ONE, Law, constant
from .quadrature import Numbers
from .source import Part, Source

CHANCE = 3e-7
"""How unlikely the sums of independent entries must be, so that they are taken for what they are: 5 standard errors."""

ROUNDING = 1e-4
"""Of a sum of entries that are to sum to zero, beside one of independent ones."""


@dataclass(frozen=True)
class Entries:
    """A parameter of which only the law is known: independent entries. It stands in a tree of parameters for an array.

    Attributes:
        shape: of the array.
        mean: of an entry.
        std: its standard deviation; of those that do not stand alone, if it is mirrored.
        mirrored: pairs of an axis and a size: along the axis, of so many entries at a time the second half is the
            negative of the first. Of an odd number the last one stands alone: it is 0 along the inputs, the second to
            last axis, and a draw like others along the last one.
        centred: pairs of an axis and a size: along the axis, every so many entries sum to zero; `std` is that of
            independent ones of the same effect, which is larger by the root of n/(n - 1), n along the inputs.
        orthogonal: whether its rows are orthogonal to each other and of one norm; half of them, if mirrored.
        delta: whether it is the kernel of a convolution that is zero but for the centre of its window.
        dtype: of the array.

    Example:
        >>> from capas.signal import Entries
        >>> Entries((256, 256), std=1 / 16) == Entries((256, 256), mean=0.0, std=0.0625)
        True
    """

    shape: tuple[int, ...]
    mean: float = 0.0
    std: float = 0.0
    mirrored: tuple[tuple[int, int], ...] = ()
    centred: tuple[tuple[int, int], ...] = ()
    orthogonal: bool = False
    delta: bool = False
    dtype: str = "float32"


def of_leaf(leaf: Any) -> Any:
    """A parameter from its law or its numbers; whole numbers and booleans are known."""
    if isinstance(leaf, Entries):
        law = of_law(leaf.mean, leaf.std, leaf.shape)
        mirrored, centred = _pairs(leaf.shape, leaf.mirrored), frozenset(axis for axis, _ in leaf.centred)
        return replace(law, mirrored=mirrored, centred=centred, orthogonal=leaf.orthogonal, delta=leaf.delta)
    array = np.asarray(leaf)
    return (
        of_array(array) if array.dtype.kind == "f" or (array.dtype.itemsize == 2 and array.dtype.kind == "V") else array
    )


def of_array(array: np.ndarray[Any, Any]) -> Field:
    """A parameter from its numbers: independent entries of their mean and variance; a constant, if all are equal.

    A mean within 5 standard errors of zero counts as zero: it is that of one draw, and not of the law.
    """
    values = np.asarray(array, np.float64)
    first = values.flat[0] if values.size else 0.0
    if (values == first).all():
        return replace(of_law(float(first), 0.0, values.shape), array=values)
    mirrored = mirrored_axes(values)
    centred = centred_axes(values, mirrored)
    mean, std = float(values.mean()), float(values.std()) / (_drawn(mirrored) * _free(values, centred)) ** 0.5
    law = of_law(*_rounded(mean, std, values.size), values.shape)
    return replace(law, array=values, mirrored=mirrored, centred=centred, heard=heard_axes(values, mirrored, centred))


def of_law(mean: float, std: float, shape: tuple[int, ...]) -> Field:
    """A parameter from its law: independent entries of this mean and standard deviation."""
    return whole(parameter(mean, std), shape, ["weight" if n > 1 else "one" for n in shape])


def parameter(mean: float, std: float) -> Law:
    """An entry of a parameter: the same for all examples, drawn once for each unit."""
    if std == 0 or std <= 1e-12 * abs(mean):
        return constant(mean)
    return Law(np.full((1, 1), mean), {normal(Latent((Part(Source(True), ONE),))): np.full((1, 1), std)})


def mirrored_axes(array: Numbers) -> dict[int, Pairs]:
    """Of a matrix or kernel, the axes along which entries are pairs, and how many belong together.

    Where positions were made features, these are the channels at every position.
    """
    axes = range(max(array.ndim - 2, 0), array.ndim) if array.ndim > 1 else ()
    sizes = {axis: _together(np.moveaxis(array, axis, -1), axis == array.ndim - 1) for axis in axes}
    return _pairs(array.shape, [(axis, size) for axis, size in sizes.items() if size])


def centred_axes(array: Numbers, mirrored: Mapping[int, Pairs]) -> frozenset[int]:
    """Whether all sums of a matrix or kernel over its inputs are zero, but for rounding: their axis."""
    axis = array.ndim - 2
    if not _has_sums(array, mirrored):
        return frozenset()
    sums = np.abs(array.sum(axis))
    return frozenset({axis} if sums.max() <= ROUNDING * array.std() * array.shape[axis] ** 0.5 else ())


def heard_axes(array: Numbers, mirrored: Mapping[int, Pairs], centred: frozenset[int]) -> dict[int, float]:
    """How large the sums of a matrix or kernel over its inputs are, against those of independent entries, in power.

    So much of the power of a mean of the signal goes on. Trained weights forget it, or learn it; of pairs that training
    has moved apart nothing is said.
    """
    from scipy.special import chdtr  # slow to import, and not needed by all

    axis, power = array.ndim - 2, array.shape[-2] * array.var() if array.ndim > 1 else 0.0
    if (
        axis in centred
        or power == 0
        or not _has_sums(array, mirrored)
        or _rounded(array.mean(), array.std(), array.size)[0]
    ):
        return {}
    sums = array.sum(axis)
    total = float(np.square(sums).sum() / power)
    by_chance = CHANCE < chdtr(sums.size, total) < 1 - CHANCE
    return {} if by_chance else {axis: total / sums.size}


def _has_sums(array: Numbers, mirrored: Mapping[int, Pairs]) -> bool:
    """Whether there are several inputs, of which one half is not nearly the negative of the other."""
    if array.ndim < 2 or array.shape[-2] == 1 or array.ndim - 2 in mirrored:
        return False
    half = array.shape[-2] // 2
    one, other = array[..., :half, :], array[..., half : 2 * half, :]
    return bool(-(one * other).sum() <= np.square(one).sum() / 2)


def _free(array: np.ndarray[Any, Any], centred: frozenset[int]) -> float:
    """Of the entries of a parameter that sum to zero over its inputs, the share that is free."""
    axis = array.ndim - 2
    return 1 - 1 / array.shape[axis] if axis in centred else 1.0


def _drawn(mirrored: Mapping[int, Pairs]) -> float:
    """The share of entries that are not 0 for want of a pair. Where there are some, the mean of all of them is 0."""
    return math.prod(1 - 1 / pairs.size for pairs in mirrored.values() if pairs.size % 2 and not pairs.alone)


def _pairs(shape: Sequence[int], sizes: Iterable[tuple[int, int]]) -> dict[int, Pairs]:
    return {axis: Pairs(size, alone=bool(size % 2) and axis == len(shape) - 1) for axis, size in sizes}


def _together(rows: Numbers, written: bool) -> int:
    """How many entries at a time are a half, its negative, and perhaps one that is alone; 0 if none are."""
    rows = rows.reshape(-1, rows.shape[-1])
    first = rows[np.argmax(np.abs(rows[:, 0]))]
    halves = [int(half) for half in np.flatnonzero(first == -first[0]) if half]
    for size in (2 * half + odd for half in halves for odd in (0, 1)):
        if rows.shape[1] % size == 0 and _are_pairs(rows.reshape(len(rows), -1, size), written):
            return size
    return 0


def _are_pairs(runs: Numbers, written: bool) -> bool:
    half = runs.shape[-1] // 2
    one, other, alone = np.split(runs, [half, 2 * half], axis=-1)
    return bool((one == -other).all() and (written or not alone.any()))


def _rounded(mean: float, std: float, size: int) -> tuple[float, float]:
    if size > 1 and abs(mean) < 5 * std / size**0.5:
        return 0.0, float(np.hypot(mean, std))
    return mean, std


def slice_of(value: Field, i: int) -> Field:
    """One step of a stacked parameter, whose numbers are drawn apart from those of other steps."""
    mirrored = {axis - 1: pairs for axis, pairs in value.mirrored.items()}
    centred, heard = frozenset(axis - 1 for axis in value.centred), {}
    if value.array is None:
        law = parameter(float(value.law.mean[0]), float(np.sqrt(value.law.variance[0])))
    else:
        mean, std = (float(moment[i]) for moment in value.steps)
        share = _drawn(value.mirrored) * _free(value.array, value.centred)
        law = parameter(*_rounded(mean, std / share**0.5, math.prod(value.shape[1:])))
        heard = heard_axes(value.array[i], mirrored, centred)
    return replace(
        whole(law, value.shape[1:], value.roles[1:]),
        root=(value.root, i),
        mirrored=mirrored,
        centred=centred,
        heard=heard,
        orthogonal=value.orthogonal,
        delta=value.delta,
    )
