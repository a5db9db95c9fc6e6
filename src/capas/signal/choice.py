"""Who wins the maximum over a window: where its gradient goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .contest import alive, contest_of, inside, shares
from .expression import Expression, Z
from .function import apply, as_function
from .joint import interpolated, joint_nodes
from .latent import Latent, correlation_matrix
from .law import ONE, ZERO, Atom, Law, constant
from .quadrature import Numbers


@dataclass(eq=False)
class Choice(Law):
    """1 for the winner of a window, 0 for the others.

    Attributes:
        probability: of winning, given an entry's latent.
        root: of the probability.
        odds: how often each tap wins its window, relative to the mean over the windows of its site.
        windows_of: which sites are in one window, a matrix of booleans.
        largest: the law of the maximum.
        entries: the law of what it is the maximum of.
    """

    probability: Any = None
    root: Any = None
    odds: Any = None
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
    """Who wins the maximum over windows: every entry as often as it does, in the mean over its windows.

    How that depends on the entry is what it is where the latents in a window are equally correlated, by the mean of
    their correlations; where windows overlap, the others of a window count as being like the entry itself. Ties are
    shared where the maximum is given as a law, as when it is taken by `jnp.max`; else the first one wins, as in a
    sliding window.
    """
    function, latent = as_function(inside(law))
    assert latent is not None
    windows = alive(law, windows, sites)
    met = windows >= 0
    drawn = contest_of(law, windows, sites)
    wins = met / met.sum(1, keepdims=True) if drawn is None else drawn.wins
    often, mean = np.bincount(windows[met], minlength=sites), np.bincount(windows[met], wins[met], sites)
    mean = np.maximum(mean, 1e-9) / np.maximum(often, 1)
    odds = np.where(met, wins / mean[windows], 0.0)
    windows = windows[:, met.any(0)]
    taps = windows.shape[1]
    share = shares(windows, sites)
    mates = np.zeros((sites, taps), int)
    for row in windows:
        mates[row[row >= 0]] = np.where(row >= 0, row, row.max())
    if (often > 1).any():
        mates = np.broadcast_to(np.arange(sites)[:, None], mates.shape)
    functions = [_probability(function, latent, mates, _correlation(latent, share, sites), tie) for tie in (1, 2)]
    total = Atom(functions[0], latent).mean / mean
    won, power = (Law(ZERO, {Atom(Expression(np.divide, (f, total[:, None])), latent): ONE}) for f in functions)
    power = won if largest is None else power
    together = (share > 0).T.astype(float) @ (share > 0) > 0
    return Choice(
        constant(1 / taps).offset,
        probability=won,
        root=apply(np.sqrt, [power]),
        odds=odds,
        windows_of=together,
        largest=largest,
        entries=law,
    )


def _correlation(latent: Latent, share: Numbers, sites: int) -> float:
    """Between different sites of a window, in the mean."""
    variance = ((share @ correlation_matrix(latent, latent, False, sites)) * share).sum(1)
    taps = (share > 0).sum(1)
    r = float(((variance * taps - 1) / np.maximum(taps - 1, 1)).mean())
    return 0.0 if r < 1e-9 else min(r, 1 - 1e-9)


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
    t, t_weight = np.polynomial.hermite_e.hermegauss(8) if r else (np.zeros(1), np.ones(1))
    below, upto = _others(function, mates if len(own) > 1 else mates[:1, :1], grid, own, r, t)
    ways = [math.comb(taps - 1, j) * (upto - below) ** j * below ** (taps - 1 - j) for j in range(taps)]
    won = np.clip(sum(way / (1 + j) ** tie for j, way in enumerate(ways)) @ (t_weight / t_weight.sum()), 0.0, 1.0)
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
