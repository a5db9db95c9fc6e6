"""The law of one entry of a signal: a sum of functions of normal numbers, and its moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .atom import Atom, product, product_matrix
from .expression import combination
from .latent import Latent
from .quadrature import Numbers
from .source import Column, Units

ZERO, ONE, MINUS = np.zeros((1, 1)), np.ones((1, 1)), -np.ones((1, 1))


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
    def is_zero(self) -> bool:
        """Whether nothing is there."""
        return self.is_number and not self.offset.any()

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

    @cached_property
    def functions(self) -> list[tuple[Atom, Column]]:
        """The terms, those that bend one latent put together as one function of it."""
        found = [(atom, factor) for atom, factor in self.terms.items() if atom.is_normal]
        bent: dict[int, list[tuple[Atom, Column]]] = {}
        for atom, factor in self.terms.items():
            if not atom.is_normal:
                bent.setdefault(id(atom.latent), []).append((atom, factor))
        return found + [terms[0] if len(terms) == 1 else (_together(terms), ONE) for terms in bent.values()]

    def _matrix(self, across: bool, count: int) -> Numbers:
        total = _of_numbers(self, self, count)
        for i, (one, c) in enumerate(self.functions):
            total += c * product_matrix(one, one, across, count) * c.T
            for other, d in self.functions[:i]:
                found = c * product_matrix(one, other, across, count) * d.T
                total += found + found.T
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


def cross_matrix(one: Law, other: Law, across: bool, count: int) -> Numbers:
    """E of the products between all sites of one law and all of the other, shape `(sites, sites)`."""
    total = _of_numbers(one, other, count)
    for f, c in one.functions:
        for g, d in other.functions:
            total += c * product_matrix(f, g, across, count) * d.T
    return total


def _together(terms: list[tuple[Atom, Column]]) -> Atom:
    return Atom(combination((atom.value, factor) for atom, factor in terms), terms[0][0].latent)


def _of_numbers(one: Law, other: Law, count: int) -> Numbers:
    """What the offsets of two laws add to their moments between all sites."""
    means = [np.broadcast_to(law.mean, (count,)) for law in (one, other)]
    centred = [mean - law.offset[:, 0] for mean, law in zip(means, (one, other), strict=True)]
    return np.outer(*means) - np.outer(*centred)


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
