"""Gradients and the weights they meet: what comes through a matrix, and what a matrix itself gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .gradient import Gradient, noise
from .law import Law, constant
from .quadrature import Numbers
from .source import Source
from .term import Term, correlated, pair_matrix

Moments = Callable[[Gradient], Numbers]
Meeting = Callable[[Numbers], Numbers]


def through_weights(
    parts: Sequence[tuple[float, Gradient]], second: Moments, matrix: Moments, sites: int, kept: int = 0
) -> Gradient:
    r"""A sum of many entries of a gradient with random weights: a new noise.

    What a normalization has subtracted is kept: where terms hold a sum over all examples, $\kappa \sum_i g_i$ with g
    the rest, so do those that come out, with the same $\kappa$.

    Args:
        parts: gradients, each with its sum of squared weights.
        second: mean square at every site of the result, of a gradient with weights of one.
        matrix: the same between sites.
        sites: of the result.
        kept: of how many entries it is the sum, if the weights are an orthogonal matrix.
    """
    plain = [(weight, Gradient(tuple(t for t in g.terms if not t.examples))) for weight, g in parts]
    power = sum(weight * (second(g) + _taken_before(g, second, kept)) for weight, g in plain)
    between = lambda: correlated(np.asarray(sum(weight * matrix(g) for weight, g in plain)))  # noqa: E731
    fresh = noise(power, None if sites == 1 else between)
    (term,) = fresh.terms
    ratio, examples = _share_of_sum(parts[0][1])
    if not ratio:
        return fresh
    mixing = None if sites == 1 else np.ones((sites, sites))
    places = None if sites == 1 else term.places(sites)
    outer = constant(ratio)
    return Gradient((term, Term(term.noise, term.coefficient, places, mixing, examples, outer=outer)))


def _taken_before(gradient: Gradient, second: Moments, kept: int) -> Numbers | float:
    r"""What is to be put back, of what a normalization has taken off, where an orthogonal matrix keeps the norm.

    A gradient that is orthogonal to a signal, as what comes out of a normalization is, is so on the other side of a
    matrix too: $(W^T g)^T x = g^T W x = 0$. Independent weights make it shorter by 1/n there, as much as the next
    normalization takes off a noise that is independent of its signal; so the noise is right. Orthogonal ones do not,
    and the next normalization finds nothing to take. Of sums over k of n units that is the share k/n.
    """
    sums = [term.units for term in gradient.terms if term.units]
    if not kept or not sums:
        return 0.0
    rest = Gradient(tuple(term for term in gradient.terms if not term.units))
    return np.maximum(second(rest) - second(gradient), 0.0) * min(max(sums) / kept, 1.0)


def _share_of_sum(gradient: Gradient) -> tuple[float, int]:
    """How many times the sum of all that is plain stands in the terms that are sums over examples."""
    plain = [t for t in gradient.terms if not t.examples]
    summed = [t for t in gradient.terms if t.examples]
    if not summed or not plain:
        return 0.0, 0
    count = max(len(Gradient((t,)).second) for t in gradient.terms)
    between = sum(pair_matrix(s, p, count) for s in summed for p in plain if s.noise is p.noise)
    total = Gradient(tuple(plain)).matrix(count).sum()
    found = np.asarray(between).sum(-1).mean() / total if total > 0 else 0.0
    return float(found), summed[0].examples


def outer_power(
    x: Law, gradient: Gradient, sites: int, examples: int, meeting: Meeting = np.asarray, means: Meeting = np.asarray
) -> Numbers:
    """Mean square of the sum over examples and sites of a signal times a gradient, of units that are independent.

    Args:
        x: the signal.
        gradient: the gradient.
        sites: of the signal.
        examples: how many.
        meeting: from moments of the signal between its sites, those between the sites of it that the gradient's meet.
        means: the same from the products of its means.

    Returns: of the signal, and of its mean alone, shape `(2,)`.
    """
    common, found = means(constant(x.mean).matrix(False, sites)), {}
    total = np.zeros(2)
    for one, other, weight in gradient.pairs():
        apart = bool(one.examples or other.examples)
        if apart not in found:
            found[apart] = meeting(x.matrix(apart, sites))
        between = pair_matrix(one, other, len(common), apart) * float(examples) ** (2 if apart else 1)
        total += weight * np.array([(moments * between).sum() for moments in (found[apart], common)])
    return np.maximum(total, 0.0)


def of_weights(total: float, common: float) -> Gradient:
    """The gradient of a matrix, of this mean square; a part of it is the same for all inputs of a unit.

    That is what the mean of the signal makes of it. Its noise is marked as shared.
    """
    common = min(common, total)
    own = noise(total - common).terms
    return Gradient((*own, Term(Source(True), constant(np.sqrt(common))))) if common > 0 else Gradient(own)
