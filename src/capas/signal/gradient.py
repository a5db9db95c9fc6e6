"""The law of a gradient: functions of the forward signals, times independent numbers of mean zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .expression import Expression, Z
from .function import apply, as_function, product_of
from .latent import Source, Units, correlation
from .law import ONE, ZERO, Atom, Law, add, constant
from .maximum import Choice
from .normal import given_unit, smoothed
from .quadrature import Numbers


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

    def inner_sites(self, count: int) -> int:
        """How many sites c has, where the whole has so many."""
        return count if self.matrix is None else self.matrix.shape[1]

    def places(self, count: int) -> Numbers:
        return np.arange(count) if self.sites is None else self.sites


@dataclass(frozen=True, eq=False)
class Gradient:
    """A sum of terms; those with different noises are independent."""

    terms: tuple[Term, ...]

    @cached_property
    def second(self) -> Numbers:
        """Mean square at every site, shape `(sites or 1,)`."""
        total = np.zeros(1)
        for one, other, weight in self._pairs():
            total = total + weight * _product(one, other)
        return np.maximum(total, 0.0)

    def matrix(self, count: int) -> Numbers:
        """E of the products between all sites, shape `(sites, sites)`."""
        total = np.zeros((count, count))
        for one, other, weight in self._pairs():
            found = pair_matrix(one, other, count)
            total += found if one is other else weight / 2 * (found + found.T)
        return total

    def _pairs(self) -> list[tuple[Term, Term, float]]:
        found = []
        for i, one in enumerate(self.terms):
            found.append((one, one, 1.0))
            found += [(one, other, 2.0) for other in self.terms[:i] if other.noise is one.noise]
        return found

    def gather(self, sites: Numbers) -> Gradient:
        """At other sites; -1 stands for a place where there is none."""
        return Gradient(tuple(_gathered(term, sites) for term in self.terms))

    def units(self, which: Units) -> Gradient:
        """Of some of the units, which are independent of the others."""
        return Gradient(
            tuple(
                replace(
                    term,
                    noise=term.noise.units(which),
                    coefficient=term.coefficient.units(which),
                    outer=term.outer and term.outer.units(which),
                )
                for term in self.terms
            )
        )

    def mix(self, mixing: Numbers) -> Gradient:
        """A matrix times it, along sites."""
        return Gradient(tuple(_mixed(term, mixing) for term in self.terms))

    def summed(self, examples: int) -> Gradient:
        """The sum over so many examples."""
        return Gradient(tuple(found for term in self.terms for found in _summed(term, examples)))

    def over_units(self, units: int, centred: bool = False) -> Gradient:
        """The sum over so many units; what is the same for all of them is that many times as large.

        `centred`: what it is multiplied with sums to zero over them.
        """
        return Gradient(tuple(found for term in self.terms for found in _over_units(term, units, centred)))

    def times(self, law: Law) -> Gradient:
        """Every term multiplied by a function of forward signals."""
        if law.is_number and len(law.offset) == 1 and law.offset[0, 0] == 1.0:
            return self
        if isinstance(law, Choice):
            return self._routed(law)
        return Gradient(tuple(_times(term, law) for term in self.terms))

    def _routed(self, choice: Choice) -> Gradient:
        """To the winners of a maximum: one in each window, so that what two of its sites get is uncorrelated."""
        terms = [replace(term, coefficient=choice.as_winner(term.coefficient)) for term in map(_alone, self.terms)]
        return Gradient(tuple(_won(term, choice) for term in terms))

    def correlation_of(self, sites: int) -> Callable[[], Numbers] | None:
        """What gives the correlation between sites, when it is asked for."""
        return None if sites == 1 else lambda: correlated(self.matrix(sites))


def correlated(kernel: Numbers) -> Numbers:
    """The correlation matrix of a matrix of second moments."""
    std = np.sqrt(np.maximum(np.diagonal(kernel), 1e-300))
    found: Numbers = kernel / np.outer(std, std)
    return found


def noise(power: Any, correlation: Callable[[], Any] | None = None) -> Gradient:
    """A gradient that is independent of everything before it, of this mean square per site."""
    return Gradient((Term(Source(False, correlation), constant(np.sqrt(np.maximum(power, 0.0)))),))


def plus(one: Gradient, other: Gradient, sign: float = 1.0) -> Gradient:
    """The sum, or difference: terms of one noise add up."""
    terms = list(one.terms)
    for term in other.terms:
        signed = term if sign == 1.0 else _times(term, constant(sign))
        place = next((i for i, t in enumerate(terms) if _alike(t, signed)), None)
        if place is None:
            terms.append(signed)
        else:
            terms[place] = replace(terms[place], coefficient=add(terms[place].coefficient, signed.coefficient))
    return Gradient(tuple(terms))


def _alike(one: Term, other: Term) -> bool:
    same_sites = one.sites is other.sites or (
        one.sites is not None and other.sites is not None and np.array_equal(one.sites, other.sites)
    )
    return one.noise is other.noise and same_sites and one.is_plain and other.is_plain


def _outer_mean(one: Term, other: Term) -> Numbers:
    """E of the product of what two terms have outside."""
    if one.outer is None or other.outer is None:
        law = one.outer or other.outer
        return np.ones(1) if law is None else law.mean
    return one.outer.second if one.outer is other.outer else product_of(one.outer, other.outer, False)


def _product(one: Term, other: Term) -> Numbers:
    if one.is_plain and other.is_plain:
        coefficients = _mean_product(one.coefficient, other.coefficient)
        if one.sites is None and other.sites is None:
            return coefficients
        count = _count(one, other)
        return coefficients * one.noise.between(one.places(count), other.places(count))
    if one.matrix is None and other.matrix is None:
        if not (one.units or other.units):
            bare = [replace(term, examples=0, outer=None) for term in (one, other)]
            return _product(bare[0], bare[1]) * _times_counted(one, other) * _outer_mean(one, other)
        one, other = _paired(one, other)
        bare = [replace(term, examples=0, units=0, outer=None) for term in (one, other)]
        return _product(bare[0], bare[1]) * _times_counted(one, other) * _outer_mean(one, other)
    return np.diagonal(pair_matrix(one, other, _count(one, other))).copy()


def _count(*terms: Term) -> int:
    """How many sites terms have; 1 where all are alike."""
    return max(len(v) for t in terms for v in _columns(t))


def _columns(term: Term) -> list[Any]:
    outer = [] if term.outer is None else [term.outer.mean]
    if term.matrix is not None:
        return [term.matrix, *outer]
    sites = [] if term.sites is None else [term.sites]
    return [term.coefficient.offset, term.coefficient.mean, *sites, *outer]


def _mean_product(one: Law, other: Law) -> Numbers:
    if one is other:
        return one.second
    return (add(one, other).moment() - one.second - other.second) / 2


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
        return replace(one, outer=None), replace(other, coefficient=_times(other, one.outer).coefficient)
    if other.outer is not None and not other.examples and one.is_plain:
        return replace(one, coefficient=_times(one, other.outer).coefficient), replace(other, outer=None)
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
    both = add(one, other).matrix(across, rows)
    found: Numbers = (both - one.matrix(across, rows) - other.matrix(across, rows)) / 2
    return found


def _gathered(term: Term, sites: Numbers) -> Term:
    inside = sites >= 0
    places = np.where(inside, sites, 0)
    outer = None if term.outer is None else term.outer.gather(places)
    if term.matrix is not None:
        return replace(term, matrix=term.matrix[places] * inside[:, None], outer=outer)
    found = replace(term, coefficient=term.coefficient.gather(sites), outer=outer)
    return replace(found, sites=places if term.sites is None else term.sites[places])


def _mixed(term: Term, mixing: Numbers) -> Term:
    if term.outer is not None:
        term = _alone(term)
    if term.matrix is not None:
        return replace(term, matrix=mixing @ term.matrix)
    return replace(term, sites=term.places(mixing.shape[1]), matrix=mixing)


def _summed(term: Term, examples: int) -> list[Term]:
    if not term.examples:
        return [replace(term if term.outer is None else _alone(term), examples=examples)]
    if term.outer is None:
        return [_scaled(term, np.full((1, 1), float(examples)))]
    mean = given_unit(term.outer).scaled(np.full((1, 1), float(examples)))
    if mean.is_number and not mean.offset.any():
        return []
    return [_scaled(replace(term, outer=None), mean.offset) if mean.is_number else replace(term, outer=mean)]


def _over_units(term: Term, units: int, centred: bool) -> list[Term]:
    if not term.noise.shared:
        return [replace(_alone(term) if term.units or term.outer else term, units=units)]
    mean = term.coefficient.mean[:, None]
    together = replace(term, coefficient=constant(mean * units))
    if term.coefficient.is_number or centred:
        return [together]
    return [together, replace(term, coefficient=add(term.coefficient, constant(-mean)), units=units)]


def _scaled(term: Term, factor: Numbers) -> Term:
    """Numbers times a term, per site."""
    if term.outer is not None:
        return replace(term, outer=term.outer.scaled(factor))
    if term.matrix is not None:
        return replace(term, matrix=term.matrix * factor)
    return replace(term, coefficient=term.coefficient.scaled(factor))


def _won(term: Term, choice: Choice) -> Term:
    """As large as what a winner gets, times the root of how likely it wins; correlated between windows as that is."""

    def between() -> Numbers:
        sites = np.arange(len(choice.windows_of))
        places = term.places(len(sites))
        return term.noise.between(places[:, None], places[None]) * choice.coincidence()

    return _times(Term(Source(False, between), term.coefficient), choice.root)


def _alone(term: Term) -> Term:
    """A plain term with a noise of its own that is as large."""
    if term.is_plain:
        return term
    whole = Gradient((term,))
    return noise(whole.second, whole.correlation_of(_count(term))).terms[0]


def _times(term: Term, law: Law) -> Term:
    if law.concentrated is not None:
        law = constant(np.sign(law.concentrated.mean) * np.sqrt(law.second))
    if law.is_number:
        return _scaled(term, law.offset)
    if not term.is_plain:
        return replace(term, outer=law if term.outer is None else apply(np.multiply, [term.outer, law]))
    if term.coefficient.is_number:
        return replace(term, coefficient=law.scaled(term.coefficient.offset))
    return replace(term, coefficient=apply(np.multiply, (_seen_from(term.coefficient, law), law)))


def _seen_from(coefficient: Law, law: Law) -> Law:
    """The coefficient, or the root of its mean square given the latent of the law, if that is another one.

    What multiplies it further back are functions of this latent and of earlier ones.
    """
    (c, inner), (_, outer) = as_function(coefficient), as_function(law)
    if inner is None or outer is None or inner is outer:
        return coefficient
    square = Expression(np.square, (c,))
    if inner.pair is not None and any(outer is part for part in inner.pair.latents):
        return Law(ZERO, {Atom(Expression(np.sqrt, (inner.pair.given(outer, square),)), outer): ONE})
    r = correlation(inner, outer, across=False)[:, None]
    if (np.abs(r) > 1 - 1e-12).all():
        return coefficient
    if not r.any():
        return constant(np.sqrt(coefficient.second))
    root = Expression(np.sqrt, (Expression(smoothed, (Z, r, np.sqrt(1 - r * r)), (square,)),))
    return Law(ZERO, {Atom(root, outer): ONE})
