"""The law of a gradient: functions of the forward signals, times independent numbers of mean zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .choice import Choice
from .law import Law, add, constant
from .quadrature import Numbers
from .routes import term_alone, term_gathered, term_mixed, term_over_units, term_summed, term_times, term_won
from .source import Source, Units
from .term import Term, correlated, pair_matrix, pair_product


@dataclass(frozen=True, eq=False)
class Gradient:
    """A sum of terms; those with different noises are independent."""

    terms: tuple[Term, ...]

    @cached_property
    def second(self) -> Numbers:
        """Mean square at every site, shape `(sites or 1,)`."""
        total = np.zeros(1)
        for one, other, weight in self.pairs():
            total = total + weight * pair_product(one, other)
        return np.maximum(total, 0.0)

    @property
    def is_zero(self) -> bool:
        """Whether every term is zero, without a look at how sites go together, which costs much more."""
        return not any(term.power.any() for term in self.terms)

    def matrix(self, count: int) -> Numbers:
        """E of the products between all sites, shape `(sites, sites)`."""
        total = np.zeros((count, count))
        for one, other, weight in self.pairs():
            found = pair_matrix(one, other, count)
            total += found if one is other else weight / 2 * (found + found.T)
        return total

    def pairs(self) -> list[tuple[Term, Term, float]]:
        """Terms that are not independent, each two of them once, and how often they stand in a square."""
        found = []
        for i, one in enumerate(self.terms):
            found.append((one, one, 1.0))
            found += [(one, other, 2.0) for other in self.terms[:i] if other.noise is one.noise]
        return found

    def gather(self, sites: Numbers) -> Gradient:
        """At other sites; -1 stands for a place where there is none."""
        return Gradient(tuple(term_gathered(term, sites) for term in self.terms))

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
        return Gradient(tuple(term_mixed(term, mixing) for term in self.terms))

    def summed(self, examples: int) -> Gradient:
        """The sum over so many examples."""
        return Gradient(tuple(found for term in self.terms for found in term_summed(term, examples)))

    def over_units(self, units: int, centred: bool = False) -> Gradient:
        """The sum over so many units; what is the same for all of them is that many times as large.

        `centred`: what it is multiplied with sums to zero over them.
        """
        return Gradient(tuple(found for term in self.terms for found in term_over_units(term, units, centred)))

    def times(self, law: Law) -> Gradient:
        """Every term multiplied by a function of forward signals."""
        if law.is_number and len(law.offset) == 1 and law.offset[0, 0] == 1.0:
            return self
        if isinstance(law, Choice):
            return self._routed(law)
        return Gradient(tuple(term_times(term, law) for term in self.terms))

    def _routed(self, choice: Choice) -> Gradient:
        """To the winners of a maximum: one in each window, so that what two of its sites get is uncorrelated."""
        terms = [replace(term, coefficient=choice.as_winner(term.coefficient)) for term in map(term_alone, self.terms)]
        return Gradient(tuple(term_won(term, choice) for term in terms))

    def correlation_of(self, sites: int) -> Callable[[], Numbers] | None:
        """What gives the correlation between sites, when it is asked for."""
        return None if sites == 1 else lambda: correlated(self.matrix(sites))


def noise(power: Any, correlation: Callable[[], Any] | None = None) -> Gradient:
    """A gradient that is independent of everything before it, of this mean square per site."""
    return Gradient((Term(Source(False, correlation), constant(np.sqrt(np.maximum(power, 0.0)))),))


def plus(one: Gradient, other: Gradient, sign: float = 1.0) -> Gradient:
    """The sum, or difference: terms of one noise add up."""
    terms = list(one.terms)
    for term in other.terms:
        signed = term if sign == 1.0 else term_times(term, constant(sign))
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
