"""What operations make of a term of a gradient: other sites, sums, factors that depend on forward signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .choice import Choice
from .function import apply
from .law import Law, add, constant
from .normal import given_unit
from .quadrature import Numbers
from .source import Source
from .term import Term, coefficient_times, correlated, pair_matrix, pair_product, site_count


def term_gathered(term: Term, sites: Numbers) -> Term:
    inside = sites >= 0
    places = np.where(inside, sites, 0)
    outer = None if term.outer is None else term.outer.gather(places)
    if term.matrix is not None:
        return replace(term, matrix=term.matrix[places] * inside[:, None], outer=outer)
    found = replace(term, coefficient=term.coefficient.gather(sites), outer=outer)
    return replace(found, sites=places if term.sites is None else term.sites[places])


def term_mixed(term: Term, mixing: Numbers) -> Term:
    if term.outer is not None:
        term = term_alone(term)
    if term.matrix is not None:
        return replace(term, matrix=mixing @ term.matrix)
    return replace(term, sites=term.places(mixing.shape[1]), matrix=mixing)


def term_summed(term: Term, examples: int) -> list[Term]:
    if not term.examples:
        return [replace(term if term.outer is None else term_alone(term), examples=examples)]
    if term.outer is None:
        return [term_scaled(term, np.full((1, 1), float(examples)))]
    mean = given_unit(term.outer).scaled(np.full((1, 1), float(examples)))
    if mean.is_number and not mean.offset.any():
        return []
    return [term_scaled(replace(term, outer=None), mean.offset) if mean.is_number else replace(term, outer=mean)]


def term_over_units(term: Term, units: int, centred: bool) -> list[Term]:
    if not term.noise.shared:
        return [replace(term_alone(term) if term.units or term.outer else term, units=units)]
    mean = term.coefficient.mean[:, None]
    together = replace(term, coefficient=constant(mean * units))
    if term.coefficient.is_number or centred:
        return [together]
    return [together, replace(term, coefficient=add(term.coefficient, constant(-mean)), units=units)]


def term_scaled(term: Term, factor: Numbers) -> Term:
    """Numbers times a term, per site."""
    if term.outer is not None:
        return replace(term, outer=term.outer.scaled(factor))
    if term.matrix is not None:
        return replace(term, matrix=term.matrix * factor)
    return replace(term, coefficient=term.coefficient.scaled(factor))


def term_won(term: Term, choice: Choice) -> Term:
    """As large as what a winner gets, times the root of how likely it wins; correlated between windows as that is."""

    def between() -> Numbers:
        sites = np.arange(len(choice.windows_of))
        places = term.places(len(sites))
        return term.noise.between(places[:, None], places[None]) * choice.coincidence()

    return term_times(Term(Source(False, between), term.coefficient), choice.root)


def term_alone(term: Term) -> Term:
    """A plain term with a noise of its own that is as large."""
    if term.is_plain:
        return term
    count = site_count(term)
    between = None if count == 1 else lambda: correlated(pair_matrix(term, term, count))
    return Term(Source(False, between), constant(np.sqrt(np.maximum(pair_product(term, term), 0.0))))


def term_times(term: Term, law: Law) -> Term:
    if law.concentrated is not None:
        law = constant(np.sign(law.concentrated.mean) * np.sqrt(law.second))
    if law.is_number:
        return term_scaled(term, law.offset)
    if not term.is_plain:
        return replace(term, outer=law if term.outer is None else apply(np.multiply, [term.outer, law]))
    return replace(term, coefficient=coefficient_times(term.coefficient, law))
