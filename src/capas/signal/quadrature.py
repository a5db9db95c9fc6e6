"""Nodes and weights for integrals under the normal density, split where a function is not smooth."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[Any]]

EDGES = np.array([-13.0, -9.5, -7.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.5, 13.0])
"""Panels in standard deviations. The density underflows later; exponentials have their mass far out."""

ORDER = 16
"""Nodes a panel: functions that are smooth inside the panels are integrated to 1e-13."""


@lru_cache(maxsize=8)
def legendre(order: int) -> tuple[Numbers, Numbers]:
    """Gauss-Legendre nodes and weights on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return nodes, weights


def normal_nodes(breaks: Numbers) -> tuple[Numbers, Numbers]:
    """Nodes and weights for E f(z), z standard normal, where f is smooth but for the breaks.

    Args:
        breaks: shape `(sites, any)`; each site has its own.

    Returns two arrays of shape `(sites, nodes)`.
    """
    if breaks.shape[0] == 1:
        return _one_site(tuple(breaks[0]))
    return _nodes(breaks)


@lru_cache(maxsize=4096)
def _one_site(breaks: tuple[float, ...]) -> tuple[Numbers, Numbers]:
    z, weight = _nodes(np.array([breaks]))
    return z, weight


def _nodes(breaks: Numbers) -> tuple[Numbers, Numbers]:
    inner = np.clip(breaks, EDGES[0], EDGES[-1])
    edges = np.sort(np.concatenate([np.broadcast_to(EDGES, (len(breaks), len(EDGES))), inner], axis=1), axis=1)
    if len(breaks) == 1:
        edges = np.unique(edges)[None]
    z, weight = panel_nodes(edges[:, :-1], edges[:, 1:], ORDER)
    z, weight = z.reshape(len(breaks), -1), weight.reshape(len(breaks), -1)
    return z, weight * density(z)


def panel_nodes(low: Numbers, high: Numbers, order: int) -> tuple[Numbers, Numbers]:
    """Gauss-Legendre nodes and weights of panels, on a new last axis."""
    nodes, weights = legendre(order)
    half = (high - low)[..., None] / 2
    return (low + high)[..., None] / 2 + half * nodes, half * weights


def density(z: Numbers) -> Numbers:
    """Of the standard normal distribution."""
    values: Numbers = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return values


RARE = 1e-9
"""Probability of values that a function may be undefined for: those of a variance below zero, say."""


def integral(values: Numbers, weight: Numbers) -> Numbers:
    """The weighted sum along the last axis, without what is not finite but too rare to matter."""
    total: Numbers = np.asarray((values * weight).sum(-1))
    if np.isfinite(total).all():
        return total
    good = np.isfinite(values) & np.ones(np.broadcast_shapes(values.shape, weight.shape), bool)
    rare = (np.where(good, 0.0, weight).sum(-1) < RARE) & (np.where(good, weight, 0.0).sum(-1) > 0)
    found: Numbers = np.where(rare, (np.where(good, values, 0.0) * weight).sum(-1), total)
    return found


def hermite(z: Numbers, count: int) -> Numbers:
    """The normalized Hermite polynomials h_0 to h_(count-1), with E h_i h_j = 1 if i = j, on a new first axis."""
    values = np.empty((count, *z.shape))
    values[0], values[1] = 1.0, z
    for n in range(1, count - 1):
        values[n + 1] = (z * values[n] - np.sqrt(n) * values[n - 1]) / np.sqrt(n + 1)
    return values
