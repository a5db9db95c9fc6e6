"""The law of a maximum over the sites of a window, and who wins it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .expression import Expression, Z
from .function import apply, as_function
from .joint import joint_nodes, quantiles
from .latent import Latent, Part, Source, correlation_matrix
from .law import ONE, ZERO, Atom, Law, constant
from .quadrature import Numbers
from .tabulate import interpolated

STEP = 1e-3
"""For slopes."""

COMMON = 12
"""Nodes for what the sites of a window have in common."""


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

    The latents in a window count as equally correlated, by the mean of their correlations; their distributions as
    one, the mean of theirs. What a maximum shares with other windows and examples is what its window's mean shares, to
    first order: as much as the maximum moves when all entries do.

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


def _maximum(law: Law, windows: Numbers, sites: int) -> Law:
    outside = np.isneginf(law.offset[:, 0])
    given = windows
    if outside.any():
        windows = np.where(outside[windows], -1, windows)
    function, latent = as_function(inside(law))
    assert latent is not None
    share = _shares(windows, sites)
    r, variance = _within(latent, share, sites)
    values, slopes, weight = _distribution(function, windows, r)
    mean, second, moves = ((weight * v).sum(1) for v in (values, np.square(values), slopes))
    shape = quantiles(values, weight)
    trial = Atom(shape, Latent(()))
    scale = np.sqrt(np.maximum(second - mean**2, 0.0) / np.maximum(trial.second - trial.mean**2, 1e-300))
    company = _company(latent, share, variance, moves / np.maximum(scale * trial.slope, 1e-300))
    terms = {Atom(shape, company): scale[:, None]}
    return Law((mean - scale * trial.mean)[:, None], terms, maximum_of=(law, given, sites))


def _distribution(function: Expression, windows: Numbers, r: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Values of the maximum, slopes where they are taken and their weights, shape `(windows or 1, any)`."""
    values, above, below = (_samples(function, windows, r, shift) for shift in (0.0, STEP, -STEP))
    _, weight = _inner(r)
    weight = np.tile(weight / (values.shape[2] // len(weight)), values.shape[2] // len(weight))
    count = (windows >= 0).sum(1)[:, None, None]
    if len(values) == 1 and (r == r[0]).all() and (count == count[0]).all():
        count = count[:1]
    order = np.argsort(values, axis=2, kind="stable")
    values, slopes = (np.take_along_axis(v, order, 2) for v in (values, (above - below) / (2 * STEP)))
    level = np.minimum(np.cumsum(weight[order], 2), 1.0) ** count
    share = np.diff(level, prepend=0.0, axis=2) * _common(r)[1][None, :, None]
    values, slopes, share = np.broadcast_arrays(values, slopes, share)
    return values.reshape(len(values), -1), slopes.reshape(len(values), -1), share.reshape(len(values), -1)


def _inner(r: Numbers) -> tuple[Numbers, Numbers]:
    """Nodes and weights for what every site has on its own."""
    w, weight = joint_nodes(np.linspace(-3.5, 3.5, 8 if r.any() else 113)[None])
    return w[0], weight[0] / weight.sum()


def inside(law: Law) -> Law:
    """The law without places that are minus infinity."""
    return Law(np.where(np.isneginf(law.offset), 0.0, law.offset), law.terms)


def _shares(windows: Numbers, sites: int) -> Numbers:
    """The matrix that takes the mean over each window."""
    share = np.zeros((len(windows), sites))
    for tap in windows.T:
        share[np.flatnonzero(tap >= 0), tap[tap >= 0]] += 1
    return share / share.sum(1, keepdims=True)


def _within(latent: Latent, share: Numbers, sites: int) -> tuple[Numbers, Numbers]:
    """Mean correlation between different taps of each window, and the variance of its mean."""
    variance = np.einsum("qp,pr,qr->q", share, correlation_matrix(latent, latent, False, sites), share)
    taps = (share > 0).sum(1)
    r = (variance * taps - 1) / np.maximum(taps - 1, 1)
    return np.where(r < 1e-9, 0.0, np.minimum(r, 1 - 1e-9)), variance


def _common(r: Numbers, count: int = COMMON) -> tuple[Numbers, Numbers]:
    if not r.any():
        return np.zeros(1), np.ones(1)
    nodes, weight = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weight / weight.sum()


def _samples(function: Expression, windows: Numbers, r: Numbers, shift: float) -> Numbers:
    """Values of the function given what a window has in common, shape `(windows or 1, common, nodes of all taps)`."""
    r = r[:1] if (r == r[0]).all() else r
    s = _common(r)[0]
    z = np.sqrt(r)[:, None, None] * s[:, None] + np.sqrt(1 - r)[:, None, None] * _inner(r)[0] + shift
    taps = windows.T if len(windows.T) <= 9 else windows.T[:: -(-len(windows.T) // 9)]
    found = []
    for tap in taps:
        there = function.gather(np.where(tap >= 0, tap, windows.max(1)), {})
        value = np.asarray(there(z.reshape(len(z), -1)))
        found.append(value.reshape(len(value), *z.shape[1:]))
        if len(value) == 1:
            break
    return np.concatenate(np.broadcast_arrays(*found), axis=2)


def _company(latent: Latent, share: Numbers, variance: Numbers, factor: Numbers) -> Latent:
    """A latent that is a multiple of the window's mean, and something of its own where windows do not overlap."""
    factor = np.minimum(np.broadcast_to(factor, variance.shape), 1 / np.sqrt(np.maximum(variance, 1e-300)))
    parts = [part.mix(share).scaled(factor[:, None]) for part in latent.parts]
    own = np.sqrt(np.maximum(1 - factor**2 * variance, 0.0))
    together = np.sqrt(share @ share.T / np.sqrt(np.outer(*[(share**2).sum(1)] * 2)))
    return Latent((*parts, Part(Source(False, lambda: together), own[:, None])))


@dataclass(eq=False)
class Choice(Law):
    """1 for the winner of a window, 0 for the others.

    Attributes:
        probability: of winning, given an entry's latent.
        root: of the probability.
        windows_of: which sites are in one window, a matrix of booleans.
        largest: the law of the maximum.
        entries: the law of what it is the maximum of.
    """

    probability: Any = None
    root: Any = None
    windows_of: Any = None
    largest: Any = None
    entries: Any = None

    def coincidence(self) -> Numbers:
        """E of the product of two choices, relative to that of the roots of their probabilities."""
        count = len(self.windows_of)
        found = self.probability.matrix(False, count) / np.maximum(self.root.matrix(False, count), 1e-300)
        found = np.where(self.windows_of, 0.0, found)
        np.fill_diagonal(found, 1.0)
        return found

    def as_winner(self, coefficient: Law) -> Law:
        """A function of the maximum as one of the entry that is the maximum."""
        function, latent = as_function(coefficient)
        if latent is None or self.largest is None or latent.origin is None:
            return coefficient
        root, sites = latent.origin
        if root is not self.largest.latents[0]:
            return coefficient
        entry, own = as_function(inside(self.entries))
        assert own is not None
        law = self.largest.gather(sites)
        ((atom, scale),) = law.terms.items()
        standard = Expression(_standardized, (entry, law.offset, scale))
        y = Expression(interpolated, (standard, atom.value.arguments[2], atom.value.arguments[1]))
        return Law(ZERO, {Atom(Expression(_composed, (y,), (function,)), own): ONE})


def _standardized(value: Numbers, offset: Numbers, scale: Numbers) -> Numbers:
    return (value - offset) / scale


def _composed(y: Numbers, function: Expression) -> Numbers:
    return np.asarray(function(y))


def choice(law: Law, windows: Numbers, sites: int, largest: Law | None = None) -> Choice:
    """Who wins the maximum over windows that do not overlap.

    Where windows overlap, the others of a window count as being like the entry itself. Ties are shared where the
    maximum is given as a law, as when it is taken by `jnp.max`; else the first one wins, as in a sliding window.
    """
    function, latent = as_function(inside(law))
    assert latent is not None
    windows = windows[:, (windows >= 0).any(0)]
    taps = windows.shape[1]
    share = _shares(windows, sites)
    mates = np.zeros((sites, taps), int)
    for row in windows:
        mates[row[row >= 0]] = np.where(row >= 0, row, row.max())
    if ((share > 0).sum(0) > 1).any():
        mates = np.broadcast_to(np.arange(sites)[:, None], mates.shape)
    r = float(_within(latent, share, sites)[0].mean())
    functions = [_probability(function, latent, mates, r, tie) for tie in (1, 2)]
    total = (Atom(functions[0], latent).mean.mean() * taps).reshape(1, 1)
    won, power = (Law(ZERO, {Atom(Expression(np.divide, (f, total)), latent): ONE}) for f in functions)
    power = won if largest is None else power
    together = (share > 0).T.astype(float) @ (share > 0) > 0
    return Choice(
        constant(1 / taps).offset,
        probability=won,
        root=apply(np.sqrt, [power]),
        windows_of=together,
        largest=largest,
        entries=law,
    )


def _probability(function: Any, latent: Latent, mates: Numbers, r: float, tie: int) -> Expression:
    """E (1 / entries that are as large)^tie of an entry that is the largest of its window, given z.

    On a grid between which it is interpolated. With tie = 1 this is the probability to win.

    Args:
        function: of the entries.
        latent: of them.
        mates: for every site those of its window, shape `(sites, taps)`.
        r: the correlation of latents in a window.
        tie: the power.
    """
    taps = mates.shape[1]
    edges = np.concatenate([latent.breaks - 1e-9, latent.breaks + 1e-9], 1)
    grid = np.sort(np.concatenate([np.broadcast_to(np.linspace(-6, 6, 61), (len(edges), 61)), edges], 1), 1)
    own = np.asarray(function(grid))
    grid = np.broadcast_to(grid, own.shape)
    t, t_weight = _common(np.array([r]), 8)
    below, upto = _others(function, mates if len(own) > 1 else mates[:1, :1], grid, own, r, t)
    ways = [math.comb(taps - 1, j) * (upto - below) ** j * below ** (taps - 1 - j) for j in range(taps)]
    won = np.clip(sum(way / (1 + j) ** tie for j, way in enumerate(ways)) @ t_weight, 0.0, 1.0)
    return Expression(interpolated, (Z, grid, won))


def _others(
    function: Any, mates: Numbers, grid: Numbers, own: Numbers, r: float, t: Numbers
) -> tuple[Numbers, Numbers]:
    """P(another entry of the window < own), and <=, given z and what they share: shape `(sites, grid, shared)`."""
    w, weight = joint_nodes(np.zeros((1, 0)))
    s = np.sqrt(r) * grid[..., None] + np.sqrt(1 - r) * t
    z = np.sqrt(r) * s[..., None] + np.sqrt(1 - r) * w[0]
    scale = 1e-12 * (1 + np.abs(own))[..., None, None]
    total = [np.zeros(s.shape), np.zeros(s.shape)]
    for tap in mates.T:
        there = function.gather(tap, {}) if len(own) > 1 else function
        values = np.asarray(there(z.reshape(len(z), -1))).reshape(-1, *z.shape[1:])
        for i, larger in enumerate((values < own[..., None, None] - scale, values <= own[..., None, None] + scale)):
            total[i] += larger @ (weight[0] / weight[0].sum()) / mates.shape[1]
    return total[0], total[1]
