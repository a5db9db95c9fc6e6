"""Normal numbers that are drawn anew for every unit, and multiples of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .quadrature import Numbers

Column = Numbers
"""A number per site, shape `(sites, 1)`, or `(1, 1)`: the same at all sites."""


Units = tuple[int, int]
"""A run of units: from, and to."""


@dataclass(frozen=True, eq=False)
class Source:
    """A normal number of variance 1 for every site of a unit.

    Attributes:
        shared: the same for all examples; else new for each.
        correlation: between sites, computed when it is asked for: shape `(sites, sites)`, or 1.0 where all sites have
            the same number; None where sites are independent.
    """

    shared: bool
    correlation: Callable[[], Any] | None = None
    _units: dict[Any, Source] = field(default_factory=dict)

    def units(self, which: Units) -> Source:
        """The numbers of some of the units, which are others than those of the rest."""
        if which not in self._units:
            self._units[which] = Source(self.shared, self.correlation)
        return self._units[which]

    @cached_property
    def _matrix(self) -> Any:
        return None if self.correlation is None else np.asarray(self.correlation())

    def whole(self, count: int) -> Numbers:
        """Correlations between all of so many sites."""
        if self.correlation is None:
            return np.eye(count)
        found: Numbers = self._matrix
        return found

    def between(self, one: Numbers, other: Numbers) -> Numbers:
        """Correlations between two lists of sites, of shapes that broadcast."""
        if self.correlation is None:
            return np.asarray(one == other, np.float64)
        if self._matrix.ndim == 0:
            return np.broadcast_to(self._matrix, np.broadcast_shapes(one.shape, other.shape))
        found: Numbers = self._matrix[one, other]
        return found


@dataclass(frozen=True, eq=False)
class Part:
    """A multiple of a source: at site p, coefficient[p] * source[sites[p]]; or a matrix times the source.

    Attributes:
        source: the normal numbers.
        coefficient: a column.
        sites: the source's site for each of ours; None if they are the same.
        matrix: instead of both, shape `(our sites, source's sites)`.
    """

    source: Source
    coefficient: Column
    sites: Numbers | None = None
    matrix: Numbers | None = None

    def gather(self, sites: Numbers) -> Part:
        """At other sites."""
        if self.matrix is not None:
            return replace(self, matrix=self.matrix[sites])
        coefficient = self.coefficient[sites] if len(self.coefficient) > 1 else self.coefficient
        return Part(self.source, coefficient, sites if self.sites is None else self.sites[sites])

    def mix(self, mixing: Numbers) -> Part:
        """A matrix times the part."""
        return Part(self.source, np.ones((1, 1)), None, mixing @ self.dense(mixing.shape[1]))

    def scaled(self, factor: Column) -> Part:
        """Every site multiplied."""
        if self.matrix is not None:
            return replace(self, matrix=self.matrix * factor)
        return replace(self, coefficient=self.coefficient * factor)

    def places(self, count: int) -> Numbers:
        """The source's site for each of so many of ours."""
        return np.arange(count) if self.sites is None else self.sites

    def dense(self, count: int) -> Numbers:
        """As a matrix on the source's sites."""
        if self.matrix is not None:
            return self.matrix
        places = self.places(count)
        wide = np.zeros((count, int(places.max()) + 1))
        wide[np.arange(count), places] = np.broadcast_to(self.coefficient[:, 0], count)
        return wide


def covariance(one: Part, other: Part) -> Numbers:
    """Of two parts of one source at every site, shape `(sites,)` or `(1,)`."""
    if one.matrix is None and other.matrix is None:
        product = (one.coefficient * other.coefficient)[:, 0]
        if one.sites is None and other.sites is None:
            return product
        count = len(one.sites if one.sites is not None else other.sites)  # type: ignore[arg-type]
        return product * one.source.between(one.places(count), other.places(count))
    count = max(len(p.matrix) if p.matrix is not None else len(p.coefficient) for p in (one, other))
    return np.diagonal(covariance_matrix(one, other, count)).copy()


def covariance_matrix(one: Part, other: Part, count: int) -> Numbers:
    """Of two parts of one source, between all sites of one and all of the other, shape `(sites, sites)`."""
    if one.matrix is None and other.matrix is None:
        if one.sites is None and other.sites is None:
            between = one.source.whole(count)
        else:
            between = one.source.between(one.places(count)[:, None], other.places(count)[None])
        return one.coefficient * between * other.coefficient.T
    left, right = one.dense(count), other.dense(count)
    columns = np.arange(max(left.shape[1], right.shape[1]))
    kernel = one.source.between(columns[: left.shape[1], None], columns[None, : right.shape[1]])
    found: Numbers = left @ kernel @ right.T
    return found
