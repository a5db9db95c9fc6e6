"""One function of a normal number, at every site: its moments, alone and beside others."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .expression import Expression, Z
from .latent import Latent, correlation, correlation_matrix
from .pair import product_mean, series
from .quadrature import Numbers, hermite, integral
from .source import Units

TERMS = 48
"""Hermite coefficients that correlations between sites are computed from."""


@dataclass(eq=False)
class Atom:
    """A function of a latent: f(z), at every site.

    Attributes:
        value: the function.
        latent: what it is a function of.
        across: E f f' of two examples, where it is known better than from the latent.
    """

    value: Expression
    latent: Latent
    across: Numbers | None = None
    _gathered: dict[Any, Atom] = field(default_factory=dict)
    given_unit: Any = None

    @property
    def is_normal(self) -> bool:
        """Whether it is z itself."""
        return self.value is Z

    def mean_of(self, factor: Any = 1.0) -> Numbers:
        """E f(z) times a factor given at the nodes, shape `(sites or 1,)`."""
        z, weight = self.latent.nodes
        return integral(np.asarray(self.value(z), np.float64) * factor, weight)

    @cached_property
    def mean(self) -> Numbers:
        """E f(z)."""
        return np.zeros(1) if self.is_normal else self.mean_of()

    @cached_property
    def second(self) -> Numbers:
        """E f(z)²."""
        return np.ones(1) if self.is_normal else self.mean_of(np.asarray(self.value(self.latent.nodes[0]), np.float64))

    @cached_property
    def slope(self) -> Numbers:
        """E z f(z), which is E f'(z)."""
        return np.ones(1) if self.is_normal else self.mean_of(self.latent.nodes[0])

    @cached_property
    def coefficients(self) -> Numbers:
        """E h_n(z) f(z) for the first Hermite polynomials, shape `(TERMS, sites or 1)`."""
        z, weight = self.latent.nodes
        return integral(hermite(z, TERMS) * np.asarray(self.value(z), np.float64), weight)

    @cached_property
    def rest(self) -> Numbers:
        """What of E f(z)² is not in the coefficients."""
        return np.maximum(self.second - np.square(self.coefficients).sum(0), 0.0)

    def gather(self, sites: Numbers) -> Atom:
        """The function at other sites; the same sites give the same atom."""
        key = sites.tobytes()
        if key not in self._gathered:
            latent = self.latent.gather(sites)
            across = self.across if self.across is None or len(self.across) == 1 else self.across[sites]
            atom = Atom(self.value.gather(sites, {}), latent, across) if not self.is_normal else normal(latent)
            self._gathered[key] = atom
        return self._gathered[key]

    def units(self, which: Units) -> Atom:
        """The function of some of the units."""
        if which not in self._gathered:
            latent = self.latent.units(which)
            self._gathered[which] = normal(latent) if self.is_normal else Atom(self.value, latent, self.across)
        return self._gathered[which]


def normal(latent: Latent) -> Atom:
    """The latent itself; always the same atom."""
    if latent.itself is None:
        latent.itself = Atom(Z, latent)
    return latent.itself


def product(one: Atom, other: Atom, across: bool = False) -> Numbers:
    """E f g at every site, shape `(sites or 1,)`; `across`: f in one example and g in another."""
    if one is other and not across:
        return one.second
    if one is other and one.across is not None:
        return one.across
    if one.latent is other.latent and not across:
        return one.mean_of(np.asarray(other.value(one.latent.nodes[0]), np.float64))
    r = correlation(one.latent, other.latent, across)
    if one.is_normal or other.is_normal:
        return r * one.slope * other.slope
    if not r.any():
        return one.mean * other.mean
    single = len(r) == 1 and all(len(atom.latent.breaks) == 1 and len(atom.mean) == 1 for atom in (one, other))
    if single:
        g = one.value if other is one else other.value
        return np.array([product_mean(one.value, g, float(r[0]), one.latent.breaks[0], other.latent.breaks[0])])
    return series(one.coefficients, other.coefficients, r, one.rest if one is other else None)


def product_matrix(one: Atom, other: Atom, across: bool, count: int) -> Numbers:
    """E f g between all sites of f and all of g, shape `(sites, sites)`."""
    r = correlation_matrix(one.latent, other.latent, across, count)
    if one.is_normal or other.is_normal:
        return r * one.slope[:, None] * other.slope[None]
    rest = None
    if one.latent is other.latent:
        left_out = one.rest if one is other else product(one, other) - (one.coefficients * other.coefficients).sum(0)
        rest = np.sqrt(np.abs(left_out[:, None] * left_out)) * np.sign(left_out)
    return series(one.coefficients[:, :, None], other.coefficients[:, None], r, rest)
