"""Standard normal numbers that signals are functions of, and what two of them share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .quadrature import Numbers, normal_nodes
from .source import Part, Source, Units, covariance, covariance_matrix


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
