"""Standard normal numbers that signals are functions of, and what two of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .quadrature import Numbers, normal_nodes

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


@dataclass(eq=False)
class Latent:
    """A standard normal number at every site: a sum of parts, of variance 1.

    Attributes:
        parts: what it is made of.
        breaks: where functions of it that were met so far are not smooth, shape `(sites or 1, any)`.
        kernels: correlations between its sites and those of others that were computed.
        itself: the atom that is its value.
        scale: the standard deviation of the signal that it stands for, a column.
        shared: the latent of what all examples share of it.
        log_variance: of the power that the units of one network of finite width have, relative to the one predicted.
        sphere: of how many units the squares have a sum that does not vary; 0 if there is none.
        pair: the two latents that it stands for, and how, if it does.
        origin: the latent and the sites of it that this one was gathered from.
    """

    parts: tuple[Part, ...]
    breaks: Numbers = field(default_factory=lambda: np.zeros((1, 0)))
    _gathered: dict[Any, Latent] = field(default_factory=dict)
    _nodes: tuple[Numbers, Numbers] | None = None
    kernels: dict[Any, Any] = field(default_factory=dict)
    itself: Any = None
    scale: Any = None
    shared: Any = None
    pair: Any = None
    log_variance: float = 0.0
    sphere: int = 0
    origin: tuple[Latent, Numbers] | None = None

    @property
    def nodes(self) -> tuple[Numbers, Numbers]:
        """Nodes and weights for expectations of functions of it, shapes `(sites or 1, nodes)`."""
        if self._nodes is None:
            self._nodes = normal_nodes(self.breaks)
        return self._nodes

    @cached_property
    def sources(self) -> frozenset[Source]:
        """All that it is made of."""
        return frozenset(part.source for part in self.parts)

    def split_at(self, z: Numbers) -> None:
        """Note that a function of it is not smooth there, shape `(sites or 1, any)`."""
        if len(z) == len(self.breaks) == 1:
            known = self.breaks[0]
            z = np.array([[k for k in z[0] if abs(k) < 9.5 and not (abs(known - k) <= 1e-12 * (1 + abs(k))).any()]])
        z = np.where(np.abs(z) < 9.5, z, 9.5)
        new = [column for column in z.T if not (column == 9.5).all() and not self._is_known(column)]
        if new:
            sites = max(len(self.breaks), len(z))
            old = np.broadcast_to(self.breaks, (sites, self.breaks.shape[1]))
            self.breaks = np.concatenate([old, np.broadcast_to(np.stack(new, axis=1), (sites, len(new)))], axis=1)
            self._nodes = None

    def _is_known(self, column: Numbers) -> bool:
        return any(np.allclose(known, column, rtol=1e-12, atol=1e-12) for known in self.breaks.T)

    def gather(self, sites: Numbers) -> Latent:
        """The numbers at other sites; the same sites give the same latent."""
        key = sites.tobytes()
        if key not in self._gathered:
            breaks = self.breaks[sites] if len(self.breaks) > 1 else self.breaks
            root, there = self.origin or (self, np.arange(int(sites.max(initial=0)) + 1))
            parts = tuple(part.gather(sites) for part in self.parts)
            self._gathered[key] = Latent(parts, breaks, sphere=self.sphere, origin=(root, there[sites]))
        return self._gathered[key]

    def units(self, which: Units) -> Latent:
        """The numbers of some of the units."""
        if which not in self._gathered:
            parts = tuple(replace(part, source=part.source.units(which)) for part in self.parts)
            self._gathered[which] = Latent(parts, self.breaks)
        return self._gathered[which]


def correlation(one: Latent, other: Latent, across: bool) -> Numbers:
    """At every site, shape `(sites or 1,)`; `across`: of one in one example and the other in another example."""
    total = np.zeros(1)
    if one.sources.isdisjoint(other.sources):
        return total
    for a, b in _pairs(one, other, across):
        total = total + covariance(a, b)
    return np.clip(total, -1.0, 1.0)


def correlation_matrix(one: Latent, other: Latent, across: bool, count: int) -> Numbers:
    """Between all sites, shape `(sites, sites)`."""
    key = (id(other), across, count)
    if key not in one.kernels:
        total = np.zeros((count, count))
        for a, b in _pairs(one, other, across):
            total += covariance_matrix(a, b, count)
        one.kernels[key] = (other, np.clip(total, -1.0, 1.0))
    return one.kernels[key][1]


def _pairs(one: Latent, other: Latent, across: bool) -> list[tuple[Part, Part]]:
    found = []
    for part in one.parts:
        if part.source in other.sources and (part.source.shared or not across):
            found += [(part, match) for match in other.parts if match.source is part.source]
    return found
