"""One term of a gradient: a function of forward signals times a noise; and the moments of two of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .atom import Atom
from .expression import Expression, Z
from .function import apply, as_function, product_of
from .latent import correlation
from .law import ONE, ZERO, Law, constant, cross_matrix
from .normal import smoothed
from .quadrature import Numbers
from .source import Source
from .tabulate import tabulated


@dataclass(frozen=True, eq=False)
class Term:
    r"""$h_q \sum_p M_{qp} \sum_i c_p \nu_p$: a noise times functions of forward signals, possibly mixed and summed.

    Attributes:
        noise: numbers of mean 0 and variance 1, independent between examples and units, with sites as their law has.
        coefficient: c, a function of forward signals, or numbers.
        sites: the noise's site for each of c; None if they are the same.
        matrix: M, a mixing of sites; None if there is none.
        examples: over how many of them i runs; 0 if there is no sum over examples.
        units: over how many of them i runs; 0 if there is no sum over units.
        outer: h, a function of forward signals, where there is a mixing or a sum.
    """

    noise: Source
    coefficient: Law
    sites: Numbers | None = None
    matrix: Numbers | None = None
    examples: int = 0
    units: int = 0
    outer: Law | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a function times a noise."""
        return self.matrix is None and not self.examples and not self.units

    @property
    def power(self) -> Numbers:
        """Mean square of what is mixed and summed, shape `(sites or 1,)`; zero where the mixing is."""
        return self.coefficient.second * (1 if self.matrix is None else self.matrix.any())

    def inner_sites(self, count: int) -> int:
        """How many sites c has, where the whole has so many."""
        return count if self.matrix is None else self.matrix.shape[1]

    def places(self, count: int) -> Numbers:
        return np.arange(count) if self.sites is None else self.sites


def correlated(kernel: Numbers) -> Numbers:
    """The correlation matrix of a matrix of second moments."""
    std = np.sqrt(np.maximum(np.diagonal(kernel), 1e-300))
    found: Numbers = kernel / np.outer(std, std)
    return found


def _outer_mean(one: Term, other: Term) -> Numbers:
    """E of the product of what two terms have outside."""
    if one.outer is None or other.outer is None:
        law = one.outer or other.outer
        return np.ones(1) if law is None else law.mean
    return product_of(one.outer, other.outer, False)


def pair_product(one: Term, other: Term) -> Numbers:
    """E of the product of two terms of one noise at every site, shape `(sites or 1,)`."""
    if one.is_plain and other.is_plain:
        coefficients = product_of(one.coefficient, other.coefficient, False)
        if one.sites is None and other.sites is None:
            return coefficients
        count = site_count(one, other)
        return coefficients * one.noise.between(one.places(count), other.places(count))
    if one.matrix is None and other.matrix is None:
        if one.units or other.units:
            one, other = _paired(one, other)
        bare = [replace(term, examples=0, units=0, outer=None) for term in (one, other)]
        return pair_product(bare[0], bare[1]) * _times_counted(one, other) * _outer_mean(one, other)
    return np.diagonal(pair_matrix(one, other, site_count(one, other))).copy()


def site_count(*terms: Term) -> int:
    """How many sites terms have; 1 where all are alike."""
    return max(len(v) for t in terms for v in _columns(t))


def _columns(term: Term) -> list[Any]:
    outer = [] if term.outer is None else [term.outer.mean]
    if term.matrix is not None:
        return [term.matrix, *outer]
    sites = [] if term.sites is None else [term.sites]
    return [term.coefficient.offset, term.coefficient.mean, *sites, *outer]


def pair_matrix(one: Term, other: Term, count: int, across: bool = False) -> Numbers:
    """Between all sites of one and of the other.

    What is outside of a mixing belongs to a plain other at the same site; what is outside of a sum over examples does
    so for one of many examples, and counts as its mean. `across`: what is outside is that of two examples.
    """
    one, other = _paired(one, other)
    inner = [t.inner_sites(count) for t in (one, other)]
    places = [t.places(n) for t, n in zip((one, other), inner, strict=True)]
    if one.coefficient is other.coefficient:
        coefficients = one.coefficient.matrix(False, inner[0])
    else:
        coefficients = _cross_matrix(one.coefficient, other.coefficient, inner[0], inner[1])
    found = coefficients * one.noise.between(places[0][:, None], places[1][None])
    found = found if one.matrix is None else one.matrix @ found
    found = found if other.matrix is None else found @ other.matrix.T
    if one.outer is not None and other.outer is not None:
        found = found * _outer_matrix(one, other, count, across)
    else:
        found = found * _outer_mean(one, other)
    return found * _times_counted(one, other)


def _times_counted(one: Term, other: Term) -> int:
    """How many entries two sums have in common."""
    examples = one.examples if one.examples and other.examples else 1
    return examples * (one.units if one.units and other.units else 1)


def _paired(one: Term, other: Term) -> tuple[Term, Term]:
    """What is outside of one, made part of a plain other at the same site or unit."""
    if one.outer is not None and not one.examples and other.is_plain:
        return replace(one, outer=None), replace(other, coefficient=coefficient_times(other.coefficient, one.outer))
    if other.outer is not None and not other.examples and one.is_plain:
        return replace(one, coefficient=coefficient_times(one.coefficient, other.outer)), replace(other, outer=None)
    return one, other


def _outer_matrix(one: Term, other: Term, count: int, across: bool) -> Numbers:
    assert one.outer is not None
    assert other.outer is not None
    if one.outer is other.outer:
        return one.outer.matrix(across, count)
    return _cross_matrix(one.outer, other.outer, count, count, across)


def _cross_matrix(one: Law, other: Law, rows: int, columns: int, across: bool = False) -> Numbers:
    if one.is_number or other.is_number or rows != columns:
        return np.broadcast_to(one.mean, (rows,))[:, None] * np.broadcast_to(other.mean, (columns,))
    return cross_matrix(one, other, across, rows)


def coefficient_times(coefficient: Law, law: Law) -> Law:
    """A coefficient times a function of forward signals."""
    if law.is_number:
        return coefficient.scaled(law.offset)
    if coefficient.is_number:
        return law.scaled(coefficient.offset)
    return apply(np.multiply, (_seen_from(coefficient, law), law))


def _seen_from(coefficient: Law, law: Law) -> Law:
    """The coefficient, or the root of its mean square given the latent of the law, if that is another one.

    What multiplies it further back are functions of this latent and of earlier ones.
    """
    (c, inner), (_, outer) = as_function(coefficient), as_function(law)
    if inner is None or outer is None or inner is outer:
        return coefficient
    square = Expression(np.square, (c,))
    if inner.pair is not None and any(outer is part for part in inner.pair.latents):
        return Law(ZERO, {Atom(tabulated(Expression(np.sqrt, (inner.pair.given(outer, square),)), outer), outer): ONE})
    r = correlation(inner, outer, across=False)[:, None]
    if (np.abs(r) > 1 - 1e-12).all():
        return coefficient
    if not r.any():
        return constant(np.sqrt(coefficient.second))
    root = Expression(np.sqrt, (Expression(smoothed, (Z, r, np.sqrt(1 - r * r)), (square,)),))
    return Law(ZERO, {Atom(tabulated(root, outer), outer): ONE})
