"""Expectations of products of functions of two correlated normal numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .quadrature import EDGES, Numbers, density, integral, normal_nodes, panel_nodes

Function = Callable[[Numbers], Numbers]

DISTANCE_EDGES = (0.0, 0.6, 1.5, 3.0, 5.0, 8.0)
DISTANCE_ORDER, SUM_ORDER = 8, 12
SUM_EDGES = EDGES[[1, 3, 5, 7, 8, 9, 11, 13, 15]]


def product_mean(f: Function, g: Function, r: float, f_breaks: Numbers, g_breaks: Numbers) -> float:
    r"""$E\,f(z_1)\,g(z_2)$ of standard normal numbers with correlation r, to about 1e-9.

    In the coordinates $s = (z_1 + z_2)/\sqrt{2(1+r)}$ and $d = (z_1 - z_2)/\sqrt{2(1-r)}$, which are independent. Along
    s the panels end where either function has a break; along d, which by symmetry runs over the positive half, where
    two of these ends cross. Correlations near ±1 need no special care.
    """
    if 1 - abs(r) < 1e-14:
        sign = math.copysign(1, r)
        z, weight = normal_nodes(np.concatenate([f_breaks, sign * g_breaks])[None])
        return float(integral(np.asarray(f(z) * g(sign * z)), weight).sum())
    along, across = math.sqrt((1 + r) / 2), math.sqrt((1 - r) / 2)
    d, d_weight = _distances(across, np.concatenate([f_breaks, g_breaks]))
    total = 0.0
    for first, near, second, far in ((f, f_breaks, g, g_breaks), (g, g_breaks, f, f_breaks)):
        ends = [(k - across * d) / along for k in near] + [(k + across * d) / along for k in far]
        s, s_weight = _sums(len(d), ends)
        half = across * d[:, None]
        values = np.asarray(first(along * s + half) * second(along * s - half))
        total += float(integral(values.ravel(), (d_weight[:, None] * s_weight).ravel()))
        if f is g:
            return 2 * total
    return total


def _distances(across: float, breaks: Numbers) -> tuple[Numbers, Numbers]:
    crossings = [abs(a - b) / (2 * across) for i, a in enumerate(breaks) for b in breaks[:i] if a != b]
    edges = np.unique([*DISTANCE_EDGES, *(c for c in crossings if c < DISTANCE_EDGES[-1])])
    d, weight = panel_nodes(edges[:-1], edges[1:], DISTANCE_ORDER)
    return d.ravel(), (weight * density(d)).ravel()


def _sums(count: int, ends: list[Numbers]) -> tuple[Numbers, Numbers]:
    fixed = np.broadcast_to(SUM_EDGES, (count, len(SUM_EDGES)))
    moving = [np.clip(e, SUM_EDGES[0], SUM_EDGES[-1])[:, None] for e in ends]
    edges = np.sort(np.concatenate([fixed, *moving], axis=1), axis=1)
    s, weight = panel_nodes(edges[:, :-1], edges[:, 1:], SUM_ORDER)
    s, weight = s.reshape(count, -1), weight.reshape(count, -1)
    return s, weight * density(s)


def series(one: Numbers, other: Numbers, r: Numbers, rest: Numbers | None = None) -> Numbers:
    r"""$\sum_n a_n b_n r^n$ for Hermite coefficients a, b (Mehler's formula), for many correlations at once.

    Args:
        one: shape `(count, ...)`, and `other`: shapes that broadcast with r behind the first axis.
        r: correlations.
        rest: what the squares of the coefficients that are left out sum to, if one and other are the same function;
            it is given the power of the last term, so that r = 1 is exact.
    """
    size = np.abs(one).reshape(len(one), -1).max(1) * np.abs(other).reshape(len(other), -1).max(1)
    last = int(np.max(np.flatnonzero(size > 1e-12 * max(size.max(), 1e-300)), initial=0))
    total = np.zeros(np.broadcast_shapes(one[0].shape, other[0].shape, r.shape))
    if rest is not None:
        total += rest * (r if last % 2 else np.abs(r))
    for n in range(last, -1, -1):
        total *= r if n < last else 1.0
        total += one[n] * other[n]
    return total
