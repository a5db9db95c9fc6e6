"""The law of one entry of a signal: a sum of functions of normal numbers, and its moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .expression import Expression, Z
from .latent import Column, Latent, Units, correlation, correlation_matrix
from .pair import product_mean, series
from .quadrature import Numbers, hermite, integral

TERMS = 48
"""Hermite coefficients that correlations between sites are computed from."""

ZERO, ONE, MINUS = np.zeros((1, 1)), np.ones((1, 1)), -np.ones((1, 1))


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


@dataclass(eq=False)
class Law:
    r"""$x = b + \sum_k c_k f_k(z_k)$: a sum of functions of normal numbers, at every site.

    Attributes:
        offset: b, a column.
        terms: the functions with their factors, columns.
        is_average: whether it is a mean of a function over many sites.
        concentrated: what it counts as beside other signals, if it is nearly a number: a sum over many units.
        closure: the same law as a function of one latent, once it was asked for.
        origin: the law and the sites of it that this one was gathered from.
        maxima: its maxima over windows that were computed.
        matrices: moments between sites that were computed.
        maximum_of: the law, the windows of it and its sites that this one is the maximum of.
    """

    offset: Column
    terms: dict[Atom, Column] = field(default_factory=dict)
    is_average: bool = False
    concentrated: Law | None = None
    closure: Law | None = None
    origin: tuple[Law, Numbers] | None = None
    maximum_of: tuple[Law, Numbers, int] | None = None
    matrices: dict[Any, Numbers] = field(default_factory=dict, repr=False)
    maxima: dict[bytes, Any] = field(default_factory=dict, repr=False)

    @property
    def is_number(self) -> bool:
        """Whether nothing about it is random."""
        return not self.terms

    @property
    def is_normal(self) -> bool:
        """Whether it is a sum of normal numbers."""
        return all(atom.is_normal for atom in self.terms)

    @property
    def latents(self) -> list[Latent]:
        """What it is a function of."""
        return list({id(atom.latent): atom.latent for atom in self.terms}.values())

    @cached_property
    def mean(self) -> Numbers:
        """E x, shape `(sites or 1,)`."""
        total = self.offset[:, 0]
        for atom, factor in self.terms.items():
            if not atom.is_normal:
                total = total + factor[:, 0] * atom.mean
        return total

    def moment(self, across: bool = False) -> Numbers:
        """E x², or across two examples, shape `(sites or 1,)`."""
        if len(self.terms) == 1 and not self.offset.any():
            ((atom, factor),) = self.terms.items()
            return np.asarray(np.square(factor[:, 0]) * product(atom, atom, across))
        with np.errstate(invalid="ignore"):  # places that are minus infinity, where a maximum is padded
            total = self.offset[:, 0] * (2 * self.mean - self.offset[:, 0])
        atoms = list(self.terms.items())
        for i, (atom, factor) in enumerate(atoms):
            total = total + np.square(factor[:, 0]) * product(atom, atom, across)
            for other, weight in atoms[:i]:
                total = total + 2 * (factor * weight)[:, 0] * product(atom, other, across)
        return total

    @cached_property
    def second(self) -> Numbers:
        """E x², shape `(sites or 1,)`."""
        return self.moment()

    @cached_property
    def cross(self) -> Numbers:
        """E of the product of two examples, of the same unit, shape `(sites or 1,)`."""
        return self.moment(across=True)

    @cached_property
    def variance(self) -> Numbers:
        """E x² - (E x)², shape `(sites or 1,)`."""
        if self.is_normal and len(self.terms) == 1:
            ((_, factor),) = self.terms.items()
            return np.square(factor[:, 0])
        return np.maximum(self.second - np.square(self.mean), 0.0)

    def matrix(self, across: bool, count: int) -> Numbers:
        """E of the products between all sites, of one example or of two, shape `(sites, sites)`."""
        if count == 1:
            return np.full((1, 1), (self.cross if across else self.second).mean())
        if (across, count) not in self.matrices:
            self.matrices[across, count] = self._matrix(across, count)
        return self.matrices[across, count]

    def _matrix(self, across: bool, count: int) -> Numbers:
        centred = np.broadcast_to(self.mean - self.offset[:, 0], (count,))
        total = np.broadcast_to(self.mean, (count,))[:, None] * self.mean - centred[:, None] * centred
        for one, c in self.terms.items():
            for other, d in self.terms.items():
                total = total + c * product_matrix(one, other, across, count) * d.T
        return total

    def scaled(self, factor: Column) -> Law:
        """A number times it."""
        terms = {atom: c * factor for atom, c in self.terms.items()}
        return Law(self.offset * factor, terms, self.is_average, self.concentrated and self.concentrated.scaled(factor))

    def gather(self, sites: Numbers) -> Law:
        """At other sites; -1 stands for a place where there is zero."""
        inside = sites >= 0
        places = np.where(inside, sites, 0)
        if inside.all() and self.is_uniform:
            return self
        keep = np.ones((1, 1)) if inside.all() else inside[:, None].astype(float)
        pick = lambda column: (column[places] if len(column) > 1 else column) * keep  # noqa: E731
        terms = {atom.gather(places): pick(c) for atom, c in self.terms.items()}
        root, there = self.origin or (self, np.arange(max(int(places.max(initial=0)) + 1, len(self.offset))))
        fixed = self.concentrated and self.concentrated.gather(sites)
        return Law(pick(self.offset), terms, self.is_average, fixed, origin=(root, np.where(inside, there[places], -1)))

    def units(self, which: Units) -> Law:
        """Of some of the units, which are independent of the others."""
        fixed = self.concentrated and self.concentrated.units(which)
        return Law(self.offset, {a.units(which): c for a, c in self.terms.items()}, self.is_average, fixed)

    @property
    def is_uniform(self) -> bool:
        """Whether it is a number that is the same at all sites."""
        return self.is_number and len(self.offset) == 1


def constant(value: Any) -> Law:
    """A number, or one per site."""
    return Law(np.asarray(value, np.float64).reshape(-1, 1))


def add(one: Law, other: Law, sign: float = 1.0) -> Law:
    """The sum, or difference: functions that both have add up or cancel."""
    one, other = one.closure or one, other.closure or other
    terms = dict(one.terms)
    for atom, factor in other.terms.items():
        total = terms[atom] + sign * factor if atom in terms else sign * factor
        if atom in terms and (np.abs(total) <= 1e-14 * np.abs(factor)).all():
            del terms[atom]
        else:
            terms[atom] = total
    return Law(one.offset + sign * other.offset, terms, one.is_average or other.is_average)


def added(one: Law, other: Law, sign: float = 1.0) -> Law:
    """The same, also of what they count as beside other signals."""
    found = add(one, other, sign)
    if one.concentrated is None and other.concentrated is None:
        return found
    found.concentrated = add(one.concentrated or one, other.concentrated or other, sign)
    return found
