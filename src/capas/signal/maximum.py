"""The law of a maximum over the sites of a window."""

from __future__ import annotations

import numpy as np

from .atom import Atom
from .contest import STEP, alive, contest_of, inside, kinds, shares, uncorrelated
from .expression import Expression
from .function import as_function
from .joint import joint_nodes, quantiles
from .latent import Latent, correlation_matrix
from .law import ZERO, Law, constant
from .pair import series
from .quadrature import Numbers
from .source import Part, Source
from .term import correlated

TERMS, STEPS = 24, 5
"""Of Mehler's series, and of Newton's method."""


def mean_of_maximum(law: Law, count: int) -> float:
    """E max of independent entries: the sum of x_(i) (F_i^n - F_(i-1)^n) over nodes in the order of their values."""
    if law.is_number:
        return float(law.mean.mean())
    function, latent = as_function(law)
    assert latent is not None
    z, weight = latent.nodes
    values = np.broadcast_to(function(z), z.shape)
    order = np.argsort(values, axis=1, kind="stable")
    values, weight = np.take_along_axis(values, order, 1), np.take_along_axis(weight, order, 1)
    below = np.minimum(np.cumsum(weight, 1), 1.0) ** count
    return float((values * np.diff(below, prepend=0.0, axis=1)).sum(1).mean())


def maximum(law: Law, windows: Numbers, sites: int) -> Law:
    """The law of the maximum over each window, at as many sites as there are windows.

    Of independent entries of one law it is read off the nodes, else off draws. Its latent is a sum of those of its
    window, by as much as the maximum moves when they do, and of a rest that is correlated between windows and between
    examples such that the moments of the maxima come out.

    Args:
        law: of the entries.
        windows: their sites, shape `(windows, taps)`; -1 stands for padding, which never wins.
        sites: how many the law has.
    """
    if law.is_number:
        column = np.broadcast_to(law.offset, (sites, 1))[:, 0]
        return constant(np.where(windows >= 0, column[windows], -np.inf).max(1))
    key = windows.tobytes()
    if key not in law.maxima:
        law.maxima[key] = _maximum(law, windows, sites)
    found: Law = law.maxima[key]
    return found


def _maximum(law: Law, given: Numbers, sites: int) -> Law:
    windows = alive(law, given, sites)
    function, latent = as_function(inside(law))
    assert latent is not None
    drawn = contest_of(law, windows, sites)
    if not kinds(function, sites).any() and uncorrelated(latent, windows, sites):
        mean, variance, shape, slope = _of_independent(function.gather(np.zeros(1, int), {}), (windows >= 0).sum(1))
    else:
        assert drawn is not None
        mean, variance = drawn.mean, np.diagonal(drawn.within)
        shape = quantiles(drawn.levels, np.full_like(drawn.levels, 1 / drawn.levels.shape[1]))
    trial = Atom(shape, Latent(()))
    std = np.sqrt(np.maximum(trial.second - trial.mean**2, 1e-300))
    scale = np.sqrt(variance) / std
    steepness = np.maximum(scale * trial.slope, 1e-300)[:, None]
    if drawn is None:
        moves = shares(windows, sites) * slope[:, None]
        atom = Atom(shape, _company(latent, moves / steepness, np.eye(len(windows)), ZERO))
    else:
        size = std / np.sqrt(np.maximum(np.diagonal(drawn.within), 1e-300))
        moments = [kernel * np.outer(size, size) for kernel in (drawn.within, drawn.across)]
        within, across = (_matching(trial.coefficients, moment) for moment in moments)
        np.fill_diagonal(within, 1.0)
        company = _company(latent, drawn.moves / steepness, within, across)
        atom = Atom(shape, company, np.diagonal(moments[1]) + trial.mean**2)
    return Law((mean - scale * trial.mean)[:, None], {atom: scale[:, None]}, maximum_of=(law, given, sites))


def _of_independent(function: Expression, count: Numbers) -> tuple[Numbers, Numbers, Expression, Numbers]:
    """Of so many entries: mean, variance, the maximum as a function of a normal number, and its mean slope."""
    z, weight = joint_nodes(np.linspace(-3.5, 3.5, 113)[None])
    values, above, below = (np.asarray(function(z + shift)) for shift in (0.0, STEP, -STEP))
    order = np.argsort(values[0], kind="stable")
    values, slopes = values[:, order], ((above - below) / (2 * STEP))[:, order]
    level = np.cumsum(weight[:, order] / weight.sum(), 1)
    count = count[:1] if (count == count[0]).all() else count
    share = np.diff(np.minimum(level, 1.0) ** count[:, None], prepend=0.0, axis=1)
    mean, second, slope = ((share * v).sum(1) for v in (values, np.square(values), slopes))
    shape = quantiles(np.broadcast_to(values, share.shape), share)
    return mean, np.maximum(second - mean**2, 0.0), shape, slope


def _matching(coefficients: Numbers, covariance: Numbers) -> Numbers:
    """Correlations of normal numbers with which increasing functions of them have these covariances.

    Newton's method on Mehler's series, which increases with the correlation.

    Args:
        coefficients: of the functions on Hermite polynomials, shape `(terms, sites or 1)`.
        covariance: shape `(sites, sites)`.
    """
    one, other = coefficients[1:TERMS, :, None], coefficients[1:TERMS, None]
    steepest = np.arange(1, len(one) + 1)[:, None, None] * one
    least = np.maximum(one[0] * other[0], 1e-300)
    r = np.clip(covariance / least, -1.0, 1.0)
    for _ in range(STEPS):
        error = r * series(one, other, r) - covariance
        r = np.clip(r - error / np.maximum(series(steepest, other, r), least / 2), -1.0, 1.0)
    return r


def _company(latent: Latent, moves: Numbers, within: Numbers, across: Numbers) -> Latent:
    """A latent that moves with others, and with something of its own such that it has these correlations.

    Args:
        latent: the others.
        moves: by how much, shape `(windows, sites)`.
        within, across: correlations in one example and in two, shape `(windows, windows)`.
    """
    sites = moves.shape[1]
    kernels = [correlation_matrix(latent, latent, across, sites) for across in (False, True)]
    known = [moves @ kernel @ moves.T for kernel in (kernels[1], kernels[0] - kernels[1])]
    wanted = [across, within - across]
    room = [np.diagonal(w) / np.maximum(np.diagonal(k), 1e-300) for w, k in zip(wanted, known, strict=True) if k.any()]
    shrink = np.sqrt(np.clip(np.min(room, axis=0), 0.0, 1.0))[:, None]
    parts = [part.mix(moves).scaled(shrink) for part in latent.parts]
    for shared, w, k in zip((True, False), wanted, known, strict=True):
        rest = w - k * shrink * shrink.T
        power = np.maximum(np.diagonal(rest), 0.0)[:, None]
        if (power > 1e-12).any():
            between = lambda rest=rest: np.clip(correlated(rest), -1.0, 1.0)  # noqa: E731
            parts.append(Part(Source(shared, between), np.sqrt(power)))
    return Latent(tuple(parts))
